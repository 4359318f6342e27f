//! The words of an explanation.
//!
//! Owns: one sentence for each reason.
//! Never: looks anything up.

use std::fmt;
use std::time::Duration;

use crate::fault::Code;
use crate::ids::{AttemptId, JobId, Step, TenantName};
use crate::resources::Capacity;
use crate::state::JobState;
use crate::units::show_duration;

/// The answer to "what is this job doing, and why not more?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// Its state.
    pub state: JobState,
    /// Most important first, a handful at most.
    pub reasons: Vec<Reason>,
}

/// One thing to say about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// These attempts run.
    Runs {
        /// The first few.
        attempts: Vec<AttemptId>,
        /// How many more.
        more: u32,
    },
    /// It will end with this fault once what runs has ended.
    Stops {
        /// The class of the fault.
        code: Code,
    },
    /// It waits for these jobs.
    After {
        /// The first few, with the state of each.
        jobs: Vec<(JobId, JobState)>,
        /// How many more.
        more: u32,
    },
    /// Its result is being put where it is wanted.
    Publishes,
    /// The host starts nothing any more.
    Drains,
    /// A step waits to be tried again.
    Retry {
        /// The attempt to come.
        attempt: AttemptId,
        /// How long it still waits.
        delay: Duration,
        /// How many more steps wait like this.
        more: u32,
    },
    /// Its tenant has as many live sandboxes as it may.
    TenantRuns {
        /// The tenant.
        tenant: TenantName,
        /// Its live sandboxes.
        running: u32,
    },
    /// Its tenant has reserved as much memory as it may.
    TenantMemory {
        /// The tenant.
        tenant: TenantName,
        /// What one attempt needs, with its unit.
        need: String,
        /// What the tenant may still take, with its unit.
        free: String,
    },
    /// The machine has become too small for it.
    TooBigNow {
        /// What one attempt needs.
        need: Capacity,
        /// What the machine has.
        machine: Capacity,
    },
    /// Something that it needs is held by others.
    Short {
        /// What one attempt needs, such as `2 cpu`.
        need: String,
        /// How much of that is free.
        free: String,
        /// How much of that is held.
        held: String,
        /// The attempts that hold most of it.
        holders: Vec<AttemptId>,
        /// How many more reservations hold some.
        more: u32,
    },
    /// Capacity is held for work that has waited longer.
    HeldFor {
        /// Whose.
        job: JobId,
    },
    /// This job of the same kind goes first.
    Behind {
        /// Which.
        job: JobId,
    },
    /// This tenant has had less than its share.
    FairShare {
        /// Which.
        tenant: TenantName,
    },
}

impl fmt::Display for Explanation {
    /// `waiting: needs 2 cpu, 1 free; job-5/1#1 and job-5/2#1 hold 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            JobState::Pending | JobState::Queued | JobState::Retrying => f.write_str("waiting")?,
            JobState::Running | JobState::Completed | JobState::Failed | JobState::Cancelled => {
                write!(f, "{}", self.state)?;
            }
        }
        for (index, reason) in self.reasons.iter().enumerate() {
            write!(f, "{} {reason}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs { attempts, more } => {
                let verb = if attempts.len() == 1 && *more == 0 { "runs" } else { "run" };
                write!(f, "{} {verb}", attempt_names(attempts, *more))
            }
            Self::After { jobs, more } => {
                let jobs: Vec<_> =
                    jobs.iter().map(|(job, state)| format!("{job} ({state})")).collect();
                write!(f, "after {}", names(jobs, *more))
            }
            Self::Stops { code } => write!(f, "it is being stopped, {}", code.title()),
            Self::Publishes => f.write_str("its result is being written"),
            Self::Drains => f.write_str("the host starts nothing any more"),
            Self::Retry { attempt, delay, more } => {
                let AttemptId { step, number, .. } = attempt;
                let (step, delay) = (show_step(*step), show_duration(*delay));
                write!(f, "{step} waits {delay} for its attempt {number}")?;
                match more {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more like it"),
                }
            }
            Self::TenantRuns { tenant, running } => {
                write!(f, "tenant `{tenant}` has as many live sandboxes as it may, {running}")
            }
            Self::TenantMemory { tenant, need, free } => {
                write!(f, "needs {need} memory, tenant `{tenant}` may take {free} more")
            }
            Self::TooBigNow { need, machine } => {
                write!(f, "needs {need}, the machine has {machine} now")
            }
            Self::Short { need, free, held, holders, more } => {
                write!(f, "needs {need}, {free} free; ")?;
                let verb = if holders.len() == 1 && *more == 0 { "holds" } else { "hold" };
                write!(f, "{} {verb} {held}", attempt_names(holders, *more))
            }
            Self::HeldFor { job } => write!(f, "capacity is held for {job}, which waited longer"),
            Self::Behind { job } => write!(f, "{job} goes first"),
            Self::FairShare { tenant } => {
                write!(f, "tenant `{tenant}` goes first, it has had less than its share")
            }
        }
    }
}

fn show_step(step: Step) -> String {
    match step {
        Step::Cut | Step::Collect => step.to_string(),
        Step::Run(chunk) => format!("chunk {chunk}"),
    }
}

fn attempt_names(attempts: &[AttemptId], more: u32) -> String {
    names(attempts.iter().map(AttemptId::to_string).collect(), more)
}

/// `a`, `a and b`, `a, b and 3 more`.
fn names(mut names: Vec<String>, more: u32) -> String {
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        Some((last, _)) => last.clone(),
        None => "nobody".into(),
    }
}
