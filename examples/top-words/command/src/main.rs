//! The most frequent words of a text: a program that knows nothing of pframe. It reads stdin and writes stdout.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

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

fn main() -> io::Result<()> {
    let parameters = std::env::var("PFRAME_PARAMETERS").unwrap_or_else(|_| "{}".into());
    let Parameters { top } = serde_json::from_str(&parameters)?;
    let mut words: HashMap<Vec<u8>, u64> = HashMap::new();
    for line in BufReader::new(io::stdin()).split(b'\n') {
        for word in line?.split(|byte| !byte.is_ascii_alphabetic()).filter(|it| !it.is_empty()) {
            *words.entry(word.to_ascii_lowercase()).or_default() += 1;
        }
    }
    let mut ranked: Vec<_> = words.into_iter().collect();
    ranked.sort_by(|(word, count), (other, more)| {
        (Reverse(count), word).cmp(&(Reverse(more), other))
    });
    let mut output = BufWriter::new(io::stdout().lock());
    for (word, count) in ranked.into_iter().take(top) {
        writeln!(output, "{count} {}", String::from_utf8_lossy(&word))?;
    }
    output.flush()
}
