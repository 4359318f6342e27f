//! A run while it lasts: progress, signals, the end, and what is printed then.
//!
//! Owns: what `run` and `resume` do alike once the engine runs.
//! Never: prints a result beside events: with `--json` stdout belongs to the events.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use pframe_core::config::Config;
use pframe_core::fault::{Code, Fault, Origin};
use pframe_core::ids::JobId;
use pframe_core::report::JobReport;

use super::arguments::ShowFlags;
use super::check::counted;
use super::control::ControlSocket;
use super::failure::{Failure, exit_code};
use super::porch::Porch;
use super::print::{Stdout, unwritable};
use super::signals::{self, Interrupt};
use crate::data::bundle;
use crate::engine::{Engine, Prepared};
use crate::reporter::listening::{self, Listening};
use crate::reporter::metrics::{self, MetricsReader};
use crate::reporter::terminal::{self, Display};
use crate::reporter::told::{say, tell_fault};
use crate::reporter::{json::JsonLines, log::EventLog, table};
use crate::{JobHandle, JobOutput};

/// How long a drain lets attempts end by themselves.
const DRAIN_GRACE: Duration = Duration::from_secs(10);

/// Everything that shows a run.
pub(super) struct Show {
    flags: ShowFlags,
    display: Option<Display>,
    listening: Option<Listening>,
    metrics: Option<MetricsReader>,
    says_statistics: bool,
}

/// What progress is told of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Progress {
    /// Chunks of jobs.
    Chunks,
    /// So much speech.
    Speech(Duration),
}

impl Show {
    /// Adds the reporters that the flags and the configuration ask for.
    pub(super) fn start(
        flags: &ShowFlags,
        config: &Config,
        prepared: &mut Prepared,
        progress: Progress,
    ) -> Self {
        let interval = config.monitoring.progress_interval;
        let mut show = Self {
            flags: flags.clone(),
            display: None,
            listening: None,
            metrics: None,
            says_statistics: config.monitoring.metrics && !flags.quiet,
        };
        prepared.reporter(Box::new(EventLog));
        if flags.json {
            prepared.reporter(Box::new(JsonLines::start()));
        } else if !flags.quiet {
            match progress {
                Progress::Chunks => {
                    let (reporter, display) = terminal::start(interval);
                    prepared.reporter(Box::new(reporter));
                    show.display = Some(display);
                }
                Progress::Speech(all) => {
                    let heard = prepared.workbench().heard();
                    show.listening = Some(listening::start(all, interval, heard));
                }
            }
        }
        if flags.metrics_file.is_some() || show.says_statistics {
            let attempts_max = prepared.workbench().capacity().attempts;
            let (reporter, reader) =
                metrics::start(flags.metrics_file.clone(), attempts_max, interval);
            prepared.reporter(Box::new(reporter));
            show.metrics = Some(reader);
        }
        show
    }

    /// Ends the progress display, so that nothing is drawn over what is printed from here on.
    fn clear(&mut self) {
        self.display = None;
        self.listening = None;
    }

    /// Prints the table and what went wrong.
    fn close(
        &self,
        reports: &[JobReport],
        endings: &[(JobHandle, Result<JobOutput, Fault>)],
        letters: &Letters<'_>,
    ) {
        if !self.flags.quiet {
            table::print(reports);
        }
        for (job, ending) in endings {
            tell_failures(job, ending);
        }
        for (job, _) in endings {
            letters.tell(job.id());
        }
    }

    fn statistics(&mut self) -> Result<(), Failure> {
        let Some(metrics) = self.metrics.take() else { return Ok(()) };
        if self.says_statistics {
            say(&metrics.summary());
        }
        metrics.finish().map_err(Failure::at("metrics"))
    }
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

/// Where the end of the jobs and the first signal arrive. One for a command, however many runs it goes on with.
pub(super) struct Words {
    sender: Sender<Word>,
    receiver: Receiver<Word>,
}

impl Words {
    /// Listens from now on: called before the engine starts, so that no signal finds nobody.
    pub(super) fn listen() -> Self {
        let (sender, receiver) = channel();
        if let Err(error) = signals::watch(sender.clone()) {
            tracing::warn!(%error, "signals cannot be watched");
        }
        Self { sender, receiver }
    }
}

/// Follows the jobs to their end, or to the first signal.
pub(super) fn follow(
    porch: &Porch,
    engine: Engine,
    jobs: Vec<JobHandle>,
    words: &Words,
    mut show: Show,
) -> Result<ExitCode, Failure> {
    let _socket = ControlSocket::open(&porch.state_dir, &engine);
    wait_for_all(jobs, words.sender.clone());
    match words.receiver.recv().expect("the waiting thread sends before it ends") {
        Word::Ended(endings) => {
            show.clear();
            let letters = Letters { state_dir: &porch.state_dir, run: engine.run() };
            let code = conclude(&engine, &endings, &show, &letters)?;
            show.statistics()?;
            Ok(ExitCode::from(code))
        }
        Word::Interrupted(interrupt) => {
            say("draining: no attempt starts any more; once more stops at once");
            engine.drain(DRAIN_GRACE);
            show.clear();
            let reports = engine.jobs();
            let letters = Letters { state_dir: &porch.state_dir, run: engine.run() };
            drop(engine);
            show.close(&reports, &[], &letters);
            show.statistics()?;
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
    engine: &Engine,
    endings: &[(JobHandle, Result<JobOutput, Fault>)],
    show: &Show,
    letters: &Letters<'_>,
) -> Result<u8, Failure> {
    let reports = engine.jobs();
    let mut code = 0;
    let mut is_published = true;
    for (job, ending) in endings {
        match ending {
            Ok(output) if !show.flags.json && !job.is_for_others() => print_result(output)?,
            Ok(_) => {}
            Err(fault) => {
                is_published &= is_settled(job);
                code = worse(code, exit_code_of(fault));
            }
        }
    }
    if is_published && let Err(fault) = engine.finish_run() {
        tell_fault(&fault, "the end of the run");
        code = worse(code, exit_code_of(&fault));
    }
    show.close(&reports, endings, letters);
    Ok(code)
}

/// True where a job without a result is over for good. One that completed has a result that could
/// not be put where it was wanted, and one that has not ended will be resumed.
fn is_settled(job: &JobHandle) -> bool {
    // Of a job that ended long ago there is no report any more.
    let is_over = job.report().is_none_or(|report| report.state().is_terminal());
    is_over && !job.is_unpublished()
}

/// Of two exit codes the one that says more: a bug of ours before everything, then the machine, then a task.
fn worse(one: u8, other: u8) -> u8 {
    let bug = exit_code(Origin::Host);
    if one == bug || other == bug { bug } else { one.max(other) }
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
    let mut stdout = Stdout::open();
    // The disk that may be full here is not the one of the state directory.
    let elsewhere = |fault: Fault| Fault { code: Code::InputOutput, ..fault };
    output.copy_to(&mut stdout).map_err(elsewhere).map_err(Failure::at("stdout"))?;
    stdout.flush().map_err(|error| unwritable(&error))
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

/// Where the chunks of a run lie that failed for good.
struct Letters<'a> {
    state_dir: &'a Path,
    run: Option<i64>,
}

impl Letters<'_> {
    /// Says how to run one of a job's again.
    fn tell(&self, job: &JobId) {
        let Some(run) = self.run else { return };
        let kept = bundle::kept(self.state_dir, run, job);
        let Some(first) = kept.first() else { return };
        let folder = bundle::folder(self.state_dir, run, job, *first);
        say(&format!(
            "job {job}: {} kept; `pframe-host replay {}` runs one again alone, `pframe-host retry --failed` takes up all",
            counted(kept.len(), "failed chunk"),
            folder.display()
        ));
    }
}

fn explains(report: &JobReport, fault: &Fault) -> bool {
    report.step_faults.iter().any(|failed| failed.fault == *fault)
}
