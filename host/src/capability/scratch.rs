//! `/scratch`: an attempt's private disk, where its job asked for one with `limits.disk`.
//!
//! Owns: what a guest finds as its directories: this one or none. The rest of `wasi:filesystem` is wasmtime's, which
//! resolves paths below a descriptor.
//! Its limit: the disk is a file system in memory of fixed size (`process/scratch.rs`). It charges: a call's fuel.
//! Its escape tests: `f01` to `f22` in `tests/tests/scratch.rs`.
//! Never: opens a path of the host.

use std::fs::File;

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::{FsPerms, OpenMode};

use super::{Capabilities, Guest};

/// Where guests find it.
const NAME: &str = "/scratch";

/// Ties `wasi:filesystem/preopens` to [`Capabilities`].
struct Preopens;

impl HasData for Preopens {
    type Data<'a> = &'a mut Capabilities;
}

/// Links the directories over those of wasmtime, which would open them by path.
pub(super) fn link<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let linked = preopens::add_to_linker::<T, Preopens>(linker, T::called);
    linker.allow_shadowing(false);
    linked
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
