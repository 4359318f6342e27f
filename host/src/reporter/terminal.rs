//! Progress for people: bars on a terminal, a line now and then elsewhere.
//!
//! Owns: how a running job looks.
//! Never: slows the run: it draws a few times a second, whatever happens in between.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pframe_core::event::{Event, Record};
use pframe_core::ids::{JobId, Step};
use pframe_core::units::ByteSize;

use super::Reporter;
use super::told::say;

/// Bars at most; further jobs are counted in the last line.
const BARS_MAX: usize = 8;
/// Drawings a second.
const DRAWINGS_PER_SECOND: u8 = 8;

/// What is shown of one job.
struct Shown {
    bar: Option<ProgressBar>,
    chunks: u64,
    done: u64,
    failed: u64,
    input_bytes: u64,
    started: Instant,
}

/// Draws progress.
pub(crate) struct Terminal {
    bars: Option<MultiProgress>,
    jobs: HashMap<JobId, Shown>,
    bars_used: usize,
    interval: Duration,
    last_line: Instant,
}

impl Terminal {
    /// Bars where stderr is a terminal; else a line each `interval`.
    pub(crate) fn start(interval: Duration) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let target = ProgressDrawTarget::stderr_with_hz(DRAWINGS_PER_SECOND);
        Self {
            bars: is_terminal.then(|| MultiProgress::with_draw_target(target)),
            jobs: HashMap::new(),
            bars_used: 0,
            interval: interval.max(Duration::from_millis(100)),
            last_line: Instant::now(),
        }
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::JobAccepted { job } => self.accept(job.id.clone()),
            Event::ChunksPlanned { job, chunks } => self.change(job, |shown| {
                shown.chunks = chunks.len() as u64;
                if let Some(bar) = &shown.bar {
                    bar.set_length(shown.chunks);
                }
            }),
            Event::AttemptSucceeded { attempt, usage, .. } => {
                let is_chunk = matches!(attempt.step, Step::Run(_));
                self.change(&attempt.job, |shown| {
                    shown.done += u64::from(is_chunk);
                    shown.input_bytes += usage.input_bytes.bytes();
                });
            }
            Event::AttemptFailed {
                attempt,
                then: pframe_core::event::AfterFailure::GiveUp,
                ..
            } => self.change(&attempt.job, |shown| shown.failed += 1),
            Event::JobCompleted { job, .. } => self.close(job, "done"),
            Event::JobFailed { job, .. } => self.close(job, "failed"),
            Event::JobCancelled { job, .. } => self.close(job, "cancelled"),
            Event::AttemptStarted { .. }
            | Event::CutSucceeded { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptReturned { .. }
            | Event::StopRequested { .. }
            | Event::ResultPublished { .. } => {}
        }
    }

    fn accept(&mut self, job: JobId) {
        let bar = self.bars.as_ref().filter(|_| self.bars_used < BARS_MAX).map(|bars| {
            let bar = bars.add(ProgressBar::new(1).with_prefix(job.to_string()));
            bar.set_style(style());
            bar
        });
        self.bars_used += usize::from(bar.is_some());
        let started = Instant::now();
        let shown = Shown { bar, chunks: 0, done: 0, failed: 0, input_bytes: 0, started };
        self.jobs.insert(job, shown);
    }

    fn change(&mut self, job: &JobId, change: impl FnOnce(&mut Shown)) {
        let Some(shown) = self.jobs.get_mut(job) else { return };
        change(shown);
        if let Some(bar) = &shown.bar {
            bar.set_position(shown.done + shown.failed);
            bar.set_message(shown.message());
        }
    }

    fn close(&mut self, job: &JobId, how: &'static str) {
        let Some(shown) = self.jobs.remove(job) else { return };
        if let Some(bar) = shown.bar {
            self.bars_used -= 1;
            bar.finish_with_message(how);
        }
    }

    /// Where there are no bars: one line about the jobs that have not ended.
    fn line(&mut self) {
        if self.bars.is_some() || self.last_line.elapsed() < self.interval {
            return;
        }
        self.last_line = Instant::now();
        let (chunks, ended) = self.jobs.values().fold((0, 0), |(chunks, ended), shown| {
            (chunks + shown.chunks, ended + shown.done + shown.failed)
        });
        if !self.jobs.is_empty() {
            say(&format!("{} jobs running, {ended} of {chunks} chunks done", self.jobs.len()));
        }
    }
}

impl Shown {
    fn message(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a rate for people"
        )]
        let rate = (self.input_bytes as f64 / seconds) as u64;
        match self.failed {
            0 => format!("{}/s", ByteSize(rate)),
            failed => format!("{}/s, {failed} failed", ByteSize(rate)),
        }
    }
}

impl Reporter for Terminal {
    fn show(&mut self, records: &[Record]) {
        for record in records {
            self.see(&record.event);
        }
        self.line();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        for shown in self.jobs.values() {
            if let Some(bar) = &shown.bar {
                bar.abandon();
            }
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:20!} [{bar:30}] {pos}/{len} chunks {msg} {eta}")
        .expect("a valid template")
        .progress_chars("=> ")
}
