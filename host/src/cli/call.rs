//! `pframe-host call COMPONENT`
//!
//! Owns: the shortest way from a handler to its result, for whoever writes one.
//! Never: writes to the state directory.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use pframe_core::job::{InputRequest, JobRequest, LimitsRequest};
use pframe_core::report::JobReport;
use pframe_core::units::{ByteSize, Fuel, UnitError, parse_duration, show_duration};
use serde_json::json;

use super::arguments::CallArguments;
use super::failure::{Failure, exit_code};
use super::porch::{Porch, with_stdin};
use super::print::{Stdout, print_json};
use crate::engine::Engine;
use crate::reporter::amounts::about;
use crate::reporter::told::{say, tell_fault};

/// How often `--watch` looks at its files.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

pub(super) fn call(porch: &Porch, arguments: &CallArguments) -> Result<ExitCode, Failure> {
    let job = request(arguments)?;
    let engine = with_stdin(porch.engine(), None).workers(1).attempts(1).build()?;
    if !arguments.watch {
        return once(&engine, arguments, job);
    }
    loop {
        let seen = times(arguments);
        if let Err(failure) = once(&engine, arguments, job.clone()) {
            failure.report();
        }
        say("watching; Ctrl-C ends");
        while times(arguments) == seen {
            std::thread::sleep(WATCH_INTERVAL);
        }
    }
}

fn request(arguments: &CallArguments) -> Result<JobRequest, Failure> {
    let parameters = serde_json::from_str(&arguments.parameters)
        .map_err(|error| Failure::Usage(format!("`--parameters` is not JSON: {error}")))?;
    let input = match arguments.input.as_deref() {
        None => InputRequest::Bytes(Vec::new()),
        Some(path) => InputRequest::Files(vec![path.display().to_string().into()]),
    };
    let id = "call".parse().expect("a valid id");
    let mut job = JobRequest::new(id, "call".parse().expect("a valid name"), input);
    job.parameters = parameters;
    job.retries_max = Some(0);
    job.limits = limits(arguments).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(job)
}

fn limits(arguments: &CallArguments) -> Result<LimitsRequest, UnitError> {
    Ok(LimitsRequest {
        memory: arguments.memory.as_deref().map(ByteSize::parse).transpose()?,
        fuel: arguments.fuel.as_deref().map(Fuel::parse).transpose()?,
        timeout: arguments.timeout.as_deref().map(parse_duration).transpose()?,
        ..LimitsRequest::default()
    })
}

fn once(engine: &Engine, arguments: &CallArguments, job: JobRequest) -> Result<ExitCode, Failure> {
    let place = arguments.component.display().to_string();
    engine.register_task(&job.task, &arguments.component).map_err(Failure::at(place.clone()))?;
    let handle = engine.submit(job).map_err(Failure::at(place.clone()))?;
    let result = handle.wait_blocking();
    let report = handle.report();
    if arguments.json {
        print_usage(&result, report.as_ref())?;
    } else if let Ok(output) = &result {
        output.copy_to(&mut Stdout::open()).map_err(Failure::at("stdout"))?;
    }
    if let Some(report) = report {
        say(&usage(&report));
    }
    match result {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(fault) => {
            tell_fault(&fault, &place);
            Ok(ExitCode::from(exit_code(fault.code.origin())))
        }
    }
}

fn usage(report: &JobReport) -> String {
    let at_least = if report.fuel_at_least { "at least " } else { "" };
    format!(
        "fuel {at_least}{} · peak memory {} · wall {} · cpu {} · calls denied {}",
        report.fuel,
        about(report.memory_peak),
        show_duration(report.busy),
        show_duration(report.cpu),
        report.calls_denied
    )
}

fn print_usage(
    result: &Result<crate::JobOutput, pframe_core::fault::Fault>,
    report: Option<&JobReport>,
) -> Result<(), Failure> {
    let (output, fault) = match result {
        Ok(output) => {
            let bytes = output.bytes().map_err(Failure::at("result"))?;
            (Some(String::from_utf8_lossy(&bytes).into_owned()), None)
        }
        Err(fault) => (None, Some(fault)),
    };
    print_json(&json!({
        "output": output,
        "fault": fault,
        "fuel": report.map(|report| report.fuel),
        "memory_peak": report.map(|report| report.memory_peak),
        "wall_ms": report.map(|report| report.busy.as_secs_f64() * 1e3),
        "cpu_ms": report.map(|report| report.cpu.as_secs_f64() * 1e3),
        "calls_denied": report.map(|report| report.calls_denied),
    }))
}

fn times(arguments: &CallArguments) -> Vec<Option<SystemTime>> {
    let paths = std::iter::once(&arguments.component).chain(&arguments.input);
    paths
        .map(|path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
        .collect()
}
