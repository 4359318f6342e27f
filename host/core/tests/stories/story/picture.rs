//! Draws attempts as bars.

use std::collections::BTreeMap;
use std::fmt::Write;

use pframe_core::event::{AfterFailure, Event};
use pframe_core::ids::{AttemptId, JobId};
use pframe_core::units::Timestamp;

#[derive(Default)]
pub(crate) struct Picture {
    accepted: BTreeMap<JobId, u64>,
    /// In the order of their start.
    bars: Vec<Bar>,
    /// What is said below the bars.
    words: Vec<String>,
}

struct Bar {
    attempt: AttemptId,
    ordered: u64,
    begin: u64,
    end: Option<(u64, char)>,
}

impl Picture {
    pub(crate) fn hear(&mut self, now: Timestamp, event: &Event) {
        match event {
            Event::JobAccepted { job } => drop(self.accepted.insert(job.id.clone(), second(now))),
            Event::AttemptStarted { attempt, .. } => self.order(now, attempt),
            Event::AttemptSucceeded { attempt, .. } | Event::CutSucceeded { attempt, .. } => {
                self.end(now, attempt, '✓');
            }
            Event::AttemptFailed { attempt, then: AfterFailure::Retry { .. }, .. } => {
                self.end(now, attempt, '✗');
            }
            Event::AttemptFailed { attempt, then: AfterFailure::GiveUp, .. } => {
                self.end(now, attempt, '✘');
            }
            Event::AttemptReturned { attempt } => self.end(now, attempt, '↩'),
            Event::StopRequested { job, fault } => {
                self.say(now, job, &format!("is stopped, {}", fault.code));
            }
            Event::JobCompleted { job, .. } => self.say(now, job, "completed"),
            Event::JobFailed { job, fault } => {
                self.say(now, job, &format!("failed, {} {fault}", fault.code));
            }
            Event::JobCancelled { job, fault } => {
                self.say(now, job, &format!("cancelled, {}", fault.code));
            }
            Event::ResultPublished { job } => self.say(now, job, "published"),
            Event::ChunksPlanned { .. } => {}
        }
    }

    pub(crate) fn say(&mut self, now: Timestamp, job: &JobId, words: &str) {
        let second = format!("{} s", second(now));
        self.words.push(format!("{second:<5} {job} {words}"));
    }

    fn order(&mut self, now: Timestamp, attempt: &AttemptId) {
        let ordered = second(now);
        self.bars.push(Bar { attempt: attempt.clone(), ordered, begin: ordered, end: None });
    }

    /// The attempt really begins now, after those before it in its batch.
    pub(crate) fn begin(&mut self, at: Timestamp, attempt: &AttemptId) {
        self.bar(attempt).begin = second(at);
    }

    fn end(&mut self, now: Timestamp, attempt: &AttemptId, mark: char) {
        self.bar(attempt).end = Some((second(now), mark));
    }

    fn bar(&mut self, attempt: &AttemptId) -> &mut Bar {
        let bar = self.bars.iter_mut().find(|bar| bar.attempt == *attempt);
        bar.expect("ordered before")
    }

    pub(crate) fn draw(&self) -> String {
        let width = self.bars.iter().map(|bar| bar.attempt.to_string().len()).max().unwrap_or(0);
        let mut text = String::new();
        for bar in &self.bars {
            let name = bar.attempt.to_string();
            let bar = self.draw_bar(bar);
            writeln!(text, "{name:<width$} {bar}").unwrap();
        }
        for words in &self.words {
            writeln!(text, "{words}").unwrap();
        }
        text
    }

    fn draw_bar(&self, bar: &Bar) -> String {
        let accepted = self.accepted[&bar.attempt.job];
        let (end, mark) = bar.end.unwrap_or((bar.begin + 1, '…'));
        let cell = |at| match at {
            at if at < accepted => ' ',
            at if at < bar.ordered => '·',
            at if at < bar.begin => '─',
            _ => '━',
        };
        (0..end).map(cell).chain([mark]).collect()
    }
}

fn second(at: Timestamp) -> u64 {
    at.0 / 1_000_000
}
