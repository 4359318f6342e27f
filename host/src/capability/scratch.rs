//! `/scratch`: an attempt's private disk, where its job asked for one with `limits.disk`.
//!
//! Owns: what a guest finds as its directories: this one or none. The rest of `wasi:filesystem` is wasmtime's, which
//! resolves paths below a descriptor.
//! Its limits: the disk is a file system in memory of fixed size (`process/scratch.rs`), and few of its directories are listed at
//! once, because wasmtime reads all entries of a directory before the guest sees the first. It charges: a call's fuel.
//! Its escape tests: `f01` to `f22` in `tests/tests/scratch.rs`.
//! Never: opens a path of the host.

use std::fs::File;

use pframe_core::fault::{Code, Fault};
use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{self, HostDescriptor as _};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::{Capabilities, Guest};

/// The interface that wasmtime links, by the version that it has.
const FILES: &str = "wasi:filesystem/types@0.2.12";
/// Listings of directories that a guest may hold open.
const LISTINGS_MAX: usize = 8;
/// Where guests find it.
const NAME: &str = "/scratch";

/// Ties `wasi:filesystem/preopens` to [`Capabilities`].
struct Preopens;

impl HasData for Preopens {
    type Data<'a> = &'a mut Capabilities;
}

/// Links the directories over those of wasmtime, which would open them by path, and the listing of them over the one
/// that would hold any number.
pub(super) fn link<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    preopens::add_to_linker::<T, Preopens>(linker, T::called)?;
    linker.instance(FILES)?.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut context: StoreContextMut<'_, T>, (directory,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let guest = context.data_mut();
                guest.called().may_list()?;
                let mut files = guest.filesystem();
                let listed = match files.read_directory(directory).await {
                    Ok(listing) => Ok(listing),
                    Err(error) => Err(types::Host::convert_error_code(&mut files, error)?),
                };
                if let Ok(listing) = &listed {
                    guest.capabilities().listings.push(listing.rep());
                }
                Ok((listed,))
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

impl Capabilities {
    /// Ends the attempt if too many listings are open.
    fn may_list(&mut self) -> wasmtime::Result<()> {
        let table = &self.table;
        let is_open = |rep: &u32| table.get(&Resource::<ReaddirIterator>::new_borrow(*rep)).is_ok();
        self.listings.retain(is_open);
        self.listings.dedup();
        if self.listings.len() < LISTINGS_MAX {
            return Ok(());
        }
        let fault =
            Fault::new(Code::Handles).hit("directories listed at once", LISTINGS_MAX, "more");
        Err(self.end(fault))
    }
}

impl preopens::Host for Capabilities {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let Some(scratch) = &self.scratch else { return Ok(Vec::new()) };
        let mode = OpenMode::READ | OpenMode::WRITE;
        // Its files are memory: nobody waits for a disk, so no thread is needed that could.
        let dir = Dir::new(scratch.try_clone()?, FsPerms::ReadWrite, mode, true);
        let dir = self.table.push(Descriptor::Dir(dir))?;
        Ok(vec![(dir, NAME.to_owned())])
    }
}

/// True where there is no room left for a byte, or for a file.
pub(crate) fn is_full(scratch: &File) -> bool {
    rustix::fs::fstatfs(scratch).is_ok_and(|disk| disk.f_bavail == 0 || disk.f_ffree == 0)
}
