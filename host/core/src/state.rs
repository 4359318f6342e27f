//! The seven states of a job that users know, and which may follow which.
//!
//! Owns: how a state is derived from a job's steps, and the table of transitions.
//! Never: stores a state.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a user sees of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Accepted; its chunks are not known yet.
    Pending,
    /// Its chunks are known; none of its attempts runs and none waits to be tried again.
    Queued,
    /// At least one attempt runs.
    Running,
    /// No attempt runs, and a step that failed waits to be tried again.
    Retrying,
    /// Ended with a result.
    Completed,
    /// Ended without a result.
    Failed,
    /// Ended on request.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// True where nothing follows.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The table of transitions: true where `next` may come directly after this state.
    ///
    /// Failed attempts, stops and losses are seen one event at a time, so that a running job
    /// may pass through `queued` between two of its attempts.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(
                next,
                Self::Queued | Self::Running | Self::Completed | Self::Failed | Self::Cancelled
            ),
            Self::Queued => {
                matches!(next, Self::Running | Self::Completed | Self::Failed | Self::Cancelled)
            }
            Self::Running => matches!(next, Self::Pending | Self::Queued | Self::Retrying),
            Self::Retrying => matches!(next, Self::Running | Self::Failed | Self::Cancelled),
            Self::Completed | Self::Failed | Self::Cancelled => false,
        }
    }

    /// The word that users read and write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a result.
    Completed,
    /// Without one.
    Failed,
    /// On request.
    Cancelled,
}

/// What a job's state is derived from: counts over its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// True where the chunks are known.
    pub is_planned: bool,
    /// Attempts that run.
    pub running: u32,
    /// Steps that failed and wait for another attempt.
    pub retrying: u32,
    /// How the job ended, if it did.
    pub ending: Option<Ending>,
}

impl Progress {
    /// The state that follows from these counts.
    pub const fn state(&self) -> JobState {
        match self.ending {
            Some(Ending::Completed) => JobState::Completed,
            Some(Ending::Failed) => JobState::Failed,
            Some(Ending::Cancelled) => JobState::Cancelled,
            None if self.running > 0 => JobState::Running,
            None if self.retrying > 0 => JobState::Retrying,
            None if self.is_planned => JobState::Queued,
            None => JobState::Pending,
        }
    }
}

#[cfg(test)]
#[expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]
mod tests {
    use std::fmt::Write;

    use expect_test::expect;

    use super::*;

    fn table() -> String {
        let mut text = String::new();
        for from in JobState::ALL {
            let next = JobState::ALL.into_iter().filter(|next| from.may_become(*next));
            let names: Vec<_> = next.map(JobState::name).collect();
            writeln!(text, "{from:<9} → {}", names.join(", ")).unwrap();
        }
        text
    }

    #[test]
    fn the_table_of_transitions_reads_like_this() {
        expect![[r#"
            pending   → queued, running, completed, failed, cancelled
            queued    → running, completed, failed, cancelled
            running   → pending, queued, retrying
            retrying  → running, failed, cancelled
            completed → 
            failed    → 
            cancelled → 
        "#]]
        .assert_eq(&table());
    }

    #[test]
    fn every_terminal_state_is_absorbing_and_no_other_is() {
        for from in JobState::ALL {
            let goes_on = JobState::ALL.into_iter().any(|next| from.may_become(next));
            assert_eq!(from.is_terminal(), !goes_on, "{from}");
        }
    }

    #[test]
    fn every_state_can_be_reached_from_pending() {
        let mut reached = vec![JobState::Pending];
        for _ in JobState::ALL {
            for next in JobState::ALL {
                if !reached.contains(&next) && reached.iter().any(|from| from.may_become(next)) {
                    reached.push(next);
                }
            }
        }
        assert_eq!(reached.len(), JobState::ALL.len());
    }

    #[test]
    fn an_ending_outweighs_every_count() {
        let progress =
            Progress { running: 3, retrying: 2, is_planned: true, ending: Some(Ending::Failed) };
        assert_eq!(progress.state(), JobState::Failed);
    }
}
