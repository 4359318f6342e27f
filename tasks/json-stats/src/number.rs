//! Numbers as JSON has them.
//!
//! Owns: one form for each value (`1`, `1.0` and `1e0` are the same number) and an exact order.
//! Never: turns a large integer into a float: identifiers keep all their digits.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// The largest power of two below which every integral float becomes an integer: 2^64.
const INTEGERS_BELOW: f64 = 18_446_744_073_709_551_616.0;

/// A number: an integer of up to 64 bits, or a float that is not one.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// An integer below 2^64.
    Positive(u64),
    /// A negative integer, down to -2^63.
    Negative(i64),
    /// Any other finite number.
    Float(f64),
}

impl Number {
    /// The number that JSON text says.
    pub fn from_json(number: &serde_json::Number) -> Option<Self> {
        if let Some(integer) = number.as_u64() {
            return Some(Self::Positive(integer));
        }
        if let Some(integer) = number.as_i64() {
            return Some(Self::Negative(integer));
        }
        number.as_f64().map(Self::from_float)
    }

    /// The number that a finite float is.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "each cast is guarded by the range in which it is exact"
    )]
    pub fn from_float(float: f64) -> Self {
        if float.fract() != 0.0 {
            Self::Float(float)
        } else if (0.0..INTEGERS_BELOW).contains(&float) {
            Self::Positive(float as u64)
        } else if (-INTEGERS_BELOW / 2.0..0.0).contains(&float) {
            Self::Negative(float as i64)
        } else {
            Self::Float(float)
        }
    }

    /// Its integer part, rounded down and kept within 128 bits, and whether something is left over.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond 128 bits saturates, and is then compared as a float"
    )]
    fn floor(self) -> (i128, bool) {
        match self {
            Self::Positive(integer) => (integer.into(), false),
            Self::Negative(integer) => (integer.into(), false),
            Self::Float(float) => (float.floor() as i128, float.fract() != 0.0),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Self::Float(left), Self::Float(right)) = (self, other) {
            return left.total_cmp(right);
        }
        self.floor().cmp(&other.floor())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        let json: serde_json::Number = text.parse().expect("a test writes JSON numbers");
        Number::from_json(&json).expect("without arbitrary precision every number is one of three")
    }

    #[test]
    fn one_value_has_one_form() {
        for (left, right) in [("1", "1.0"), ("-0.0", "0"), ("1e2", "100"), ("-3e0", "-3")] {
            assert_eq!(number(left), number(right));
            assert_eq!(format!("{:?}", number(left)), format!("{:?}", number(right)));
        }
    }

    #[test]
    fn numbers_are_ordered_exactly() {
        let ascending = [
            "-1e300",
            "-9223372036854775808",
            "-3",
            "-2.5",
            "-2",
            "0",
            "0.5",
            "1",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615",
            "1e20",
            "1e300",
        ];
        for pair in ascending.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn a_number_survives_being_written() {
        for text in ["0", "-7", "18446744073709551615", "2.5", "1e300"] {
            let written = serde_json::to_string(&number(text)).expect("numbers can be written");
            assert_eq!(number(&written), number(text));
        }
    }
}
