//! A result that a guest left as a file on its private disk: copied to where results go, once the guest has ended.
//!
//! Owns: that the copy keeps every limit of the attempt: it costs fuel and processor time like any output, is bounded like one,
//! and ends at the deadline or a stop.
//! Never: has more of the file in memory than a block. What is hashed and kept is what was copied.

use std::fs::File;
use std::os::unix::fs::FileExt;

use pframe_core::fault::{Code, Fault};
use wasmtime::Store;

use super::state::{AttemptState, BYTES_PER_FUEL};
use crate::capability::output::SharedOutput;

/// Bytes that are copied at once, before the clocks are looked at.
const BLOCK_BYTES: usize = 256 << 10;

/// Copies the file to its end.
pub(super) async fn copy(
    store: &mut Store<AttemptState>,
    file: File,
    output: SharedOutput,
) -> wasmtime::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut offset = 0;
    loop {
        let read = file.read_at(&mut block, offset).map_err(|error| {
            let fault = Fault::new(Code::InputOutput).detail(format!("a private disk: {error}"));
            store.data_mut().end(fault)
        })?;
        if read == 0 {
            return Ok(());
        }
        offset += read as u64;
        charge(store, read as u64)?;
        // Why not, the output has written down.
        output
            .write(&block[..read])
            .map_err(|()| wasmtime::Error::msg("the result cannot be written"))?;
        if let Some(fault) = store.data().watch.verdict() {
            return Err(store.data_mut().end(fault));
        }
        tokio::task::yield_now().await;
    }
}

fn charge(store: &mut Store<AttemptState>, bytes: u64) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(bytes / BYTES_PER_FUEL);
    store.set_fuel(left.unwrap_or(0))?;
    left.map(drop).ok_or_else(|| wasmtime::Trap::OutOfFuel.into())
}
