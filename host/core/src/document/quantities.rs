//! Quantities in a tree: sizes, durations, fuel, cores and shares, each within a range.
//!
//! Owns: that a bare number is seconds in a duration, and nothing but zero in a size.
//! Never: knows which limit a quantity is for; the range is an argument.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::checker::Checker;
use super::suggest::shown;
use super::tree::{Node, Value};
use crate::units::{ByteSize, CpuCores, Fuel, UnitError, parse_duration, show_duration};

impl Checker<'_> {
    /// A size such as `256MiB`; a bare `0` is a size too.
    pub(crate) fn size(
        &mut self,
        node: &Node,
        range: RangeInclusive<ByteSize>,
    ) -> Option<ByteSize> {
        let advice = format!("a size from {} to {}", range.start(), range.end());
        let words = Words { what: "a size", range: &advice, example: "256MiB" };
        self.quantity(node, &words, &range, |text| match text {
            "0" => Ok(ByteSize::ZERO),
            other => ByteSize::parse(other),
        })
    }

    /// A duration such as `10min`; a bare number is seconds.
    pub(crate) fn duration(
        &mut self,
        node: &Node,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (least, most) = (shown_bound(*range.start()), shown_bound(*range.end()));
        let advice = format!("a duration from {least} to {most}");
        let words = Words { what: "a duration", range: &advice, example: "10min" };
        self.quantity(node, &words, &range, parse_duration)
    }

    /// A fuel budget such as `20G`.
    pub(crate) fn fuel(&mut self, node: &Node, range: RangeInclusive<Fuel>) -> Option<Fuel> {
        let advice = format!("a fuel budget from {} to {}", range.start(), range.end());
        let words = Words { what: "a fuel budget", range: &advice, example: "500M" };
        self.quantity(node, &words, &range, Fuel::parse)
    }

    /// Processor cores, whole or in part: `0.5`.
    pub(crate) fn cores(
        &mut self,
        node: &Node,
        range: RangeInclusive<CpuCores>,
    ) -> Option<CpuCores> {
        let advice = format!("a number of cores from {} to {}", range.start(), range.end());
        let words = Words { what: "a number of cores", range: &advice, example: "0.5" };
        self.quantity(node, &words, &range, |text| {
            decimal(text, 3).map(CpuCores).ok_or_else(|| UnitError {
                text: text.to_owned(),
                advice: "not a number of cores".into(),
            })
        })
    }

    /// A share in hundredths of a percent: `1%` is 100, `0.5%` is 50.
    pub(crate) fn percent(&mut self, node: &Node, text: &str) -> Option<u32> {
        let share = text.trim().strip_suffix('%').and_then(|number| decimal(number.trim(), 2));
        match share {
            Some(share) if share <= 10_000 => Some(share),
            _ => self.out_of_range(node, "a share from 0% to 100%, with at most two decimals"),
        }
    }

    fn quantity<T: PartialOrd>(
        &mut self,
        node: &Node,
        words: &Words<'_>,
        range: &RangeInclusive<T>,
        parse: impl FnOnce(&str) -> Result<T, UnitError>,
    ) -> Option<T> {
        let (Value::Number(_) | Value::Text(_), Some(text)) = (&node.value, node.as_written())
        else {
            return self.wrong_kind(node, words.what);
        };
        if text.starts_with('-') {
            return self.out_of_range(node, words.range);
        }
        match parse(text) {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => self.out_of_range(node, words.range),
            Err(error) => {
                let message = format!("expected {}, found {}", words.what, shown(text));
                self.problem(node.place, message, words.advice(&error));
                None
            }
        }
    }
}

/// What messages say about a kind of quantity.
struct Words<'w> {
    what: &'w str,
    range: &'w str,
    example: &'w str,
}

impl Words<'_> {
    fn advice(&self, error: &UnitError) -> String {
        let Self { range, example, .. } = self;
        let hint = if error.advice.contains("needs a unit") { "add a unit: " } else { "" };
        format!("{hint}write {range}, for example `{example}`")
    }
}

/// A bound in whole days where it has them; calendars have no say in it.
fn shown_bound(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match duration.as_secs() {
        0 if duration.is_zero() => "0 s".to_owned(),
        DAY => "1 day".to_owned(),
        seconds if seconds >= DAY && seconds % DAY == 0 => format!("{} days", seconds / DAY),
        _ => show_duration(duration),
    }
}

/// A decimal number with at most `places` places, times ten to their power: `decimal("1.5", 2)` is 150.
fn decimal(text: &str, places: usize) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > places || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_bounded() {
        for (text, value) in [("0", 0), ("1", 100), ("1.5", 150), ("0.05", 5), ("2.00", 200)] {
            assert_eq!(decimal(text, 2), Some(value), "{text}");
        }
        for text in ["", ".5", "1.005", "-1", "1e2", "99999999999", "a"] {
            assert_eq!(decimal(text, 2), None, "{text}");
        }
    }
}
