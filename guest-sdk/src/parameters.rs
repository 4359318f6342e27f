//! Typed parameters.
//!
//! Owns: how the JSON text of a job's `parameters` becomes a type, and the sentence when it does not.
//! Never: guesses: an unknown or missing parameter is what the type says it is.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// For tasks that take no parameters; giving one is invalid input.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Parses the JSON text of a job's `parameters`; an empty text and `null` count as `{}`.
///
/// What does not fit is [`Failure::Invalid`], and its message names the parameter.
pub fn parse_parameters<P: DeserializeOwned>(text: &str) -> Result<P, Failure> {
    let text = match text.trim() {
        "" | "null" => "{}",
        text => text,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let parameters =
        serde_path_to_error::deserialize(&mut json).map_err(|error| refused(&error))?;
    json.end()
        .map_err(|error| Failure::invalid(format!("the parameters are not JSON: {error}")))?;
    Ok(parameters)
}

fn refused(error: &serde_path_to_error::Error<serde_json::Error>) -> Failure {
    let path = error.path().to_string();
    let reason = error.inner();
    match (reason.classify(), path.as_str()) {
        (serde_json::error::Category::Data, ".") => {
            Failure::invalid(format!("the parameters do not fit: {reason}"))
        }
        (serde_json::error::Category::Data, _) => {
            Failure::invalid(format!("parameter `{path}`: {reason}"))
        }
        _ => Failure::invalid(format!("the parameters are not JSON: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        #[serde(default)]
        top: u32,
        word: Option<String>,
    }

    fn check(text: &str, expect: &str) {
        let message = parse_parameters::<Parameters>(text).map_err(|failure| failure.to_string());
        let message =
            message.map_or_else(|message| message, |parameters| format!("{parameters:?}"));
        assert!(message.starts_with(expect), "{message}");
    }

    #[test]
    fn parameters_that_fit_are_typed() {
        check(r#"{"top": 3}"#, "Parameters { top: 3, word: None }");
        check("", "Parameters { top: 0, word: None }");
        check("null", "Parameters { top: 0, word: None }");
    }

    #[test]
    fn a_parameter_that_does_not_fit_is_named() {
        check(r#"{"top": "many"}"#, "parameter `top`: invalid type: string \"many\", expected u32");
        check(r#"{"top": -1}"#, "parameter `top`: invalid value");
        check(r#"{"tpo": 1}"#, "parameter `tpo`: unknown field `tpo`, expected `top` or `word`");
    }

    #[test]
    fn text_that_is_not_json_says_so() {
        check("{", "the parameters are not JSON: EOF");
        check("{} x", "the parameters are not JSON: trailing");
        check("[true]", "parameter `[0]`");
        check("7", "the parameters do not fit: invalid type: integer `7`");
    }
}
