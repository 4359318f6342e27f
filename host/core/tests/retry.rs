//! A run that ended is taken up again: what begins anew, and what need not.

mod common;

use std::fmt::Write;
use std::sync::Arc;

use expect_test::{Expect, expect};
use pframe_core::dead_letters::DeadLetters;
use pframe_core::event::{AfterFailure, Event, Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, JobId};
use pframe_core::job::{JobSpec, Source, SourcePlace};
use pframe_core::limits::Usage;
use pframe_core::retry::taken_up;
use pframe_core::scheduler::{Scheduler, Settings};
use pframe_core::units::{ByteSize, Timestamp};

/// Digest of a stored result that is no longer there.
const LOST: Digest = Digest([9; 32]);

fn id(name: &str) -> JobId {
    name.parse().expect("a plain name")
}

fn accepted(name: &str, after: &[&str]) -> JobSpec {
    JobSpec { after: after.iter().map(|it| id(it)).collect(), ..common::job(name) }
}

/// It works on the results of those that it waits for.
fn on_results(mut job: JobSpec) -> JobSpec {
    let source = |needed: &JobId| Source {
        place: SourcePlace::Job(needed.clone()),
        ..common::job("any").inputs[0].clone()
    };
    job.inputs = job.after.iter().map(source).collect();
    job
}

/// A run, written as it happened.
#[derive(Default)]
struct Run(Vec<Record>);

impl Run {
    fn then(mut self, event: Event) -> Self {
        let seq = self.0.len() as u64 + 1;
        self.0.push(Record { seq, at: Timestamp(seq), event });
        self
    }

    fn job(self, job: JobSpec, chunks: u32) -> Self {
        let id = job.id.clone();
        self.then(Event::JobAccepted { job: job.into() })
            .then(Event::ChunksPlanned { job: id, chunks: common::chunks(chunks) })
    }

    fn succeeds(self, attempt: &str, output: Output) -> Self {
        let attempt = attempt.parse().expect("an attempt");
        self.then(Event::AttemptSucceeded { attempt, usage: Usage::default(), output })
    }

    fn fails(self, attempt: &str) -> Self {
        let attempt = attempt.parse().expect("an attempt");
        let (fault, then) = (Fault::new(Code::Trap), AfterFailure::GiveUp);
        self.then(Event::AttemptFailed { attempt, usage: Usage::default(), fault, then })
    }

    fn completed(self, job: &str, output: Output) -> Self {
        self.then(Event::JobCompleted { job: id(job), output: Some(output) })
    }

    fn failed(self, job: &str) -> Self {
        self.then(Event::JobFailed { job: id(job), fault: Fault::new(Code::Trap) })
    }

    fn cancelled(self, job: &str, code: Code) -> Self {
        self.then(Event::JobCancelled { job: id(job), fault: Fault::new(code) })
    }
}

fn inline() -> Output {
    Output::inline(*b"out")
}

fn stored(sha256: Digest) -> Output {
    Output::Stored { size: ByteSize(7), sha256 }
}

fn check(run: &Run, expect: &Expect) {
    let mut text = String::new();
    for event in taken_up(&run.0, |digest, _| *digest != LOST, Timestamp(100)) {
        match event {
            Event::JobAccepted { job } => {
                let inputs: Vec<_> = job.inputs.iter().map(|input| shown(&input.place)).collect();
                let after: Vec<_> = job.after.iter().map(JobId::as_str).collect();
                write!(text, "{} on {}", job.id, inputs.join(", ")).expect("a string");
                match after.is_empty() {
                    true => writeln!(text, ", {} wait for it", job.dependents),
                    false => writeln!(text, ", after {}", after.join(", ")),
                }
            }
            Event::ChunksPlanned { chunks, .. } => writeln!(text, "  {} chunks", chunks.len()),
            Event::AttemptStarted { .. } => Ok(()),
            Event::AttemptSucceeded { attempt, .. } => writeln!(text, "  {attempt} is done"),
            Event::AttemptReturned { attempt } => writeln!(text, "  {attempt} is to run"),
            other => writeln!(text, "  {other:?}"),
        }
        .expect("a string");
    }
    expect.assert_eq(&text);
    // A host can begin with that.
    let records = (1..).zip(taken_up(&run.0, |digest, _| *digest != LOST, Timestamp(100)));
    let records = records.map(|(seq, event)| Record { seq, at: Timestamp(100), event });
    let settings = Settings::new(common::machine(2));
    Scheduler::replay(settings, records).expect("the events fit").sanity_check();
}

fn shown(place: &SourcePlace) -> String {
    match place {
        SourcePlace::Job(job) => format!("the result of {job}"),
        SourcePlace::Inline(bytes) => format!("{} bytes", bytes.len()),
        SourcePlace::Stored { .. } => "a stored result".into(),
        SourcePlace::File { .. } | SourcePlace::Web { .. } => "a file".into(),
    }
}

#[test]
fn chunks_that_succeeded_are_taken_over_unless_their_results_are_gone() {
    let run = Run::default()
        .job(accepted("a", &[]), 5)
        .succeeds("a/0#1", inline())
        .fails("a/1#2")
        .succeeds("a/2#1", stored(LOST))
        .succeeds("a/3#1", stored(Digest([1; 32])))
        .failed("a");
    check(
        &run,
        &expect![[r#"
            a on 0 bytes, 0 wait for it
              5 chunks
              a/0#1 is done
              a/1#1 is to run
              a/2#1 is to run
              a/3#1 is done
        "#]],
    );
}

#[test]
fn a_job_that_completed_without_some_chunks_begins_again_and_one_that_has_all_does_not() {
    let run = Run::default()
        .job(accepted("some", &[]), 2)
        .job(accepted("all", &[]), 1)
        .succeeds("all/0#1", inline())
        .completed("all", inline())
        .fails("some/0#1")
        .succeeds("some/1#1", inline())
        .succeeds("some/collect#1", inline())
        .completed("some", inline());
    check(
        &run,
        &expect![[r#"
            some on 0 bytes, 0 wait for it
              2 chunks
              some/0#1 is to run
              some/1#1 is done
        "#]],
    );
}

#[test]
fn nothing_begins_again_where_nothing_failed_or_somebody_wanted_the_end() {
    let run = Run::default()
        .job(accepted("a", &[]), 1)
        .succeeds("a/0#1", inline())
        .completed("a", inline())
        .job(accepted("b", &[]), 1)
        .cancelled("b", Code::Cancelled)
        .job(accepted("c", &["b"]), 1)
        .cancelled("c", Code::DependencyFailed);
    check(&run, &expect![[r#""#]]);
}

#[test]
fn who_waited_for_what_failed_begins_again_and_has_the_results_of_the_others() {
    let run = Run::default()
        .job(accepted("good", &[]), 1)
        .job(accepted("bad", &[]), 1)
        .then(Event::JobAccepted { job: on_results(accepted("both", &["good", "bad"])).into() })
        .job(accepted("last", &["both"]), 1)
        .succeeds("good/0#1", inline())
        .completed("good", inline())
        .fails("bad/0#1")
        .failed("bad")
        .cancelled("both", Code::DependencyFailed)
        .cancelled("last", Code::DependencyFailed);
    check(
        &run,
        &expect![[r#"
            bad on 0 bytes, 1 wait for it
              1 chunks
            both on 3 bytes, the result of bad, after bad
            last on 0 bytes, after both
              1 chunks
        "#]],
    );
}

#[test]
fn whoever_worked_on_a_result_that_will_be_another_begins_from_its_first_chunk() {
    let run = Run::default()
        .job(accepted("a", &[]), 2)
        .fails("a/0#1")
        .succeeds("a/1#1", inline())
        .completed("a", inline())
        .job(on_results(accepted("b", &["a"])), 2)
        .succeeds("b/0#1", inline())
        .succeeds("b/1#1", inline())
        .completed("b", inline());
    check(
        &run,
        &expect![[r#"
            a on 0 bytes, 1 wait for it
              2 chunks
              a/0#1 is to run
              a/1#1 is done
            b on the result of a, after a
        "#]],
    );
}

#[test]
fn a_job_whose_result_is_needed_and_gone_makes_it_again() {
    let run = Run::default()
        .job(accepted("a", &[]), 1)
        .succeeds("a/0#1", stored(LOST))
        .completed("a", stored(LOST))
        .job(on_results(accepted("b", &["a"])), 2)
        .succeeds("b/0#1", inline())
        .fails("b/1#1")
        .failed("b");
    check(
        &run,
        &expect![[r#"
            a on 0 bytes, 1 wait for it
              1 chunks
            b on the result of a, after a
        "#]],
    );
}

/// In a host that serves, an id comes again once its job has ended.
#[test]
fn an_id_that_came_twice_means_its_newer_job_and_its_results_stay_what_they_were() {
    let run = Run::default()
        .job(accepted("a", &[]), 1)
        .succeeds("a/0#1", inline())
        .completed("a", inline())
        .then(Event::JobAccepted { job: on_results(accepted("b", &["a"])).into() })
        .fails("b/0#1")
        .failed("b")
        .job(accepted("a", &[]), 1)
        .fails("a/0#1")
        .failed("a");
    check(
        &run,
        &expect![[r#"
            b on 3 bytes, 0 wait for it
            a on 0 bytes, 0 wait for it
              1 chunks
        "#]],
    );
    let lost = Run::default()
        .job(accepted("a", &[]), 1)
        .completed("a", stored(LOST))
        .then(Event::JobAccepted { job: on_results(accepted("b", &["a"])).into() })
        .failed("b")
        .job(accepted("a", &[]), 1)
        .completed("a", inline());
    check(&lost, &expect![[r#""#]]);
}

#[test]
fn a_deadline_counts_from_the_new_beginning() {
    let mut job = accepted("a", &[]);
    job.deadline = Some(Timestamp(30));
    let run = Run::default().job(job, 1).fails("a/0#1").failed("a");
    let events = taken_up(&run.0, |_, _| true, Timestamp(100));
    let Event::JobAccepted { job } = &events[0] else { panic!("{events:?}") };
    assert_eq!((job.deadline, job.accepted_at), (Some(Timestamp(129)), Timestamp(0)));
    // Once more: it has as long as before.
    let run = Run::default().then(Event::JobAccepted { job: Arc::clone(job) });
    let run = Run(run.0.into_iter().map(|it| Record { at: Timestamp(100), ..it }).collect());
    let events = taken_up(&run.failed("a").0, |_, _| true, Timestamp(1000));
    let Event::JobAccepted { job } = &events[0] else { panic!("{events:?}") };
    assert_eq!(job.deadline, Some(Timestamp(1029)));
}

#[test]
fn a_failed_chunk_is_found_with_the_result_that_it_worked_on() {
    let stop = Event::StopRequested { job: id("b"), fault: Fault::new(Code::Cancelled) };
    let run = Run::default()
        .job(JobSpec { dependents: 2, ..accepted("a", &[]) }, 1)
        .then(Event::JobAccepted { job: on_results(accepted("b", &["a"])).into() })
        .completed("a", inline())
        .job(on_results(accepted("late", &["a"])), 1)
        .then(Event::ChunksPlanned { job: id("b"), chunks: common::chunks(3) })
        .fails("b/1#2")
        .fails("late/0#1")
        .fails("b/collect#1")
        .then(stop)
        .fails("b/2#1");
    let mut letters = DeadLetters::default();
    let found: Vec<_> = run.0.iter().filter_map(|record| letters.see(&record.event)).collect();
    let shown: Vec<_> = found
        .iter()
        .map(|it| format!("{} of {} on {}", it.attempt, it.count, shown(&it.job.inputs[0].place)))
        .collect();
    assert_eq!(shown, ["b/1#2 of 3 on 3 bytes", "late/0#1 of 1 on 3 bytes"]);
    assert_eq!(found[0].slice, common::chunks(3)[1]);
    assert_eq!(Arc::strong_count(&found[0].job), 2, "the open job and the chunk");
}
