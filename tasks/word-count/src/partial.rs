//! What a chunk's counts look like on their way to the result.
//!
//! Owns: the format: one line for each word, `COUNT WORD`, in the order of the words' bytes.
//! Never: leaves a word out.

use std::io::Write;

use pframe_guest::{Failure, Output, Partial};

use crate::counter::Counts;
use crate::table::Word;

/// Lines are collected up to this size, as large as the output passes on without collecting it again.
const BATCH_BYTES: usize = 64 << 10;

/// Writes counts as lines.
pub(crate) fn write(counts: Counts, output: &mut Output) -> Result<(), Failure> {
    let mut lines = Vec::with_capacity(BATCH_BYTES * 2);
    let mut outcome = Ok(());
    counts.each_sorted(|word, count| {
        push_line(word, count, &mut lines);
        if lines.len() >= BATCH_BYTES && outcome.is_ok() {
            outcome = output.write_all(&lines);
            lines.clear();
        }
    });
    outcome?;
    Ok(output.write_all(&lines)?)
}

/// Adds the lines of a part to counts.
pub(crate) fn read(part: &Partial, counts: &mut Counts) -> Result<(), Failure> {
    let mut lines = part.lines();
    while let Some(line) = lines.next_line()? {
        let Some((count, word)) = parse(line) else {
            let place = format!("line {} of part {}", lines.number(), part.index());
            return Err(Failure::permanent(format!("{place} is not `COUNT WORD`")));
        };
        counts.add(word, count);
    }
    Ok(())
}

/// Without a copy of variable length for a short word: in WebAssembly that is a call.
fn push_line(word: Word<'_>, count: u64, lines: &mut Vec<u8>) {
    push_number(count, lines);
    lines.push(b' ');
    match word {
        Word::Short(bytes, length) => {
            let end = lines.len() + length;
            lines.extend_from_slice(bytes);
            lines.truncate(end);
        }
        Word::Long(bytes) => lines.extend_from_slice(bytes),
    }
    lines.push(b'\n');
}

/// The digits of a number, the highest first.
fn push_number(number: u64, lines: &mut Vec<u8>) {
    let mut unit = 1;
    while number / unit > 9 {
        unit *= 10;
    }
    while unit > 0 {
        lines.extend((number / unit % 10).to_le_bytes().first().map(|digit| b'0' + digit));
        unit /= 10;
    }
}

fn parse(line: &[u8]) -> Option<(u64, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let count = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    let word = &line[space + 1..];
    (!word.is_empty()).then_some((count, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_and_parsed() {
        for count in [1, 9, 10, 99, 100, 1_234_567_890, u64::MAX] {
            for word in ["a", "sixteen-letters!", "incomprehensibilities"] {
                let mut line = Vec::new();
                let mut counts = Counts::default();
                counts.add(word.as_bytes(), count);
                counts.each_sorted(|word, count| push_line(word, count, &mut line));
                assert_eq!(line, format!("{count} {word}\n").as_bytes());
                assert_eq!(parse(line.trim_ascii_end()), Some((count, word.as_bytes())));
            }
        }
    }

    #[test]
    fn other_lines_are_refused() {
        for line in ["", "7", "7 ", " word", "seven word", "-7 word"] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
    }
}
