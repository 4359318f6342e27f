//! What handlers said: one file per attempt that said anything.
//!
//! Owns: the logs directory of one run.
//! Never: interprets the text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pframe_core::ids::{AttemptId, JobId};

use crate::failpoint::pass;

/// The directory of a run's logs. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LogStore(Arc<Path>);

impl LogStore {
    /// Logs of one run below the state directory.
    pub(crate) fn of_run(state_dir: &Path, run: i64) -> Self {
        Self(state_dir.join("logs").join(run.to_string()).into())
    }

    /// Keeps what an attempt said. Losing a log never fails an attempt.
    pub(crate) fn keep(&self, attempt: &AttemptId, text: &[u8]) {
        let folder = self.0.join(attempt.job.as_str());
        let result = pass("log-keep")
            .and_then(|()| std::fs::create_dir_all(&folder))
            .and_then(|()| std::fs::write(folder.join(file_name(attempt)), text));
        if let Err(error) = result {
            tracing::warn!(%attempt, %error, "what the handler said cannot be kept");
        }
    }

    /// The logs of a job, by attempt, in the order of their names.
    pub(crate) fn of_job(&self, job: &JobId) -> Vec<(String, PathBuf)> {
        let files = std::fs::read_dir(self.0.join(job.as_str())).into_iter().flatten().flatten();
        let mut logs: Vec<_> = files
            .map(|file| (file.file_name().to_string_lossy().into_owned(), file.path()))
            .collect();
        logs.sort();
        logs
    }
}

fn file_name(attempt: &AttemptId) -> String {
    format!("{}#{}", attempt.step, attempt.number)
}
