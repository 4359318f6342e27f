//! Files that guests leave below `/out/NAME` (`write: NAME`), on their way to the directories that the operator configured.
//!
//! Owns: who may put files where, with which quota, and for how long the host works on it: as long as the attempt may.
//! Never: hands a directory of the operator to a guest or to a worker, or tells anybody its path.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pframe_core::config;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::Grant;
use pframe_core::limits::Usage;
use pframe_core::scheduler::Start;
use rustix::fs::{Access, AtFlags, accessat, fstat};

use super::directories::{open_directory, unopened};
use super::host_work::Watch;
use crate::capability::directories::Directory;
use crate::data::outbox::{Delivery, Ledger, Parcel, Target, deliver};
use crate::process::scratch::keeps_below;
use crate::sandbox::Stop;

/// Device and number of a directory: two names may lead to one.
type Identity = (u64, u64);

/// Delivers what guests leave.
#[derive(Debug)]
pub(crate) struct Outboxes {
    configured: BTreeMap<String, config::Directory>,
    delivery: Delivery,
    ledgers: Mutex<BTreeMap<Identity, Arc<Ledger>>>,
}

impl Outboxes {
    pub(crate) fn new(configured: BTreeMap<String, config::Directory>) -> Self {
        Self { configured, delivery: Delivery::Real, ledgers: Mutex::default() }
    }

    /// The same, where nothing is put in its place.
    pub(crate) fn rehearsing(&self) -> Self {
        let configured = self.configured.clone();
        Self { configured, delivery: Delivery::Rehearsal, ledgers: Mutex::default() }
    }

    /// Refuses what could not be delivered, before anything runs.
    pub(crate) fn check(&self, grants: &[Grant]) -> Result<(), Fault> {
        self.targets(written(grants).into_iter()).map(drop)
    }

    /// Puts what an attempt left in its places, all of it or nothing; the thread may have to wait. What it takes is the
    /// attempt's time.
    pub(super) fn deliver(
        &self,
        start: &Start,
        stop: &Stop,
        outboxes: Vec<Directory>,
        usage: &mut Usage,
    ) -> Result<(), Fault> {
        let now = Instant::now();
        let began = now.checked_sub(usage.wall).unwrap_or(now);
        let watch = Watch::since(began, stop.clone(), start.job.limits.timeout);
        let work = AssertUnwindSafe(|| {
            let targets = self.targets(outboxes.iter().map(|it| &*it.name))?;
            let outboxes = outboxes.into_iter().map(|it| it.root);
            let parcels =
                outboxes.zip(targets).map(|(outbox, target)| Parcel { outbox, target }).collect();
            let mark = format!("{} {}", start.job.id, start.attempt);
            let disk = start.job.limits.disk;
            deliver(parcels, (disk, &mark), self.delivery, &|| watch.check())
        });
        let panicked =
            |_| Err(Fault::new(Code::Bug).detail("the host panicked while it delivered files"));
        let delivered = catch_unwind(work).unwrap_or_else(panicked);
        usage.wall = began.elapsed();
        delivered
    }

    fn targets<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Vec<Target>, Fault> {
        let mut targets: Vec<Target> = Vec::new();
        for name in names {
            let target = self.target(name)?;
            let same = targets.iter().find(|other| Arc::ptr_eq(&other.ledger, &target.ledger));
            if let Some(other) = same {
                return Err(refuse(name, &format!("it is the same directory as `{}`", other.name)));
            }
            targets.push(target);
        }
        Ok(targets)
    }

    fn target(&self, name: &str) -> Result<Target, Fault> {
        let configured = self.configured.get(name);
        let configured = configured.ok_or_else(|| refuse(name, "the configuration names none"))?;
        let quota = configured.quota;
        let quota = quota.ok_or_else(|| refuse(name, "the configuration gives it no `quota`"))?;
        let root = open_directory(&configured.path)
            .map_err(|error| unopened(&error, |why| refuse(name, why)))?;
        let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        if accessat(&root, ".", access, AtFlags::EACCESS).is_err() {
            return Err(refuse(name, "the host may not write to it"));
        }
        if !keeps_below(&root) {
            return Err(refuse(name, "the kernel has no `openat2`"));
        }
        let seen =
            fstat(&root).map_err(|error| unopened(&error.into(), |why| refuse(name, why)))?;
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = Arc::clone(ledgers.entry((seen.st_dev, seen.st_ino)).or_default());
        Ok(Target { name: name.to_owned(), root, quota, ledger })
    }
}

/// Names of the directories among these grants that files are put into.
pub(super) fn written(grants: &[Grant]) -> Vec<&str> {
    grants.iter().filter_map(Grant::write).collect()
}

/// The host's own hold on a directory of a guest's disk, which outlives the guest.
pub(super) fn hold(outbox: &Directory) -> Result<Directory, Fault> {
    let root = outbox.root.try_clone().map_err(|error| {
        Fault::new(Code::WorkerUnusable).detail(format!("a descriptor: {error}"))
    })?;
    Ok(Directory { name: outbox.name.clone(), root })
}

fn refuse(name: &str, why: &str) -> Fault {
    Fault::new(Code::DirectoryMissing).detail(format!("`write: {name}`: {why}"))
}
