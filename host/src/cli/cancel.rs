//! `pframe-host cancel JOB`
//!
//! Owns: asking the running host to end a job, and saying why that cannot be.
//! Never: changes the journal; only the host does.

use std::process::ExitCode;

use pframe_core::ids::JobId;

use super::arguments::CancelArguments;
use super::control::{Answer, Request, ask};
use super::failure::Failure;
use super::history::{find, job_id};
use super::porch::Porch;
use crate::journal::HostLock;
use crate::reporter::told::say;

pub(super) fn cancel(porch: &Porch, arguments: &CancelArguments) -> Result<ExitCode, Failure> {
    let job = job_id(&arguments.job)?;
    match ask(&porch.state_dir, &Request::Cancel(job.clone())) {
        Some(Answer::Done(words)) => {
            say(&words);
            Ok(ExitCode::SUCCESS)
        }
        Some(Answer::Unknown | Answer::Run(_)) => {
            Err(refusal(porch, &job, "the host that runs works on another run;")?)
        }
        None if HostLock::is_held(&porch.state_dir) => Err(Failure::Usage(
            "a host runs and does not answer; end it with Ctrl-C or SIGTERM".into(),
        )),
        None => Err(refusal(porch, &job, "no host runs;")?),
    }
}

fn refusal(porch: &Porch, job: &JobId, host: &str) -> Result<Failure, Failure> {
    let found = find(porch, job)?;
    let state = found.job.state();
    let run = found.run.id;
    Ok(Failure::Usage(if state.is_terminal() {
        format!("job `{job}` has ended already, in run {run}: {state}")
    } else {
        format!("{host} nothing of job `{job}` runs before `pframe-host resume {run}`")
    }))
}
