//! A story: a machine and jobs in, a picture of who ran when out.
//!
//! One column is one second. `·` waits, `─` stands in a batch, `━` runs; then `✓` succeeded,
//! `✗` failed and is tried again, `✘` failed for good, `↩` was returned.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod picture;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::event::{Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{AttemptId, JobId, Step};
use pframe_core::job::JobSpec;
use pframe_core::limits::Usage;
use pframe_core::scheduler::{
    Batch, Command, Decision, Message, Outcome, Scheduler, Settings, Start,
};
use pframe_core::units::{ByteSize, Timestamp};
use picture::Picture;

use crate::common;

/// Attempts of a job take this long, in seconds, unless the story says otherwise.
const LASTS: u64 = 2;
/// A story is over after this many turns, whatever happens.
const TURNS_MAX: usize = 10_000;

/// What happens, and how attempts behave.
pub(crate) struct Story {
    pub(crate) settings: Settings,
    /// In the order in which they happen; the key is the second.
    happenings: BTreeMap<u64, Vec<Happening>>,
    lasts: BTreeMap<String, u64>,
    fails: BTreeMap<String, Code>,
    memory_peak: ByteSize,
    is_cached: bool,
    scheduler: Scheduler,
    records: Vec<Record>,
    running: Vec<(Timestamp, Start, Duration)>,
    picture: Picture,
}

#[expect(clippy::large_enum_variant, reason = "there are few")]
enum Happening {
    Say(Message),
    Explain(JobId),
    Crash,
}

impl Story {
    /// On a machine with so many cores.
    pub(crate) fn on(cores: u32) -> Self {
        let settings = Settings::new(common::machine(cores));
        Self {
            scheduler: Scheduler::new(settings.clone()),
            settings,
            happenings: BTreeMap::new(),
            lasts: BTreeMap::new(),
            fails: BTreeMap::new(),
            memory_peak: ByteSize::mib(1),
            is_cached: false,
            records: Vec::new(),
            running: Vec::new(),
            picture: Picture::default(),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.scheduler = Scheduler::new(self.settings.clone());
        self
    }

    /// A job is submitted at this second, with so many chunks.
    pub(crate) fn job(
        self,
        at: u64,
        id: &str,
        chunks: u32,
        change: impl FnOnce(&mut JobSpec),
    ) -> Self {
        let mut spec = common::job(id);
        change(&mut spec);
        self.say(at, Message::Submit { job: Arc::new(spec), chunks: Some(common::chunks(chunks)) })
    }

    /// A job whose handler cuts its input itself.
    pub(crate) fn uncut_job(self, at: u64, id: &str) -> Self {
        self.uncut(at, id, |_| ())
    }

    /// A job whose chunks are not known when it is accepted.
    pub(crate) fn uncut(self, at: u64, id: &str, change: impl FnOnce(&mut JobSpec)) -> Self {
        let mut spec = common::job(id);
        change(&mut spec);
        self.say(at, Message::Submit { job: Arc::new(spec), chunks: None })
    }

    /// Every attempt of this job, or this one attempt, takes so many seconds.
    pub(crate) fn lasts(mut self, of: &str, seconds: u64) -> Self {
        self.lasts.insert(of.into(), seconds);
        self
    }

    /// This attempt fails.
    pub(crate) fn fails(mut self, attempt: &str, code: Code) -> Self {
        self.fails.insert(attempt.into(), code);
        self
    }

    /// Every attempt touches this much memory.
    pub(crate) fn touches(mut self, memory: ByteSize) -> Self {
        self.memory_peak = memory;
        self
    }

    /// Every result is that of an earlier attempt.
    pub(crate) fn cached(mut self) -> Self {
        self.is_cached = true;
        self
    }

    pub(crate) fn cancel(self, at: u64, job: &str) -> Self {
        let job = JobId::new(job).unwrap();
        self.say(at, Message::Cancel { job })
    }

    pub(crate) fn say(mut self, at: u64, message: Message) -> Self {
        self.happenings.entry(at).or_default().push(Happening::Say(message));
        self
    }

    /// Asks why after everything else of this second.
    pub(crate) fn explain(mut self, at: u64, job: &str) -> Self {
        let job = JobId::new(job).unwrap();
        self.happenings.entry(at).or_default().push(Happening::Explain(job));
        self
    }

    /// The host dies and comes back at once.
    pub(crate) fn crash(mut self, at: u64) -> Self {
        self.happenings.entry(at).or_default().push(Happening::Crash);
        self
    }

    /// Lets it happen and draws it.
    pub(crate) fn tell(mut self) -> String {
        let mut wake_at = None;
        for _ in 0..TURNS_MAX {
            let happening = self.happenings.keys().next().map(|&second| at_second(second));
            let end = self.running.iter().map(|running| running.0).min();
            let Some(now) = [happening, end, wake_at].into_iter().flatten().min() else {
                return self.picture.draw();
            };
            wake_at = self.turn(now);
        }
        panic!("the story never ends:\n{}", self.picture.draw());
    }

    fn turn(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut messages = self.ends_at(now);
        let mut asked = Vec::new();
        while let Some(entry) = self.happenings.first_entry() {
            if at_second(*entry.key()) > now {
                break;
            }
            for happening in entry.remove() {
                match happening {
                    Happening::Say(message) => messages.push(message),
                    Happening::Explain(job) => asked.push(job),
                    Happening::Crash => return self.die(now),
                }
            }
        }
        let decision = self.scheduler.handle(now, messages);
        let wake_at = self.obey(now, decision);
        for job in asked {
            let why = self.scheduler.explain(now, &job).map(|why| why.to_string());
            self.picture.say(now, &job, &why.unwrap_or("not known".into()));
        }
        wake_at
    }

    fn die(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.running.clear();
        self.scheduler = Scheduler::replay(self.settings.clone(), &self.records).unwrap();
        let decision = self.scheduler.recover(now);
        self.obey(now, decision)
    }

    fn obey(&mut self, now: Timestamp, decision: Decision) -> Option<Timestamp> {
        for event in decision.events {
            self.picture.hear(now, &event);
            self.records.push(Record { seq: self.records.len() as u64 + 1, at: now, event });
        }
        for command in decision.commands {
            match command {
                Command::Start(batch) => self.run(now, batch),
                Command::Stop { attempt, fault } => self.end_now(now, &attempt, fault.code),
                Command::Publish { job, .. } => {
                    let published = Message::ResultPublished { job: job.id.clone() };
                    self.happenings
                        .entry(second(now) + 1)
                        .or_default()
                        .push(Happening::Say(published));
                }
            }
        }
        self.scheduler.sanity_check();
        decision.wake_at
    }

    fn run(&mut self, now: Timestamp, batch: Batch) {
        let mut begin = now;
        for start in batch.attempts {
            self.picture.begin(begin, &start.attempt);
            let wall = self.wall(&start.attempt);
            begin = begin.after(wall);
            self.running.push((begin, start, wall));
        }
    }

    fn wall(&self, attempt: &AttemptId) -> Duration {
        let name = attempt.to_string();
        let lasts = self.lasts.get(&name).or_else(|| self.lasts.get(attempt.job.as_str()));
        Duration::from_secs(*lasts.unwrap_or(&LASTS))
    }

    /// What is stopped ends a second later.
    fn end_now(&mut self, now: Timestamp, attempt: &AttemptId, code: Code) {
        self.fails.insert(attempt.to_string(), code);
        let running = self.running.iter_mut().find(|running| running.1.attempt == *attempt);
        let running = running.expect("only what runs is stopped");
        running.0 = running.0.min(now.after(Duration::from_secs(1)));
    }

    fn ends_at(&mut self, now: Timestamp) -> Vec<Message> {
        let running = std::mem::take(&mut self.running);
        let (ended, running) = running.into_iter().partition(|running| running.0 <= now);
        self.running = running;
        let ended: Vec<_> = ended;
        ended.into_iter().map(|(_, start, wall)| self.end(start.attempt, wall)).collect()
    }

    fn end(&self, attempt: AttemptId, wall: Duration) -> Message {
        let outcome = match (self.fails.get(&attempt.to_string()), attempt.step) {
            (Some(Code::Drained), _) => Outcome::Returned,
            (Some(&code), _) => Outcome::Failed(Fault::new(code)),
            (None, Step::Cut) => Outcome::Cuts(common::chunks(2)),
            (None, Step::Run(_) | Step::Collect) => Outcome::Output(Output::inline(*b"out")),
        };
        let (memory_peak, is_cached) = (self.memory_peak, self.is_cached);
        let usage = Usage { wall, memory_peak, is_cached, ..Usage::default() };
        Message::AttemptEnded { attempt, usage, outcome }
    }
}

fn at_second(second: u64) -> Timestamp {
    Timestamp(second * 1_000_000)
}

fn second(at: Timestamp) -> u64 {
    at.0 / 1_000_000
}
