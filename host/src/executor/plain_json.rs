//! JSON of which every parser understands the same: text that is UTF-8 and not deeply nested.
//!
//! Owns: what a parser that only skips values does not look at.
//! Never: holds more than a character; whether it is JSON at all is for the parser to say.

use std::io::{self, Read};

/// Brackets within brackets; `serde_json` and others read no more.
const DEPTH_MAX: u32 = 127;

/// Passes bytes on, and fails with [`io::ErrorKind::InvalidData`] at the first that are not plain.
pub(super) struct PlainJson<R> {
    inner: R,
    depth: u32,
    place: Place,
    /// The beginning of a character whose end was not read yet.
    begun: Vec<u8>,
}

/// Where in a text the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    InString,
    /// Behind a backslash.
    Escaped,
}

impl<R: Read> PlainJson<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, depth: 0, place: Place::Outside, begun: Vec::new() }
    }

    fn see(&mut self, bytes: &[u8]) -> io::Result<()> {
        for &byte in bytes {
            self.place = match (self.place, byte) {
                (Place::Outside, b'"') | (Place::Escaped, _) => Place::InString,
                (Place::InString, b'"') => Place::Outside,
                (Place::InString, b'\\') => Place::Escaped,
                (place, _) => place,
            };
            match (self.place, byte) {
                (Place::Outside, b'[' | b'{') => self.depth += 1,
                (Place::Outside, b']' | b'}') => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth > DEPTH_MAX {
                return Err(invalid("a value is nested too deeply"));
            }
        }
        self.see_text(bytes)
    }

    fn see_text(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut bytes = bytes;
        while !self.begun.is_empty() && !bytes.is_empty() {
            self.begun.push(bytes[0]);
            bytes = &bytes[1..];
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(invalid("a text is not UTF-8")),
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                self.begun.extend_from_slice(&bytes[error.valid_up_to()..]);
                Ok(())
            }
            Err(_) => Err(invalid("a text is not UTF-8")),
        }
    }
}

impl<R: Read> Read for PlainJson<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.see(&into[..count])?;
        if count == 0 && !into.is_empty() && !self.begun.is_empty() {
            return Err(invalid("a text is not UTF-8"));
        }
        Ok(count)
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three bytes at a time, so that characters are torn.
    fn read(bytes: &[u8]) -> io::Result<usize> {
        let mut reader = PlainJson::new(bytes);
        let (mut piece, mut total) = ([0; 3], 0);
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(total),
                count => total += count,
            }
        }
    }

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn what_is_plain_passes_whole() {
        let brackets = format!("\"{}\\\"[\" ", "[{".repeat(1000));
        for text in ["", "ä€😀 [1]", &nested(127), &nested(100).repeat(9), &brackets] {
            assert_eq!(read(text.as_bytes()).unwrap(), text.len(), "{text}");
        }
    }

    #[test]
    fn depth_and_broken_text_are_refused() {
        for bytes in
            [nested(128).as_bytes(), b"\"\xff\"", b"\"\xe2\x82\"", b"\"\xe2\x82", b"\xed\xa0\x80"]
        {
            assert_eq!(read(bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
