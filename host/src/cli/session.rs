//! A run while it lasts: progress, signals, the end, and what is printed then.
//!
//! Owns: what `run` and `resume` do alike once the engine runs.
//! Never: prints a result beside events: with `--json` stdout belongs to the events.

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use pframe_core::config::Config;
use pframe_core::event::Output;
use pframe_core::fault::{Fault, Origin};
use pframe_core::report::JobReport;
use pframe_core::state::JobState;

use super::arguments::ShowFlags;
use super::control::ControlSocket;
use super::failure::{Failure, exit_code};
use super::porch::Porch;
use super::signals::{self, Interrupt};
use crate::data::publish::copy;
use crate::engine::Engine;
use crate::reporter::told::{say, tell_fault};
use crate::reporter::{Reporter, json::JsonLines, metrics, table, terminal::Terminal};
use crate::{JobHandle, JobOutput};

/// How long a drain lets attempts end by themselves.
const DRAIN_GRACE: Duration = Duration::from_secs(10);

/// The reporters that the flags ask for.
pub(super) fn reporters(show: &ShowFlags, config: &Config) -> Vec<Box<dyn Reporter>> {
    let mut reporters: Vec<Box<dyn Reporter>> = vec![Box::new(crate::reporter::log::EventLog)];
    if show.json {
        reporters.push(Box::new(JsonLines::start()));
    } else if !show.quiet {
        reporters.push(Box::new(Terminal::start(config.monitoring.progress_interval)));
    }
    reporters
}

enum Word {
    Ended(Vec<(JobHandle, Result<JobOutput, Fault>)>),
    Interrupted(Interrupt),
}

impl From<Interrupt> for Word {
    fn from(interrupt: Interrupt) -> Self {
        Self::Interrupted(interrupt)
    }
}

/// Follows the jobs to their end, or to the first signal.
pub(super) fn follow(
    porch: &Porch,
    engine: Engine,
    jobs: Vec<JobHandle>,
    show: &ShowFlags,
) -> Result<ExitCode, Failure> {
    let _socket = ControlSocket::open(&porch.state_dir, &engine);
    let (sender, words) = channel();
    wait_for_all(jobs, sender.clone());
    if let Err(error) = signals::watch(sender) {
        tracing::warn!(%error, "signals cannot be watched");
    }
    match words.recv().expect("the waiting thread sends before it ends") {
        Word::Ended(endings) => {
            let code = conclude(porch, &engine, &endings, show)?;
            Ok(ExitCode::from(code))
        }
        Word::Interrupted(interrupt) => {
            say("draining: no attempt starts any more; once more stops at once");
            engine.drain(DRAIN_GRACE);
            let report = engine.jobs();
            drop(engine);
            table::print(&report);
            say("stopped; `pframe-host resume` goes on where it stopped");
            Ok(ExitCode::from(interrupt.exit_code))
        }
    }
}

fn wait_for_all(jobs: Vec<JobHandle>, sender: Sender<Word>) {
    std::thread::spawn(move || {
        let wait = |job: JobHandle| {
            let result = job.wait_blocking();
            (job, result)
        };
        let endings = jobs.into_iter().map(wait).collect();
        let _ = sender.send(Word::Ended(endings));
    });
}

/// Prints results, table and faults, and closes the run; the answer is the exit code.
fn conclude(
    porch: &Porch,
    engine: &Engine,
    endings: &[(JobHandle, Result<JobOutput, Fault>)],
    show: &ShowFlags,
) -> Result<u8, Failure> {
    let reports = engine.jobs();
    let mut code = 0;
    let mut is_published = true;
    for (job, ending) in endings {
        match ending {
            Ok(output) if !show.json => print_result(output)?,
            Ok(_) => {}
            Err(fault) => {
                let is_over = job.report().is_some_and(|report| report.state().is_terminal());
                let was_made = job.status() == JobState::Completed;
                is_published &= is_over && !was_made;
                code = code.max(exit_code_of(fault));
            }
        }
    }
    if is_published {
        engine.finish_run();
    }
    if !show.quiet {
        table::print(&reports);
    }
    for (job, ending) in endings {
        tell_failures(job, ending);
    }
    if porch.config.monitoring.metrics && !show.quiet {
        say(&metrics::summary(&engine.totals()));
    }
    if let Some(path) = &show.metrics_file {
        metrics::write(path, engine).map_err(Failure::at("metrics"))?;
    }
    Ok(code)
}

fn exit_code_of(fault: &Fault) -> u8 {
    // A job that was accepted and then failed is a failed task, whatever its fault was about.
    match fault.code.origin() {
        Origin::Job | Origin::Task => exit_code(Origin::Task),
        other => exit_code(other),
    }
}

/// Results without a file of their own go to stdout.
fn print_result(output: &JobOutput) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    output.copy_to(&mut stdout).map_err(Failure::at("stdout"))?;
    let _ = stdout.flush();
    Ok(())
}

fn tell_failures(job: &JobHandle, ending: &Result<JobOutput, Fault>) {
    let report = job.report();
    let place = format!("job {}", job.id());
    if let Err(fault) = ending {
        let is_told_below = report.as_ref().is_some_and(|report| explains(report, fault));
        if !is_told_below {
            tell_fault(fault, &place);
        }
    }
    for failed in report.iter().flat_map(|report| &report.step_faults) {
        tell_fault(&failed.fault, &format!("{place}, attempt {}", failed.attempt));
    }
}

fn explains(report: &JobReport, fault: &Fault) -> bool {
    report.step_faults.iter().any(|failed| failed.fault == *fault)
}

/// Copies a result for `call`.
pub(super) fn print_output(output: &Output, engine: &Engine) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    copy(output, &mut stdout, engine.results()).map_err(Failure::at("stdout"))
}
