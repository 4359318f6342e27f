//! The heap of a handler: it starts inside the memory that a fresh sandbox has anyway.
//!
//! Owns: the global allocator of a handler, unless the feature `heap` is off. The standard one begins with
//! `memory.grow`, which costs the host two changes of memory protection for each attempt, and each of those
//! interrupts every other processor that runs guests. With a first heap in the initial memory, small handlers never grow:
//! on two threads a tiny handler is five times as fast (`cargo xtask bench tiny`).
//! Never: gives memory back; the sandbox ends with the attempt.

#![expect(
    unsafe_code,
    reason = "an allocator hands out raw memory; talc's contract is met at each call"
)]

use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

/// Bytes of the first heap. They are zero in the component's file and take memory only where they are touched; the host
/// keeps twice as much resident between attempts.
const FIRST_BYTES: usize = 64 << 10;
/// Bytes of a page of WebAssembly memory.
const PAGE_BYTES: usize = 64 << 10;
/// Pages by which memory grows at least, so that many small requests do not each ask the host.
const GROWTH_PAGES_MIN: usize = 4;
/// What the allocator needs of a new heap beside the request itself.
const OVERHEAD_BYTES: usize = 256;

static mut FIRST: [MaybeUninit<u8>; FIRST_BYTES] = [MaybeUninit::uninit(); FIRST_BYTES];

#[global_allocator]
static HEAP: TalcSyncCell<FirstThenGrow, WasmBinning> =
    TalcSyncCell::new_wasm(FirstThenGrow { claimed_first: false, end: None });

/// Where the allocator's memory comes from.
#[derive(Debug)]
struct FirstThenGrow {
    claimed_first: bool,
    /// Where the heap ends that grew last.
    end: Option<NonNull<u8>>,
}

// SAFETY: WebAssembly without threads has one.
unsafe impl Send for FirstThenGrow {}

// SAFETY: `acquire` calls no allocator.
unsafe impl Source for FirstThenGrow {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        if !talc.source.claimed_first {
            talc.source.claimed_first = true;
            // SAFETY: nothing else names `FIRST`, and it is claimed once.
            return unsafe { talc.claim((&raw mut FIRST).cast(), FIRST_BYTES) }.map(drop).ok_or(());
        }
        let needed = layout.size().saturating_add(layout.align()).saturating_add(OVERHEAD_BYTES);
        let (base, bytes) = grow(needed.div_ceil(PAGE_BYTES))?;
        // SAFETY: the pages are new, so nobody else uses them; a heap is extended where it ended.
        talc.source.end = unsafe {
            match talc.source.end {
                Some(end) if end.as_ptr() == base => {
                    Some(talc.extend(end, base.wrapping_add(bytes)))
                }
                _ => talc.claim(base, bytes),
            }
        };
        talc.source.end.map(drop).ok_or(())
    }
}

/// Grows the memory by some pages more than needed, or by just those.
fn grow(needed: usize) -> Result<(*mut u8, usize), ()> {
    let pages = needed.max(GROWTH_PAGES_MIN);
    let grown = grow_by(pages).map(|base| (base, pages));
    let (base, pages) = grown.or_else(|()| grow_by(needed).map(|base| (base, needed)))?;
    Ok((base, pages * PAGE_BYTES))
}

fn grow_by(pages: usize) -> Result<*mut u8, ()> {
    match std::arch::wasm32::memory_grow::<0>(pages) {
        usize::MAX => Err(()),
        page => Ok((page * PAGE_BYTES) as *mut u8),
    }
}
