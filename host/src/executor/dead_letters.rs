//! Chunks that failed for good, each kept as a bundle that runs it again alone.
//!
//! Owns: which are kept, and how many. The thread that writes reads inputs, which may take long.
//! Its limits: [`LETTERS_MAX`] bundles of a run, and `storage.dead_letter_bytes_max` bytes of chunks in them.
//! Never: fails a job, or holds up the engine but at the end of a run, for half a minute: what cannot be kept is only told.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pframe_core::dead_letters::{DeadLetters, FailedChunk};
use pframe_core::event::Record;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, Step};
use pframe_core::job::Source;
use pframe_core::units::ByteSize;

use super::Site;
use super::assignment::{bytes, open_for};
use crate::capability::input::Medium;
use crate::data::bundle::{self, Bundle, BundledChunk, Found};
use crate::outside::Patience;
use crate::registry::copy_path;

/// How long the bytes of one chunk may take to be fetched again, where they are behind a URL.
const FETCH_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the end of a run waits for what is still to be written.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(30);

/// Bundles of one run that are kept: nobody looks at more one by one, and `retry` does not need them.
const LETTERS_MAX: u32 = 10_000;

/// Where bundles go.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    /// Of the host.
    pub(crate) state_dir: PathBuf,
    /// Of this host's life.
    pub(crate) run: i64,
    /// Bytes of chunks, all together.
    pub(crate) bytes_max: ByteSize,
}

/// Follows what is recorded, and has bundles written.
pub(crate) struct DeadLetterOffice {
    site: Arc<Site>,
    letters: DeadLetters,
    accepted: u32,
    /// When nothing is fetched any more: the run waits to end.
    end_at: Arc<OnceLock<Instant>>,
    clerk: Option<(mpsc::Sender<Errand>, JoinHandle<()>)>,
}

enum Errand {
    Write(Box<FailedChunk>),
    /// Answers when everything before it is written.
    Tell(mpsc::Sender<()>),
}

impl DeadLetterOffice {
    /// Opens the office; nothing is written before something failed.
    pub(crate) fn open(site: &Arc<Site>, shelf: Shelf) -> Result<Self, Fault> {
        bundle::sweep(&shelf.state_dir);
        let (sender, errands) = mpsc::channel();
        let end_at = Arc::new(OnceLock::new());
        let mut clerk = Clerk {
            site: Arc::clone(site),
            shelf,
            end_at: Arc::clone(&end_at),
            kept: 0,
            is_full: false,
        };
        let thread = std::thread::Builder::new()
            .name("pframe-letters".into())
            .spawn(move || errands.iter().for_each(|errand| clerk.run(errand)))
            .map_err(|error| Fault::new(Code::StateUnusable).detail(format!("threads: {error}")))?;
        let (site, clerk) = (Arc::clone(site), Some((sender, thread)));
        Ok(Self { site, letters: DeadLetters::default(), accepted: 0, end_at, clerk })
    }

    /// Folds a turn's records, or those of an earlier life.
    pub(crate) fn see(&mut self, records: &[Record]) {
        for record in records {
            let Some(failed) = self.letters.see(&record.event) else { continue };
            // Its bytes are gone.
            if failed.fault.code == Code::InputChanged {
                continue;
            }
            if self.accepted == LETTERS_MAX {
                tracing::warn!("{LETTERS_MAX} chunks that failed are kept; the others are not");
            }
            self.accepted = self.accepted.saturating_add(1);
            if self.accepted > LETTERS_MAX {
                continue;
            }
            if let Some(stored) = source_of(&failed).stored() {
                // The job may end, and release its input, before the chunk is copied.
                self.site.results.use_once_more(stored);
            }
            self.send(Errand::Write(Box::new(failed)));
        }
    }

    /// Waits until everything is written, or there was time enough for it.
    pub(crate) fn flush(&self) {
        let _ = self.end_at.set(Instant::now() + FLUSH_TIME_MAX);
        let (answer, done) = mpsc::channel();
        self.send(Errand::Tell(answer));
        let _ = done.recv();
    }

    fn send(&self, errand: Errand) {
        let (sender, _) = self.clerk.as_ref().expect("the thread lives as long as the office");
        // A thread that is gone has panicked; then nothing is kept.
        let _ = sender.send(errand);
    }
}

impl Drop for DeadLetterOffice {
    fn drop(&mut self) {
        let _ = self.end_at.set(Instant::now() + FLUSH_TIME_MAX);
        if let Some((sender, thread)) = self.clerk.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

/// Writes bundles.
struct Clerk {
    site: Arc<Site>,
    shelf: Shelf,
    end_at: Arc<OnceLock<Instant>>,
    /// Bytes of chunks of this run that are kept.
    kept: u64,
    /// Somebody was told that there is no room for more.
    is_full: bool,
}

impl Clerk {
    fn run(&mut self, errand: Errand) {
        match errand {
            Errand::Write(failed) => {
                if let Err(error) = self.write(&failed) {
                    let attempt = &failed.attempt;
                    tracing::warn!(%attempt, %error, "a chunk that failed cannot be kept");
                }
                if let Some(stored) = source_of(&failed).stored() {
                    self.site.results.release(&stored);
                }
            }
            Errand::Tell(answer) => drop(answer),
        }
    }

    fn write(&mut self, failed: &FailedChunk) -> Result<(), Fault> {
        let FailedChunk { attempt, job, slice, count, fault } = failed;
        let Some(folder) = folder_of(&self.shelf, failed) else { return Ok(()) };
        if let Ok(Found { bundle, .. }) = Found::read(&folder) {
            if bundle.attempt == *attempt && bundle.accepted_at == job.accepted_at {
                // By an earlier life of the host.
                self.kept = self.kept.saturating_add(slice.len());
                return Ok(());
            }
            // An earlier job of this id.
            std::fs::remove_dir_all(&folder)
                .map_err(|error| Fault::new(Code::DiskFull).detail(error.to_string()))?;
        }
        if self.kept.saturating_add(slice.len()) > self.shelf.bytes_max.bytes() {
            if !std::mem::replace(&mut self.is_full, true) {
                let limit = self.shelf.bytes_max;
                tracing::warn!(%attempt, %limit, "failed chunks fill `storage.dead_letter_bytes_max`; no others are kept");
            }
            return Ok(());
        }
        let end_at = Arc::clone(&self.end_at);
        let is_late = move || end_at.get().is_some_and(|end_at| Instant::now() >= *end_at);
        if is_late() {
            return Err(Fault::new(Code::Drained).detail("the run has ended meanwhile"));
        }
        let stores = self.site.stores_until(job, Patience::until(FETCH_TIME_MAX, is_late));
        let source = open_for(job, *slice, &stores)?;
        let index = slice.source as usize;
        let (medium, heard) = bytes(&self.site, job, &source, index, &stores)?;
        let chunk = BundledChunk {
            count: *count,
            source: heard.name().to_owned(),
            media_type: heard.media_type().map(str::to_owned),
            is_recording: medium == Medium::Samples,
            start: slice.start,
            end: slice.end,
            sha256: Digest([0; 32]),
        };
        let bundle = Bundle {
            format: Bundle::FORMAT,
            written_by: concat!("pframe-host ", env!("CARGO_PKG_VERSION")).into(),
            run: self.shelf.run,
            attempt: attempt.clone(),
            tenant: job.tenant.clone(),
            task: job.task.name.clone(),
            component: job.task.component,
            parameters: job.parameters.to_string(),
            limits: job.limits,
            grants: job.grants.iter().map(ToString::to_string).collect(),
            seed: attempt.seed(),
            accepted_at: job.accepted_at,
            chunk,
            fault: fault.clone(),
        };
        let component = copy_path(&self.shelf.state_dir.join("components"), &job.task.component);
        let place = (&*self.shelf.state_dir, &*folder);
        bundle::write(place, bundle, &heard, &component)
            .map_err(|error| Fault::new(Code::DiskFull).detail(error.to_string()))?;
        self.kept += slice.len();
        Ok(())
    }
}

fn source_of(failed: &FailedChunk) -> &Source {
    &failed.job.inputs[failed.slice.source as usize]
}

fn folder_of(shelf: &Shelf, failed: &FailedChunk) -> Option<PathBuf> {
    match failed.attempt.step {
        Step::Run(chunk) => {
            Some(bundle::folder(&shelf.state_dir, shelf.run, &failed.attempt.job, chunk))
        }
        Step::Cut | Step::Collect => None,
    }
}
