//! `wasi:filesystem`: which directories a guest finds: its private `/scratch`, `/in/NAME` for each that it was granted to
//! read, and `/out/NAME`, which lies on its private disk, for each that it was granted to put files into.
//!
//! Owns: how they are opened and listed. The rest is wasmtime's, which resolves paths below a descriptor and lets nobody
//! change what can only be read.
//! Its limits: few listings at once and so many names in them, because wasmtime reads all entries of a directory before the
//! guest sees the first; below `/in` regular files and directories are opened, and nothing that could make the host wait.
//! It charges: a call's fuel. Its escape tests: `tests/tests/directories.rs`, `tests/tests/scratch.rs`.
//! Never: opens a path of the host.

use std::fs::File;

use pframe_core::fault::{Code, Fault};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File as OpenFile};
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, DescriptorFlags, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::{Capabilities, Guest, scratch};

/// The interface that wasmtime links, by the version that it has.
const FILES: &str = "wasi:filesystem/types@0.2.12";
/// Listings of directories that a guest may hold open.
const LISTINGS_MAX: usize = 8;
/// Names in all listings that a guest holds open: some 10 MiB of the host's memory.
const LISTED_NAMES_MAX: usize = 100_000;
/// How often a path is looked up again because somebody renamed something on its way.
const LOOKUPS_MAX: usize = 64;

/// A directory that a job was granted: of this machine to read, or a place on the attempt's disk for what goes there.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Without `/in/` or `/out/`.
    pub(crate) name: String,
    /// Its root, open to read.
    pub(crate) root: File,
}

/// The directories that an attempt finds.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Its private disk, if its limits give it one.
    pub(crate) scratch: Option<File>,
    /// What it may read.
    pub(crate) directories: Vec<Directory>,
    /// Beside `/scratch` on its disk: what the host puts into other directories once the attempt has ended well.
    pub(crate) outboxes: Vec<Directory>,
}

impl Files {
    /// The directories that lie on its disk.
    pub(crate) fn disk(&self) -> impl Iterator<Item = &File> {
        self.scratch.iter().chain(self.outboxes.iter().map(|it| &it.root))
    }

    /// True where there is no directory at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.scratch.is_none() && self.directories.is_empty()
    }
}

/// A listing that may still be open.
pub(super) struct Listing {
    /// Its number in the table.
    rep: u32,
    names: usize,
}

/// Ties `wasi:filesystem/preopens` to [`Capabilities`].
struct Preopens;

impl HasData for Preopens {
    type Data<'a> = &'a mut Capabilities;
}

/// Links the directories over those of wasmtime, which would open them by path; the opening of files over the one that
/// would wait for a pipe; and the listing of them over the one that would hold any number.
pub(super) fn link<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    preopens::add_to_linker::<T, Preopens>(linker, T::called)?;
    let mut files = linker.instance(FILES)?;
    files.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut context: StoreContextMut<'_, T>, (directory,): (Resource<Descriptor>,)| {
            Box::new(async move { Ok((read_directory(context.data_mut(), directory).await?,)) })
        },
    )?;
    files.func_wrap_async(
        "[method]descriptor.open-at",
        |mut context: StoreContextMut<'_, T>,
         asked: (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::new(async move { Ok((open_at(context.data_mut(), asked).await?,)) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn read_directory<T: Guest>(
    guest: &mut T,
    directory: Resource<Descriptor>,
) -> wasmtime::Result<Result<Resource<ReaddirIterator>, ErrorCode>> {
    let names = match guest.called().names_in(&directory)? {
        Ok(names) => names,
        Err(error) => return Ok(Err(error)),
    };
    let mut files = guest.filesystem();
    let listed = match files.read_directory(directory).await {
        Ok(listing) => Ok(listing),
        Err(error) => Err(types::Host::convert_error_code(&mut files, error)?),
    };
    if let Ok(listing) = &listed {
        guest.capabilities().note_listing(Listing { rep: listing.rep(), names });
    }
    Ok(listed)
}

async fn open_at<T: Guest>(
    guest: &mut T,
    (directory, links, path, how, rights): (
        Resource<Descriptor>,
        PathFlags,
        String,
        OpenFlags,
        DescriptorFlags,
    ),
) -> wasmtime::Result<Result<Resource<Descriptor>, ErrorCode>> {
    let capabilities = guest.called();
    if let Descriptor::Dir(dir) = capabilities.table.get(&directory)?
        && dir.perms == FsPerms::ReadOnly
    {
        return match open_to_read(&dir.dir, links, &path, how, rights) {
            Ok(opened) => Ok(Ok(capabilities.table.push(opened)?)),
            Err(error) => Ok(Err(error)),
        };
    }
    let mut files = guest.filesystem();
    match files.open_at(directory, links, path, how, rights).await {
        Ok(opened) => Ok(Ok(opened)),
        Err(error) => Ok(Err(types::Host::convert_error_code(&mut files, error)?)),
    }
}

/// Opens what lies in a granted directory: first only to look, so that no device notices, then without waiting.
fn open_to_read(
    root: &File,
    links: PathFlags,
    path: &str,
    how: OpenFlags,
    rights: DescriptorFlags,
) -> Result<Descriptor, ErrorCode> {
    let syncs = DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    if rights.intersects(syncs) {
        return Err(ErrorCode::Unsupported);
    }
    let writes = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::EXCLUSIVE;
    if how.intersects(writes) || rights.contains(DescriptorFlags::WRITE) {
        return Err(ErrorCode::NotPermitted);
    }
    let mut flags = OFlags::CLOEXEC;
    flags.set(OFlags::NOFOLLOW, !links.contains(PathFlags::SYMLINK_FOLLOW));
    flags.set(OFlags::DIRECTORY, how.contains(OpenFlags::DIRECTORY));
    kind_of(&beneath(root, path, flags | OFlags::PATH)?)?;
    let without_waiting = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = beneath(root, path, flags | without_waiting)?;
    let mode = OpenMode::READ;
    // Once more: it may be another by now.
    Ok(match kind_of(&opened)? {
        Kind::Directory => Descriptor::Dir(Dir::new(opened, FsPerms::ReadOnly, mode, true)),
        Kind::File => Descriptor::File(OpenFile::new(opened, FsPerms::ReadOnly, mode, true)),
    })
}

enum Kind {
    Directory,
    File,
}

/// Links are followed or an error; pipes, sockets and devices are not opened.
fn kind_of(file: &File) -> Result<Kind, ErrorCode> {
    match FileType::from_raw_mode(fstat(file).map_err(code_of)?.st_mode) {
        FileType::Directory => Ok(Kind::Directory),
        FileType::RegularFile => Ok(Kind::File),
        FileType::Symlink => Err(ErrorCode::Loop),
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Err(ErrorCode::NotPermitted),
    }
}

/// The kernel keeps the path below `root`, whoever renames what meanwhile.
fn beneath(root: &File, path: &str, flags: OFlags) -> Result<File, ErrorCode> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..LOOKUPS_MAX {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Ok(opened) => return Ok(File::from(opened)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::XDEV) => return Err(ErrorCode::NotPermitted),
            Err(error) => return Err(code_of(error)),
        }
    }
    Err(ErrorCode::Busy)
}

fn code_of(error: Errno) -> ErrorCode {
    ErrorCode::from(std::io::Error::from(error))
}

impl Capabilities {
    /// One that had this number before is gone.
    fn note_listing(&mut self, listing: Listing) {
        self.listings.retain(|other| other.rep != listing.rep);
        self.listings.push(listing);
    }

    /// Names in a directory that is about to be listed. Too many listings end the attempt; too many names are an error.
    fn names_in(
        &mut self,
        directory: &Resource<Descriptor>,
    ) -> wasmtime::Result<Result<usize, ErrorCode>> {
        let table = &self.table;
        self.listings.retain(|listing| {
            table.get(&Resource::<ReaddirIterator>::new_borrow(listing.rep)).is_ok()
        });
        if self.listings.len() >= LISTINGS_MAX {
            let fault =
                Fault::new(Code::Handles).hit("directories listed at once", LISTINGS_MAX, "more");
            return Err(self.end(fault));
        }
        let Descriptor::Dir(dir) = table.get(directory)? else { return Ok(Ok(0)) };
        if dir.perms != FsPerms::ReadOnly {
            // The disk itself has room for few.
            return Ok(Ok(0));
        }
        let listed: usize = self.listings.iter().map(|listing| listing.names).sum();
        let room = LISTED_NAMES_MAX - listed.min(LISTED_NAMES_MAX);
        let entries = match rustix::fs::Dir::read_from(&*dir.dir) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(code_of(error))),
        };
        let names = entries.take(room + 1).take_while(Result::is_ok).count();
        if names > room { Ok(Err(ErrorCode::InsufficientMemory)) } else { Ok(Ok(names)) }
    }
}

impl preopens::Host for Capabilities {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut found = Vec::new();
        let outboxes = self.files.outboxes.iter().map(|it| (&it.root, format!("/out/{}", it.name)));
        let scratch = self.files.scratch.iter().map(|root| (root, scratch::NAME.to_owned()));
        for (root, name) in scratch.chain(outboxes) {
            let mode = OpenMode::READ | OpenMode::WRITE;
            // Its files are memory: nobody waits for a disk, so no thread is needed that could.
            let dir = Dir::new(root.try_clone()?, FsPerms::ReadWrite, mode, true);
            found.push((dir, name));
        }
        for Directory { name, root } in &self.files.directories {
            // Read on the guest's own thread, like its input, so that what they cost is the attempt's own time.
            let dir = Dir::new(root.try_clone()?, FsPerms::ReadOnly, OpenMode::READ, true);
            found.push((dir, format!("/in/{name}")));
        }
        let push = |(dir, name)| Ok((self.table.push(Descriptor::Dir(dir))?, name));
        found.into_iter().map(push).collect()
    }
}
