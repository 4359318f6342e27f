//! What a job may set.

use pframe_guest::speech::Device;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

/// What a job may set.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Name of the model: `tiny` … `large-v3`, `turbo`, or whatever it was added as.
    #[serde(alias = "model")]
    pub model_size: String,
    /// Code of the language, such as `en`; found out where nothing is said.
    pub language: Option<String>,
    /// Pieces in which a chunk is handed over; nothing said: all of it at once.
    pub chunk_size: Option<Length>,
    /// Where the model shall run.
    pub device: DeviceName,
    /// Whether the JSON form has the time of every word.
    pub word_times: bool,
    /// The form of the result.
    pub format: Format,
    /// Whether `pocketsphinx` may do the work of a model that is not there.
    pub fallback: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            model_size: "base".into(),
            language: None,
            chunk_size: None,
            device: DeviceName::Auto,
            word_times: false,
            format: Format::Txt,
            fallback: false,
        }
    }
}

/// Where the model shall run.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DeviceName {
    /// A graphics processor where there is one.
    Auto,
    /// The processor.
    Cpu,
    /// A graphics processor.
    Cuda,
}

impl From<DeviceName> for Device {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Auto => Self::Auto,
            DeviceName::Cpu => Self::Cpu,
            DeviceName::Cuda => Self::Cuda,
        }
    }
}

/// The form of the result.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain text, a line for each segment.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// Everything that is known.
    Json,
}

/// A length of time: a number of seconds, or a text such as `10min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(u64);

impl Length {
    /// In milliseconds.
    pub fn ms(self) -> u64 {
        self.0
    }

    /// Units as job files write them, in milliseconds.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim() {
            "ms" => 1.0,
            "" | "s" | "sec" => 1000.0,
            "m" | "min" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        let ms = number.parse::<f64>().ok()? * unit;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a day")]
        (1000.0..=86_400_000.0).contains(&ms).then_some(Self(ms as u64))
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = serde_json::Value::deserialize(deserializer)?;
        let text = match &written {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let wrong = || de::Error::custom(format!("`{text}` is no length from 1 s to 24 h"));
        Self::parse(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Parameters, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_old_calls_parameters_are_understood() {
        let parameters =
            parse(r#"{"model_size":"base","chunk_size":"10min","device":"auto"}"#).unwrap();
        assert_eq!(parameters.chunk_size.map(Length::ms), Some(600_000));
        assert_eq!(parse("{}").unwrap(), Parameters::default());
        assert_eq!(parse(r#"{"model":"tiny"}"#).unwrap().model_size, "tiny");
        assert_eq!(parse(r#"{"chunk_size":30}"#).unwrap().chunk_size.map(Length::ms), Some(30_000));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for json in [
            r#"{"modelsize":"base"}"#,
            r#"{"device":"tpu"}"#,
            r#"{"format":"doc"}"#,
            r#"{"chunk_size":"soon"}"#,
            r#"{"chunk_size":"0"}"#,
        ] {
            assert!(parse(json).is_err(), "{json}");
        }
    }
}
