//! Writes the lines that contain a word: a program that knows nothing of pframe. It reads stdin and writes stdout.

use std::io::{self, BufRead, BufWriter, Write};

/// What a job sets: `parameters: { word: truth }`.
#[derive(serde::Deserialize)]
struct Find {
    word: String,
}

fn main() -> io::Result<()> {
    let parameters = std::env::var("PFRAME_PARAMETERS").unwrap_or_default();
    let find: Find = serde_json::from_str(&parameters)?;
    let mut output = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.contains(&find.word) {
            writeln!(output, "{line}")?;
        }
    }
    output.flush()
}
