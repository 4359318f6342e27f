//! One delivery: everything that an attempt left, into all of its directories, or nothing of it.
//!
//! Owns: the order of the steps, and the quota.
//! Never: shows the path of a directory; its name is what tenants know.

use std::fs::File;
use std::sync::Arc;

use pframe_core::fault::{Code, Fault};
use pframe_core::units::ByteSize;

use super::Check;
use super::counting::{Counted, ENTRIES_MAX, Held, Ledger, Trust};
use super::left::{Left, look};
use super::placing::{Survey, place, survey};
use super::staging::Staging;

/// How far a delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Delivery {
    /// The files are put in their places.
    #[default]
    Real,
    /// Everything is looked at, copied and counted, and nothing put in its place.
    Rehearsal,
}

/// A directory of the operator that an attempt may put files into.
pub(crate) struct Target {
    pub(crate) name: String,
    /// Its root, open to read; files are made below it.
    pub(crate) root: File,
    pub(crate) quota: ByteSize,
    /// The one of this directory.
    pub(crate) ledger: Arc<Ledger>,
}

/// What lies in one `/out/NAME`, and where it goes.
pub(crate) struct Parcel {
    /// The directory on the guest's disk.
    pub(crate) outbox: File,
    pub(crate) target: Target,
}

/// A parcel whose files lie beside their places.
struct Staged {
    parcel: Parcel,
    left: Left,
    staging: Staging,
}

/// Puts all of it in place. `disk` is the size of the guest's disk, `mark` tells this attempt's unfinished files from others'.
pub(crate) fn deliver(
    mut parcels: Vec<Parcel>,
    (disk, mark): (ByteSize, &str),
    delivery: Delivery,
    check: Check<'_>,
) -> Result<(), Fault> {
    // Always in the same order, so that no two deliveries wait for each other.
    parcels.sort_by_key(|parcel| Arc::as_ptr(&parcel.target.ledger).addr());
    let mut bytes_left = disk.bytes();
    let mut staged = Vec::new();
    for parcel in parcels {
        let left = look(&parcel.outbox, &parcel.target.name, check)?;
        fits_on(disk, &mut bytes_left, &left)?;
        fits_alone(&parcel.target, &left)?;
        if !left.is_empty() {
            staged.push((parcel, left));
        }
    }
    let stage = |(parcel, left): (Parcel, Left)| {
        let staging = Staging::of(&parcel, &left, mark, check)?;
        Ok(Staged { parcel, left, staging })
    };
    let staged = staged.into_iter().map(stage).collect::<Result<Vec<_>, Fault>>()?;
    let mut entered = Vec::with_capacity(staged.len());
    for it in &staged {
        let mut held = it.parcel.target.ledger.enter(check)?;
        let admitted = admit(it, &mut held, check)?;
        entered.push((it, held, admitted));
    }
    // From here to the end without a look at the clock: what was begun is finished.
    check()?;
    if delivery == Delivery::Rehearsal {
        return Ok(());
    }
    for (it, held, (surveyed, after)) in &mut entered {
        held.change(*after, || place(&it.parcel.target, &it.left, surveyed, &it.staging))?;
    }
    Ok(())
}

/// A file with holes is longer than what it takes on the disk.
fn fits_on(disk: ByteSize, bytes_left: &mut u64, left: &Left) -> Result<(), Fault> {
    match bytes_left.checked_sub(left.bytes) {
        Some(rest) => {
            *bytes_left = rest;
            Ok(())
        }
        None => Err(Fault::new(Code::Disk)
            .detail("files below `/out` are longer than the disk: they have holes")
            .hit("limits.disk", disk, ByteSize(left.bytes))),
    }
}

/// What can never fit is not copied.
fn fits_alone(target: &Target, left: &Left) -> Result<(), Fault> {
    match left.bytes > target.quota.bytes() {
        true => Err(over_quota(target, 0, left.bytes)),
        false => Ok(()),
    }
}

/// What stands in the places, and what will lie in the directory afterwards. Where that is too much, it is looked at anew
/// before anybody hears so.
fn admit(
    staged: &Staged,
    held: &mut Held<'_>,
    check: Check<'_>,
) -> Result<(Survey, Counted), Fault> {
    let Staged { parcel: Parcel { target, .. }, left, .. } = staged;
    let surveyed = survey(target, left)?;
    let after = |counted: Counted| Counted {
        bytes: counted.bytes.saturating_sub(surveyed.bytes_replaced).saturating_add(left.bytes),
        entries: counted.entries.saturating_add(surveyed.entries_new),
    };
    let mut counted = held.counted(&target.root, Trust::Recent, check)?;
    if !fits(target, after(counted)) {
        counted = held.counted(&target.root, Trust::Nothing, check)?;
    }
    let then = after(counted);
    match fits(target, then) {
        true => Ok((surveyed, then)),
        false if then.entries > ENTRIES_MAX => Err(too_many(target, then.entries)),
        false => Err(over_quota(target, counted.bytes, then.bytes)),
    }
}

fn fits(target: &Target, after: Counted) -> bool {
    after.bytes <= target.quota.bytes() && after.entries <= ENTRIES_MAX
}

fn over_quota(target: &Target, there: u64, needed: u64) -> Fault {
    let Target { name, quota, .. } = target;
    let detail = match there {
        0 => format!("`/out/{name}` needs {needed} bytes"),
        there => format!("with `/out/{name}` it needs {needed} bytes, {there} lie there already"),
    };
    let limit = format!("directories.{name}.quota");
    Fault::new(Code::DirectoryQuota).detail(detail).hit(&limit, quota, ByteSize(needed))
}

fn too_many(target: &Target, entries: u64) -> Fault {
    let limit = format!("files and folders in `{}`", target.name);
    Fault::new(Code::DirectoryQuota).hit(&limit, ENTRIES_MAX, entries)
}
