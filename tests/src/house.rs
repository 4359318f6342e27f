//! An engine with every guest registered, and jobs for it.
//!
//! Owns: the road of a test: describe a job, run it to its end, look at the ending. One standard
//! house serves all tests of a binary; what needs other settings builds its own.
//! Never: waits without a limit, and never lets a panic of the host pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pframe_core::config::{Config, Isolation, Layers, SchedulerKind, load};
use pframe_core::fault::Fault;
use pframe_core::ids::{JobId, TaskName};
use pframe_core::report::JobReport;
use pframe_host::{Engine, EngineBuilder, Job, JobHandle, JobInput};
use serde_json::{Value, json};

use crate::component::Guest;
use crate::diary::Diary;
use crate::program::binary;
use crate::{guest, root};

/// How long a job of a test may take; its own limits are far below.
const PATIENCE: Duration = Duration::from_secs(60);
/// The guests that every house knows.
const GUESTS: [&str; 9] = [
    "evil",
    "disk",
    "cutter",
    "command",
    "tiny",
    "listener",
    "word_count",
    "json_stats",
    "audio_transcription",
];

/// Panics on threads of the host since the process began.
static PANICS: AtomicUsize = AtomicUsize::new(0);
static NUMBER: AtomicU64 = AtomicU64::new(0);
static STANDARD: LazyLock<House> = LazyLock::new(|| {
    let scratch = scratch();
    let settings = format!("parallel_processing: {{ temp_storage: '{}' }}", scratch.display());
    House::with(|builder| builder.config(config(&settings)))
});

/// True where attempts run in worker processes: `cargo xtask test` runs what meets guests in both.
pub fn in_processes() -> bool {
    std::env::var("PFRAME_TEST_SCHEDULER").is_ok_and(|scheduler| scheduler == "processes")
}

/// Every layer, but inside a container that forbids namespaces. That is asked of another program than ours: a layer
/// that our own code lost must not make the tests look away.
pub fn isolation() -> Isolation {
    static FOUND: LazyLock<Isolation> = LazyLock::new(|| {
        let flags = ["--user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "true"];
        let unshare = Command::new("unshare").args(flags).status();
        match unshare.is_ok_and(|status| status.success()) {
            true => Isolation::Strict,
            false => {
                eprintln!("note: no namespaces can be made here: testing without them");
                Isolation::Container
            }
        }
    });
    *FOUND
}

/// The house of this test binary: two guest threads, nothing kept.
pub fn house() -> &'static House {
    &STANDARD
}

/// An engine with its diary.
pub struct House {
    /// The engine.
    pub engine: Engine,
    /// What it recorded.
    pub diary: Diary,
}

/// How a job ended.
#[derive(Debug)]
pub struct End {
    /// Its result, or why there is none.
    pub result: Result<Vec<u8>, Fault>,
    /// Its figures.
    pub report: JobReport,
    /// From submission to the end.
    pub took: Duration,
}

impl End {
    /// The result as text.
    ///
    /// # Panics
    ///
    /// Where there is none.
    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8(self.bytes()).expect("the result is text")
    }

    /// The result.
    ///
    /// # Panics
    ///
    /// Where there is none.
    #[track_caller]
    pub fn bytes(self) -> Vec<u8> {
        match self.result {
            Ok(bytes) => bytes,
            Err(fault) => panic!("the job should have a result: {fault}\n{fault:#?}"),
        }
    }

    /// The fault.
    ///
    /// # Panics
    ///
    /// Where the job has a result.
    #[track_caller]
    pub fn fault(self) -> Fault {
        self.result.expect_err("the job should not have a result")
    }
}

impl House {
    /// A house with two guest threads and whatever else `with` says.
    pub fn with(with: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        count_panics();
        let diary = Diary::default();
        let builder = Engine::builder()
            .workers(2)
            .cache_dir(root().join("target/test-cache"))
            .reporter(diary.reporter());
        let builder = match in_processes() {
            true => with(builder)
                .scheduler(SchedulerKind::Processes)
                .isolation(isolation())
                .worker_program(binary()),
            false => with(builder),
        };
        let engine = builder.build().expect("an engine can be built");
        for name in GUESTS {
            engine.register_task(&task(name), &guest(name)).expect("the guest is sound");
        }
        Self { engine, diary }
    }

    /// Runs a job to its end.
    ///
    /// # Panics
    ///
    /// Where the job is refused or does not end.
    #[track_caller]
    pub fn run(&self, job: Job) -> End {
        let started = Instant::now();
        let handle = self.engine.submit(job).expect("the job is accepted");
        let result = wait(&handle);
        let took = started.elapsed();
        let panics = PANICS.load(Ordering::Relaxed);
        assert_eq!(panics, 0, "a thread of the host has panicked");
        let report = handle.report().expect("an accepted job has a report");
        End { result, report, took }
    }

    /// Registers a generated component under a name of its own.
    pub fn register(&self, guest: &Guest) -> Result<TaskName, Fault> {
        let name = task(&format!("generated-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        self.engine.register_component(&name, guest.bytes())?;
        Ok(name)
    }

    /// A job for a generated component.
    ///
    /// # Panics
    ///
    /// Where the component is refused.
    #[track_caller]
    pub fn job_for(&self, guest: &Guest) -> Job {
        let task = self.register(guest).expect("the component is accepted");
        Job { task, ..job("tiny", "abc") }
    }
}

/// Waits for a job's end.
///
/// # Panics
///
/// Where that takes longer than a minute.
#[track_caller]
pub fn wait(handle: &JobHandle) -> Result<Vec<u8>, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let ended = async { tokio::time::timeout(PATIENCE, handle.wait()).await };
    let ended = runtime.expect("a runtime can be built").block_on(ended);
    let ending = ended
        .unwrap_or_else(|_| panic!("job {} has not ended: {:#?}", handle.id(), handle.report()));
    ending.and_then(|output| output.bytes())
}

/// The name of a task type.
///
/// # Panics
///
/// Where that is no name.
pub fn task(name: &str) -> TaskName {
    name.parse().expect("a name")
}

/// An id that no other job has.
pub fn unique_id() -> JobId {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("job-{number}").parse().expect("an id")
}

/// A job on a text, without retries and with five seconds for each attempt.
pub fn job(name: &str, text: &str) -> Job {
    let mut job = Job::new(unique_id(), task(name), JobInput::Text(text.into()));
    job.retries_max = Some(0);
    job.limits.timeout = Some(Duration::from_secs(20));
    job
}

/// A job on files.
pub fn files_job<const N: usize>(name: &str, paths: [&Path; N]) -> Job {
    let paths = paths.map(|path| path.to_str().expect("a path in UTF-8").to_owned());
    Job { input: JobInput::Files(paths.map(Into::into).into()), ..job(name, "") }
}

/// A job for the evil guest.
pub fn evil(deed: &str) -> Job {
    evil_n(deed, 0)
}

/// A job for the evil guest, with its number.
pub fn evil_n(deed: &str, n: u64) -> Job {
    with_parameters(job("evil", "abc"), json!({ "do": deed, "n": n }))
}

/// The job with other parameters.
pub fn with_parameters(job: Job, parameters: Value) -> Job {
    Job { parameters, ..job }
}

/// The job with another time for each attempt.
pub fn with_timeout(mut job: Job, timeout: Duration) -> Job {
    job.limits.timeout = Some(timeout);
    job
}

/// A configuration from its text.
///
/// # Panics
///
/// Where the text is not valid.
pub fn config(yaml: &str) -> Config {
    let layers = Layers { file: Some(("test.yaml", yaml.as_bytes())), ..Layers::default() };
    load(&layers).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Where the standard house, which nothing drops, keeps large results. What earlier test binaries left is removed.
fn scratch() -> PathBuf {
    let scratch = root().join("target/test-scratch");
    for entry in fs::read_dir(&scratch).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    scratch.join(std::process::id().to_string())
}

/// Counts panics on the host's own threads, beside telling of them.
fn count_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_host = std::thread::current().name().is_some_and(|it| it.starts_with("pframe"));
            PANICS.fetch_add(usize::from(is_host), Ordering::Relaxed);
            tell(panic);
        }));
    });
}
