//! The parser's errors in the words of this house.
//!
//! Owns: message and advice for each syntax error that people meet.
//! Never: parses.

use granit_parser::{ErrorKind, ScanError};

use super::builder::DEPTH_MAX;
use super::suggest::shown;

/// What is wrong, and what to do about it.
pub(super) fn explain(error: &ScanError) -> (String, &'static str) {
    let kind = error.kind();
    let told = match kind {
        ErrorKind::RecursionLimitExceeded => {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            return (message, "flatten the document");
        }
        ErrorKind::DirectiveDisallowed => (
            "directives such as `%YAML` are not read",
            "delete the line; the file is read as YAML 1.2",
        ),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            ("a tab where only spaces may stand", "indent with spaces")
        }
        ErrorKind::UnclosedQuotedScalar => {
            ("a quote is opened and never closed", "close the quote")
        }
        ErrorKind::UnexpectedEof
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping => (
            "the file ends in the middle of a value",
            "close what is open; the file may be cut short",
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            let message = format!("`{open}` is opened and never closed");
            return (message, "close the bracket; the file may be cut short");
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), "match the brackets");
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let message = format!("{} cannot begin a value", shown(&character.to_string()));
            return (message, "put the value in quotes");
        }
        ErrorKind::ExpectedFlowSequenceSeparator => {
            ("expected `,` or `]` in a list", "separate the items with commas")
        }
        ErrorKind::ExpectedFlowMappingSeparator => {
            ("expected `,` or `}` in a mapping", "separate the entries with commas")
        }
        ErrorKind::ExpectedBlockMappingKey => {
            ("expected a key at this indentation", "align the keys of one mapping in one column")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => {
            ("the indentation does not fit what surrounds it", "align it with the lines above")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("expected `:` after a key", "write `key: value`")
        }
        ErrorKind::MappingValueNotAllowed => (
            "`:` is not expected here",
            "check the indentation, and put text that contains `: ` in quotes",
        ),
        ErrorKind::BomInsideDocument => ("a byte order mark inside the text", "delete it"),
        _ => return (format!("not valid YAML: {kind}"), ""),
    };
    (told.0.to_owned(), told.1)
}
