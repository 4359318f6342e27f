//! Stories about who runs when, told as pictures.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

#[path = "../common/mod.rs"]
mod common;
mod dependencies;
mod failures;
mod machine;
mod order;
mod story;

use std::time::Duration;

use expect_test::{Expect, expect};
use pframe_core::fault::Code;
use pframe_core::ids::{Digest, JobId, TenantName};
use pframe_core::job::{JobSpec, Source, SourcePlace};
use pframe_core::policy::{OnFailure, Tolerance};
use pframe_core::scheduler::{Message, Settings, TenantSettings};
use pframe_core::units::{ByteSize, CpuCores, Timestamp};
use story::Story;

pub(crate) fn check(story: Story, expect: &Expect) {
    expect.assert_eq(&story.tell());
}

pub(crate) fn plain(_: &mut JobSpec) {}

pub(crate) fn of_tenant(name: &'static str) -> impl Fn(&mut JobSpec) {
    move |job| job.tenant = TenantName::new(name).expect("a plain name")
}

pub(crate) fn cores(count: u32) -> impl Fn(&mut JobSpec) {
    move |job| job.requirements.cpu = CpuCores::whole(count)
}

/// It starts once these have completed.
pub(crate) fn after(jobs: &'static [&'static str]) -> impl Fn(&mut JobSpec) {
    let job = |name: &&str| JobId::new(name).expect("a plain name");
    move |spec| spec.after = jobs.iter().map(job).collect()
}

/// It works on the results of these jobs, each of which it waits for.
pub(crate) fn on_results_of(jobs: &'static [&'static str]) -> impl Fn(&mut JobSpec) {
    move |spec| {
        after(jobs)(spec);
        let place = |job: &JobId| SourcePlace::Job(job.clone());
        let source = |job| Source { size: 0, place: place(job), ..spec.inputs[0].clone() };
        spec.inputs = spec.after.iter().map(source).collect();
    }
}

/// So many jobs wait for it.
pub(crate) fn awaited(dependents: u32) -> impl Fn(&mut JobSpec) {
    move |job| job.dependents = dependents
}

pub(crate) fn tolerant(tolerance: Tolerance) -> impl Fn(&mut JobSpec) {
    move |job| job.on_failure = OnFailure::Continue(tolerance)
}

pub(crate) fn tenant(name: &str, rules: TenantSettings) -> impl Fn(&mut Settings) {
    let name = TenantName::new(name).expect("a plain name");
    move |settings| {
        settings.tenants.insert(name.clone(), rules);
    }
}
