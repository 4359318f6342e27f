//! One random life of a host: what happens to it, and what it does about that.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod laws;
mod random;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use laws::Laws;
use pframe_core::event::{Event, Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{AttemptId, Digest, JobId, Step, TenantName};
use pframe_core::job::{JobSpec, Requirements, Source, SourcePlace};
use pframe_core::limits::Usage;
use pframe_core::policy::{OnFailure, Tolerance};
use pframe_core::resources::Capacity;
use pframe_core::retry::taken_up;
use pframe_core::scheduler::{
    Command, Decision, Message, Outcome, Scheduler, Settings, TenantSettings,
};
use pframe_core::units::{ByteSize, CpuCores, Timestamp};
use random::Random;

use crate::common;

/// Ends that an attempt can come to, the frequent ones more than once.
const FAULTS: [Code; 5] =
    [Code::Transient, Code::Transient, Code::WorkerLost, Code::Trap, Code::PoolExhausted];

/// A host with its scheduler, its journal and its executor.
pub(crate) struct World {
    random: Random,
    now: Timestamp,
    settings: Settings,
    scheduler: Scheduler,
    records: Vec<Record>,
    /// What the executor runs, in the order of the commands.
    running: Vec<AttemptId>,
    unpublished: Vec<JobId>,
    jobs: Vec<JobId>,
    /// Jobs that others may still depend on, and how many.
    awaited: Vec<(JobId, u32)>,
    /// Attempts that ended before, for late words about them.
    ended: Vec<AttemptId>,
    is_draining: bool,
    laws: Laws,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let settings = any_settings(&mut random);
        Self {
            random,
            now: Timestamp(1_000_000_000),
            scheduler: Scheduler::new(settings.clone()),
            settings,
            records: Vec::new(),
            running: Vec::new(),
            unpublished: Vec::new(),
            jobs: Vec::new(),
            awaited: Vec::new(),
            ended: Vec::new(),
            is_draining: false,
            laws: Laws::default(),
        }
    }

    /// Lets one thing happen.
    pub(crate) fn step(&mut self) {
        match self.random.below(100) {
            0..25 => self.submit(),
            25..75 => self.end_some(),
            75..82 => self.cancel_one(),
            82..88 => self.pass_time(),
            88..92 => self.publish_one(),
            92..94 => self.resize(),
            94..96 => self.late_word(),
            96..97 => self.drain(),
            _ => self.crash(),
        }
    }

    /// Lets the machine recover and everything end; then every job has ended exactly once.
    pub(crate) fn run_dry(&mut self) {
        if self.is_draining {
            self.crash();
        }
        self.say([Message::CapacityChanged(self.settings.capacity)]);
        for _ in 0..100_000 {
            match self.scheduler.job_count() {
                0 => return self.laws.check_all_ended(&self.jobs),
                _ if !self.unpublished.is_empty() => self.publish_one(),
                _ if !self.running.is_empty() => self.end_some(),
                _ => self.pass_time(),
            }
        }
        panic!("{} jobs never end", self.scheduler.job_count());
    }

    /// Takes up what failed in this life, as the beginning of another; false where nothing failed.
    pub(crate) fn take_up(&mut self) -> bool {
        let events = taken_up(&self.records, |_, _| true, self.now);
        let accepted = |event: &Event| match event {
            Event::JobAccepted { job } => Some(job.id.clone()),
            _ => None,
        };
        self.jobs = events.iter().filter_map(accepted).collect();
        (self.laws, self.records) = (Laws::default(), Vec::new());
        self.awaited.clear();
        self.ended.clear();
        for event in events {
            let record = Record { seq: self.records.len() as u64 + 1, at: self.now, event };
            self.laws.hear(&record);
            self.records.push(record);
        }
        self.scheduler = Scheduler::replay(self.settings.clone(), &self.records).unwrap();
        let decision = self.scheduler.recover(self.now);
        self.obey(decision);
        !self.jobs.is_empty()
    }

    /// Replays the journal without one of its records, and another with two that changed places.
    pub(crate) fn lose_a_record(mut self) {
        if self.records.len() < 2 {
            return;
        }
        let place = self.random.index(self.records.len() - 1);
        let mut swapped = self.records.clone();
        swapped.swap(place, place + 1);
        self.records.remove(place);
        for records in [self.records, swapped] {
            if let Ok(mut scheduler) = Scheduler::replay(self.settings.clone(), records) {
                scheduler.recover(self.now);
                scheduler.sanity_check();
            }
        }
    }

    fn say(&mut self, messages: impl IntoIterator<Item = Message>) {
        let decision = self.scheduler.handle(self.now, messages);
        self.obey(decision);
    }

    /// Records, checks, acts: in this order, always.
    fn obey(&mut self, decision: Decision) {
        for event in decision.events {
            let record = Record { seq: self.records.len() as u64 + 1, at: self.now, event };
            self.laws.hear(&record);
            self.records.push(record);
        }
        for command in decision.commands {
            self.act(command);
        }
        self.scheduler.sanity_check();
        for job in &self.jobs {
            let text = self.scheduler.explain(self.now, job).map(|why| why.to_string());
            assert!(text.is_none_or(|text| text.len() < 2000), "explanations are bounded");
        }
        self.laws.check_running(&self.running);
        self.laws.check_states(&self.scheduler);
        let wakes = decision.wake_at.is_some() || !self.running.is_empty() || self.is_draining;
        let waits = self.scheduler.job_count() > self.unpublished.len();
        let is_small = self.scheduler_capacity() != self.settings.capacity;
        assert!(wakes || !waits || is_small, "work waits and nothing will ever wake it");
    }

    fn scheduler_capacity(&self) -> Capacity {
        self.laws.capacity.unwrap_or(self.settings.capacity)
    }

    fn act(&mut self, command: Command) {
        match command {
            Command::Start(batch) => {
                assert!(!self.is_draining, "nothing starts while draining");
                assert!(!batch.attempts.is_empty());
                let is_single = batch.attempts.len() == 1;
                let first = &batch.attempts[0].job;
                for start in &batch.attempts {
                    let is_unmade = |input: &Source| matches!(input.place, SourcePlace::Job(_));
                    assert!(!start.job.inputs.iter().any(is_unmade), "every input is there");
                    assert_eq!(start.job.tenant, first.tenant, "a batch has one tenant");
                    assert_eq!(start.job.task.component, first.task.component);
                    assert!(is_single || start.attempt.number == 1, "a retry runs alone");
                    self.running.push(start.attempt.clone());
                }
            }
            Command::Stop { attempt, .. } => {
                assert!(self.running.contains(&attempt), "only what runs is stopped");
                if self.random.below(2) == 0 {
                    // The executor obeys at once; otherwise the attempt ends as it likes.
                    self.running.retain(|other| *other != attempt);
                    self.running.insert(0, attempt);
                }
            }
            Command::Publish { job, .. } => {
                assert!(job.output.is_some());
                if !self.unpublished.contains(&job.id) {
                    self.unpublished.push(job.id.clone());
                }
            }
        }
    }

    fn submit(&mut self) {
        let mut spec = self.any_job();
        let chunk_count = self.random.below(6);
        if self.scheduler.admit(&spec, chunk_count as usize).is_err() {
            return;
        }
        self.depend(&mut spec);
        self.jobs.push(spec.id.clone());
        let is_uncut = spec.inputs.iter().any(|input| matches!(input.place, SourcePlace::Job(_)));
        let is_uncut = is_uncut || self.random.below(8) == 0;
        let chunks = (!is_uncut).then(|| common::chunks(chunk_count));
        self.say([Message::Submit { job: Arc::new(spec), chunks }]);
    }

    /// Some wait for jobs that came before, whether those have ended or not, and some of them for their results.
    fn depend(&mut self, spec: &mut JobSpec) {
        let mut after = Vec::new();
        for _ in 0..self.random.below(3) {
            if self.awaited.is_empty() {
                break;
            }
            let place = self.random.index(self.awaited.len());
            let (job, left) = &mut self.awaited[place];
            if !after.contains(job) {
                after.push(job.clone());
                *left -= 1;
            }
            self.awaited.retain(|(_, left)| *left > 0);
        }
        if self.random.below(2) == 0 {
            let place = |job: &JobId| SourcePlace::Job(job.clone());
            let source = |job| Source { size: 0, place: place(job), ..spec.inputs[0].clone() };
            spec.inputs = after.iter().map(source).chain([spec.inputs[0].clone()]).collect();
        }
        spec.after = after.into();
        spec.dependents = *self.random.pick(&[0, 0, 0, 1, 2, 3]);
        if spec.dependents > 0 {
            self.awaited.push((spec.id.clone(), spec.dependents));
        }
    }

    fn any_job(&mut self) -> JobSpec {
        let mut spec = common::job(&format!("job-{}", self.jobs.len()));
        let random = &mut self.random;
        spec.tenant = TenantName::new(["acme", "beta", "corp"][random.index(3)]).unwrap();
        spec.task.component = Digest([*random.pick(&[0, 1, 2]); 32]);
        spec.task.collects = random.below(3) == 0;
        spec.priority = *random.pick(&[-2, -1, 0, 1, 2]);
        spec.batch = (random.below(6) == 0).then_some(3);
        spec.deadline = (random.below(8) == 0).then(|| self.now.after(Duration::from_secs(20)));
        spec.output = (random.below(3) == 0).then(|| "/out".into());
        spec.on_failure = *random.pick(&[
            OnFailure::Stop,
            OnFailure::Continue(Tolerance::All),
            OnFailure::Continue(Tolerance::Chunks(1)),
            OnFailure::Continue(Tolerance::Share(5000)),
        ]);
        spec.requirements = Requirements {
            cpu: CpuCores(*random.pick(&[500, 1000, 1000, 2000, 9000])),
            memory: (random.below(2) == 0).then(|| ByteSize::mib(1 + u64::from(random.below(600)))),
            gpu_memory: ByteSize::mib(*random.pick(&[0, 0, 0, 100])),
        };
        spec
    }

    /// Some attempts end in one turn; a batch's in its order, others as they come.
    fn end_some(&mut self) {
        let mut messages = Vec::new();
        for _ in 0..=self.random.below(3) {
            if self.running.is_empty() {
                break;
            }
            let place = self.random.index(self.running.len());
            let attempt = self.running.remove(place);
            self.ended.push(attempt.clone());
            let (usage, outcome) = self.any_end(&attempt);
            messages.push(Message::AttemptEnded { attempt, usage, outcome });
        }
        self.now = self.now.after(Duration::from_millis(self.random.below(50).into()));
        self.say(messages);
    }

    fn any_end(&mut self, attempt: &AttemptId) -> (Usage, Outcome) {
        let random = &mut self.random;
        let usage = Usage {
            wall: Duration::from_micros(random.below(3000).into()),
            memory_peak: ByteSize::mib(random.below(400).into()),
            ..Usage::default()
        };
        let outcome = match random.below(20) {
            0..5 => Outcome::Failed(Fault::new(*random.pick(&FAULTS))),
            5 => Outcome::Returned,
            _ if attempt.step == Step::Cut => Outcome::Cuts(common::chunks(random.below(5))),
            _ => Outcome::Output(Output::inline(*b"out")),
        };
        (usage, outcome)
    }

    fn cancel_one(&mut self) {
        if !self.jobs.is_empty() {
            let job = self.random.pick(&self.jobs).clone();
            self.say([Message::Cancel { job }]);
        }
    }

    fn pass_time(&mut self) {
        self.now = self.now.after(Duration::from_millis(self.random.below(5000).into()));
        self.say([Message::Tick]);
    }

    fn publish_one(&mut self) {
        if !self.unpublished.is_empty() {
            let job = self.unpublished.remove(0);
            self.say([Message::ResultPublished { job }]);
        }
    }

    fn resize(&mut self) {
        let mut capacity = self.settings.capacity;
        capacity.cpu.0 -= *self.random.pick(&[0, 500, 1000]);
        capacity.memory.0 /= 1 + u64::from(self.random.below(2));
        self.laws.capacity = Some(capacity);
        self.say([Message::CapacityChanged(capacity)]);
    }

    /// A word that comes twice, too late, or about something that never was.
    fn late_word(&mut self) {
        let Some(mut attempt) = self.ended.last().cloned() else { return };
        attempt.number += *self.random.pick(&[0, 0, 7]);
        if self.running.contains(&attempt) {
            return;
        }
        let before = self.records.len();
        let outcome = Outcome::Output(Output::inline(*b"late"));
        let job = JobId::new("nobody").unwrap();
        let decision = self.scheduler.handle(
            self.now,
            [
                Message::AttemptEnded { attempt, usage: Usage::default(), outcome },
                Message::Cancel { job: job.clone() },
                Message::ResultPublished { job },
            ],
        );
        let starts = |event: &Event| matches!(event, Event::AttemptStarted { .. });
        assert!(decision.events.iter().all(starts), "a late word changes nothing");
        self.obey(decision);
        assert!(self.records.len() >= before);
    }

    fn drain(&mut self) {
        self.is_draining = true;
        self.say([Message::Drain]);
    }

    /// The host dies and comes back. What it remembers is what it knew, and it decides what the
    /// living one would have, had every worker died at this moment.
    fn crash(&mut self) {
        let mut twin = self.scheduler.clone();
        self.scheduler = Scheduler::replay(self.settings.clone(), &self.records).unwrap();
        let (replayed, lived) = (self.scheduler.remembered(self.now), twin.remembered(self.now));
        assert_eq!(replayed, lived, "replay equals live");
        let losses = self.losses();
        self.running.clear();
        let decision = self.scheduler.recover(self.now);
        let is_comparable = !self.is_draining && self.laws.capacity.is_none();
        if is_comparable {
            let expected = twin.handle(self.now, losses);
            assert_eq!(decision.events, expected.events, "recovery decides like the living");
            assert_eq!(self.scheduler.remembered(self.now), twin.remembered(self.now));
        }
        self.is_draining = false;
        self.laws.capacity = None;
        self.obey(decision);
    }

    fn losses(&self) -> Vec<Message> {
        let order: BTreeMap<_, _> =
            self.jobs.iter().enumerate().map(|(at, job)| (job, at)).collect();
        let mut running = self.running.clone();
        running.sort_by_key(|attempt| (order[&attempt.job], attempt.step));
        let fault = Fault::new(Code::WorkerLost).detail("the host ended while it ran");
        let lost = |attempt| Message::AttemptEnded {
            attempt,
            usage: Usage::default(),
            outcome: Outcome::Failed(fault.clone()),
        };
        running.into_iter().map(lost).collect()
    }
}

fn any_settings(random: &mut Random) -> Settings {
    let mut capacity = common::machine(3 + random.below(4));
    capacity.gpu_memory = ByteSize::mib(*random.pick(&[0, 100, 200]));
    capacity.attempts = 2 + random.below(20);
    let mut settings = Settings::new(capacity);
    settings.hold_after = Duration::from_millis(random.below(3000).into());
    let acme = TenantSettings {
        weight: 3,
        queued_max: Some(20),
        running_max: Some(2),
        memory_max: Some(ByteSize::gib(2)),
    };
    settings.tenants.insert(TenantName::new("acme").unwrap(), acme);
    settings
}
