//! Writes the lines that contain a word.

use std::io::Write;

use pframe_guest::{Chunk, Failure, Handler, Output};

/// What a job sets: `parameters: { word: truth }`.
#[derive(serde::Deserialize)]
struct Find {
    word: String,
}

impl Handler for Find {
    type Parameters = Self;

    fn run(chunk: &Chunk, find: Self, output: &mut Output) -> Result<(), Failure> {
        let mut lines = chunk.lines();
        while let Some(line) = lines.next_line()? {
            let line = String::from_utf8_lossy(line);
            if line.contains(&find.word) {
                writeln!(output, "{line}")?;
            }
        }
        Ok(())
    }
}

pframe_guest::export!(Find);
