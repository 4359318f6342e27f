//! `pframe-host gc`
//!
//! Owns: what is no longer kept: finished runs past `retention`, and files that no run needs.
//! Never: touches an unfinished run, or anything while a host uses the state directory.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use pframe_core::config::Retention;
use pframe_core::event::{Event, Record};
use pframe_core::ids::Digest;
use pframe_core::units::{ByteSize, Timestamp};

use super::arguments::GcArguments;
use super::failure::Failure;
use super::porch::Porch;
use super::print::print;
use super::sweep::{Mode, Sweep, Tally, folder_bytes};
use super::times::now;
use crate::data::bundle;
use crate::journal::{HostLock, JournalReader, RunSummary, SqliteJournal};
use crate::reporter::amounts::about;

pub(super) fn gc(porch: &Porch, arguments: &GcArguments) -> Result<ExitCode, Failure> {
    let mode = if arguments.dry_run { Mode::Look } else { Mode::Remove };
    let is_there = porch.state_dir.is_dir();
    let _lock = is_there.then(|| HostLock::take(&porch.state_dir)).transpose()?;
    let retention = porch.config.storage.retention;
    let held = survey(porch)?;
    let going = choose(&held, retention, now());
    let kept = || held.iter().filter(|run| !going.contains(&run.summary.id));
    let mut sweep = Sweep::new(mode, now());
    let runs: BTreeSet<i64> = kept().map(|run| run.summary.id).collect();
    let lines = [
        ("runs", journal_tally(&held, &going)),
        ("logs", sweep.logs(&porch.state_dir, &runs)),
        ("chunks", sweep.dead_letters(&porch.state_dir, &runs)),
        ("results", sweep.results(&porch.state_dir, &union(kept().map(|run| &run.results)))),
        (
            "components",
            sweep.components(&porch.state_dir, &union(kept().map(|run| &run.components))),
        ),
        ("cached", sweep.cached(&porch.state_dir, retention.age)),
        ("artefacts", sweep.artefacts(&porch.cache_dir, retention.age)),
        ("leftovers", sweep.leftovers(&porch.state_dir, &porch.cache_dir)),
    ];
    sweep.report()?;
    if mode == Mode::Remove && !going.is_empty() {
        // Last: what a run left is found by its number, which is given again once the run is forgotten.
        let mut journal = SqliteJournal::open(&porch.state_dir)?;
        let runs: Vec<_> = going.iter().copied().collect();
        journal.forget(&runs)?;
        journal.shrink()?;
    }
    print(&text(&lines, runs.len(), mode))?;
    Ok(ExitCode::SUCCESS)
}

/// A run, and what it holds.
#[derive(Debug)]
struct Held {
    summary: RunSummary,
    journal_bytes: u64,
    other_bytes: u64,
    results: BTreeSet<Digest>,
    components: BTreeSet<Digest>,
}

fn survey(porch: &Porch) -> Result<Vec<Held>, Failure> {
    let Some(journal) = JournalReader::open(&porch.state_dir)? else { return Ok(Vec::new()) };
    let journal_bytes = journal.bytes_by_run()?;
    let look = |summary: RunSummary| {
        let logs = porch.state_dir.join("logs").join(summary.id.to_string());
        let letters = porch.state_dir.join(bundle::FOLDER).join(summary.id.to_string());
        let mut stored = BTreeMap::new();
        let mut components = BTreeSet::new();
        journal.each(summary.id, |record| note(record, &mut stored, &mut components))?;
        Ok(Held {
            journal_bytes: journal_bytes.get(&summary.id).copied().unwrap_or(0),
            other_bytes: folder_bytes(&logs)
                + folder_bytes(&letters)
                + stored.values().sum::<u64>(),
            results: stored.into_keys().collect(),
            components,
            summary,
        })
    };
    journal.runs()?.into_iter().map(look).collect()
}

fn note(record: &Record, stored: &mut BTreeMap<Digest, u64>, components: &mut BTreeSet<Digest>) {
    if let Event::JobAccepted { job } = &record.event {
        components.insert(job.task.component);
    }
    stored.extend(record.event.stored());
}

/// Finished runs that are too old, then the oldest of the others while they take too much space.
fn choose(held: &[Held], retention: Retention, now: Timestamp) -> BTreeSet<i64> {
    let mut finished: Vec<_> =
        held.iter().filter_map(|run| Some((run.summary.finished_at?, run))).collect();
    finished.sort_by_key(|(at, run)| (*at, run.summary.id));
    let mut bytes: u64 = finished.iter().map(|(_, run)| run.journal_bytes + run.other_bytes).sum();
    let mut going = BTreeSet::new();
    for (at, run) in finished {
        let is_old = now.since(at) > retention.age;
        if !is_old && bytes <= retention.bytes.bytes() {
            break;
        }
        bytes -= run.journal_bytes + run.other_bytes;
        going.insert(run.summary.id);
    }
    going
}

fn union<'a>(sets: impl Iterator<Item = &'a BTreeSet<Digest>>) -> BTreeSet<Digest> {
    sets.flatten().copied().collect()
}

fn journal_tally(held: &[Held], going: &BTreeSet<i64>) -> Tally {
    let mut tally = Tally::default();
    for run in held.iter().filter(|run| going.contains(&run.summary.id)) {
        tally.add(run.journal_bytes);
    }
    tally
}

fn text(lines: &[(&str, Tally)], runs_kept: usize, mode: Mode) -> String {
    let verb = match mode {
        Mode::Remove => "removed",
        Mode::Look => "would be removed",
    };
    let told = lines.iter().filter(|(_, tally)| tally.count > 0);
    let mut text: Vec<_> = told
        .map(|(what, tally)| {
            format!("{what:<11} {} {verb}, {}", tally.count, about(ByteSize(tally.bytes)))
        })
        .collect();
    let bytes = about(ByteSize(lines.iter().map(|(_, tally)| tally.bytes).sum()));
    let kept = super::check::counted(runs_kept, "run");
    text.push(match (text.is_empty(), mode) {
        (true, _) => format!("nothing to remove; {kept} kept"),
        (false, Mode::Remove) => format!("freed {bytes}; {kept} kept"),
        (false, Mode::Look) => format!("{bytes} would be freed; {kept} kept"),
    });
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn held(id: i64, finished_s: Option<u64>, bytes: u64) -> Held {
        let at = |seconds| Timestamp::default().after(Duration::from_secs(seconds));
        let finished_at = finished_s.map(at);
        let summary =
            RunSummary { id, file: String::new(), jobs: 1, started_at: at(0), finished_at };
        let (results, components) = (BTreeSet::new(), BTreeSet::new());
        Held { summary, journal_bytes: bytes, other_bytes: 0, results, components }
    }

    fn going(held: &[Held], age_s: u64, bytes: u64) -> Vec<i64> {
        let retention = Retention { age: Duration::from_secs(age_s), bytes: ByteSize(bytes) };
        let now = Timestamp::default().after(Duration::from_secs(100));
        choose(held, retention, now).into_iter().collect()
    }

    #[test]
    fn what_is_too_old_goes() {
        let runs = [held(1, Some(10), 5), held(2, Some(90), 5), held(3, Some(20), 5)];
        assert_eq!(going(&runs, 50, 1000), [1, 3]);
        assert_eq!(going(&runs, 95, 1000), [] as [i64; 0]);
    }

    #[test]
    fn the_oldest_go_while_there_is_too_much() {
        let runs = [held(1, Some(30), 5), held(2, Some(20), 5), held(3, Some(40), 5)];
        assert_eq!(going(&runs, 1000, 15), [] as [i64; 0]);
        assert_eq!(going(&runs, 1000, 14), [2]);
        assert_eq!(going(&runs, 1000, 0), [1, 2, 3]);
    }

    #[test]
    fn an_unfinished_run_stays_however_old_and_large() {
        assert_eq!(going(&[held(1, None, 1 << 40)], 0, 0), [] as [i64; 0]);
    }
}
