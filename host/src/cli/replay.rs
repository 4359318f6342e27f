//! `pframe-host replay BUNDLE`
//!
//! Owns: running a chunk that failed once more, and saying whether it ended the same way.
//! Never: writes to the state directory, or to the bundle.

use std::process::ExitCode;

use pframe_core::fault::{Fault, GuestText};
use pframe_core::limits::Usage;
use pframe_core::units::{ByteSize, show_duration};
use serde_json::json;

use super::arguments::ReplayArguments;
use super::failure::{Failure, exit_code};
use super::porch::Porch;
use super::print::{Stdout, print_json};
use crate::JobOutput;
use crate::data::bundle::Found;
use crate::engine::Replayed;
use crate::reporter::amounts::about;
use crate::reporter::told::{say, tell_fault};

pub(super) fn replay(porch: &Porch, arguments: &ReplayArguments) -> Result<ExitCode, Failure> {
    let found = Found::read(&arguments.bundle)?;
    let bundle = &found.bundle;
    let place = format!("attempt {}", bundle.attempt);
    let prepared = porch.engine().workers(1).attempts(1).prepare()?;
    let (path, pinned) = match &arguments.component {
        Some(path) => (path.clone(), None),
        None => (found.component(), Some(bundle.component)),
    };
    let info = prepared
        .workbench()
        .register_task(&bundle.tenant, &bundle.task, &path, pinned)
        .map_err(Failure::at(format!("task {}", bundle.task)))?;
    let size = ByteSize(bundle.chunk.end - bundle.chunk.start);
    let source = GuestText::new(&bundle.chunk.source);
    let source = source.as_str();
    say(&format!(
        "replaying {} of run {}: {} of `{source}`",
        bundle.attempt,
        bundle.run,
        about(size)
    ));
    let Replayed { usage, result } =
        prepared.replay(&found, info.digest).map_err(Failure::at(place.clone()))?;
    let verdict = Verdict::of(&result, &bundle.fault);
    match (&result, arguments.json) {
        (_, true) => print_json(&json!({
            "attempt": bundle.attempt,
            "is_same": verdict == Verdict::Same,
            "fault": result.as_ref().err(),
            "recorded": bundle.fault,
            "component": info.digest,
            "usage": usage,
        }))?,
        (Ok(output), false) => {
            output.copy_to(&mut Stdout::open()).map_err(Failure::at("stdout"))?;
        }
        (Err(fault), false) => tell_fault(fault, &place),
    }
    say(&used(&usage));
    say(&verdict.text(&bundle.fault));
    Ok(match result {
        Ok(_) => ExitCode::SUCCESS,
        Err(fault) => ExitCode::from(exit_code(fault.code.origin())),
    })
}

/// This end beside the recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// With the same code and the same words.
    Same,
    /// With the same code, and other words.
    SameCode,
    /// Another failure.
    Other,
    /// No failure.
    Well,
}

impl Verdict {
    fn of(result: &Result<JobOutput, Fault>, recorded: &Fault) -> Self {
        match result {
            Ok(_) => Self::Well,
            Err(fault) if fault.code != recorded.code => Self::Other,
            Err(fault) if words(fault) == words(recorded) => Self::Same,
            Err(_) => Self::SameCode,
        }
    }

    fn text(self, recorded: &Fault) -> String {
        let (code, title) = (recorded.code, recorded.code.title());
        match self {
            Self::Same => format!("the same end as recorded: {code}, {title}"),
            Self::SameCode => format!("the same end as recorded, in other words: {recorded}"),
            Self::Other => format!("another end than recorded: that was {code}, {title}"),
            Self::Well => format!("it ended well; recorded was {code}, {title}"),
        }
    }
}

/// What two ends must have in common beside their code: what was used differs by a little where clocks are involved.
fn words(fault: &Fault) -> (Option<&str>, Option<&str>, Vec<&str>) {
    (
        fault.guest_message.as_ref().map(GuestText::as_str),
        fault.hit.as_ref().map(|hit| hit.limit.as_str()),
        fault.backtrace.iter().map(GuestText::as_str).collect(),
    )
}

fn used(usage: &Usage) -> String {
    let at_least = if usage.fuel_at_least { "at least " } else { "" };
    format!(
        "fuel {at_least}{} · peak memory {} · wall {} · cpu {}",
        usage.fuel,
        about(usage.memory_peak),
        show_duration(usage.wall),
        show_duration(usage.cpu)
    )
}
