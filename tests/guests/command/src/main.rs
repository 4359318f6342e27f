//! A plain WASI command: counts the lines of its stdin.
//!
//! Owns: the proof that a program which knows nothing of pframe is a task type.
//! Never: imports `pframe:task`.
//!
//! `PFRAME_PARAMETERS` may ask it to end otherwise: `{"exit": 3}`, or `{"exit": 3, "say": "why"}` on stderr; or to leave what it
//! counted as a file on its disk: `{"leave": true}`.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    exit: u8,
    say: String,
    leave: bool,
}

fn main() -> io::Result<ExitCode> {
    let text = std::env::var("PFRAME_PARAMETERS").unwrap_or_else(|_| "{}".into());
    let parameters: Parameters = serde_json::from_str(&text)?;
    let lines = count_lines(io::stdin().lock())?;
    if parameters.leave {
        std::fs::create_dir("/scratch/out")?;
        std::fs::write("/scratch/out/result", format!("{lines} lines\n"))?;
    } else {
        writeln!(io::stdout(), "{lines}")?;
    }
    if !parameters.say.is_empty() {
        writeln!(io::stderr(), "{}", parameters.say)?;
    }
    Ok(ExitCode::from(parameters.exit))
}

fn count_lines(mut input: impl BufRead) -> io::Result<u64> {
    let mut lines = 0;
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        lines += 1;
        line.clear();
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_an_end_counts() {
        for (text, lines) in [("", 0), ("a", 1), ("a\n", 1), ("a\n\nb", 3)] {
            assert_eq!(count_lines(text.as_bytes()).ok(), Some(lines));
        }
    }
}
