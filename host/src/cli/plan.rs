//! `pframe-host plan FILE`
//!
//! Owns: everything that can be known about a job before it runs, one paragraph for each job.
//! Never: runs a guest, or writes anything but compiled components in the cache.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::job::{Caching, Chunking, Collect, Grant, JobSpec, Overlap, Slice, SourcePlace};
use pframe_core::policy::{Backoff, OnFailure, Tolerance};
use pframe_core::resources::Capacity;
use pframe_core::tasktype::TaskType;
use pframe_core::units::{ByteSize, show_duration};
use pframe_speech::BYTES_PER_MS;
use serde_json::{Value, json};

use super::arguments::PlanArguments;
use super::check::counted;
use super::failure::Failure;
use super::graph;
use super::jobs::{self, grants_missing, grants_remark};
use super::porch::{Porch, with_stdin};
use super::print::{print, print_json};
use crate::capability::input::Medium;
use crate::capability::offer::{Offer, offer};
use crate::engine::{Planned, TaskInfo, Workbench, need_of};
use crate::reporter::amounts::about;

pub(super) fn plan(porch: &Porch, arguments: &PlanArguments) -> Result<ExitCode, Failure> {
    let jobs = jobs::read(&arguments.file)?;
    let prepared =
        with_stdin(porch.engine(), Some(&arguments.file)).base_dir(&jobs.base_dir).prepare()?;
    let planned = jobs::plan(porch, &jobs, prepared.workbench())?;
    let requests: BTreeMap<_, _> = jobs.file.jobs.iter().map(|job| (&job.id, job)).collect();
    let outlooks = planned.iter().map(|plan| {
        let asked_gpu = prepared.workbench().gpu_memory_asked(requests[&plan.spec.id]);
        Outlook::of(plan, prepared.workbench(), asked_gpu)
    });
    if arguments.form.json {
        outlooks.into_iter().try_for_each(|outlook| print_json(&outlook.json()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut paragraphs: Vec<_> = outlooks.map(|outlook| outlook.text()).collect();
    let graph: Vec<_> = planned.iter().map(|plan| (&plan.spec.id, &*plan.spec.after)).collect();
    paragraphs.extend(graph::draw(&graph).map(|graph| format!("what waits for what\n{graph}")));
    print(&paragraphs.join("\n\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What is known about a job that has not begun.
struct Outlook<'a> {
    spec: &'a JobSpec,
    chunks: Option<&'a [Slice]>,
    info: Option<TaskInfo>,
    described: Arc<TaskType>,
    capacity: Capacity,
    /// Graphics memory that was asked for and is not reserved.
    gpu_dropped: Option<ByteSize>,
}

impl<'a> Outlook<'a> {
    fn of(plan: &'a Planned, workbench: &Workbench, asked_gpu: ByteSize) -> Self {
        let spec = &plan.spec;
        let is_dropped = asked_gpu > spec.requirements.gpu_memory;
        Self {
            spec,
            chunks: plan.chunks.as_deref(),
            info: workbench.info(&spec.task.name),
            described: workbench.described(&spec.task.name),
            capacity: workbench.capacity(),
            gpu_dropped: is_dropped.then_some(asked_gpu),
        }
    }

    fn text(&self) -> String {
        let Self { spec, .. } = self;
        let mut lines = vec![
            format!("job {}", spec.id),
            format!("  task       {}{}", spec.task.name, self.brings()),
            format!("  component  sha256:{}", spec.task.component),
            format!("  input      {}", self.input()),
            format!("  chunks     {}", self.chunks_text()),
            format!("  limits     {}", limits(spec)),
            format!("  needs      {}", self.needs()),
            format!("  failures   {}", failures(spec)),
            format!("  grants     {}", self.grants()),
        ];
        if !spec.after.is_empty() {
            let after: Vec<_> = spec.after.iter().map(ToString::to_string).collect();
            lines.push(format!("  after      {}", after.join(", ")));
        }
        let denied = self.stays_denied();
        if !denied.is_empty() {
            lines.push("  denied     imported, and not granted:".into());
            lines.extend(grouped(&denied).into_iter().map(|line| format!("    {line}")));
        }
        lines.push(format!("  collected  {}", self.collected()));
        let result = match &spec.output {
            Some(path) => path,
            None if spec.dependents > 0 && !spec.is_printed => "kept for those that depend on it",
            None => "stdout",
        };
        lines.push(format!("  result     {result}"));
        if self.spec.cache != Caching::Off {
            lines.push("  cache      what ran before on the same bytes is taken".into());
            lines.extend(unseen(&self.spec.grants).map(|it| format!("  note: {it}")));
        }
        lines.extend(grants_remark(spec, &self.described).map(|it| format!("  note: {it}")));
        if let Some(asked) = self.gpu_dropped {
            lines.push(format!(
                "  note: its {asked} gpu_memory are not reserved, this machine has no graphics processor"
            ));
        }
        lines.join("\n")
    }

    fn brings(&self) -> &'static str {
        let Some(info) = &self.info else { return "" };
        match (info.cuts, info.collects) {
            (true, true) => " (brings its own chunker and collector)",
            (true, false) => " (brings its own chunker)",
            (false, true) => " (brings its own collector)",
            (false, false) => "",
        }
    }

    fn collected(&self) -> &'static str {
        match (self.spec.collector(), &self.spec.output) {
            (Collect::Handler, _) => "by the handler",
            (Collect::Concat, _) => "joined in the order of the chunks",
            (Collect::JsonArray, _) => "one JSON array",
            (Collect::Files, Some(_)) => "a folder with a file for each chunk",
            (Collect::Files, None) => "a tar archive with a file for each chunk",
            (Collect::None, _) => "not at all",
        }
    }

    fn awaits_results(&self) -> bool {
        self.spec.inputs.iter().any(|input| matches!(input.place, SourcePlace::Job(_)))
    }

    fn input_bytes(&self) -> ByteSize {
        ByteSize(self.spec.inputs.iter().map(|source| source.size).sum())
    }

    fn input(&self) -> String {
        if self.awaits_results() {
            let names: Vec<_> = self.spec.inputs.iter().map(|it| it.name.as_str()).collect();
            return format!("the results of {}", names.join(", "));
        }
        match &*self.spec.inputs {
            [one] => format!("{}, {}", one.name, about(self.input_bytes())),
            many => format!("{} sources, {}", many.len(), about(self.input_bytes())),
        }
    }

    /// The smallest and the largest chunk.
    fn span(&self) -> Option<(ByteSize, ByteSize)> {
        let sizes = || self.chunks.into_iter().flatten().map(|slice| ByteSize(slice.len()));
        sizes().min().zip(sizes().max())
    }

    fn chunks_text(&self) -> String {
        let how = strategy(&self.spec.chunking) + &overlap(self.spec.overlap);
        let (Some(chunks), span) = (self.chunks, self.span()) else {
            let by = if self.awaits_results() { "" } else { " by the handler" };
            return format!("found{by} when the job runs; {how}");
        };
        let shown = |size: ByteSize| match Medium::of(&self.spec.chunking) {
            Medium::Bytes => about(size),
            Medium::Samples => show_duration(Duration::from_millis(size.0 / BYTES_PER_MS)),
        };
        match span.map(|(least, most)| (shown(least), shown(most))) {
            Some((least, most)) if least == most => format!("{} of {most}; {how}", chunks.len()),
            Some((least, most)) => format!("{} of {least} to {most}; {how}", chunks.len()),
            None => format!("none; {how}"),
        }
    }

    fn needs(&self) -> String {
        let need = need_of(self.spec);
        let learnt = match self.spec.requirements.memory {
            Some(_) => "",
            None => " at first, then as much as attempts are seen to need",
        };
        let at_once = need.times_in(&self.capacity);
        format!("{need}{learnt}; at most {at_once} at once here")
    }

    fn grants(&self) -> String {
        let grants: Vec<_> = self.spec.grants.iter().map(|grant| format!("`{grant}`")).collect();
        if grants.is_empty() { "none".into() } else { grants.join(", ") }
    }

    /// Imported interfaces that do less than their name says, with what they do.
    fn stays_denied(&self) -> Vec<(&str, &'static str)> {
        let imports = self.info.iter().flat_map(|info| &info.imports);
        let has_disk = self.spec.limits.disk > ByteSize::ZERO;
        imports
            .filter_map(|name| match offer(name, &self.spec.grants, has_disk) {
                Offer::Open => None,
                Offer::StandIn(why) | Offer::Denied(why) => Some((name.as_str(), why)),
            })
            .collect()
    }

    fn json(&self) -> Value {
        let denied = self.stays_denied().into_iter();
        json!({
            "job": self.spec.id,
            "task": self.spec.task.name,
            "component": self.spec.task.component,
            "cuts": self.info.as_ref().map(|info| info.cuts),
            "overlap": self.spec.overlap,
            "collect": self.spec.collector(),
            "cache": self.spec.cache,
            "collects": self.info.as_ref().map(|info| info.collects),
            "sources": self.spec.inputs.len(),
            "input_bytes": self.input_bytes(),
            "chunking": self.spec.chunking,
            "chunks": self.chunks.map(<[Slice]>::len),
            "chunk_bytes_min": self.span().map(|(least, _)| least),
            "chunk_bytes_max": self.span().map(|(_, most)| most),
            "limits": self.spec.limits,
            "requirements": self.spec.requirements,
            "at_once": need_of(self.spec).times_in(&self.capacity),
            "retry": self.spec.retry,
            "on_failure": self.spec.on_failure,
            "grants": self.spec.grants,
            "grants_missing": grants_missing(self.spec, &self.described),
            "denied": denied.map(|(name, why)| json!({ "interface": name, "instead": why })).collect::<Vec<_>>(),
            "gpu_memory_dropped": self.gpu_dropped,
            "output": self.spec.output,
            "is_printed": self.spec.is_printed,
            "depends_on": self.spec.after,
        })
    }
}

/// What a handler may work with, and nobody looks at before an earlier result is taken.
fn unseen(grants: &[Grant]) -> Option<String> {
    let is_unseen = |grant: &&Grant| match grant {
        Grant::Clock
        | Grant::Random
        | Grant::Directory(_)
        | Grant::KeyValue(_)
        | Grant::Http(_) => true,
        Grant::Env(_) | Grant::Speech | Grant::Model(_) | Grant::Write(_) | Grant::S3(_) => false,
    };
    let unseen: Vec<_> =
        grants.iter().filter(is_unseen).map(|grant| format!("`{grant}`")).collect();
    (!unseen.is_empty()).then(|| {
        let unseen = unseen.join(", ");
        format!("an earlier result is taken whatever {unseen} would say now")
    })
}

/// One line for each reason, with the interfaces it is about.
fn grouped(denied: &[(&str, &'static str)]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, why) in denied {
        let name = name.split('@').next().unwrap_or(name);
        match reasons.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    reasons.into_iter().map(|(why, names)| format!("{why}: {}", names.join(", "))).collect()
}

fn strategy(chunking: &Chunking) -> String {
    match chunking {
        Chunking::None => "each source is one chunk".into(),
        Chunking::Size { size, boundary } => match boundary.separator() {
            None => format!("cut every {size}"),
            Some(b"\n") => format!("cut near every {size}, after a line"),
            Some(_) => format!("cut near every {size}, after an empty line"),
        },
        Chunking::Content { separator, size } => {
            format!("whole records ended by {separator:?}, up to {size} together")
        }
        Chunking::Time { length } => {
            format!("cut in silence near every {}", show_duration(*length))
        }
        Chunking::Custom => "cut by the handler".into(),
    }
}

fn overlap(overlap: Option<Overlap>) -> String {
    match overlap {
        Some(Overlap::Bytes(bytes)) => format!(", each repeats up to {bytes} of the one before"),
        Some(Overlap::Time(time)) => {
            format!(", each reaches {} over its cuts", show_duration(time))
        }
        None => String::new(),
    }
}

fn limits(spec: &JobSpec) -> String {
    let limits = &spec.limits;
    let mut words = vec![
        format!("memory {}", limits.memory),
        limits.fuel.map_or_else(|| "fuel unlimited".into(), |fuel| format!("fuel {fuel}")),
        format!("timeout {}", show_duration(limits.timeout)),
        format!("output {}", limits.output),
    ];
    words.extend(limits.cpu.map(|cpu| format!("cpu {}", show_duration(cpu))));
    if limits.disk > ByteSize::ZERO {
        words.push(format!("disk {}", limits.disk));
    }
    words.join(", ")
}

fn failures(spec: &JobSpec) -> String {
    let retry = &spec.retry;
    let growth = match retry.backoff {
        Backoff::Fixed => "always",
        Backoff::Linear => "growing by",
        Backoff::Exponential => "doubling from",
    };
    let retries = match usize::try_from(retry.retries_max).unwrap_or(usize::MAX) {
        0 => "no retries".into(),
        count => format!(
            "up to {} {growth} {}",
            match count {
                1 => "1 retry,".to_owned(),
                more => format!("{more} retries,"),
            },
            show_duration(retry.base_delay)
        ),
    };
    let then = match spec.on_failure {
        OnFailure::Stop => "then the job stops".into(),
        OnFailure::Continue(Tolerance::All) => "then the other chunks go on".into(),
        OnFailure::Continue(Tolerance::Chunks(most)) => {
            let most = counted(most as usize, "failed chunk");
            format!("then the others go on, up to {most}")
        }
        OnFailure::Continue(Tolerance::Share(share)) => {
            format!("then the others go on, up to {}.{:02}% of them", share / 100, share % 100)
        }
    };
    format!("{retries}, {then}")
}

#[cfg(test)]
mod tests {
    use pframe_core::ids::Digest;
    use pframe_core::job::{Boundary, Grant};
    use pframe_core::units::CpuCores;

    use super::*;
    use crate::reporter::samples;

    fn outlook(spec: &JobSpec, chunks: Option<&[Slice]>, gpu_dropped: Option<ByteSize>) -> String {
        let imports = ["wasi:clocks/wall-clock@0.2.6", "wasi:http/outgoing-handler@0.2.6"];
        let info = TaskInfo {
            digest: Digest([7; 32]),
            cuts: false,
            collects: true,
            imports: imports.map(str::to_owned).into(),
            exports: Vec::new(),
        };
        let capacity = Capacity {
            cpu: CpuCores::whole(4),
            memory: ByteSize::gib(1),
            gpu_memory: ByteSize::ZERO,
            attempts: 16,
        };
        let described = Arc::default();
        Outlook { spec, chunks, info: Some(info), described, capacity, gpu_dropped }.text()
    }

    #[test]
    fn a_plan_says_what_a_job_comes_to() {
        let mut spec = JobSpec::clone(&samples::spec("count-novels"));
        spec.chunking = Chunking::Size { size: ByteSize::mib(150), boundary: Boundary::Line };
        spec.grants = Arc::new([Grant::Clock]);
        let middle = (150 << 20) + 17;
        let chunks = [
            Slice { source: 0, start: 0, end: middle },
            Slice { source: 0, start: middle, end: 300 << 20 },
        ];
        let cut = outlook(&spec, Some(&chunks), None);
        spec.chunking = Chunking::Custom;
        spec.grants = Arc::new([]);
        spec.output = None;
        let custom = outlook(&spec, None, Some(ByteSize::gib(1)));
        let expect = expect_test::expect![[r#"
            job count-novels
              task       word-count (brings its own collector)
              component  sha256:0707070707070707070707070707070707070707070707070707070707070707
              input      novel.txt, 300 MiB
              chunks     2 of 150 MiB; cut near every 150 MiB, after a line
              limits     memory 256 MiB, fuel unlimited, timeout 1h, output 1 GiB
              needs      1 cpu, 256 MiB memory at first, then as much as attempts are seen to need; at most 4 at once here
              failures   up to 3 retries, doubling from 1.0 s, then the job stops
              grants     `clock`
              denied     imported, and not granted:
                no requests: wasi:http/outgoing-handler
              collected  by the handler
              result     /data/results/top20.json

            job count-novels
              task       word-count (brings its own collector)
              component  sha256:0707070707070707070707070707070707070707070707070707070707070707
              input      novel.txt, 300 MiB
              chunks     found by the handler when the job runs; cut by the handler
              limits     memory 256 MiB, fuel unlimited, timeout 1h, output 1 GiB
              needs      1 cpu, 256 MiB memory at first, then as much as attempts are seen to need; at most 4 at once here
              failures   up to 3 retries, doubling from 1.0 s, then the job stops
              grants     none
              denied     imported, and not granted:
                the time is the job's acceptance, clocks count in steps of 1 ms: wasi:clocks/wall-clock
                no requests: wasi:http/outgoing-handler
              collected  by the handler
              result     stdout
              note: its 1 GiB gpu_memory are not reserved, this machine has no graphics processor"#]];
        expect.assert_eq(&format!("{cut}\n\n{custom}"));
    }
}
