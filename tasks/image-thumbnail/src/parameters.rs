//! What a job may set.
//!
//! Owns: the parameters as types that hold nothing but what is allowed.
//! Never: repairs a value: one that does not fit is refused by name.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// The longest side of a thumbnail in pixels.
const SIDES: RangeInclusive<u32> = 1..=4096;
const QUALITIES: RangeInclusive<u8> = 1..=100;

/// What a job may set.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// The width of the box.
    pub width: Side,
    /// The height of the box.
    pub height: Side,
    /// How an image fits into the box.
    pub fit: Fit,
    /// The format of the thumbnails.
    pub format: Format,
    /// The quality of every JPEG that is made.
    pub quality: Quality,
    /// What lies behind transparent pixels in a JPEG, and behind the thumbnails of a contact sheet.
    pub background: Colour,
    /// What the job's result is.
    pub result: ResultKind,
    /// The most MiB that one image may take while it is decoded.
    pub decode_mib_max: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            width: Side(256),
            height: Side(256),
            fit: Fit::Contain,
            format: Format::Jpeg,
            quality: Quality(85),
            background: Colour([255; 3]),
            result: ResultKind::Archive,
            // What a sandbox of 256 MiB, the default, can spare.
            decode_mib_max: 224,
        }
    }
}

/// How an image fits into the box. Neither way enlarges it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// All of the image is seen; one side may be shorter than the box.
    Contain,
    /// The box is filled; what protrudes on both sides is cut off.
    Cover,
}

/// The format of a thumbnail.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Small, without transparency.
    Jpeg,
    /// Exact, with transparency where the image has it.
    Png,
}

/// What the job's result is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ResultKind {
    /// A tar archive of thumbnails, contact sheets and a manifest.
    Archive,
    /// One JPEG with all thumbnails, however many.
    ContactSheet,
}

/// A side of the box in pixels, from 1 to 4096.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "u32")]
pub struct Side(u32);

impl Side {
    /// The pixels.
    pub fn pixels(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Side {
    type Error = String;

    fn try_from(pixels: u32) -> Result<Self, String> {
        within(&SIDES, pixels).map(Self)
    }
}

/// The quality of a JPEG, from 1 to 100.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "u8")]
pub struct Quality(u8);

impl Quality {
    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Quality {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        within(&QUALITIES, number).map(Self)
    }
}

/// An opaque colour: red, green, blue. Written `#rrggbb`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Colour(pub [u8; 3]);

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_colour(&text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a colour such as `#ffffff`"))
    }
}

fn parse_colour(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#')?;
    let is_hex = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}

fn within<N: PartialOrd + std::fmt::Display>(
    range: &RangeInclusive<N>,
    number: N,
) -> Result<N, String> {
    match range.contains(&number) {
        true => Ok(number),
        false => Err(format!("{number} is not between {} and {}", range.start(), range.end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let parameters = pframe_guest::parse_parameters::<Parameters>(text);
        let message = parameters.map_err(|failure| failure.to_string()).err().unwrap_or_default();
        assert!(message.starts_with(expect), "{message}");
        assert_eq!(message.is_empty(), expect.is_empty(), "{message}");
    }

    #[test]
    fn a_parameter_that_does_not_fit_is_named() {
        check("{}", "");
        check(r##"{"width": 4096, "fit": "cover", "background": "#C0ffee"}"##, "");
        check(r#"{"width": 4097}"#, "parameter `width`: 4097 is not between 1 and 4096");
        check(r#"{"height": 0}"#, "parameter `height`: 0 is not between 1 and 4096");
        check(r#"{"quality": 0}"#, "parameter `quality`: 0 is not between 1 and 100");
        check(r#"{"background": "red"}"#, "parameter `background`: `red` is not a colour");
        check(r##"{"background": "#+12345"}"##, "parameter `background`: `#+12345` is not");
        check(r#"{"format": "gif"}"#, "parameter `format`: unknown variant `gif`");
        check(r#"{"size": 3}"#, "parameter `size`: unknown field `size`");
    }
}
