//! Lines of a chunk, one at a time.
//!
//! Owns: what a line is: the bytes up to a line feed or the end, without the line feed and one carriage return
//! before it.
//! Never: changes a byte, asks for UTF-8, or copies a line that lies within one block.

use std::io::BufRead;

use crate::failure::Failure;
use crate::read::{ReadAt, Reader};

/// The lines of something, in order. They are bytes: nothing is lost where the text is not UTF-8.
///
/// A line that crosses a block is put together in a buffer, which grows to the longest such line; see
/// [`Lines::at_most`] to bound it.
pub struct Lines<'a> {
    reader: Reader<'a>,
    joined: Vec<u8>,
    bytes_max: usize,
    number: u64,
    offset: u64,
    taken: usize,
}

/// Where the next line lies, found before anything is lent out.
enum Found {
    /// In the block at hand: this many bytes of line, after which this many are done with.
    Here(usize, usize),
    /// In the buffer of joined lines.
    Joined,
    /// There is no further line.
    End,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(data: &'a dyn ReadAt) -> Self {
        Self {
            reader: Reader::new(data),
            joined: Vec::new(),
            bytes_max: usize::MAX,
            number: 0,
            offset: 0,
            taken: 0,
        }
    }

    /// Refuses lines of more than `bytes_max` bytes as invalid input, so that memory stays bounded.
    pub fn at_most(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }

    /// The number of the line that was read last, from 1; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the line that was read last starts, in bytes from the start.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line, without its line end; `None` after the last.
    ///
    /// A final line without a line feed counts; nothing after a final line feed does not.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.reader.consume(std::mem::take(&mut self.taken));
        self.offset = self.reader.offset();
        let line = match self.find()? {
            Found::End => return Ok(None),
            Found::Here(length, taken) => {
                self.taken = taken;
                &self.reader.buffered()[..length]
            }
            Found::Joined => &self.joined,
        };
        self.number += 1;
        if line.len() > self.bytes_max {
            return Err(too_long(self.number, self.bytes_max));
        }
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    fn find(&mut self) -> Result<Found, Failure> {
        let block = self.reader.fill_buf()?;
        if block.is_empty() {
            return Ok(Found::End);
        }
        match memchr::memchr(b'\n', block) {
            Some(length) => Ok(Found::Here(length, length + 1)),
            None => self.join(),
        }
    }

    /// Puts together a line that goes beyond its block.
    fn join(&mut self) -> Result<Found, Failure> {
        self.joined.clear();
        loop {
            let block = self.reader.fill_buf()?;
            let end = memchr::memchr(b'\n', block);
            let piece = &block[..end.unwrap_or(block.len())];
            if self.joined.len().saturating_add(piece.len()) > self.bytes_max {
                return Err(too_long(self.number + 1, self.bytes_max));
            }
            self.joined.extend_from_slice(piece);
            let length = piece.len();
            let done = block.is_empty() || end.is_some();
            self.reader.consume(length + usize::from(end.is_some()));
            if done {
                return Ok(Found::Joined);
            }
        }
    }
}

fn too_long(number: u64, bytes_max: usize) -> Failure {
    Failure::invalid(format!("line {number} is longer than {bytes_max} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bytes;

    /// The lines of `text` for every block size that could matter, which must all agree.
    fn check(text: &[u8], expect: &[&[u8]]) {
        for block in 1..=text.len().max(1) + 1 {
            let data = Bytes::new(text.to_vec()).in_blocks_of(block);
            let mut lines = Lines::new(&data);
            let mut seen = Vec::new();
            while let Some(line) = lines.next_line().expect("bytes in memory can be read") {
                seen.push(line.to_vec());
            }
            assert_eq!(seen, expect, "in blocks of {block}");
        }
    }

    #[test]
    fn lines_end_with_a_line_feed_or_the_end() {
        check(b"", &[]);
        check(b"\n", &[b""]);
        check(b"one", &[b"one"]);
        check(b"one\n", &[b"one"]);
        check(b"one\n\ntwo", &[b"one", b"", b"two"]);
    }

    #[test]
    fn one_carriage_return_belongs_to_the_line_end() {
        check(b"one\r\ntwo\r\n", &[b"one", b"two"]);
        check(b"one\r\r\n", &[b"one\r"]);
        check(b"a\rb\n", &[b"a\rb"]);
        check(b"last\r", &[b"last"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_come_through() {
        check(b"\xff\x00\n\xc3\n", &[b"\xff\x00", b"\xc3"]);
    }

    #[test]
    fn number_and_offset_are_those_of_the_last_line() {
        let data = Bytes::new(b"ab\r\ncd\n".to_vec()).in_blocks_of(3);
        let mut lines = Lines::new(&data);
        let mut places = Vec::new();
        while lines.next_line().expect("bytes in memory can be read").is_some() {
            places.push((lines.number(), lines.offset()));
        }
        assert_eq!(places, [(1, 0), (2, 4)]);
    }

    #[test]
    fn one_very_long_line_works() {
        let data = Bytes::new(vec![b'x'; 10 << 20]);
        let mut lines = Lines::new(&data);
        assert_eq!(lines.next_line().map(|line| line.map(<[u8]>::len)), Ok(Some(10 << 20)));
    }

    #[test]
    fn a_line_above_the_limit_is_invalid_input() {
        for block in [2, 100] {
            let data = Bytes::new(b"ok\nfar too long\n".to_vec()).in_blocks_of(block);
            let mut lines = Lines::new(&data).at_most(4);
            assert_eq!(lines.next_line(), Ok(Some(&b"ok"[..])));
            assert_eq!(lines.next_line(), Err(Failure::invalid("line 2 is longer than 4 bytes")));
        }
    }
}
