//! Measures pframe-host against bare wasmtime and native code, in one run, and prints a table.
//!
//! Owns: what is measured and what is aimed at. Every comparison is a ratio of two figures taken in
//! the same process, one after the other, because machines are shared and noisy.
//! Never: judges; a figure that falls short is printed like any other.
//!
//! Run it with `cargo xtask bench`; arguments pick measurements by name.

mod bare;
mod idle;
mod languages;
mod process;
mod runaway;
mod setup;
mod speech;
mod table;
mod tiny;
mod waiting;
mod whisper;
mod words;

use table::Row;

/// A measurement: its name, and what it does.
type Measurement = (&'static str, fn() -> Vec<Row>);

const MEASUREMENTS: &[Measurement] = &[
    ("tiny", tiny::in_memory),
    ("durable", tiny::durable),
    ("processes", tiny::in_processes),
    ("idle", idle::latency),
    ("waiting", waiting::memory),
    ("words", words::throughput),
    ("cached", words::taken_again),
    ("process", process::fresh),
    ("languages", languages::start),
    ("runaway", runaway::recovery),
    ("pocketsphinx", speech::pocketsphinx),
    ("whisper", speech::whisper),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|role| role == whisper::ROLE) {
        return whisper::serve(&arguments[1..]);
    }
    let wanted: Vec<String> =
        arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut rows = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            rows.extend(measure());
        }
    }
    table::print(&rows);
}
