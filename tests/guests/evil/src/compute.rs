//! Attacks on processor and memory.
//!
//! Owns: loops, recursion and allocation without end.
//! Never: is optimised away: everything passes through `black_box`.

use std::hint::black_box;
use std::io::Write;

use pframe_guest::{Failure, Output};

const MEBIBYTE: usize = 1 << 20;

pub(crate) fn spin() -> ! {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Allocates until the host says no, which a handler can survive.
pub(crate) fn allocate(output: &mut Output) -> Result<(), Failure> {
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(4096);
    loop {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(MEBIBYTE).is_err() {
            break;
        }
        block.resize(MEBIBYTE, 1);
        blocks.push(black_box(block));
    }
    let count = blocks.len();
    drop(blocks);
    Ok(writeln!(output, "{count} MiB")?)
}

pub(crate) fn allocate_or_abort() -> ! {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1_u8; MEBIBYTE]));
    }
}

pub(crate) fn recurse(output: &mut Output) -> Result<(), Failure> {
    Ok(writeln!(output, "{}", deeper(0))?)
}

/// Each level needs the one below it afterwards, so that this is no loop in disguise.
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 16]);
    if black_box(depth) == u64::MAX { depth } else { deeper(depth + 1) + room[15] }
}

/// Few instructions, much work: the host cannot interrupt a bulk operation in its middle.
pub(crate) fn fill_memory(mebibytes: u64) -> ! {
    let mebibytes = if mebibytes == 0 { 64 } else { usize::try_from(mebibytes).unwrap_or(64) };
    let mut memory = vec![0_u8; mebibytes * MEBIBYTE];
    let mut value = 0_u8;
    loop {
        value = black_box(value.wrapping_add(1));
        black_box(&mut memory).fill(value);
    }
}

pub(crate) fn panic_long(bytes: u64) -> ! {
    let times = if bytes == 0 { MEBIBYTE } else { usize::try_from(bytes / 5).unwrap_or(MEBIBYTE) };
    panic!("{}", "long ".repeat(times));
}
