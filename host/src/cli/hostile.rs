//! `pframe-host selftest --hostile`
//!
//! Owns: running every attack of the list on this very machine, in both schedulers, beside an honest neighbour, and the
//! verdict on each.
//! Never: touches the user's state, cache or configuration.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pframe_core::config::{Isolation, SchedulerKind};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{TaskName, TenantName};
use pframe_core::units::{ByteSize, Fuel, show_duration};
use pframe_hostile::{CASES, Case, Ends, SONG, honest};
use serde_json::json;

use super::failure::{Failure, MACHINE};
use super::porch::OWN_PROGRAM;
use super::print::{print, print_json};
use crate::reporter::amounts::about;
use crate::{Engine, Job, JobHandle, JobInput};

/// How much later than its deadline an attack may end.
const GRACE: Duration = Duration::from_secs(2);
/// How long a component may take to be refused or compiled.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(95);
/// How long the neighbour may wait for one of its small jobs.
const CANARY_TIME_MAX: Duration = Duration::from_secs(2);
/// How long the neighbour pauses: it is to wait for the attacks, not they for it.
const SONG_PAUSE: Duration = Duration::from_millis(1);
/// What this process may have grown by at the end of a pass.
const GROWTH_MAX: ByteSize = ByteSize::mib(96);

/// How one attack went.
struct Verdict {
    name: &'static str,
    /// The end of its first variant, or of the first that is wrong.
    end: String,
    /// The longest that a variant took, from its start to its end.
    took: Duration,
    most: Duration,
    is_right: bool,
}

/// How all attacks went under one scheduler.
struct Pass {
    name: String,
    verdicts: Vec<Verdict>,
}

/// Shows a line as soon as it is known.
type Tell = fn(&str) -> Result<(), Failure>;

pub(super) fn hostile(as_json: bool) -> Result<ExitCode, Failure> {
    let tell: Tell = if as_json { |_| Ok(()) } else { print };
    let threads = pass("on threads", SchedulerKind::Threads, Isolation::Off, tell)?;
    let processes =
        match pass("in worker processes", SchedulerKind::Processes, Isolation::Strict, tell) {
            Err(Failure::Fault { fault, .. }) if fault.code == Code::WorkerUnusable => {
                let name = "in worker processes without namespaces (`selftest --layers` says why)";
                pass(name, SchedulerKind::Processes, Isolation::Container, tell)?
            }
            other => other?,
        };
    let passes = [threads, processes];
    let all = || passes.iter().flat_map(|pass| &pass.verdicts);
    let right = all().filter(|verdict| verdict.is_right).count();
    match as_json {
        true => print_json(&json!({ "passes": passes.each_ref().map(Pass::json) })),
        false => print(&format!("{right} of {} ended as they must", all().count())),
    }?;
    Ok(if right == all().count() { ExitCode::SUCCESS } else { ExitCode::from(MACHINE) })
}

/// Runs every attack.
fn pass(
    name: &str,
    scheduler: SchedulerKind,
    isolation: Isolation,
    tell: Tell,
) -> Result<Pass, Failure> {
    let cache = tempfile::tempdir().map_err(|error| failed(no_folder(&error)))?;
    let engine = || {
        let builder = Engine::builder().scheduler(scheduler).isolation(isolation);
        let builder = builder.worker_program(OWN_PROGRAM).workers(2).cache_dir(cache.path());
        builder.build().map_err(failed)
    };
    // What a process opens once and keeps, and what making the attacks takes, is not the attacks' doing.
    drop(Neighbour::move_in(&engine()?).map_err(failed)?);
    for case in CASES {
        drop((case.variants)());
    }
    let before = Held::now();
    let mut verdicts = Vec::new();
    {
        let engine = engine()?;
        let neighbour = Neighbour::move_in(&engine).map_err(failed)?;
        tell(&format!("hostile guests {name}"))?;
        let is_over = AtomicBool::new(false);
        let songs = std::thread::scope(|scope| {
            let singing = scope.spawn(|| neighbour.sing(&is_over));
            for (number, case) in CASES.iter().enumerate() {
                let verdict = attack(&engine, number, case);
                let shown = tell(&verdict.line());
                verdicts.push(verdict);
                if shown.is_err() {
                    break;
                }
            }
            is_over.store(true, Ordering::Relaxed);
            singing.join().expect("the neighbour does not panic")
        });
        verdicts.push(songs);
    }
    verdicts.push(before.compare());
    for verdict in &verdicts[verdicts.len() - 2..] {
        tell(&verdict.line())?;
    }
    Ok(Pass { name: name.into(), verdicts })
}

fn failed(fault: Fault) -> Failure {
    Failure::at("selftest")(fault)
}

fn no_folder(error: &std::io::Error) -> Fault {
    Fault::new(Code::StateUnusable).detail(format!("a temporary folder: {error}"))
}

fn attack(engine: &Engine, number: usize, case: &'static Case) -> Verdict {
    let most = case.bounds.timeout + GRACE;
    let mut verdict =
        Verdict { name: case.name, end: String::new(), took: Duration::ZERO, most, is_right: true };
    for (variant, bytes) in (case.variants)().into_iter().enumerate() {
        let task: TaskName = format!("case-{number}-{variant}").parse().expect("a name");
        let began = Instant::now();
        let registered = engine.register_component(&task, bytes);
        let is_refused = registered.is_err();
        let compiled = Instant::now();
        let end = registered.and_then(|_| run(engine, case, task));
        // What was refused had only its compilation.
        let took = if is_refused { compiled - began } else { compiled.elapsed() };
        if is_refused {
            verdict.most = COMPILE_TIME_MAX;
        }
        let is_in_time = compiled - began <= COMPILE_TIME_MAX && took <= verdict.most;
        let is_right = is_in_time && is_right(case, &end);
        verdict.took = verdict.took.max(took);
        if verdict.end.is_empty() || !is_right {
            verdict.end = told(&end);
        }
        verdict.is_right &= is_right;
    }
    verdict
}

fn run(engine: &Engine, case: &Case, task: TaskName) -> Result<Vec<u8>, Fault> {
    let id = format!("attack-{task}").parse().expect("an id");
    let mut job = Job::new(id, task, JobInput::Text("abc".into()));
    job.retries_max = Some(0);
    job.limits.timeout = Some(case.bounds.timeout);
    job.limits.fuel = case.bounds.fuel.map(Fuel);
    job.limits.cpu = case.bounds.cpu;
    job.limits.memory = case.bounds.memory.map(ByteSize);
    job.limits.output = case.bounds.output.map(ByteSize);
    engine.submit(job)?.wait_blocking()?.bytes()
}

fn is_right(case: &Case, end: &Result<Vec<u8>, Fault>) -> bool {
    match (case.ends, end) {
        (Ends::With(codes), Err(fault)) => codes.contains(&fault.code),
        (Ends::Writing(text), Ok(output)) => output == text.as_bytes(),
        (Ends::With(_), Ok(_)) | (Ends::Writing(_), Err(_)) => false,
    }
}

fn told(end: &Result<Vec<u8>, Fault>) -> String {
    match end {
        Ok(_) => "harmless".into(),
        Err(fault) => format!("PF{} {}", fault.code.number(), fault.code.name()),
    }
}

impl Verdict {
    fn line(&self) -> String {
        let mark = if self.is_right { "ok    " } else { "FAILED" };
        let (took, most) = (show_duration(self.took), show_duration(self.most));
        let name = self.name.replace('_', " ");
        format!("  {mark} {name:<64} {:<31} {took} of {most}", self.end)
    }
}

impl Pass {
    fn json(&self) -> serde_json::Value {
        let verdict = |it: &Verdict| {
            json!({ "case": it.name, "ok": it.is_right, "end": it.end,
                "seconds": it.took.as_secs_f64(), "seconds_max": it.most.as_secs_f64() })
        };
        json!({ "pass": self.name, "cases": self.verdicts.iter().map(verdict).collect::<Vec<_>>() })
    }
}

/// Another tenant, whose small jobs must stay right and quick.
struct Neighbour<'a> {
    engine: &'a Engine,
    task: TaskName,
}

impl<'a> Neighbour<'a> {
    /// Its first job shows whether guests can run here at all.
    fn move_in(engine: &'a Engine) -> Result<Self, Fault> {
        let task: TaskName = "canary".parse().expect("a name");
        engine.register_component(&task, honest())?;
        let neighbour = Self { engine, task };
        neighbour.note(0)?.wait_blocking()?;
        Ok(neighbour)
    }

    fn note(&self, number: u64) -> Result<JobHandle, Fault> {
        let id = format!("canary-{number}").parse().expect("an id");
        let mut job = Job::new(id, self.task.clone(), JobInput::Text(String::new()));
        job.tenant = TenantName::new("canary").expect("a name");
        self.engine.submit(job)
    }

    fn sing(&self, is_over: &AtomicBool) -> Verdict {
        let (mut number, mut took, mut is_right) = (0, Duration::ZERO, true);
        while !is_over.load(Ordering::Relaxed) {
            number += 1;
            let started = Instant::now();
            let song = self.note(number).and_then(|job| job.wait_blocking()?.bytes());
            took = took.max(started.elapsed());
            is_right &= song.is_ok_and(|song| song == SONG.as_bytes());
            std::thread::sleep(SONG_PAUSE);
        }
        let words = if is_right { "all right" } else { "not all right" };
        let end = format!("{number} jobs, {words}");
        let is_right = is_right && number > 0 && took <= CANARY_TIME_MAX;
        Verdict { name: "a_neighbour_beside_all_this", end, took, most: CANARY_TIME_MAX, is_right }
    }
}

/// What this process holds.
struct Held {
    descriptors: usize,
    threads: usize,
    bytes: ByteSize,
    at: Instant,
}

impl Held {
    fn now() -> Self {
        let count = |path| std::fs::read_dir(path).map_or(0, Iterator::count);
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
        let bytes = ByteSize(pages.unwrap_or(0_u64) * rustix::param::page_size() as u64);
        Self {
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            bytes,
            at: Instant::now(),
        }
    }

    /// Everything that the attacks took was given back.
    fn compare(&self) -> Verdict {
        let now = Self::now();
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        let grown = ByteSize(now.bytes.bytes().saturating_sub(self.bytes.bytes()));
        let is_right = now.descriptors <= self.descriptors
            && now.threads <= self.threads
            && children.trim().is_empty()
            && grown <= GROWTH_MAX;
        let Self { descriptors, threads, .. } = now;
        let end = format!("files {descriptors}, threads {threads}, {} more", about(grown));
        let took = self.at.elapsed();
        Verdict {
            name: "everything_is_given_back",
            end,
            took,
            most: Duration::from_mins(1),
            is_right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str) -> &'static Case {
        CASES.iter().find(|case| case.name == name).unwrap()
    }

    #[test]
    fn an_attack_that_ends_otherwise_is_told() {
        let spinning = case("c01_a_loop_in_the_handler");
        assert!(is_right(spinning, &Err(Fault::new(Code::Deadline))));
        assert!(!is_right(spinning, &Err(Fault::new(Code::Bug))));
        assert!(!is_right(spinning, &Ok(Vec::new())));
        let looking = case("s01_an_instance_finds_nothing_of_the_one_before");
        assert!(is_right(looking, &Ok(b"0".to_vec())));
        assert!(!is_right(looking, &Ok(b"1".to_vec())));
        assert!(!is_right(looking, &Err(Fault::new(Code::Trap))));
    }
}
