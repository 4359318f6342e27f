//! Results that are left as a file on the disk.

use std::io::Write;

use pframe_guest::{Failure, Output};

const PLACE: &str = "/scratch/out";
const RESULT: &str = "/scratch/out/result";
const BLOCK: usize = 1 << 20;

fn place() -> Result<(), Failure> {
    Ok(std::fs::create_dir(PLACE)?)
}

/// Bytes that count.
pub(crate) fn file(bytes: u64) -> Result<(), Failure> {
    place()?;
    let mut file = std::fs::File::create(RESULT)?;
    let block: Vec<u8> = (0..251).cycle().take(BLOCK).collect();
    let mut left = bytes;
    while left > 0 {
        let length = left.min(BLOCK as u64);
        file.write_all(&block[..usize::try_from(length).expect("a block")])?;
        left -= length;
    }
    Ok(())
}

pub(crate) fn folder() -> Result<(), Failure> {
    place()?;
    Ok(std::fs::create_dir(RESULT)?)
}

pub(crate) fn link() -> Result<(), Failure> {
    place()?;
    let disk = crate::disk()?;
    crate::create(&disk, "elsewhere").map_err(crate::failure)?;
    disk.symlink_at("../elsewhere", "out/result").map_err(crate::failure)
}

pub(crate) fn neighbour() -> Result<(), Failure> {
    file(10)?;
    Ok(std::fs::write("/scratch/out/another", "x")?)
}

pub(crate) fn twice(output: &mut Output) -> Result<(), Failure> {
    file(10)?;
    Ok(output.write_all(b"written")?)
}
