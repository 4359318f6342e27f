//! What a chunk's counts look like on their way to the result.
//!
//! Owns: the format: one line for each word, `COUNT WORD`, in the order of the words' bytes.
//! Never: leaves a word out.

use std::io::Write;

use pframe_guest::{Failure, Output, Partial};

use crate::counter::Counts;

/// Writes counts as lines.
pub(crate) fn write(counts: Counts, output: &mut Output) -> Result<(), Failure> {
    for (word, count) in counts.into_sorted() {
        write!(output, "{count} ")?;
        output.write_all(&word)?;
        output.write_all(b"\n")?;
    }
    Ok(())
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

fn parse(line: &[u8]) -> Option<(u64, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let count = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    Some((count, &line[space + 1..]))
}
