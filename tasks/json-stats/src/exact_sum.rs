//! A sum without rounding.
//!
//! Owns: a fixed-point accumulator wide enough for every `f64` and 64-bit integer at once.
//! Never: rounds before the end, so the sum does not depend on the order or grouping of what was added.
//!
//! Known as a Kulisch accumulator or superaccumulator (U. Kulisch, "Computer Arithmetic and Validity"):
//! one long integer whose lowest bit is worth 2^-1074, the smallest positive `f64`.

use serde::{Deserialize, Serialize};

use crate::number::Number;

/// The place of the bit that is worth 1.
const BIT_OF_ONE: usize = 1074;

/// 2,176 bits: 1,074 below the point, 1,024 above it, the rest for the carries of more additions than can happen.
const LIMBS: usize = 68;

const LIMB_BITS: usize = 32;
const LIMB_MASK: i64 = 0xffff_ffff;

/// An addition adds less than 2^32 to a limb of 63 bits, so carries may wait this long.
const ADDITIONS_MAX: u32 = 1 << 30;

/// How many bits of a float are kept when a sum becomes one.
const FLOAT_BITS: usize = 53;

/// The exact sum of any number of numbers.
#[derive(Clone, Debug)]
pub struct ExactSum {
    /// Digits to the base 2^32, lowest first, each with its own sign until the carries are settled.
    limbs: Box<[i64; LIMBS]>,
    /// Additions since the carries were settled.
    additions: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { limbs: Box::new([0; LIMBS]), additions: 0 }
    }
}

impl ExactSum {
    /// Adds a number. Floats must be finite, as all numbers in JSON are.
    pub fn add(&mut self, number: Number) {
        match number {
            Number::Positive(integer) => self.add_bits(integer, BIT_OF_ONE, 1),
            Number::Negative(integer) => self.add_bits(integer.unsigned_abs(), BIT_OF_ONE, -1),
            Number::Float(float) => self.add_float(float),
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.settle();
        for (limb, other) in self.limbs.iter_mut().zip(other.settled().limbs.iter()) {
            *limb += other;
        }
        self.settle();
    }

    /// The sum divided by `count`, rounded to the nearest `f64`: the sum first (half to even), then the quotient.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the sum has 53 bits by then; the count is rounded"
    )]
    pub fn mean(&self, count: u64) -> f64 {
        let (sign, magnitude) = self.settled().magnitude();
        let (significand, exponent) = magnitude.rounded();
        sign * (significand as f64 / count as f64) * power_of_two(exponent)
    }

    fn add_float(&mut self, float: f64) {
        let bits = float.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let exponent = usize::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
        let sign = if float.is_sign_negative() { -1 } else { 1 };
        match exponent {
            0 => self.add_bits(fraction, 0, sign),
            _ => self.add_bits(fraction | 1 << 52, exponent - 1, sign),
        }
    }

    /// Adds or subtracts an integer whose lowest bit has the given place.
    fn add_bits(&mut self, integer: u64, place: usize, sign: i64) {
        let mut digits = u128::from(integer) << (place % LIMB_BITS);
        let first = place / LIMB_BITS;
        for limb in &mut self.limbs[first..first + 3] {
            *limb += sign * low_digit(digits);
            digits >>= LIMB_BITS;
        }
        self.additions += 1;
        if self.additions >= ADDITIONS_MAX {
            self.settle();
        }
    }

    /// Settles the carries: every digit but the highest lies between 0 and 2^32, the highest carries the sign.
    fn settle(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let sum = *limb + carry;
            *limb = sum & LIMB_MASK;
            carry = sum >> LIMB_BITS;
        }
        self.limbs[LIMBS - 1] += carry;
        self.additions = 0;
    }

    fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.settle();
        settled
    }

    /// The sign, and the sum without it. The sum must be settled.
    fn magnitude(mut self) -> (f64, Self) {
        if self.limbs[LIMBS - 1] >= 0 {
            return (1.0, self);
        }
        self.limbs.iter_mut().for_each(|limb| *limb = -*limb);
        self.settle();
        (-1.0, self)
    }

    /// A settled sum that is not negative, as an integer of at most 53 bits times a power of two, half to even.
    fn rounded(&self) -> (u64, i32) {
        let Some(top) = (0..LIMBS * LIMB_BITS).rev().find(|place| self.bit(*place)) else {
            return (0, 0);
        };
        let lowest = top.saturating_sub(FLOAT_BITS - 1);
        let significand =
            (lowest..=top).rev().fold(0, |bits, place| bits << 1 | u64::from(self.bit(place)));
        let is_half = lowest > 0 && self.bit(lowest - 1);
        let is_more = (0..lowest.saturating_sub(1)).any(|place| self.bit(place));
        let up = is_half && (is_more || significand % 2 == 1);
        // At most 2,176, so it fits.
        let exponent = i32::try_from(lowest).unwrap_or(i32::MAX) - 1074;
        (significand + u64::from(up), exponent)
    }

    fn bit(&self, place: usize) -> bool {
        self.limbs[place / LIMB_BITS] >> (place % LIMB_BITS) & 1 == 1
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are what is asked for")]
fn low_digit(digits: u128) -> i64 {
    i64::from(digits as u32)
}

/// 2 to the power of an exponent between -1,074 and 1,023.
fn power_of_two(exponent: i32) -> f64 {
    let exponent = i64::from(exponent);
    let bits = if exponent >= -1022 { (exponent + 1023) << 52 } else { 1 << (exponent + 1074) };
    f64::from_bits(bits.unsigned_abs())
}

/// Written as the digits that are not zero, with their places: most sums need two or three.
#[derive(Deserialize, Serialize)]
struct Digits(Vec<(usize, i64)>);

impl Serialize for ExactSum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let settled = self.settled();
        let digits = settled.limbs.iter().copied().enumerate();
        Digits(digits.filter(|(_, digit)| *digit != 0).collect()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExactSum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut sum = Self::default();
        for (place, digit) in Digits::deserialize(deserializer)?.0 {
            let limb = sum.limbs.get_mut(place);
            let limb = limb.ok_or_else(|| serde::de::Error::custom("a sum has no such digit"))?;
            *limb = digit;
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(numbers: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for number in numbers {
            sum.add(Number::from_float(*number));
        }
        sum
    }

    fn check(numbers: &[f64], count: u64, expect: f64) {
        assert_eq!(sum(numbers).mean(count).to_bits(), expect.to_bits(), "{numbers:?}");
    }

    #[test]
    fn what_rounding_would_lose_is_kept() {
        check(&[1e100, 1.0, -1e100], 1, 1.0);
        check(&[f64::MAX, f64::MAX, -f64::MAX], 1, f64::MAX);
        check(&[f64::MAX, f64::MAX], 2, f64::MAX);
        check(&[0.1; 10], 1, 1.0);
        check(&[5e-324, 5e-324], 2, 5e-324);
        check(&[-1.5, 0.5], 1, -1.0);
        check(&[], 1, 0.0);
    }

    #[test]
    fn a_half_is_rounded_to_even() {
        let large = 9_007_199_254_740_992.0; // 2^53
        check(&[large, 1.0], 1, large);
        check(&[large, 1.0, 0.5], 1, large + 2.0);
        check(&[large + 2.0, 1.0], 1, large + 4.0);
    }

    #[test]
    fn integers_of_64_bits_are_exact() {
        let mut sum = ExactSum::default();
        sum.add(Number::Positive(u64::MAX));
        sum.add(Number::Negative(i64::MIN));
        sum.add(Number::Negative(i64::MIN));
        assert_eq!(sum.mean(1).to_bits(), (-1.0_f64).to_bits());
    }

    proptest! {
        #[test]
        fn the_sum_depends_neither_on_order_nor_on_grouping(
            numbers in proptest::collection::vec(
                prop_oneof![-1e3..1e3, any::<f64>().prop_filter("finite", |n| n.is_finite())], 1..40),
            cut in 0_usize..40,
        ) {
            let whole = sum(&numbers);
            let (left, right) = numbers.split_at(cut.min(numbers.len()));
            let mut merged = sum(right);
            let text = serde_json::to_string(&sum(left)).expect("sums can be written");
            merged.merge(&serde_json::from_str(&text).expect("and read"));
            prop_assert_eq!(merged.mean(3).to_bits(), whole.mean(3).to_bits());
        }

        #[test]
        fn the_sum_of_two_is_what_the_processor_says(left: f64, right: f64) {
            prop_assume!((left + right).is_finite());
            let expect = left + right + 0.0; // a sum has no negative zero
            prop_assert_eq!(sum(&[left, right]).mean(1).to_bits(), expect.to_bits());
        }
    }
}
