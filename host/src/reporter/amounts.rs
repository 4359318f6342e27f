//! Measured amounts, rounded for people.
//!
//! Owns: how a size that nobody wrote looks. What somebody wrote is printed exactly, by [`ByteSize`] itself.
//! Never: rounds what is compared or stored.

use std::time::Duration;

use pframe_core::units::ByteSize;

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// `48.2 MiB`: three digits or so.
pub(crate) fn about(size: ByteSize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "rounded for people anyway")]
    let mut amount = size.bytes() as f64;
    let mut unit = 0;
    // 1023.95 and more would be printed as 1024.0.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{amount} B"),
        _ if amount >= 99.95 => format!("{amount:.0} {}", UNITS[unit]),
        _ => format!("{amount:.1} {}", UNITS[unit]),
    }
}

/// Bytes per second, in words; nothing where nothing was read.
pub(crate) fn rate(bytes: ByteSize, time: Duration) -> Option<String> {
    let per_second = u128::from(bytes.bytes()) * 1_000_000 / time.as_micros().max(1);
    let per_second = ByteSize(u64::try_from(per_second).unwrap_or(u64::MAX));
    (bytes > ByteSize::ZERO).then(|| format!("{}/s", about(per_second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits_or_so() {
        let sizes = [0, 1023, 1024, 1280 << 10, 1_048_575, 300 << 20, 57_600 << 10, u64::MAX];
        let seen = sizes.map(|size| about(ByteSize(size))).join(", ");
        let expect = expect_test::expect![
            "0 B, 1023 B, 1.0 KiB, 1.2 MiB, 1.0 MiB, 300 MiB, 56.2 MiB, 16384 PiB"
        ];
        expect.assert_eq(&seen);
    }

    #[test]
    fn a_rate_is_told_where_something_was_read() {
        assert_eq!(rate(ByteSize::ZERO, Duration::from_secs(1)), None);
        let half_a_second = Duration::from_millis(500);
        assert_eq!(rate(ByteSize::mib(3), half_a_second).as_deref(), Some("6.0 MiB/s"));
    }
}
