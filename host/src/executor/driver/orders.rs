//! What a worker is told: its component when it is started, orders, stops, and what to give back.
//!
//! Owns: how much a worker may have before it, and what memory it may take for that.
//! Never: lets two attempts with directories meet in one worker.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::job::JobSpec;
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Outcome, Start, Work};
use pframe_core::units::ByteSize;

use super::{Driver, Loss, Worker, count};
use crate::capability::directories::Directory;
use crate::capability::progress::ProgressSink;
use crate::executor::assignment::{
    JobSources, Unchanged, bytes, files, granted, has_files, open_for, writer,
};
use crate::executor::handover::Found;
use crate::executor::http::HttpLine;
use crate::executor::keyvalue::shelf;
use crate::executor::outboxes::hold;
use crate::executor::processes::Floor;
use crate::executor::sent::Sent;
use crate::executor::speech::SpeechLine;
use crate::process::child::ChildProcess;
use crate::process::frame::{Incoming, Outgoing};
use crate::registry::compatibility;
use crate::sandbox::Stop;
use crate::worker::protocol::{OrderedWork, RunOrder, ToWorker};

/// Orders that a worker may have before it at once.
const SENT_MAX: usize = 64;
/// How long a batch may take before what it has not begun is given back (as on threads).
const BATCH_PATIENCE: Duration = Duration::from_millis(20);
/// Memory of a worker beside its guest: the engine, stacks, frames.
const OVERHEAD: ByteSize = ByteSize::mib(64);
/// What the kernel needs to keep a disk's files, beside their bytes.
const DISK_OVERHEAD: ByteSize = ByteSize::mib(64);

impl Driver {
    /// Orders what the worker has room for. An attempt with directories has a worker of its own, that no other comes near:
    /// it is made with them and ends with the attempt.
    pub(super) fn fill(&mut self) -> Result<(), Loss> {
        while self.sent.len() < SENT_MAX {
            let next = self.waiting.front().is_some_and(|(start, _)| has_files(&start.job));
            if next || self.worker.as_ref().is_some_and(|worker| worker.has_files) {
                if !self.sent.is_empty() {
                    break;
                }
                self.worker = None;
            }
            let Some((start, stop)) = self.waiting.pop_front() else { break };
            let refused = stop.requested().or_else(|| self.floor.quarantine(&self.served));
            let sent = match refused {
                Some(fault) => Err(fault),
                // Whoever asked for the end meanwhile is answered with his own words.
                None => self.send(&start, &stop).map_err(|fault| stop.requested().unwrap_or(fault)),
            };
            if let Err(fault) = sent {
                self.end(start, Usage::default(), Err(fault));
            }
        }
        let Some(worker) = &mut self.worker else { return Ok(()) };
        worker.outgoing.flush(worker.child.line()).map_err(|error| self.loss_of(&error))
    }

    pub(super) fn send(&mut self, start: &Start, stop: &Stop) -> Result<(), Fault> {
        let site = &self.floor.site;
        let mut descriptors = Vec::new();
        let (work, unchanged) = match &start.work {
            Work::Cut => {
                let sources = count(start.job.inputs.len());
                (
                    OrderedWork::Cut { sources },
                    Unchanged::Sources(JobSources::of(site, start, stop)),
                )
            }
            Work::Run { slice, count } => {
                let stores = site.stores(&start.job, stop);
                let source = open_for(&start.job, *slice, &stores)?;
                let index = slice.source as usize;
                let (medium, heard) = bytes(site, &start.job, &source, index, &stores)?;
                let piece = Found::from(&*heard).piece(&mut descriptors)?;
                let work = OrderedWork::Run { slice: *slice, count: *count, source: piece, medium };
                (work, Unchanged::Source(source))
            }
            Work::Collect { parts, .. } => {
                (OrderedWork::Collect { parts: count(parts.len()) }, Unchanged::Nothing)
            }
        };
        let order = RunOrder {
            order: self.next_order,
            attempt: start.attempt.clone(),
            work,
            parameters: start.job.parameters.to_string(),
            limits: start.job.limits,
            granted: granted(site, start)?,
        };
        let sent = Sent {
            order: self.next_order,
            start: start.clone(),
            stop: stop.clone(),
            ordered: self.ordered,
            stopped: None,
            unchanged,
            writer: writer(site, start),
            written: 0,
            parts_made: 0,
            pieces_fetched: 0,
            progress: ProgressSink::new(&site.progress, start.attempt.clone()),
            speech: SpeechLine::new(site, start),
            http: HttpLine::new(site, start),
            shelf: shelf(site, start),
        };
        let is_first = self.sent.is_empty();
        // All attempts in one worker are of one job's shape, but perhaps of two jobs with other limits: the larger counts.
        let others = self.sent.iter().map(|sent| sent.start.job.limits.memory);
        let memory = others.fold(start.job.limits.memory, ByteSize::max);
        let disk = start.job.limits.disk;
        let worker = self.worker(&start.job)?;
        worker.memory_max = ByteSize(memory.bytes() + OVERHEAD.bytes());
        // The kernel counts a disk's pages as the worker's; what is polled does not contain them.
        let disk_bytes =
            if disk > ByteSize::ZERO { disk.bytes() + DISK_OVERHEAD.bytes() } else { 0 };
        let held = ByteSize(worker.memory_max.bytes() + disk_bytes);
        worker.child.hold_memory(held);
        worker.outgoing.push(&ToWorker::Run(Box::new(order)), descriptors).map_err(|error| {
            Fault::new(Code::TooBig).detail(format!("an order for a worker: {error}"))
        })?;
        if is_first && worker.is_ready {
            worker.since = Instant::now();
            worker.heard = worker.since;
            worker.cpu_charged = worker.child.cpu();
        }
        self.next_order += 1;
        self.sent.push_back(sent);
        Ok(())
    }

    /// The worker, started if there is none.
    pub(super) fn worker(&mut self, job: &JobSpec) -> Result<&mut Worker, Fault> {
        if self.worker.is_none() {
            self.worker = Some(self.start_worker(job)?);
            self.has_unread = true;
        }
        Ok(self.worker.as_mut().expect("it was started just now"))
    }

    pub(super) fn start_worker(&self, job: &JobSpec) -> Result<Worker, Fault> {
        let Floor { program, site, .. } = &*self.floor;
        let component = self.served.1;
        let mut descriptors = vec![site.registry.artefact(&component)?];
        let files = files(site, job)?;
        let (has_files, has_disk) = (!files.is_empty(), files.scratch.is_some());
        descriptors.extend(files.scratch.map(OwnedFd::from));
        let outboxes = files.outboxes.iter().map(hold).collect::<Result<_, _>>()?;
        let mut name_of = |Directory { name, root }| {
            descriptors.push(root.into());
            name
        };
        let directories = files.directories.into_iter().map(&mut name_of).collect();
        let outbox_names = files.outboxes.into_iter().map(&mut name_of).collect();
        let mut incoming = Incoming::without_descriptors();
        let child =
            ChildProcess::start(&program.path, &["worker"], program.isolation, &mut incoming)?;
        rustix::io::ioctl_fionbio(child.line(), true)
            .map_err(|error| Fault::new(Code::WorkerUnusable).detail(error.to_string()))?;
        let mut outgoing = Outgoing::default();
        let engine = compatibility(site.sandbox.engine());
        let memory_max = program.memory_max;
        let load = ToWorker::Load {
            component,
            memory_max,
            engine,
            has_disk,
            directories,
            outboxes: outbox_names,
        };
        outgoing
            .push(&load, descriptors)
            .map_err(|error| Fault::new(Code::WorkerUnusable).detail(error.to_string()))?;
        let now = Instant::now();
        Ok(Worker {
            child,
            incoming,
            outgoing,
            is_ready: false,
            has_files,
            outboxes,
            started: now,
            heard: now,
            looked: now,
            since: now,
            cpu_charged: Duration::ZERO,
            memory_max: OVERHEAD,
            late_order: None,
        })
    }

    /// Tells the worker of stops, once each.
    pub(super) fn pass_stops(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        for sent in self.sent.iter_mut().filter(|sent| sent.stopped.is_none()) {
            let Some(fault) = sent.stop.requested() else { continue };
            let stop = ToWorker::Stop { order: sent.order, fault: (&fault).into() };
            let _ = worker.outgoing.push(&stop, Vec::new());
            sent.speech.cancel();
            sent.stopped = Some((Instant::now(), fault));
        }
    }

    /// Behind an attempt that is slower than its kind used to be, quick ones would wait although another slot is free.
    pub(super) fn recall_when_late(&mut self) {
        let behind = self.sent.iter().skip(1).map(|sent| &sent.start);
        let mut behind = behind.chain(self.waiting.iter().map(|(start, _)| start));
        let is_asked_for = behind.next().is_none_or(|start| start.job.batch.is_some());
        if is_asked_for || self.is_recalled || self.ordered.elapsed() < BATCH_PATIENCE {
            return;
        }
        for (start, _) in std::mem::take(&mut self.waiting) {
            self.note(start, Usage::default(), Outcome::Returned);
        }
        if let Some(worker) = &mut self.worker
            && worker.is_ready
            && self.sent.len() > 1
        {
            self.is_recalled = worker.outgoing.push(&ToWorker::Recall, Vec::new()).is_ok();
        }
    }
}
