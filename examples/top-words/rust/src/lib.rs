//! The most frequent words of a text.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Write;

use pframe_guest::{Chunk, Collector, Failure, Handler, Output, Partials};

/// How often each word occurs, in small letters.
type Words = HashMap<Vec<u8>, u64>;

/// The task type `top-words`.
struct TopWords;

/// What a job may set.
#[derive(serde::Deserialize)]
#[serde(default)]
struct Parameters {
    top: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { top: 10 }
    }
}

impl Handler for TopWords {
    type Parameters = Parameters;

    fn run(chunk: &Chunk, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        let mut words = Words::new();
        let mut lines = chunk.lines();
        while let Some(line) = lines.next_line()? {
            for word in line.split(|byte| !byte.is_ascii_alphabetic()).filter(|it| !it.is_empty()) {
                *words.entry(word.to_ascii_lowercase()).or_default() += 1;
            }
        }
        write(words, output)
    }
}

impl Collector for TopWords {
    type Parameters = Parameters;

    fn combine(parts: &Partials, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        write(total(parts)?, output)
    }

    fn finish(
        parts: &Partials,
        parameters: Parameters,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut ranked: Vec<_> = total(parts)?.into_iter().collect();
        ranked.sort_by(|(word, count), (other, more)| {
            (Reverse(count), word).cmp(&(Reverse(more), other))
        });
        ranked.truncate(parameters.top);
        write(ranked, output)
    }
}

fn total(parts: &Partials) -> Result<Words, Failure> {
    let mut words = Words::new();
    for part in parts.iter() {
        let mut lines = part.lines();
        while let Some(line) = lines.next_line()? {
            let text = str::from_utf8(line)?;
            let (count, word) = text.split_once(' ').unwrap_or(("0", text));
            let count: u64 = count.parse().map_err(|_| Failure::permanent("a part is damaged"))?;
            *words.entry(word.into()).or_default() += count;
        }
    }
    Ok(words)
}

fn write(
    words: impl IntoIterator<Item = (Vec<u8>, u64)>,
    output: &mut Output,
) -> Result<(), Failure> {
    for (word, count) in words {
        writeln!(output, "{count} {}", String::from_utf8_lossy(&word))?;
    }
    Ok(())
}

pframe_guest::export!(TopWords with collector);
