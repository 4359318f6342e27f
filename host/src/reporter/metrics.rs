//! Metrics: a run's figures as Prometheus text in a file, and in a few words.
//!
//! Owns: when the file is written: whole, each interval and at the end.
//! Never: counts; that is the business of [`Figures`].

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pframe_core::event::Record;
use pframe_core::fault::{Code, Fault};
use pframe_core::state::JobState;
use pframe_core::units::{ByteSize, show_duration};

use super::Reporter;
use super::amounts::{about, rate};
use super::figures::Figures;
use super::prometheus;
use crate::machine::own_resident_bytes;

/// The reporter: it folds what it sees.
pub(crate) struct Metrics(Arc<Mutex<Figures>>);

/// Who reads the figures.
pub(crate) struct MetricsReader {
    figures: Arc<Mutex<Figures>>,
    attempts_max: u32,
    file: Option<PathBuf>,
    quit: Option<Sender<()>>,
}

/// Starts to fold. With a file, it is written each `interval` too, so that long runs can be watched.
pub(crate) fn start(
    file: Option<PathBuf>,
    attempts_max: u32,
    interval: Duration,
) -> (Metrics, MetricsReader) {
    let figures = Arc::new(Mutex::new(Figures::new()));
    let quit = file.clone().map(|file| {
        let (quit, quits) = channel::<()>();
        let shared = Arc::clone(&figures);
        std::thread::spawn(move || {
            while quits.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                if let Err(fault) = write(&file, &lock(&shared).clone(), attempts_max) {
                    tracing::warn!(%fault, "metrics cannot be written");
                }
            }
        });
        quit
    });
    let reader = MetricsReader { figures: Arc::clone(&figures), attempts_max, file, quit };
    (Metrics(figures), reader)
}

fn lock(figures: &Mutex<Figures>) -> MutexGuard<'_, Figures> {
    figures.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reporter for Metrics {
    fn begin(&mut self, history: &[Record]) {
        lock(&self.0).apply(history);
    }

    fn show(&mut self, records: &[Record]) {
        lock(&self.0).apply(records);
    }
}

impl MetricsReader {
    /// The run's statistics in a few lines.
    pub(crate) fn summary(&self) -> String {
        summary(&lock(&self.figures))
    }

    /// Writes the file, where one was asked for, for the last time.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        self.quit = None;
        match &self.file {
            Some(file) => write(file, &lock(&self.figures), self.attempts_max),
            None => Ok(()),
        }
    }
}

fn summary(figures: &Figures) -> String {
    let totals = figures.totals();
    let failed: u64 = totals.attempt_faults.values().sum();
    let codes = totals.attempt_faults.iter().map(|(code, count)| format!("{count} × {code}"));
    let codes = codes.collect::<Vec<_>>().join(", ");
    let codes = if codes.is_empty() { codes } else { format!(" ({codes})") };
    let states = JobState::ALL.into_iter().filter(|state| totals.jobs_in(*state) > 0);
    let states: Vec<_> = states.map(|state| format!("{} {state}", totals.jobs_in(state))).collect();
    let rate = rate(totals.input_bytes, totals.wall()).unwrap_or_else(|| "0 B/s".into());
    [
        format!("jobs      {}", states.join(", ")),
        format!("chunks    {} of {}", totals.chunks_done, totals.chunks),
        format!(
            "attempts  {}; {failed} failed{codes}, {} tried again",
            totals.attempts, figures.retries
        ),
        format!(
            "time      {} wall, {} cpu, longest wait {}",
            show_duration(totals.wall()),
            show_duration(totals.cpu),
            show_duration(figures.queue_wait_max)
        ),
        format!(
            "data      {} in ({rate}), {} out; fuel {}, peak memory {}",
            about(totals.input_bytes),
            about(totals.output_bytes),
            totals.fuel,
            about(figures.memory_peak)
        ),
    ]
    .join("\n")
}

/// Replaces the file whole, or leaves it as it was.
fn write(path: &Path, figures: &Figures, attempts_max: u32) -> Result<(), Fault> {
    let text = prometheus::text(figures, attempts_max, ByteSize(own_resident_bytes()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let result =
        tempfile::NamedTempFile::with_prefix_in(".pframe-", folder).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(readable)?;
            file.persist(path).map_err(|error| error.error)
        });
    result.map(drop).map_err(|error| {
        Fault::new(Code::DiskFull).detail(format!("writing `{}`: {error}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::records;
    use super::*;

    fn figures() -> Figures {
        let mut figures = Figures::new();
        figures.apply(&records());
        figures
    }

    #[test]
    fn a_run_is_summed_up_in_a_few_lines() {
        let expect = expect_test::expect![[r#"
            jobs      1 queued, 1 completed, 1 failed
            chunks    2 of 6
            attempts  4; 2 failed (1 × PF302, 1 × PF309), 1 tried again
            time      16.0 s wall, 5.6 s cpu, longest wait 10.0 s
            data      600 MiB in (37.5 MiB/s), 12.0 KiB out; fuel 6G, peak memory 48.2 MiB"#]];
        expect.assert_eq(&summary(&figures()));
    }

    #[test]
    fn the_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pframe.prom");
        for _ in 0..2 {
            write(&path, &figures(), 8).unwrap();
        }
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("# EOF\n"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let refused = write(&folder.path().join("none/x"), &figures(), 8).unwrap_err();
        assert_eq!(refused.code, Code::DiskFull);
    }
}
