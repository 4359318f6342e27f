//! What an image may be at most, checked before anything of its size is allocated.
//!
//! Owns: the bounds of sides, pixels and memory, and the sentence for each.
//! Never: believes a header: what it says is what a bomb would say.

use pframe_guest::Failure;

/// The longest side in pixels: the longest that a JPEG can have.
const SIDE_MAX: u32 = 65_535;
/// The most pixels, so that a small file cannot keep a processor busy for long.
const PIXELS_MAX: u64 = 100_000_000;
const MIB: u64 = 1 << 20;

/// Refuses an image with a side or an area that is too large, or with none.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), Failure> {
    let pixels = u64::from(width) * u64::from(height);
    let size = format!("has {width} x {height} pixels");
    if pixels == 0 {
        return Err(Failure::invalid(size));
    }
    if width.max(height) > SIDE_MAX {
        return Err(Failure::invalid(format!("{size}; a side has at most {SIDE_MAX}")));
    }
    if pixels > PIXELS_MAX {
        return Err(Failure::invalid(format!("{size}, together {pixels}; at most {PIXELS_MAX}")));
    }
    Ok(())
}

/// Refuses an image that takes more memory than the job allows.
pub(crate) fn check_memory(bytes: u64, mib_max: u32) -> Result<(), Failure> {
    let mib = bytes.div_ceil(MIB);
    if mib <= u64::from(mib_max) {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "takes {mib} MiB to decode; `decode_mib_max` allows {mib_max} MiB: raise it, and `limits.memory` to 32 MiB more"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(width: u32, height: u32, expect: &str) {
        let message = check_size(width, height).map_err(|failure| failure.to_string());
        assert_eq!(message.err().unwrap_or_default(), expect);
    }

    #[test]
    fn the_bound_that_is_met_is_named() {
        check(10_000, 10_000, "");
        check(65_535, 1, "");
        check(0, 7, "has 0 x 7 pixels");
        check(65_536, 1, "has 65536 x 1 pixels; a side has at most 65535");
        check(10_001, 10_000, "has 10001 x 10000 pixels, together 100010000; at most 100000000");
    }

    #[test]
    fn memory_is_counted_in_whole_mib() {
        assert!(check_memory(3 * MIB, 3).is_ok());
        let failure = check_memory(3 * MIB + 1, 3).unwrap_err();
        assert!(failure.message().starts_with("takes 4 MiB to decode; `decode_mib_max` allows 3"));
    }
}
