//! What a replay refuses: a journal whose events do not follow from each other.

mod common;

use std::sync::Arc;

use expect_test::{Expect, expect};
use pframe_core::event::{AfterFailure, Event, Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::AttemptId;
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Scheduler, Settings};
use pframe_core::units::{ByteSize, Timestamp};

fn attempt(text: &str) -> AttemptId {
    text.parse().expect("an attempt")
}

fn accepted() -> Event {
    Event::JobAccepted { job: Arc::new(common::job("a")) }
}

fn planned() -> Event {
    Event::ChunksPlanned { job: attempt("a/0#1").job, chunks: common::chunks(2) }
}

fn started(text: &str) -> Event {
    Event::AttemptStarted { attempt: attempt(text), memory: ByteSize::mib(1) }
}

fn succeeded(text: &str) -> Event {
    let (usage, output) = (Usage::default(), Output::inline([]));
    Event::AttemptSucceeded { attempt: attempt(text), usage, output }
}

fn failed(text: &str) -> Event {
    let then = AfterFailure::Retry { at: Timestamp(6) };
    let (usage, fault) = (Usage::default(), Fault::new(Code::Transient));
    Event::AttemptFailed { attempt: attempt(text), usage, fault, then }
}

fn cut_succeeded(text: &str) -> Event {
    Event::CutSucceeded { attempt: attempt(text), usage: Usage::default() }
}

fn completed() -> Event {
    Event::JobCompleted { job: attempt("a/0#1").job, output: None }
}

fn stopped() -> Event {
    Event::StopRequested { job: attempt("a/0#1").job, fault: Fault::new(Code::Cancelled) }
}

/// Each event a microsecond after the one before it.
fn check(events: &[Event], expect: &Expect) {
    let records = (1..).zip(events);
    let records =
        records.map(|(seq, event)| Record { seq, at: Timestamp(seq), event: event.clone() });
    let text = match Scheduler::replay(Settings::new(common::machine(1)), records) {
        Ok(_) => "it fits".into(),
        Err(fault) => format!("{} {}", fault.code, fault.detail),
    };
    expect.assert_eq(&text);
}

#[test]
fn a_journal_that_fits_is_replayed() {
    let retried = [started("a/0#1"), failed("a/0#1"), started("a/1#1"), started("a/0#2")];
    check(&[&[accepted(), planned()][..], &retried].concat(), &expect!["it fits"]);
}

#[test]
fn events_about_nothing_are_refused() {
    check(
        &[planned()],
        &expect!["PF405 event 1 of the journal does not fit: it is about a job that is not known"],
    );
    check(
        &[accepted(), accepted()],
        &expect!["PF405 event 2 of the journal does not fit: its job is known already"],
    );
    check(
        &[accepted(), completed(), completed()],
        &expect!["PF405 event 3 of the journal does not fit: it is about a job that is not known"],
    );
}

#[test]
fn a_plan_comes_once() {
    check(
        &[accepted(), planned(), planned()],
        &expect![
            "PF405 event 3 of the journal does not fit: the chunks of its job are planned already"
        ],
    );
    check(
        &[accepted(), started("a/cut#1"), planned()],
        &expect![
            "PF405 event 3 of the journal does not fit: the chunks of its job are planned already"
        ],
    );
}

#[test]
fn an_attempt_starts_in_its_turn_and_with_its_number() {
    check(
        &[accepted(), started("a/0#1")],
        &expect!["PF405 event 2 of the journal does not fit: its attempt could not start then"],
    );
    check(
        &[accepted(), planned(), started("a/0#2")],
        &expect!["PF405 event 3 of the journal does not fit: its attempt could not start then"],
    );
    check(
        &[accepted(), planned(), started("a/1#1")],
        &expect!["PF405 event 3 of the journal does not fit: its attempt could not start then"],
    );
    check(
        &[accepted(), planned(), started("a/collect#1")],
        &expect!["PF405 event 3 of the journal does not fit: its attempt could not start then"],
    );
    check(
        &[accepted(), planned(), started("a/0#1"), started("a/0#2")],
        &expect!["PF405 event 4 of the journal does not fit: its attempt could not start then"],
    );
    let early = [started("a/0#1"), failed("a/0#1"), started("a/0#2")];
    check(
        &[&[accepted(), planned()][..], &early].concat(),
        &expect!["PF405 event 5 of the journal does not fit: its attempt could not start then"],
    );
    let skipped = [started("a/0#1"), failed("a/0#1"), started("a/1#1"), started("a/0#3")];
    check(
        &[&[accepted(), planned()][..], &skipped].concat(),
        &expect!["PF405 event 6 of the journal does not fit: its attempt could not start then"],
    );
}

#[test]
fn only_what_runs_can_end() {
    check(
        &[accepted(), planned(), succeeded("a/0#1")],
        &expect!["PF405 event 3 of the journal does not fit: its attempt did not run then"],
    );
    check(
        &[accepted(), planned(), started("a/0#1"), failed("a/0#2")],
        &expect!["PF405 event 4 of the journal does not fit: its attempt did not run then"],
    );
    check(
        &[accepted(), started("a/cut#1"), succeeded("a/cut#1")],
        &expect!["PF405 event 3 of the journal does not fit: a cut has no result"],
    );
    check(
        &[accepted(), planned(), started("a/0#1"), cut_succeeded("a/0#1")],
        &expect!["PF405 event 4 of the journal does not fit: its attempt was not a cut"],
    );
}

#[test]
fn a_job_ends_after_its_attempts_and_stops_once() {
    check(
        &[accepted(), planned(), started("a/0#1"), completed()],
        &expect!["PF405 event 4 of the journal does not fit: attempts of its job still run"],
    );
    check(
        &[accepted(), planned(), stopped(), stopped()],
        &expect![
            "PF405 event 4 of the journal does not fit: its job is stopping or has ended already"
        ],
    );
    check(
        &[accepted(), planned(), stopped(), started("a/0#1")],
        &expect!["PF405 event 4 of the journal does not fit: its attempt could not start then"],
    );
}
