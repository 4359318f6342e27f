//! Jobs for tests: everything plain unless said otherwise.

use std::sync::Arc;
use std::time::Duration;

use pframe_core::ids::{Digest, JobId, TaskName, TenantName};
use pframe_core::job::{
    Caching, Chunking, JobSpec, Requirements, Slice, Source, SourcePlace, TaskRef,
};
use pframe_core::limits::Limits;
use pframe_core::policy::{Backoff, OnFailure, RetryPolicy};
use pframe_core::resources::Capacity;
use pframe_core::units::{ByteSize, CpuCores, Timestamp};

/// A job of tenant `default` on one core and 1 MiB, with retries after exactly a second or so.
pub(crate) fn job(id: &str) -> JobSpec {
    let source = Source {
        name: "input".into(),
        media_type: None,
        size: 100,
        place: SourcePlace::Inline([].into()),
    };
    JobSpec {
        id: JobId::new(id).expect("a plain name"),
        tenant: TenantName::default_tenant(),
        task: TaskRef {
            name: TaskName::new("task").expect("a plain name"),
            component: Digest([0; 32]),
            collects: false,
        },
        inputs: [source].into(),
        parameters: "null".into(),
        chunking: Chunking::None,
        overlap: None,
        collect: None,
        cache: Caching::Off,
        batch: None,
        after: Arc::default(),
        dependents: 0,
        priority: 0,
        limits: Limits::default(),
        retry: RetryPolicy {
            retries_max: 2,
            backoff: Backoff::Fixed,
            base_delay: Duration::from_secs(1),
            delay_max: Duration::from_mins(1),
        },
        on_failure: OnFailure::Stop,
        requirements: Requirements {
            cpu: CpuCores::ONE,
            memory: Some(ByteSize::mib(1)),
            gpu_memory: ByteSize::ZERO,
        },
        grants: [].into(),
        accepted_at: Timestamp(0),
        deadline: None,
        output: None,
        is_printed: false,
    }
}

/// `count` chunks of one byte.
pub(crate) fn chunks(count: u32) -> Arc<[Slice]> {
    (0..count.into()).map(|at| Slice { source: 0, start: at, end: at + 1 }).collect()
}

/// A machine with so many cores, a GiB of memory for each, and room for 1,000 sandboxes.
pub(crate) fn machine(cores: u32) -> Capacity {
    Capacity {
        cpu: CpuCores::whole(cores),
        memory: ByteSize::gib(cores.into()),
        gpu_memory: ByteSize::ZERO,
        attempts: 1000,
    }
}
