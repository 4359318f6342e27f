//! `pframe-host check FILE`
//!
//! Owns: one line for a job file that could run.
//! Never: runs a guest, or writes anything but compiled components in the cache.

use std::process::ExitCode;

use super::arguments::CheckArguments;
use super::failure::Failure;
use super::jobs;
use super::porch::Porch;
use super::print::print;
use crate::engine::Planned;
use crate::reporter::told::say;

pub(super) fn check(porch: &Porch, arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let (prepared, planned) = jobs::prepare(porch, &arguments.file)?;
    for plan in &planned {
        let described = prepared.workbench().described(&plan.spec.task.name);
        if let Some(remark) = jobs::grants_remark(&plan.spec, &described) {
            say(&format!("note: job {}: {remark}", plan.spec.id));
        }
    }
    print(&verdict(&planned))?;
    Ok(ExitCode::SUCCESS)
}

fn verdict(planned: &[Planned]) -> String {
    let chunks: usize = planned.iter().flat_map(|plan| &plan.chunks).map(|cuts| cuts.len()).sum();
    let cut_later = planned.iter().filter(|plan| plan.chunks.is_none()).count();
    let known = format!("ok: {}, {}", counted(planned.len(), "job"), counted(chunks, "chunk"));
    match cut_later {
        0 => known,
        1 => format!("{known}; the handler of 1 job cuts its input itself"),
        more => format!("{known}; the handlers of {more} jobs cut their input themselves"),
    }
}

/// `1 job`, `2 jobs`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        more => format!("{more} {noun}s"),
    }
}
