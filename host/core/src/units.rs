//! Quantities as types: bytes, fuel, processor cores and points in time.
//!
//! Owns: parsing what people write (`256MiB`, `20G`, `10min`, `80%`) and printing it back.
//! Never: reads a clock; a [`Timestamp`] is always handed in.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest duration that is accepted anywhere: ten years. It keeps every later addition far from overflow.
pub const DURATION_MAX: Duration = Duration::from_hours(10 * 365 * 24);

/// A number of bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// `count` kibibytes (2¹⁰ bytes each).
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// `count` mebibytes (2²⁰ bytes each).
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// `count` gibibytes (2³⁰ bytes each).
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads `256MiB` or `4GB`; a unit is required, `GB` is 10⁹ and `GiB` 2³⁰.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(UnitError::new(text, "a size needs a unit, for example `256MiB`"));
        }
        let size: bytesize::ByteSize = text
            .parse()
            .map_err(|_| UnitError::new(text, "not a size; write for example `256MiB` or `4GB`"))?;
        Ok(Self(size.as_u64()))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            exact if exact >= 1 << 40 && exact.is_multiple_of(1 << 40) => {
                write!(f, "{} TiB", exact >> 40)
            }
            exact if exact >= 1 << 30 && exact.is_multiple_of(1 << 30) => {
                write!(f, "{} GiB", exact >> 30)
            }
            exact if exact >= 1 << 20 && exact.is_multiple_of(1 << 20) => {
                write!(f, "{} MiB", exact >> 20)
            }
            exact if exact >= 1_000_000_000 && exact.is_multiple_of(1_000_000_000) => {
                write!(f, "{} GB", exact / 1_000_000_000)
            }
            exact if exact >= 1_000_000 && exact.is_multiple_of(1_000_000) => {
                write!(f, "{} MB", exact / 1_000_000)
            }
            exact if exact >= 1 << 10 && exact.is_multiple_of(1 << 10) => {
                write!(f, "{} KiB", exact >> 10)
            }
            small if small < 1 << 10 => write!(f, "{small} B"),
            other => write!(f, "{}", bytesize::ByteSize(other).display().iec()),
        }
    }
}

/// Units of guest work: about one per WebAssembly instruction, plus the charge for each host call.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fuel(pub u64);

impl Fuel {
    /// Reads `500000`, `500M` or `20G` (decimal multipliers K, M, G, T).
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let error = || UnitError::new(text, "not a fuel budget; write for example `500M` or `20G`");
        let (digits, multiplier) = match text.chars().last() {
            Some('K' | 'k') => (&text[..text.len() - 1], 1_000),
            Some('M') => (&text[..text.len() - 1], 1_000_000),
            Some('G') => (&text[..text.len() - 1], 1_000_000_000),
            Some('T') => (&text[..text.len() - 1], 1_000_000_000_000),
            _ => (text, 1_u64),
        };
        let count: u64 = digits.trim().parse().map_err(|_| error())?;
        count.checked_mul(multiplier).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Fuel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps =
            [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "K")];
        for (size, name) in steps {
            if self.0 >= size {
                let tenths = self.0 / (size / 10);
                return match tenths % 10 {
                    0 => write!(f, "{}{name}", tenths / 10),
                    rest => write!(f, "{}.{rest}{name}", tenths / 10),
                };
            }
        }
        write!(f, "{}", self.0)
    }
}

/// A share of a processor in thousandths of a core, so that sums are exact.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CpuCores(pub u32);

impl CpuCores {
    /// One whole core.
    pub const ONE: Self = Self(1000);

    /// `count` whole cores.
    pub const fn whole(count: u32) -> Self {
        Self(count.saturating_mul(1000))
    }

    /// Thousandths of a core.
    pub const fn thousandths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for CpuCores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        match rest {
            0 => write!(f, "{whole}"),
            _ => write!(f, "{}", format!("{whole}.{rest:03}").trim_end_matches('0')),
        }
    }
}

/// A point in time: microseconds since the Unix epoch, as the caller's clock says.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `delay` later; it stops at the end of time instead of wrapping.
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero when it was not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Reads `60s`, `10min`, `1h 30m`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds_to_duration(seconds);
    }
    let duration = humantime::parse_duration(text).map_err(|_| {
        UnitError::new(text, "not a duration; write for example `60s`, `10min` or `1h`")
    })?;
    bounded(duration, text)
}

/// A number of seconds as a duration; refuses negative, non-finite and absurd ones.
pub fn seconds_to_duration(seconds: f64) -> Result<Duration, UnitError> {
    let text = seconds.to_string();
    let duration = Duration::try_from_secs_f64(seconds)
        .map_err(|_| UnitError::new(&text, "a duration is a positive number of seconds"))?;
    bounded(duration, &text)
}

fn bounded(duration: Duration, text: &str) -> Result<Duration, UnitError> {
    if duration > DURATION_MAX {
        return Err(UnitError::new(text, "longer than ten years"));
    }
    Ok(duration)
}

/// Prints a duration for people: `3.1 s`, `250 ms`, `2h 5m 3s`.
pub fn show_duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 60.0 => {
            humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
        }
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds if seconds >= 0.001 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{:.0} µs", seconds * 1e6),
    }
}

/// What was written where a quantity was expected, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitError {
    /// The text as written.
    pub text: String,
    /// What is wrong and how to say it right.
    pub advice: String,
}

impl UnitError {
    fn new(text: &str, advice: &str) -> Self {
        Self { text: text.chars().take(80).collect(), advice: advice.into() }
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.text, self.advice)
    }
}

impl std::error::Error for UnitError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_needs_a_unit_and_tells_gb_from_gib() {
        assert_eq!(ByteSize::parse("4GB"), Ok(ByteSize(4_000_000_000)));
        assert_eq!(ByteSize::parse("4 GiB"), Ok(ByteSize::gib(4)));
        assert!(ByteSize::parse("4096").is_err());
        assert!(ByteSize::parse("-1MiB").is_err());
        assert!(ByteSize::parse("lots").is_err());
    }

    #[test]
    fn a_size_prints_as_people_write_it() {
        assert_eq!(ByteSize::mib(256).to_string(), "256 MiB");
        assert_eq!(ByteSize(1023).to_string(), "1023 B");
        assert_eq!(ByteSize(1_500_000).to_string(), "1.4 MiB");
        assert_eq!(ByteSize(4_000_000_000).to_string(), "4 GB");
        assert_eq!(ByteSize::gib(2048).to_string(), "2 TiB");
    }

    #[test]
    fn fuel_has_decimal_multipliers() {
        assert_eq!(Fuel::parse("20G"), Ok(Fuel(20_000_000_000)));
        assert_eq!(Fuel(1_500_000).to_string(), "1.5M");
        assert!(Fuel::parse("99999999999T").is_err());
    }

    #[test]
    fn a_bare_number_is_seconds_and_nonsense_is_refused() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10min"), Ok(Duration::from_mins(10)));
        for bad in ["-1", "NaN", "1e300", "soon", "100years 1day"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn part_cores_print_without_trailing_zeros() {
        assert_eq!(CpuCores(1500).to_string(), "1.5");
        assert_eq!(CpuCores::whole(2).to_string(), "2");
    }
}
