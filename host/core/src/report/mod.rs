//! What became of the jobs: a fold over records, for tables, metrics and pages to show.
//!
//! Owns: every figure that is shown about jobs.
//! Never: prints, and never counts anything that no event says.

mod fold;
mod job;
mod totals;

pub use fold::Report;
pub use job::{FAULTS_KEPT_MAX, JobReport, StepFault};
pub use totals::Totals;

#[cfg(test)]
mod tests;
