//! Does everything to its private disk that a host might not expect, and writes down what it got.
//!
//! Owns: the table of deeds; each speaks to `wasi:filesystem` itself, because the standard library would tidy up paths.
//! Never: judges: the test that reads its output does.

mod fill;
mod granted;
mod outbox;
mod paths;
mod result;

use std::collections::BTreeMap;
use std::io::Write;

use pframe_guest::{Chunk, Failure, Handler, Output};
use serde::Deserialize;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// The task type.
pub struct Disk;

/// What a job may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// What to do.
    pub r#do: Deed,
    /// How large the result is, or how many there are of something.
    #[serde(default)]
    pub bytes: u64,
    /// Texts of files by their paths below `/out`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// What it can do.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Writes the names of its directories, one a line.
    Preopens,
    /// Writes what lies on the disk, then leaves a file and a deep directory there.
    Leave,
    /// Tries every operation on every path that leads outside, one line each.
    Paths,
    /// Follows symbolic links in circles and in long chains.
    Links,
    /// Makes files with difficult names and lists them.
    Names,
    /// Sets times that no clock shows.
    Times,
    /// Writes until the disk is full, makes room again, and tells how far it came.
    Fill,
    /// Writes until the disk is full, and fails.
    FillAndFail,
    /// Makes a file larger than any disk, and writes behind all ends.
    Sparse,
    /// Makes directories inside each other until that is denied.
    Deep,
    /// Makes empty files until that is denied.
    Many,
    /// Opens files and keeps them.
    Handles,
    /// Asks for a terabyte of a small file, and for all entries of a large directory.
    ReadHuge,
    /// Lists a directory, and keeps the listings.
    Listings,
    /// Lists a directory of many files for ever.
    ListForever,
    /// Goes up and down long paths for ever.
    UpAndDown,
    /// Writes, syncs and reads back a file, as an honest handler would.
    Honest,
    /// Reads every file below what it was granted.
    Read,
    /// Tries every operation on every path that leads out of what it was granted.
    Outside,
    /// Tries to change what it may only read.
    Write,
    /// Moves files between its disk and what it may only read.
    Across,
    /// Opens everything in what it was granted, whatever it is.
    OpenAll,
    /// Reads what somebody swaps all the time.
    Race,
    /// Lists what it was granted until that is denied.
    List,
    /// Leaves a file as its result, of so many bytes.
    Result,
    /// Leaves something in the place of its result that is none.
    ResultIsFolder,
    /// The same: a link to a file.
    ResultIsLink,
    /// Leaves a file as its result, and another beside it.
    ResultHasNeighbour,
    /// Leaves a file as its result, and writes one too.
    ResultTwice,
    /// Leaves files below `/out`.
    Put,
    /// The same, and fails.
    PutAndFail,
    /// The same, and never ends.
    PutAndSpin,
    /// Leaves one file of so many bytes.
    PutBytes,
    /// Leaves a link.
    PutLink,
    /// Leaves several names of one file.
    PutHardLinks,
    /// Leaves a file in so many directories.
    PutDeep,
    /// Leaves so many files.
    PutMany,
    /// Leaves a file of so many bytes without writing any.
    PutSparse,
    /// Tries every operation on every path that leads out of `/out`.
    PutOutside,
    /// Writes the names of what lies in its directories.
    Entries,
}

impl Handler for Disk {
    type Parameters = Parameters;

    fn run(chunk: &Chunk, parameters: Parameters, output: &mut Output) -> Result<(), Failure> {
        match parameters.r#do {
            Deed::Preopens => preopened(output),
            Deed::Leave => leave(output),
            Deed::Paths => paths::outside(output),
            Deed::Links => paths::links(output),
            Deed::Names => paths::names(output),
            Deed::Times => paths::times(output),
            Deed::Fill => fill::and_tell(output),
            Deed::FillAndFail => fill::and_fail(),
            Deed::Sparse => fill::sparse(output),
            Deed::Deep => fill::deep(output),
            Deed::Many => fill::many(output),
            Deed::Handles => fill::handles(output),
            Deed::ReadHuge => fill::read_huge(output),
            Deed::Listings => fill::listings(output),
            Deed::ListForever => fill::list_forever(),
            Deed::UpAndDown => paths::up_and_down(output),
            Deed::Honest => honest(output),
            Deed::Read => granted::read(output),
            Deed::Outside => granted::outside(output),
            Deed::Write => granted::write(output),
            Deed::Across => granted::across(output),
            Deed::OpenAll => granted::open_all(output),
            Deed::Race => granted::race(output),
            Deed::List => granted::list(output),
            Deed::Result => result::file(parameters.bytes),
            Deed::ResultIsFolder => result::folder(),
            Deed::ResultIsLink => result::link(),
            Deed::ResultHasNeighbour => result::neighbour(),
            Deed::ResultTwice => result::twice(output),
            Deed::Put => outbox::put(chunk, &parameters),
            Deed::PutAndFail => {
                outbox::put(chunk, &parameters)?;
                Err(Failure::permanent("as it was asked to"))
            }
            Deed::PutAndSpin => outbox::and_spin(chunk, &parameters),
            Deed::PutBytes => outbox::bytes(&parameters),
            Deed::PutLink => outbox::link(&parameters, output),
            Deed::PutHardLinks => outbox::hard_links(),
            Deed::PutDeep => outbox::deep(&parameters),
            Deed::PutMany => outbox::many(&parameters, output),
            Deed::PutSparse => outbox::sparse(&parameters),
            Deed::PutOutside => outbox::outside(output),
            Deed::Entries => outbox::names(output),
        }
    }
}

pframe_guest::export!(Disk);

fn preopened(output: &mut Output) -> Result<(), Failure> {
    for (_, name) in preopens::get_directories() {
        writeln!(output, "{name}")?;
    }
    Ok(())
}

/// The disk.
fn disk() -> Result<Descriptor, Failure> {
    let directories = preopens::get_directories().into_iter();
    let mut found = directories.filter(|(_, name)| name == "/scratch");
    found.next().map(|(disk, _)| disk).ok_or_else(|| Failure::permanent("there is no /scratch"))
}

fn create(disk: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    let rights = DescriptorFlags::READ | DescriptorFlags::WRITE;
    disk.open_at(PathFlags::empty(), path, OpenFlags::CREATE, rights)
}

fn leave(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    let entries = disk.read_directory().map_err(failure)?;
    while let Some(entry) = entries.read_directory_entry().map_err(failure)? {
        writeln!(output, "{}", entry.name)?;
    }
    create(&disk, "left behind").and_then(|file| file.write(b"a secret", 0)).map_err(failure)?;
    disk.create_directory_at("a").map_err(failure)?;
    disk.create_directory_at("a/b").map_err(failure)
}

fn honest(output: &mut Output) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::permanent(error.to_string());
    std::fs::create_dir("/scratch/sorted").map_err(io)?;
    std::fs::write("/scratch/sorted/one.txt", "one\n").map_err(io)?;
    std::fs::rename("/scratch/sorted/one.txt", "/scratch/one.txt").map_err(io)?;
    let mut file = std::fs::OpenOptions::new().append(true).open("/scratch/one.txt").map_err(io)?;
    file.write_all(b"two\n").map_err(io)?;
    file.sync_all().map_err(io)?;
    output.write_all(&std::fs::read("/scratch/one.txt").map_err(io)?)?;
    std::fs::remove_dir("/scratch/sorted").map_err(io)?;
    let left = std::fs::read_dir("/scratch").map_err(io)?.count();
    Ok(writeln!(output, "{left} left")?)
}

fn failure(error: ErrorCode) -> Failure {
    Failure::permanent(format!("{error:?}"))
}
