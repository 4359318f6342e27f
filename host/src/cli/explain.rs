//! `pframe-host explain JOB|ATTEMPT|CODE`
//!
//! Owns: what a person reads who asks "why".
//! Never: guesses: the running host says why a job waits, the journal says how it ended.

use std::path::PathBuf;
use std::process::ExitCode;

use pframe_core::event::{AfterFailure, Event};
use pframe_core::fault::{Code, Fault, Origin, Retry};
use pframe_core::ids::{AttemptId, JobId, Step};
use pframe_core::policy::LOSSES_MAX;
use pframe_core::report::JobReport;
use pframe_core::state::JobState;
use serde_json::{Value, json};

use super::arguments::ExplainArguments;
use super::check::counted;
use super::control::{Answer, Request, ask};
use super::failure::{Failure, exit_code};
use super::history::{Found, History, RunState, find, job_id};
use super::porch::Porch;
use super::print::{print, print_json};
use crate::data::bundle;
use crate::reporter::told::fault_text;

pub(super) fn explain(
    porch: impl FnOnce() -> Result<Porch, Failure>,
    arguments: &ExplainArguments,
) -> Result<ExitCode, Failure> {
    let subject = arguments.subject.as_str();
    let explanation = match (Code::find(subject), subject.parse::<AttemptId>()) {
        (Some(code), _) => of_code(code),
        (None, Ok(attempt)) => of_attempt(&porch()?, &attempt)?,
        (None, Err(_)) if is_like_a_code(subject) => return Err(no_such_code(subject)),
        (None, Err(_)) => of_job(&porch()?, &job_id(subject)?)?,
    };
    if arguments.form.json {
        print_json(&explanation.json)?;
    } else {
        print(&explanation.text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer in both forms.
struct Explanation {
    text: String,
    json: Value,
}

fn is_like_a_code(text: &str) -> bool {
    let digits = text.get(2..).unwrap_or_default();
    let has_prefix = text.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("PF"));
    has_prefix && !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

fn no_such_code(text: &str) -> Failure {
    let codes: Vec<_> = Code::ALL.iter().map(ToString::to_string).collect();
    Failure::Usage(format!("there is no code `{text}`; there are {}", codes.join(", ")))
}

fn of_code(code: Code) -> Explanation {
    let text = [
        format!("{code} ({}): {}", code.name(), code.title()),
        format!("  whose move: {}", whose(code.origin())),
        format!("  tried again: {}", tried_again(code.retry())),
        format!("  exit code: {}", exit_codes(code.origin())),
        format!("  advice: {}", code.advice()),
    ];
    let json = json!({
        "code": code,
        "name": code.name(),
        "title": code.title(),
        "origin": code.origin(),
        "retry": retry_name(code.retry()),
        "advice": code.advice(),
    });
    Explanation { text: text.join("\n"), json }
}

fn whose(origin: Origin) -> &'static str {
    match origin {
        Origin::Job => "job – its file, its input, its limits or its cancellation",
        Origin::Task => "task – whoever wrote the handler",
        Origin::Machine => "machine – whoever runs the host",
        Origin::Host => "host – this program",
    }
}

/// Once a job was accepted, its failure is a failed task, whatever it was about.
fn exit_codes(origin: Origin) -> String {
    match origin {
        Origin::Job => format!(
            "{} where the job is refused, {} where it fails later",
            exit_code(Origin::Job),
            exit_code(Origin::Task)
        ),
        other => exit_code(other).to_string(),
    }
}

fn tried_again(retry: Retry) -> String {
    match retry {
        Retry::Never => "no, the next attempt would end the same way".into(),
        Retry::ByPolicy => "yes, as often as `max_retries` says".into(),
        Retry::AfterLoss => format!("yes, {LOSSES_MAX} times"),
        Retry::WhenFree => "yes, when there is room, and no retry is charged".into(),
    }
}

fn retry_name(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "never",
        Retry::ByPolicy => "by-policy",
        Retry::AfterLoss => "after-loss",
        Retry::WhenFree => "when-free",
    }
}

fn of_job(porch: &Porch, job: &JobId) -> Result<Explanation, Failure> {
    if let Some(Answer::Done(words)) = ask(&porch.state_dir, &Request::Explain(job.clone())) {
        let json = json!({ "job": job, "source": "host", "explanation": words });
        return Ok(Explanation { text: format!("job {job}: {words}"), json });
    }
    let found = find(porch, job)?;
    let json = json!({
        "job": job,
        "source": "journal",
        "run": found.run.id,
        "state": found.job.state(),
        "explanation": headline(&found),
        "fault": found.job.fault,
        "advice": found.job.fault.as_ref().map(|fault| fault.code.advice()),
    });
    Ok(Explanation { text: job_text(&found), json })
}

fn job_text(found: &Found) -> String {
    let job = &found.job;
    let mut parts = vec![format!("job {}: {}", job.spec.id, headline(found))];
    let is_told_below = |fault: &Fault| job.step_faults.iter().any(|step| step.fault == *fault);
    if let Some(fault) = job.fault.as_ref().filter(|fault| !is_told_below(fault)) {
        parts.push(fault_text(fault, "", false));
    }
    for failed in &job.step_faults {
        parts.push(fault_text(&failed.fault, &format!("attempt {}", failed.attempt), false));
    }
    parts.join("\n")
}

/// The state in one sentence, with what to do where something is to be done.
fn headline(Found { run, state, job }: &Found) -> String {
    let chunks = format!("{} of {} chunks are done", job.chunks_done, job.chunks);
    let run = run.id;
    match (job.state(), state) {
        (JobState::Completed, _) => completed(run, *state, job),
        (JobState::Failed, _) => format!("failed in run {run}; {chunks}"),
        (JobState::Cancelled, _) => format!("cancelled in run {run}; {chunks}"),
        (open, RunState::Running) => format!("{open} in run {run}, a host works on it; {chunks}"),
        (_, RunState::Unfinished | RunState::Finished) => format!(
            "waiting: no host runs; {chunks}; `pframe-host resume {run}` goes on with run {run}"
        ),
    }
}

fn completed(run: i64, state: RunState, job: &JobReport) -> String {
    let place = match &job.spec.output {
        Some(path) if job.is_published => format!("its result is in `{path}`"),
        Some(path) => format!(
            "its result could not be put into `{path}` yet; `pframe-host resume {run}` tries again"
        ),
        None if state == RunState::Finished => "its result was printed to stdout".into(),
        None if state == RunState::Running => "its result is printed when the run ends".into(),
        None => format!("`pframe-host resume {run}` prints its result"),
    };
    let failed = match job.chunks_failed {
        0 => String::new(),
        failed => format!(", {failed} failed and were tolerated"),
    };
    let done = counted(job.chunks_done as usize, "chunk");
    format!("completed in run {run}, {done} done{failed}; {place}")
}

fn of_attempt(porch: &Porch, attempt: &AttemptId) -> Result<Explanation, Failure> {
    let found = find(porch, &attempt.job)?;
    let mut ending = None;
    if let Some(history) = History::open(porch)? {
        history.journal.each_of_job(found.run.id, &attempt.job, |record| {
            ending = ending_of(&record.event, attempt).or(ending.take());
        })?;
    }
    let Some((words, fault)) = ending else {
        return Err(Failure::Usage(format!(
            "there was no attempt `{attempt}` in run {}",
            found.run.id
        )));
    };
    let mut text = format!("attempt {attempt}: {words}");
    if let Some(fault) = &fault {
        text = format!("{text}\n{}", fault_text(fault, "", false));
    }
    let kept = kept(porch, found.run.id, attempt);
    if let Some(folder) = &kept {
        let folder = folder.display();
        text = format!("{text}\nkept: `pframe-host replay {folder}` runs the chunk again alone");
    }
    let json = json!({
        "attempt": attempt,
        "bundle": kept,
        "run": found.run.id,
        "explanation": words,
        "fault": fault,
        "advice": fault.as_ref().map(|fault| fault.code.advice()),
    });
    Ok(Explanation { text, json })
}

/// The bundle of the chunk, if this attempt was its last.
fn kept(porch: &Porch, run: i64, attempt: &AttemptId) -> Option<PathBuf> {
    let Step::Run(chunk) = attempt.step else { return None };
    let folder = bundle::folder(&porch.state_dir, run, &attempt.job, chunk);
    let is_it = bundle::Found::read(&folder).is_ok_and(|found| found.bundle.attempt == *attempt);
    is_it.then_some(folder)
}

/// What an event says about an attempt; the last such event counts.
fn ending_of(event: &Event, wanted: &AttemptId) -> Option<(String, Option<Fault>)> {
    match event {
        Event::AttemptStarted { attempt, memory } if attempt == wanted => {
            Some((format!("it runs, or ran when the host died; {memory} reserved"), None))
        }
        Event::AttemptSucceeded { attempt, output, .. } if attempt == wanted => {
            Some((format!("succeeded with {} of result", output.size()), None))
        }
        Event::CutSucceeded { attempt, .. } if attempt == wanted => {
            Some(("succeeded".into(), None))
        }
        Event::AttemptFailed { attempt, fault, then, .. } if attempt == wanted => {
            let then = match then {
                AfterFailure::Retry { .. } => "failed, and the step is tried again",
                AfterFailure::GiveUp => "failed, and the step with it",
            };
            Some((then.into(), Some(fault.clone())))
        }
        Event::AttemptReturned { attempt } if attempt == wanted => {
            Some(("was taken back through no fault of its own; it is not charged".into(), None))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::RunSummary;
    use crate::reporter::samples::{records, reports};

    #[test]
    fn a_code_says_whose_move_it_is_and_what_to_do() {
        let codes = [Code::Fuel, Code::Transient, Code::WorkerLost];
        let texts = codes.map(|code| of_code(code).text).join("\n\n");
        let expect = expect_test::expect![[r#"
            PF302 (limit.fuel): the handler used all its fuel
              whose move: task – whoever wrote the handler
              tried again: no, the next attempt would end the same way
              exit code: 4
              advice: raise `limits.fuel`, or cut smaller chunks

            PF309 (task.transient): the handler failed and asked for another try
              whose move: task – whoever wrote the handler
              tried again: yes, as often as `max_retries` says
              exit code: 4
              advice: see the handler's message

            PF401 (machine.worker_lost): the attempt was lost when the host or its worker died
              whose move: machine – whoever runs the host
              tried again: yes, 2 times
              exit code: 5
              advice: none needed: it runs again; a component that does this twice is stopped"#]];
        expect.assert_eq(&texts);
    }

    #[test]
    fn a_job_is_explained_from_the_journal_where_no_host_runs() {
        let found = |job| {
            let started_at = pframe_core::units::Timestamp(0);
            let file = "/data/jobs.yaml".into();
            let run = RunSummary { id: 3, file, jobs: 1, started_at, finished_at: None };
            Found { run, state: RunState::Unfinished, job }
        };
        let texts: Vec<_> = reports().into_iter().map(|job| job_text(&found(job))).collect();
        let expect = expect_test::expect![[r#"
            job count-novels: completed in run 3, 2 chunks done; its result is in `/data/results/top20.json`

            job count-letters: failed in run 3; 0 of 1 chunks are done
            error[PF302]: the handler used all its fuel
              attempt count-letters/0#1
              limits.fuel is 500M, used at least 500M
              advice: raise `limits.fuel`, or cut smaller chunks

            job waits: waiting: no host runs; 0 of 3 chunks are done; `pframe-host resume 3` goes on with run 3"#]];
        expect.assert_eq(&texts.join("\n\n"));
    }

    #[test]
    fn an_attempt_is_explained_by_its_last_event() {
        let last = |attempt: &str| {
            let attempt: AttemptId = attempt.parse().unwrap();
            let of = records();
            let words =
                of.iter().filter_map(|record| ending_of(&record.event, &attempt)).next_back();
            words.map(|(words, _)| words)
        };
        assert_eq!(
            last("count-novels/1#1").as_deref(),
            Some("failed, and the step is tried again")
        );
        assert_eq!(last("count-novels/1#2").as_deref(), Some("succeeded with 2 B of result"));
        assert_eq!(last("count-novels/9#1"), None);
    }
}
