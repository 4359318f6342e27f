//! `pframe-host status [JOB]`
//!
//! Owns: how runs and jobs look from outside, while a host runs and afterwards.
//! Never: asks the host for what the journal says.

use std::process::ExitCode;

use pframe_core::fault::Fault;
use pframe_core::report::JobReport;
use pframe_core::state::JobState;
use pframe_core::units::{ByteSize, show_duration};
use serde_json::{Value, json};

use super::arguments::StatusArguments;
use super::failure::Failure;
use super::history::{Found, History, Run, RunState, find, job_id};
use super::porch::Porch;
use super::print::{print, print_json};
use super::times::{show_age, show_time};
use crate::reporter::amounts::about;
use crate::reporter::job::job_json;
use crate::reporter::table::{self, grid, shortened};
use crate::reporter::told::say;

/// Runs in the list unless all are asked for.
const RUNS_SHOWN: usize = 10;
/// Characters of a job file's path at most.
const FILE_WIDTH_MAX: usize = 32;

pub(super) fn status(porch: &Porch, arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    match &arguments.job {
        Some(job) => one_job(&find(porch, &job_id(job)?)?, arguments)?,
        None => match History::open(porch)? {
            Some(history) if !history.journal.runs()?.is_empty() => runs(&history, arguments)?,
            _ => say(&format!("no run is recorded in `{}`", porch.state_dir.display())),
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn runs(history: &History, arguments: &StatusArguments) -> Result<(), Failure> {
    let mut summaries = history.journal.runs()?;
    let all = summaries.len();
    match arguments.run {
        Some(run) => summaries.retain(|summary| summary.id == run),
        None if arguments.all => {}
        None => drop(summaries.drain(..all.saturating_sub(RUNS_SHOWN))),
    }
    if let (Some(run), true) = (arguments.run, summaries.is_empty()) {
        return Err(Failure::Usage(format!(
            "there is no run {run}; `pframe-host status` lists them"
        )));
    }
    let left_out = if arguments.run.is_some() { 0 } else { all - summaries.len() };
    let runs = summaries.into_iter().map(|summary| history.fold(summary));
    if arguments.json {
        return runs.into_iter().try_for_each(|run| print_json(&run_json(&run?)));
    }
    print(&runs_text(&runs.collect::<Result<Vec<_>, _>>()?, table::stdout_width()))?;
    if left_out > 0 {
        say(&format!("{left_out} older runs; `--all` lists them too"));
    }
    Ok(())
}

/// All runs, and the jobs of the one that is running, else of the newest.
fn runs_text(runs: &[Run], width: Option<u16>) -> String {
    let row = |run: &Run| {
        let totals = run.report.totals();
        [
            run.id.to_string(),
            run.state.name().into(),
            shortened(&run.file, FILE_WIDTH_MAX),
            show_age(run.started_at),
            format!("{}/{}", totals.chunks_done, totals.chunks),
            run.jobs_by_state(),
        ]
    };
    let header = ["run", "state", "file", "started", "chunks", "jobs"];
    let list = grid(&header, runs.iter().map(row), &[0, 4]);
    let running = runs.iter().find(|run| run.state == RunState::Running);
    match running.or(runs.last()) {
        Some(run) if !run.jobs().is_empty() => {
            format!("{list}\n\njobs of run {}:\n{}", run.id, table::text(&run.jobs(), width))
        }
        _ => list,
    }
}

fn run_json(run: &Run) -> Value {
    json!({
        "run": run.id,
        "file": run.file,
        "state": run.state.name(),
        "started_at": show_time(run.started_at),
        "finished_at": run.finished_at.map(show_time),
        "jobs": run.jobs().iter().map(job_json).collect::<Vec<_>>(),
    })
}

fn one_job(found: &Found, arguments: &StatusArguments) -> Result<(), Failure> {
    if !arguments.json {
        return print(&job_text(found));
    }
    let mut value = job_json(&found.job);
    value["run"] = json!(found.run.id);
    value["run_state"] = json!(found.state.name());
    value["accepted_at"] = json!(show_time(found.job.accepted_at));
    print_json(&value)
}

fn job_text(found: &Found) -> String {
    let Found { run, state, job } = found;
    let spec = &job.spec;
    let mut lines = vec![
        format!("job        {}", spec.id),
        format!("state      {}", job.state()),
        format!("run        {} of {}, {}", run.id, run.file, state.name()),
        format!("task       {} ({})", spec.task.name, spec.task.component),
        format!("tenant     {}, priority {}", spec.tenant, spec.priority),
        format!("accepted   {}", show_time(job.accepted_at)),
        format!("input      {}", inputs(job)),
        format!("chunks     {}", chunks(job)),
        format!("attempts   {}", attempts(job)),
        format!("time       {}", times(job)),
        format!("used       {}", used(job)),
        format!("result     {}", result(job, *state)),
    ];
    if let Some(fault) = &job.fault {
        lines.push(format!("fault      {}", one_line(fault)));
    }
    if !job.step_faults.is_empty() {
        lines.push("failed:".into());
    }
    for failed in &job.step_faults {
        lines.push(format!("  {}  {}", failed.attempt, one_line(&failed.fault)));
    }
    let untold = usize::try_from(job.chunks_failed).unwrap_or(usize::MAX);
    if let more @ 1.. = untold.saturating_sub(job.step_faults.len()) {
        lines
            .push(format!("  and {more} more; `pframe-host explain {}/N#1` tells of one", spec.id));
    }
    lines.join("\n")
}

fn one_line(fault: &Fault) -> String {
    format!("{} {}", fault.code, fault.to_string().replace('\n', " · "))
}

fn inputs(job: &JobReport) -> String {
    let bytes = job.spec.inputs.iter().map(|source| source.size).sum();
    let size = about(ByteSize(bytes));
    match &*job.spec.inputs {
        [one] => format!("{}, {size}", one.name),
        many => format!("{} sources, {size}", many.len()),
    }
}

fn chunks(job: &JobReport) -> String {
    let mut words = vec![format!("{} of {} done", job.chunks_done, job.chunks)];
    for (count, word) in [
        (job.chunks_cached, "from the cache"),
        (job.chunks_failed, "failed"),
        (job.chunks_stopped, "stopped"),
    ] {
        if count > 0 {
            words.push(format!("{count} {word}"));
        }
    }
    words.join(", ")
}

fn attempts(job: &JobReport) -> String {
    let mut words = vec![job.attempts.to_string()];
    for (count, word) in [
        (u64::from(job.running()), "running"),
        (job.retries, "after a failure"),
        (u64::from(job.retrying()), "to come"),
    ] {
        if count > 0 {
            words.push(format!("{count} {word}"));
        }
    }
    words.join(", ")
}

fn times(job: &JobReport) -> String {
    let Some((wall, wait)) = job.wall().zip(job.queue_wait()) else {
        let has_ended = job.state().is_terminal();
        return if has_ended { "it never started" } else { "it has not started" }.into();
    };
    let (wall, wait, cpu) = (show_duration(wall), show_duration(wait), show_duration(job.cpu));
    format!("{wall} wall, {cpu} cpu, waited {wait}")
}

fn used(job: &JobReport) -> String {
    let at_least = if job.fuel_at_least { "at least " } else { "" };
    format!(
        "fuel {at_least}{}, peak memory {}, {} read, {} written, {} calls denied",
        job.fuel,
        about(job.memory_peak),
        about(job.input_bytes),
        about(job.output_bytes),
        job.calls_denied
    )
}

fn result(job: &JobReport, run: RunState) -> String {
    match (job.state(), &job.spec.output, job.result_bytes) {
        (JobState::Completed, Some(path), Some(size)) if job.is_published => {
            format!("{path}, {}", about(size))
        }
        (JobState::Completed, Some(path), _) => format!("not yet written to {path}"),
        (JobState::Completed, None, Some(size)) => {
            let fate = match run {
                RunState::Finished => "was printed to stdout",
                RunState::Running => "is printed when the run ends",
                RunState::Unfinished => "`pframe-host resume` prints it",
            };
            format!("{}, {fate}", about(size))
        }
        (JobState::Completed, None, None) => "none: no chunk was left to collect".into(),
        (JobState::Failed | JobState::Cancelled, ..) => "none".into(),
        (_, Some(path), _) => format!("will be written to {path}"),
        (_, None, _) => "will be printed to stdout".into(),
    }
}

#[cfg(test)]
mod tests {
    use pframe_core::report::Report;

    use super::*;
    use crate::journal::RunSummary;
    use crate::reporter::samples::{records, reports};

    fn found(job: usize) -> Found {
        let started_at = pframe_core::units::Timestamp(1_767_323_045_000_000);
        let file = "/data/jobs.yaml".into();
        let run = RunSummary { id: 3, file, jobs: 1, started_at, finished_at: None };
        Found { run, state: RunState::Unfinished, job: reports().remove(job) }
    }

    #[test]
    fn a_job_is_told_with_its_failed_chunks() {
        let text = [0, 1, 2].map(|job| job_text(&found(job))).join("\n\n");
        let expect = expect_test::expect![[r#"
            job        count-novels
            state      completed
            run        3 of /data/jobs.yaml, unfinished
            task       word-count (0707070707070707070707070707070707070707070707070707070707070707)
            tenant     default, priority 0
            accepted   2026-01-02T03:04:06Z
            input      novel.txt, 300 MiB
            chunks     2 of 2 done
            attempts   3, 1 after a failure
            time       8.0 s wall, 4.2 s cpu, waited 6.0 s
            used       fuel 4.5G, peak memory 48.2 MiB, 450 MiB read, 9.0 KiB written, 0 calls denied
            result     /data/results/top20.json, 2 B

            job        count-letters
            state      failed
            run        3 of /data/jobs.yaml, unfinished
            task       word-count (0707070707070707070707070707070707070707070707070707070707070707)
            tenant     default, priority 0
            accepted   2026-01-02T03:04:07Z
            input      novel.txt, 300 MiB
            chunks     0 of 1 done, 1 failed
            attempts   1
            time       5.0 s wall, 1.4 s cpu, waited 10.0 s
            used       fuel at least 1.5G, peak memory 48.2 MiB, 150 MiB read, 3.0 KiB written, 0 calls denied
            result     none
            fault      PF302 the handler used all its fuel (limits.fuel is 500M, at least 500M used)
            failed:
              count-letters/0#1  PF302 the handler used all its fuel (limits.fuel is 500M, at least 500M used)

            job        waits
            state      queued
            run        3 of /data/jobs.yaml, unfinished
            task       word-count (0707070707070707070707070707070707070707070707070707070707070707)
            tenant     default, priority 0
            accepted   2026-01-02T03:04:08Z
            input      novel.txt, 300 MiB
            chunks     0 of 3 done
            attempts   0
            time       it has not started
            used       fuel 0, peak memory 0 B, 0 B read, 0 B written, 0 calls denied
            result     will be written to /data/results/top20.json"#]];
        expect.assert_eq(&text);
    }

    #[test]
    fn runs_are_listed_with_the_jobs_of_the_one_that_runs() {
        let mut report = Report::new();
        for record in records() {
            report.apply(&record);
        }
        let started_at = super::super::times::now();
        let run = |id, state, report| {
            let file = "/data/jobs.yaml".into();
            Run { id, file, state, started_at, finished_at: None, report }
        };
        let runs = [run(1, RunState::Running, report), run(2, RunState::Unfinished, Report::new())];
        let text = runs_text(&runs, Some(80)).replace("1s ago", "0s ago");
        let expect = expect_test::expect![[r#"
             run   state        file              started   chunks   jobs
            ─────────────────────────────────────────────────────────────────────────────────────────
               1   running      /data/jobs.yaml   0s ago       2/6   1 queued, 1 completed, 1 failed
               2   unfinished   /data/jobs.yaml   0s ago       0/0   none yet

            jobs of run 1:
             job             state              chunks    wall   peak memory     fuel
            ──────────────────────────────────────────────────────────────────────────
             count-novels    completed             2/2   8.0 s      48.2 MiB     4.5G
             count-letters   failed      0/1, 1 failed   5.0 s      48.2 MiB   ≥ 1.5G
             waits           queued                0/3       –           0 B        0"#]];
        expect.assert_eq(&text);
    }
}
