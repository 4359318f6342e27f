//! The demo's input: made once, the same bytes on every machine.
//!
//! Owns: how many files of what size, and their names.
//! Never: makes a file anew that is there: a run that was interrupted goes on only if its input has not changed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use super::events::Events;
use super::texts::Prose;
use crate::Outcome;
use crate::talk::say;

const TEXTS: u64 = 16;
const TEXT_BYTES: u64 = 4 << 20;
const EVENT_FILES: u64 = 4;
const EVENT_BYTES: u64 = 4 << 20;

/// Makes what is missing below the folder.
pub(super) fn make(folder: &Path) -> Outcome {
    say(&format!(
        "input: {TEXTS} texts of {} MiB in {1}/texts, {EVENT_FILES} files of {2} MiB of JSON lines in {1}/events, made from fixed seeds",
        TEXT_BYTES >> 20,
        super::FOLDER,
        EVENT_BYTES >> 20,
    ));
    for seed in 1..=TEXTS {
        let path = folder.join(format!("texts/novel-{seed:02}.txt"));
        once(&path, |file| Prose::seeded(seed).write(TEXT_BYTES, file))?;
    }
    for seed in 1..=EVENT_FILES {
        let path = folder.join(format!("events/day-{seed:02}.jsonl"));
        once(&path, |file| Events::seeded(seed).write(EVENT_BYTES, file))?;
    }
    Ok(())
}

/// Writes beside and renames, so that a file which is there is whole.
fn once(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Outcome {
    if path.exists() {
        return Ok(());
    }
    let unfinished = path.with_extension("unfinished");
    let made = fs::create_dir_all(path.parent().unwrap_or(path))
        .and_then(|()| File::create(&unfinished))
        .and_then(|file| {
            let mut file = BufWriter::new(file);
            write(&mut file)?;
            file.flush()
        })
        .and_then(|()| fs::rename(&unfinished, path));
    made.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
