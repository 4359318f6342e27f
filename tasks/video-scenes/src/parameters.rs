//! What a job may set.
//!
//! Owns: the parameters as types that hold nothing but what is allowed.
//! Never: repairs a value: one that does not fit is refused by name.

use std::num::NonZeroU32;

use serde::Deserialize;

/// What a job may set.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// How many frames a chunk has; the last one of a video may have fewer.
    pub chunk_frames: NonZeroU32,
    /// The difference of two neighbouring frames above which there is a cut.
    pub threshold: Threshold,
    /// A scene has at least this many frames: a cut that comes sooner is none.
    pub min_scene_frames: NonZeroU32,
    /// What the job's result is.
    pub result: ResultKind,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            chunk_frames: number(250),
            threshold: Threshold(0.5),
            min_scene_frames: number(12),
            result: ResultKind::Json,
        }
    }
}

const fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("a default is not zero")
}

/// What the job's result is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ResultKind {
    /// One line of JSON for each video.
    Json,
    /// A plot of each video.
    Svg,
}

/// A difference of two histograms, from 0 (the same) to 1 (nothing in common).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(try_from = "f64")]
pub struct Threshold(f64);

impl Threshold {
    /// The number.
    pub fn number(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Threshold {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        match (0.0..=1.0).contains(&number) {
            true => Ok(Self(number)),
            false => Err(format!("{number} is not between 0 and 1")),
        }
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
        check(r#"{"chunk_frames": 1, "threshold": 1, "min_scene_frames": 1, "result": "svg"}"#, "");
        check(r#"{"chunk_frames": 0}"#, "parameter `chunk_frames`: invalid value: integer `0`");
        check(r#"{"threshold": 1.5}"#, "parameter `threshold`: 1.5 is not between 0 and 1");
        check(r#"{"result": "png"}"#, "parameter `result`: unknown variant `png`");
        check(r#"{"fps": 25}"#, "parameter `fps`: unknown field `fps`");
    }
}
