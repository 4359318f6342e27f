//! What the progress display knows: a report, and which jobs have a line of their own.
//!
//! Owns: the words and figures of progress.
//! Never: draws.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use pframe_core::event::{Event, Record};
use pframe_core::ids::JobId;
use pframe_core::report::{JobReport, Report, Totals};
use pframe_core::state::JobState;
use pframe_core::units::{ByteSize, Timestamp, show_duration};

use super::amounts::rate;

/// Lines at most; the jobs without one are counted in the last line.
pub(super) const LINES_MAX: usize = 8;
/// Jobs that have ended and are still known: those that have a line.
const ENDED_KEPT: usize = 4 * LINES_MAX;
/// Jobs whose turn for a line is remembered; past it they are only counted.
const WAITING_MAX: usize = 10_000;

/// The fold behind the display.
pub(super) struct Board {
    report: Report,
    /// Jobs that have had no line yet, in the order of acceptance.
    waiting: VecDeque<JobId>,
    lines: Vec<JobId>,
    jobs: u64,
    /// Chunks that will never run: their jobs have ended.
    moot: u64,
    /// When the display began. What an earlier process did says nothing about how fast this one is.
    began_at: Timestamp,
    /// How far all jobs were then.
    base: Base,
    /// How far each job was then.
    bases: HashMap<JobId, Base>,
}

/// How far something was when the display began.
#[derive(Debug, Clone, Copy, Default)]
struct Base {
    done: u64,
    bytes: ByteSize,
}

/// What one line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The job, or `total`.
    pub(super) name: String,
    /// Steps that have ended.
    pub(super) done: u64,
    /// All steps.
    pub(super) all: u64,
    /// The rest in words.
    pub(super) words: String,
}

impl Board {
    pub(super) fn new(began_at: Timestamp) -> Self {
        Self {
            report: Report::keeping(ENDED_KEPT),
            waiting: VecDeque::new(),
            lines: Vec::new(),
            jobs: 0,
            moot: 0,
            began_at,
            base: Base::default(),
            bases: HashMap::new(),
        }
    }

    /// Takes in what an earlier process recorded.
    pub(super) fn begin(&mut self, history: &[Record]) {
        self.apply(history);
        let totals = self.report.totals();
        self.base = Base { done: done_of(totals), bytes: totals.input_bytes };
        let open = self.report.jobs().into_iter().filter(|job| !job.state().is_terminal());
        let base =
            |job: &JobReport| Base { done: job.chunks_ended().into(), bytes: job.input_bytes };
        self.bases = open.map(|job| (job.spec.id.clone(), base(job))).collect();
    }

    pub(super) fn apply(&mut self, records: &[Record]) {
        for record in records {
            if let Event::JobAccepted { job } = &record.event {
                self.jobs += 1;
                if self.waiting.len() < WAITING_MAX {
                    self.waiting.push_back(job.id.clone());
                }
            }
            self.moot += self.given_up(&record.event);
            self.report.apply(record);
        }
    }

    /// Chunks that will not run because of this event.
    fn given_up(&self, event: &Event) -> u64 {
        match event {
            Event::JobFailed { job, .. } | Event::JobCancelled { job, .. } => {
                let job = self.report.job(job);
                job.map_or(0, |job| {
                    job.chunks.saturating_sub(job.chunks_done + job.chunks_failed).into()
                })
            }
            _ => 0,
        }
    }

    /// The lines as of now: jobs that have ended give way to jobs that wait for a line.
    pub(super) fn lines(&mut self, now: Timestamp) -> Vec<Line> {
        self.take_turns();
        let shown = self.lines.iter().filter_map(|id| self.report.job(id));
        let mut lines: Vec<_> = shown.map(|job| self.line(job, now)).collect();
        if self.jobs > 1 {
            lines.push(self.total(now));
        }
        lines
    }

    fn take_turns(&mut self) {
        let report = &self.report;
        let has_ended = |id: &JobId| report.job(id).is_none_or(|job| job.state().is_terminal());
        self.waiting.retain(|id| report.job(id).is_some());
        while !self.waiting.is_empty() {
            if self.lines.len() >= LINES_MAX {
                let Some(ended) = self.lines.iter().position(has_ended) else { return };
                self.lines.remove(ended);
            }
            self.lines.extend(self.waiting.pop_front());
        }
        self.lines.retain(|id| report.job(id).is_some());
    }

    fn total(&self, now: Timestamp) -> Line {
        let totals = self.report.totals();
        let ended = [JobState::Completed, JobState::Failed, JobState::Cancelled];
        let jobs_ended: u64 = ended.into_iter().map(|state| totals.jobs_in(state)).sum();
        let (done, all) = (done_of(totals), totals.chunks.saturating_sub(self.moot));
        let elapsed = now.since(self.began_at);
        let bytes = ByteSize(totals.input_bytes.bytes().saturating_sub(self.base.bytes.bytes()));
        let mut words = vec![format!("{jobs_ended}/{} jobs", self.jobs)];
        words.extend(rate(bytes, elapsed));
        if totals.chunks_failed > 0 {
            words.push(format!("{} failed", totals.chunks_failed));
        }
        let words = format!(
            "{}{}",
            words.join(", "),
            left(done.saturating_sub(self.base.done), done, all, elapsed)
        );
        Line { name: "total".into(), done, all, words }
    }

    /// Everything in one line, for a log; `None` while nothing is under way.
    pub(super) fn sentence(&self, now: Timestamp) -> Option<String> {
        let totals = self.report.totals();
        let open = [JobState::Pending, JobState::Queued, JobState::Running, JobState::Retrying];
        let jobs_open: u64 = open.into_iter().map(|state| totals.jobs_in(state)).sum();
        let Line { done, all, words, .. } = self.total(now);
        (jobs_open > 0).then(|| format!("progress: {done}/{all} chunks, {words}"))
    }

    fn line(&self, job: &JobReport, now: Timestamp) -> Line {
        let (done, all) = (u64::from(job.chunks_ended()), u64::from(job.chunks));
        let state = job.state();
        let words = match state {
            JobState::Pending if job.running() > 0 => "is being cut".into(),
            JobState::Pending => "waits to be cut".into(),
            JobState::Queued if job.attempts == 0 => format!("0/{all} chunks, waits"),
            JobState::Running | JobState::Queued | JobState::Retrying => self.pace(job, now),
            JobState::Completed | JobState::Failed | JobState::Cancelled => {
                let (done, spent) = (job.chunks_done, job.wall().unwrap_or_default());
                format!("{state}, {done} of {all} chunks done in {}", show_duration(spent))
            }
        };
        Line { name: job.spec.id.to_string(), done, all, words }
    }

    fn pace(&self, job: &JobReport, now: Timestamp) -> String {
        let (done, all) = (u64::from(job.chunks_ended()), u64::from(job.chunks));
        let base = self.bases.get(&job.spec.id).copied().unwrap_or_default();
        let began_at = job.started_at.unwrap_or(now).max(self.began_at);
        let elapsed = now.since(began_at);
        let mut words = vec![format!("{done}/{all} chunks")];
        words.extend(rate(
            ByteSize(job.input_bytes.bytes().saturating_sub(base.bytes.bytes())),
            elapsed,
        ));
        if job.chunks_failed > 0 {
            words.push(format!("{} failed", job.chunks_failed));
        }
        if job.retrying() > 0 {
            words.push(format!("{} to be tried again", job.retrying()));
        }
        if done == all && all > 0 {
            words.push("collecting".into());
        }
        format!("{}{}", words.join(", "), left(done.saturating_sub(base.done), done, all, elapsed))
    }
}

fn done_of(totals: &Totals) -> u64 {
    totals.chunks_done + totals.chunks_failed
}

/// `, 12s left`, from the chunks that ended while it was watched; nothing where that would be a guess.
fn left(done_here: u64, done: u64, all: u64, elapsed: Duration) -> String {
    if done_here == 0 || done >= all || elapsed < Duration::from_secs(1) {
        return String::new();
    }
    let millis = elapsed.as_millis() * u128::from(all - done) / u128::from(done_here);
    let left = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
    let left = Duration::from_secs(left.as_secs().max(1));
    format!(", {} left", humantime::format_duration(left))
}

#[cfg(test)]
mod tests {
    use super::super::samples::records;
    use super::*;

    fn picture(upto: usize) -> String {
        let records = records();
        let began_at = records[0].at;
        let mut board = Board::new(began_at);
        board.apply(&records[..upto]);
        lines(&mut board, records[upto - 1].at.after(Duration::from_millis(500)))
    }

    fn lines(board: &mut Board, now: Timestamp) -> String {
        let line =
            |line: &Line| format!("{} [{}/{}] {}", line.name, line.done, line.all, line.words);
        board.lines(now).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_line_says_how_far_a_job_is_and_how_it_ended() {
        let pictures = [3, 9, 10, 12, 17].map(picture).join("\n\n");
        let expect = expect_test::expect![[r#"
            count-novels [0/0] waits to be cut
            count-letters [0/0] waits to be cut
            waits [0/0] waits to be cut
            total [0/0] 0/3 jobs

            count-novels [1/2] 1/2 chunks, 60.0 MiB/s, 2s left
            count-letters [0/1] 0/1 chunks, waits
            waits [0/3] 0/3 chunks, waits
            total [1/6] 0/3 jobs, 17.6 MiB/s, 42s left

            count-novels [1/2] 1/2 chunks, 85.7 MiB/s, 1 to be tried again, 3s left
            count-letters [0/1] 0/1 chunks, waits
            waits [0/3] 0/3 chunks, waits
            total [1/6] 0/3 jobs, 31.6 MiB/s, 47s left

            count-novels [1/2] 1/2 chunks, 54.5 MiB/s, 5s left
            count-letters [0/1] 0/1 chunks
            waits [0/3] 0/3 chunks, waits
            total [1/6] 0/3 jobs, 26.1 MiB/s, 57s left

            count-novels [2/2] completed, 2 of 2 chunks done in 8.0 s
            count-letters [1/1] failed, 0 of 1 chunks done in 5.0 s
            waits [0/3] 0/3 chunks, waits
            total [3/6] 2/3 jobs, 36.4 MiB/s, 1 failed, 16s left"#]];
        expect.assert_eq(&pictures);
    }

    #[test]
    fn what_an_earlier_process_did_does_not_count_for_the_pace() {
        let records = records();
        let (history, news) = records.split_at(11);
        let an_hour_later = history[10].at.after(Duration::from_hours(1));
        let mut board = Board::new(an_hour_later);
        board.begin(history);
        let news: Vec<_> = news
            .iter()
            .map(|record| Record {
                at: an_hour_later.after(Duration::from_secs(1)),
                ..record.clone()
            })
            .collect();
        board.apply(&news[..2]);
        let expect = expect_test::expect![[r#"
            count-novels [2/2] 2/2 chunks, 75.0 MiB/s, collecting
            count-letters [0/1] 0/1 chunks
            waits [0/3] 0/3 chunks, waits
            total [2/6] 0/3 jobs, 75.0 MiB/s, 8s left"#]];
        expect.assert_eq(&lines(&mut board, an_hour_later.after(Duration::from_secs(2))));
    }

    #[test]
    fn chunks_of_a_job_that_was_cancelled_are_not_waited_for() {
        let mut records = records();
        let job = "waits".parse().unwrap();
        let fault = pframe_core::fault::Fault::new(pframe_core::fault::Code::Cancelled);
        let (seq, at) = (100, records[16].at);
        records.push(Record { seq, at, event: Event::JobCancelled { job, fault } });
        let mut board = Board::new(records[0].at);
        board.apply(&records);
        let last = lines(&mut board, at);
        let expect = expect_test::expect!["total [3/3] 3/3 jobs, 37.5 MiB/s, 1 failed"];
        expect.assert_eq(last.lines().last().unwrap());
    }

    #[test]
    fn a_log_gets_everything_in_one_line() {
        let records = records();
        let mut board = Board::new(records[0].at);
        assert_eq!(board.sentence(records[0].at), None);
        board.apply(&records);
        let expect =
            expect_test::expect!["progress: 3/6 chunks, 2/3 jobs, 37.5 MiB/s, 1 failed, 16s left"];
        expect.assert_eq(&board.sentence(records[16].at).unwrap());
    }
}
