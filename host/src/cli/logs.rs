//! `pframe-host logs JOB` and `pframe-host logs JOB/CHUNK#ATTEMPT`
//!
//! Owns: printing what handlers said so that it cannot steer a terminal.
//! Never: holds more than a piece of it in memory.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::ids::{AttemptId, JobId};

use super::arguments::LogsArguments;
use super::failure::Failure;
use super::history::{Found, find, job_id};
use super::porch::Porch;
use super::print::{Stdout, unwritable};
use crate::executor::LogStore;
use crate::reporter::told::say;

/// Bytes that are escaped at a time: escaped, they still fit into a [`GuestText`].
const PIECE_BYTES: usize = GuestText::BYTES_MAX / 8;

pub(super) fn logs(porch: &Porch, arguments: &LogsArguments) -> Result<ExitCode, Failure> {
    let attempt = arguments.subject.parse::<AttemptId>().ok();
    let job = match &attempt {
        Some(attempt) => attempt.job.clone(),
        None => job_id(&arguments.subject)?,
    };
    let found = find(porch, &job)?;
    let spoken = spoken(porch, &found, &job);
    match attempt {
        Some(attempt) => one(&spoken, &attempt)?,
        None => all(&spoken, &found)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The attempts that said something, in their order.
fn spoken(porch: &Porch, found: &Found, job: &JobId) -> Vec<(AttemptId, PathBuf)> {
    let store = LogStore::of_run(&porch.state_dir, found.run.id);
    let named = store.of_job(job).into_iter();
    let mut spoken: Vec<_> = named
        .filter_map(|(name, path)| Some((format!("{job}/{name}").parse().ok()?, path)))
        .collect();
    spoken.sort();
    spoken
}

fn one(spoken: &[(AttemptId, PathBuf)], wanted: &AttemptId) -> Result<(), Failure> {
    if let Some((_, path)) = spoken.iter().find(|(attempt, _)| attempt == wanted) {
        return print_log(path);
    }
    say(&format!("{wanted} said nothing{}", others(spoken)));
    Ok(())
}

fn others(spoken: &[(AttemptId, PathBuf)]) -> String {
    let names: Vec<_> = spoken.iter().take(5).map(|(attempt, _)| attempt.to_string()).collect();
    match (names.is_empty(), spoken.len().saturating_sub(names.len())) {
        (true, _) => ", nor did any other attempt of the job".into(),
        (false, 0) => format!("; these attempts did: {}", names.join(", ")),
        (false, more) => format!("; these attempts did: {} and {more} more", names.join(", ")),
    }
}

fn all(spoken: &[(AttemptId, PathBuf)], found: &Found) -> Result<(), Failure> {
    if spoken.is_empty() {
        let id = &found.job.spec.id;
        say(&match found.job.attempts {
            0 => format!("job {id} has not started, so that nothing was said"),
            1 => format!("the one attempt of job {id} said nothing"),
            attempts => format!("none of the {attempts} attempts of job {id} said anything"),
        });
    }
    for (attempt, path) in spoken {
        writeln!(Stdout::open(), "==> {attempt} <==").map_err(|error| unwritable(&error))?;
        print_log(path)?;
    }
    Ok(())
}

/// Prints a log piece by piece, each cut between two characters.
fn print_log(path: &Path) -> Result<(), Failure> {
    let unread = |error: std::io::Error| {
        Failure::at(path.display().to_string())(
            Fault::new(Code::InputOutput).detail(error.to_string()),
        )
    };
    let file = File::open(path).map_err(unread)?;
    let mut stdout = Stdout::open();
    let (mut piece, mut last) = (Vec::with_capacity(PIECE_BYTES), b'\n');
    loop {
        let room = (PIECE_BYTES - piece.len()) as u64;
        let count = (&file).take(room).read_to_end(&mut piece).map_err(unread)?;
        let end = if count == 0 { piece.len() } else { whole_characters(&piece) };
        let text = GuestText::from_bytes(&piece[..end]);
        stdout.write_all(text.as_str().as_bytes()).map_err(|error| unwritable(&error))?;
        last = text.as_str().bytes().last().unwrap_or(last);
        piece.drain(..end);
        if count == 0 {
            break;
        }
    }
    let end: &[u8] = if last == b'\n' { b"" } else { b"\n" };
    stdout.write_all(end).and_then(|()| stdout.flush()).map_err(|error| unwritable(&error))
}

/// How much of `bytes` ends with a whole character.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_never_ends_within_a_character() {
        let text = "añb".as_bytes();
        assert_eq!([1, 2, 3, 4].map(|end| whole_characters(&text[..end])), [1, 1, 3, 4]);
        assert_eq!(whole_characters(&[b'a', 0xff]), 2, "what is no text at all is passed on");
    }
}
