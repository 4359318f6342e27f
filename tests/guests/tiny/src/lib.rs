//! The smallest handler: reads its chunk in blocks, and writes how many bytes that were.
//!
//! Owns: the floor under every measurement of throughput: what a job costs when the guest costs nothing.
//! Never: imports WASI, parses its parameters, or formats text.

use pframe_guest::bindings::handler::exports::pframe::task::handler::Guest;
use pframe_guest::bindings::imports::pframe::task::types::Failure;
use pframe_guest::bindings::imports::pframe::task::{input::Chunk, output};

/// The handler.
pub struct Tiny;

impl Guest for Tiny {
    fn run(chunk: &Chunk, _parameters: String) -> Result<(), Failure> {
        let mut bytes: u64 = 0;
        while let Ok(block) = chunk.read(bytes, 1 << 20) {
            bytes += block.len() as u64;
            if block.len() < 1 << 20 {
                break;
            }
        }
        output::write(&decimal(bytes)).map_err(Failure::Permanent)
    }
}

/// A number in decimal, without the machinery of `format!`.
fn decimal(mut number: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    loop {
        digits.insert(0, b"0123456789"[(number % 10) as usize]);
        number /= 10;
        if number == 0 {
            return digits;
        }
    }
}

#[cfg(target_family = "wasm")]
pframe_guest::bindings::handler::export_handler!(Tiny with_types_in pframe_guest::bindings::handler);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 12345, u64::MAX] {
            assert_eq!(decimal(number), number.to_string().into_bytes());
        }
    }
}
