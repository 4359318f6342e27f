//! Tells when jobs end.
//!
//! Owns: the one thread that waits for all of them.
//! Never: keeps a job's result.

use std::sync::Arc;

use pframe_core::fault::Fault;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::wire::{Wire, fault_json};
use crate::reporter::job::job_json;
use crate::{JobHandle, JobOutput};

/// Takes the jobs that somebody waits for.
pub(super) struct Endings(UnboundedSender<JobHandle>);

impl Endings {
    pub(super) fn start(wire: Arc<Wire>) -> Self {
        // Bounded by the jobs themselves, which the engine bounds.
        let (sender, receiver) = unbounded_channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime without I/O can be made").block_on(follow(receiver, &wire));
        });
        Self(sender)
    }

    /// Notifies `ended` once the job has.
    pub(super) fn follow(&self, job: JobHandle) {
        let _ = self.0.send(job);
    }
}

async fn follow(mut jobs: UnboundedReceiver<JobHandle>, wire: &Wire) {
    let mut waiting = JoinSet::new();
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => drop(waiting.spawn(async move {
                    let ending = job.wait().await;
                    (job, ending)
                })),
                None => return,
            },
            Some(Ok((job, ending))) = waiting.join_next() => tell(wire, &job, &ending),
        }
    }
}

fn tell(wire: &Wire, job: &JobHandle, ending: &Result<JobOutput, Fault>) {
    let place = format!("job {}", job.id());
    let result = ending.as_ref();
    wire.notify(
        "ended",
        &json!({
            "job": job.id(),
            "state": job.status().to_string(),
            "status": job.report().as_ref().map(job_json),
            "fault": result.err().map(|fault| fault_json(fault, &place)),
        }),
    );
}
