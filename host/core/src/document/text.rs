//! From bytes to text that the parser may see.
//!
//! Owns: the limit on size, and refusing every encoding but UTF-8.
//! Never: repairs; a byte that is wrong is named with its place.

use super::problems::Problems;
use super::tree::Place;

/// The largest file that is read: about 250,000 jobs.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

const SAVE_AS_UTF8: &str = "save the file as UTF-8";

/// Checks size, encoding and control characters; a byte order mark is dropped.
pub(super) fn decode<'b>(bytes: &'b [u8], problems: &mut Problems) -> Option<&'b str> {
    if bytes.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes, at most 16 MiB are read", bytes.len());
        problems.add_at(Place::START, &message, "split it into several files");
        return None;
    }
    if is_utf16_or_utf32(bytes) {
        problems.add_at(Place::START, "the file is UTF-16 or UTF-32, not UTF-8", SAVE_AS_UTF8);
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let place = place_of(bytes, error.valid_up_to());
            problems.add_at(place, "not valid UTF-8", SAVE_AS_UTF8);
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.char_indices().find(|(_, character)| is_forbidden(*character)) {
        None => Some(text),
        Some((offset, character)) => {
            let message = format!("control character U+{:04X}", u32::from(character));
            let advice = "delete it, or write it as an escape in double quotes";
            problems.add_at(place_of(text.as_bytes(), offset), &message, advice);
            None
        }
    }
}

/// By byte order mark, or by the zero byte that every ASCII character brings along at the start.
fn is_utf16_or_utf32(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff, ..])
        || matches!(bytes, [first, 0, ..] | [0, first, ..] if *first != 0)
}

/// What YAML 1.2 (§5.1) calls not printable. JSON takes some of these in strings; they are refused alike.
fn is_forbidden(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        other => other.is_control(),
    }
}

/// The place of the byte at `offset`; what stands before it is valid UTF-8.
fn place_of(bytes: &[u8], offset: usize) -> Place {
    let before = &bytes[..offset];
    let (mut line, mut last) = (0, before);
    for (index, text) in before.split(|&byte| byte == b'\n').enumerate() {
        (line, last) = (index, text);
    }
    let column = String::from_utf8_lossy(last).chars().count();
    Place { line: from_one(line), column: from_one(column) }
}

fn from_one(count: usize) -> u32 {
    u32::try_from(count + 1).unwrap_or(u32::MAX)
}
