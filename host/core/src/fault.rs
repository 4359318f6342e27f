//! Why something failed: one table of codes, each with its origin, its chance of another try and its advice.
//!
//! Owns: [`Code`], the only place where a failure's class is decided.
//! Never: derives anything from text that a handler wrote.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose move it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The job: its file, its input, its limits, its cancellation.
    Job,
    /// The handler.
    Task,
    /// The machine: disk, memory, a lost worker.
    Machine,
    /// This program.
    Host,
}

/// Whether another attempt may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The next attempt would end the same way.
    Never,
    /// As often as the job's retry policy says.
    ByPolicy,
    /// The worker was lost under it: [`LOSSES_MAX`](crate::policy::LOSSES_MAX) times.
    AfterLoss,
    /// Nothing was wrong but the moment: [`PUT_OFFS_MAX`](crate::policy::PUT_OFFS_MAX) times, each after the time that was
    /// named, and none of them counts as a failure.
    WhenFree,
}

macro_rules! codes {
    ($($variant:ident = $number:literal, $origin:ident, $retry:ident, $name:literal, $title:literal, $advice:literal;)*) => {
        /// A stable code for every way to fail, printed as `PF302`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The number behind `PF`.
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The stable name for machines, such as `limit.fuel`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whose move it is.
            pub const fn origin(self) -> Origin {
                match self { $(Self::$variant => Origin::$origin,)* }
            }

            /// Whether another attempt may help.
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// What happened, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

codes! {
    JobFile = 101, Job, Never, "job.file", "the job file is not valid", "correct the places listed; `pframe-host schema` prints the format";
    InputMissing = 102, Job, Never, "job.input_missing", "an input is missing or cannot be read", "check the path; it is relative to the job file";
    InputChanged = 103, Job, Never, "job.input_changed", "an input changed after the job was accepted", "let the file come to rest and run the job again";
    GrantRefused = 104, Job, Never, "job.grant_refused", "the job asks for a capability that the operator does not allow", "ask for less, or allow it for the tenant in the configuration";
    TooBig = 105, Job, Never, "job.too_big", "the job asks for more than it can have here", "lower `resource_requirements` and `limits`, raise the host's own limits, or run it on a larger machine";
    DeadlineOfJob = 106, Job, Never, "job.deadline", "the job did not end before its deadline", "raise `deadline`, or give the job more workers";
    TooManyChunks = 107, Job, Never, "job.too_many_chunks", "the input is cut into too many chunks", "choose a larger chunk size";
    QuotaExceeded = 108, Job, Never, "job.quota", "the tenant has too many jobs queued", "wait for some to end, or raise `max_queued` of the tenant";
    ConfigInvalid = 109, Job, Never, "config.invalid", "the configuration is not valid", "correct the places listed; `pframe-host config show` prints what is in force";
    Recording = 110, Job, Never, "job.recording", "a recording cannot be decoded", "check the file; wav, flac, ogg (vorbis, opus), mp3 and m4a/mp4 are read, `ffmpeg -i IN -ar 16000 -ac 1 OUT.wav` turns others into wav";
    RecordingLimit = 111, Job, Never, "job.recording_limit", "a recording is longer, or needs more to be decoded, than this host takes", "cut it into files that are shorter";
    ModelMissing = 112, Job, Never, "job.model_missing", "there is no such model for speech recognition", "`pframe-host models list` shows those that are there";
    ModelName = 113, Job, Never, "models.name", "the model cannot be added or removed under this name", "choose another name";
    ModelDamaged = 114, Job, Never, "models.damaged", "the model's file is not what it should be", "remove the model and add it again from a whole file";
    InputMismatch = 115, Job, Never, "job.input_mismatch", "an input is not the one that was pinned", "check the file, or pin its new sha256";
    DirectoryMissing = 116, Job, Never, "job.directory_missing", "a directory that was granted cannot be handed over", "the operator's configuration says under `directories` where it lies; look there";
    Parameters = 120, Job, Never, "job.parameters", "the parameters are not what the task type takes", "correct them; `pframe-host tasks inspect NAME` shows what it takes";
    BundleUnusable = 121, Job, Never, "job.bundle", "what was kept of a chunk cannot be used", "name the folder of a bundle, as it was kept below `dead-letters`, with everything in it";
    ComponentMissing = 201, Job, Never, "component.missing", "the component cannot be read", "check the path under `tasks`";
    NotAComponent = 202, Job, Never, "component.not_a_component", "the file is not a WebAssembly component", "build for `wasm32-wasip2`, or wrap a core module with `wasm-tools component new`";
    ComponentMalformed = 203, Job, Never, "component.malformed", "the component is damaged or not valid", "build it again";
    ComponentTooLarge = 204, Job, Never, "component.too_large", "the component is larger than the host accepts", "strip it, or raise `component_bytes_max`";
    ExportMissing = 205, Job, Never, "component.missing_export", "the component lacks an export", "export `pframe:task/handler@0.1.0` or `wasi:cli/run@0.2`; `strategy: custom` also needs `pframe:task/chunker@0.1.0`";
    ImportUnknown = 206, Job, Never, "component.unknown_import", "the component imports what this host does not offer", "build it against WASI 0.2 and `pframe:task` only";
    FeatureUnsupported = 207, Job, Never, "component.unsupported_feature", "the component uses a WebAssembly feature that is switched off here", "build it without that feature";
    DigestMismatch = 208, Job, Never, "component.digest_mismatch", "the component is not the one that was pinned", "check the file, or pin its new sha256";
    CompileFailed = 209, Job, Never, "component.compile", "the component cannot be compiled", "build it again, with smaller functions if it is generated";
    TaskUnknown = 210, Job, Never, "component.unknown_task", "no task type has this name", "declare it under `tasks`, or register it";
    CompileLimit = 211, Job, Never, "component.compile_limit", "the compiler needed more time or memory for the component than its limit", "build it with smaller functions, or split it";
    TaskDescription = 220, Job, Never, "component.description", "the description of a task type is not valid", "correct the places listed";
    TaskAmbiguous = 221, Job, Never, "component.ambiguous", "two task types have the same name and version", "remove one, or give them different versions";
    TaskStore = 222, Job, Never, "tasks.name", "the component cannot be kept or removed under this name", "choose another name or version; `pframe-host tasks list` shows those that are there";
    PullRefused = 223, Job, Never, "component.pull", "what the registry has there is not a component that can be used", "check the reference; one layer of the type `application/wasm` is taken";
    Trap = 301, Task, Never, "task.trap", "the handler trapped", "the backtrace names the guest's functions; `pframe-host logs` shows its last words";
    Fuel = 302, Task, Never, "limit.fuel", "the handler used all its fuel", "raise `limits.fuel`, or cut smaller chunks";
    Deadline = 303, Task, Never, "limit.deadline", "the handler ran past its deadline", "raise `timeout`, or cut smaller chunks";
    Memory = 304, Task, Never, "limit.memory", "the handler asked for more memory than its limit", "raise `limits.memory`, or cut smaller chunks";
    StackOverflow = 305, Task, Never, "task.stack_overflow", "the handler overflowed its stack", "recurse less deeply";
    Output = 306, Task, Never, "limit.output", "the handler wrote more output than its limit", "raise `limits.output`, or cut smaller chunks";
    Cpu = 307, Task, Never, "limit.cpu", "the handler used all its processor time", "raise `limits.cpu`, or cut smaller chunks";
    Invalid = 308, Task, Never, "task.invalid_input", "the handler refused its input or parameters", "correct the input or the parameters";
    Transient = 309, Task, ByPolicy, "task.transient", "the handler failed and asked for another try", "see the handler's message";
    Permanent = 310, Task, Never, "task.permanent", "the handler failed", "see the handler's message";
    NoResult = 311, Task, Never, "task.no_result", "the handler exited without a result", "return from the handler instead of exiting";
    Tables = 312, Task, Never, "limit.tables", "the handler asked for more table elements than its limit", "use fewer function pointers";
    Handles = 313, Task, Never, "limit.handles", "the handler held more handles than its limit", "drop handles that are no longer needed";
    HostcallData = 314, Task, Never, "limit.hostcall_data", "the handler passed more data in one call than its limit", "pass it in smaller pieces";
    Random = 315, Task, Never, "limit.random", "the handler asked for more random bytes in one call than its limit", "ask for at most 1 MiB in one call";
    BadCuts = 316, Task, Never, "task.bad_cuts", "the chunker returned spans that cannot be used", "return spans in order, inside the source, without overlap";
    Instances = 317, Task, Never, "limit.instances", "the component needs more instances, memories or tables than its limit", "link it from fewer modules";
    Disk = 318, Task, Never, "limit.disk", "the handler used all of its private disk", "raise `limits.disk`";
    BadOutput = 319, Task, Never, "task.bad_output", "the handler's output is not what its job's `collect` needs", "`collect: json-array` takes outputs of JSON values; choose another collector";
    BadResult = 320, Task, Never, "task.bad_result", "the handler left something on its private disk that cannot be its result", "leave one regular file, `/scratch/out/result`, or write to the output";
    BadFiles = 330, Task, Never, "task.bad_files", "the handler left something below `/out` that cannot be put in its place", "leave regular files and directories with plain names, each where nothing of another kind stands";
    DirectoryQuota = 331, Task, Never, "limit.directory", "the handler's files do not fit into the directory", "make room in the directory, or raise its `quota` in the configuration";
    WorkerLost = 401, Machine, AfterLoss, "machine.worker_lost", "the attempt was lost when the host or its worker died", "none needed: it runs again; a component that does this twice is stopped";
    DiskFull = 402, Machine, ByPolicy, "machine.disk", "the disk is full or cannot be written", "free space in the state directory";
    InputOutput = 403, Machine, ByPolicy, "machine.io", "reading or writing failed", "check the disk";
    PoolExhausted = 404, Machine, ByPolicy, "machine.pool", "no sandbox was free", "none needed: it runs again";
    StateUnusable = 405, Machine, Never, "machine.state", "the state directory cannot be used", "choose another with `--state-dir`";
    WorkerUnusable = 406, Machine, Never, "machine.worker", "worker processes cannot be used here", "`pframe-host selftest --layers` says what is missing and how to get it; `--scheduler threads` does without";
    NativeCrash = 407, Machine, AfterLoss, "machine.native_crash", "the worker process crashed under the attempt", "none needed: it runs again in a fresh worker; a component that does this twice is stopped";
    OutOfMemory = 408, Machine, AfterLoss, "machine.oom", "the worker process used more memory than it may", "lower `limits.memory`, or give the host more";
    WorkerKilled = 409, Machine, AfterLoss, "machine.worker_killed", "the worker process was killed under the attempt", "none needed: it runs again in a fresh worker";
    WorkerStuck = 410, Machine, AfterLoss, "machine.worker_stuck", "the worker process stopped answering", "none needed: it runs again in a fresh worker";
    Protocol = 411, Machine, AfterLoss, "machine.protocol", "the worker process did not keep to the protocol", "none needed: it runs again in a fresh worker; a component that does this twice is stopped";
    Busy = 414, Machine, WhenFree, "machine.busy", "too much work of this tenant waits already", "none needed: it runs again when there is room; `speech.max_queued` says how much may wait";
    Network = 415, Machine, ByPolicy, "machine.network", "a source could not be fetched", "check that its host can be reached from here; another attempt may get through";
    Quarantined = 412, Task, Never, "task.quarantined", "the component is quarantined: it took two worker processes down with it", "look at the faults of its earlier attempts; a host that starts anew forgets it";
    RecogniserFailed = 413, Machine, ByPolicy, "machine.recogniser", "speech recognition failed", "see the message; another attempt gets another process";
    RegistryUnreachable = 420, Machine, Never, "machine.registry", "the registry gives no answer that can be used", "check the reference and the network, and try again";
    RegistryDenied = 421, Machine, Never, "machine.registry_denied", "the registry does not let this program read that", "log in to it with `docker login` or `podman login`, or let `REGISTRY_AUTH_FILE` name a file with a login";
    LoginFile = 422, Machine, Never, "machine.login_file", "a file with logins for registries cannot be used", "mend it, or write it anew with `docker login` or `podman login`";
    Bug = 501, Host, Never, "host.bug", "the host itself failed", "please report this, with the message above";
    Cancelled = 601, Job, Never, "cancelled.user", "the job was cancelled", "run it again when wanted";
    JobStopped = 602, Job, Never, "cancelled.job_failed", "stopped because another chunk of its job failed", "see that chunk; `on_failure: continue` keeps the others";
    Drained = 603, Job, Never, "cancelled.drained", "the host was stopped before the job ended", "`pframe-host resume` goes on where it stopped";
    DependencyFailed = 604, Job, Never, "cancelled.dependency", "a job that it depends on did not complete", "see that job; nothing of this one was begun";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PF{}", self.number())
    }
}

impl Code {
    /// Finds a code by its printed form (`PF302`, of either case) or by its name (`limit.fuel`).
    pub fn find(text: &str) -> Option<Self> {
        let wanted = text.to_ascii_uppercase();
        Self::ALL.iter().copied().find(|code| code.to_string() == wanted || code.name() == text)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::find(&text).ok_or_else(|| serde::de::Error::custom(format!("unknown code `{text}`")))
    }
}

/// Text that a guest wrote: bounded when made, escaped when shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GuestText(String);

impl GuestText {
    /// The longest text that is kept, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// Keeps the first [`BYTES_MAX`](Self::BYTES_MAX) bytes and escapes what could steer a terminal.
    pub fn new(text: &str) -> Self {
        let mut kept = String::new();
        for character in text.chars() {
            if kept.len() >= Self::BYTES_MAX {
                kept.push_str(" … (cut)");
                break;
            }
            match character {
                '\n' | '\t' => kept.push(character),
                steering if is_steering(steering) => kept.extend(steering.escape_unicode()),
                plain => kept.push(plain),
            }
        }
        Self(kept)
    }

    /// The same for bytes that may not be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let bounded = &bytes[..bytes.len().min(2 * Self::BYTES_MAX)];
        Self::new(&String::from_utf8_lossy(bounded))
    }

    /// The escaped text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GuestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, and the invisible ones that reorder or hide text (U+200B–200F, 2028–202E, 2066–2069).
fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The limit that ended an attempt: its name, its value and what was used, each with its unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitHit {
    /// As it is written in a job file, such as `limits.fuel`.
    pub limit: String,
    /// The value in force.
    pub value: String,
    /// What the attempt used or asked for.
    pub used: String,
}

/// One failure, told to a person: what happened, whose move it is, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The class, which decides everything else.
    pub code: Code,
    /// Particulars, when the title does not say all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The limit that was hit, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit: Option<LimitHit>,
    /// What the handler itself said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_message: Option<GuestText>,
    /// The guest's functions at the point of a trap, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<GuestText>,
    /// The last lines that the guest wrote to stderr.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stderr_tail: Vec<GuestText>,
}

impl Fault {
    /// Lines of a backtrace, and of stderr, that are taken from where they were not bounded.
    const TEXTS_MAX: usize = 32;
    /// The longest name or value of a limit that is taken from there.
    const HIT_CHARACTERS_MAX: usize = 128;

    /// A failure of this class, with nothing more to say.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: String::new(),
            hit: None,
            guest_message: None,
            backtrace: Vec::new(),
            stderr_tail: Vec::new(),
        }
    }

    /// Adds particulars.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same with every text of a guest bounded and escaped: it may come from where that was not done.
    pub fn with_guest_texts_escaped(mut self) -> Self {
        self.backtrace.truncate(Self::TEXTS_MAX);
        self.stderr_tail.truncate(Self::TEXTS_MAX);
        if let Some(hit) = &mut self.hit {
            for text in [&mut hit.limit, &mut hit.value, &mut hit.used] {
                *text = GuestText::new(text).0.chars().take(Self::HIT_CHARACTERS_MAX).collect();
            }
        }
        let texts = self.backtrace.iter_mut().chain(&mut self.stderr_tail);
        for text in texts.chain(&mut self.guest_message) {
            *text = GuestText::new(text.as_str());
        }
        self.detail = GuestText::new(&self.detail).0;
        self
    }

    /// Names the limit that was hit.
    pub fn hit(mut self, limit: &str, value: impl fmt::Display, used: impl fmt::Display) -> Self {
        self.hit = Some(LimitHit {
            limit: limit.into(),
            value: value.to_string(),
            used: used.to_string(),
        });
        self
    }
}

impl fmt::Display for Fault {
    /// One line: title, particulars, limit and the handler's own words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.title())?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if let Some(hit) = &self.hit {
            write!(f, " ({} is {}, {} used)", hit.limit, hit.value, hit.used)?;
        }
        match &self.guest_message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number_and_by_its_name() {
        for &code in Code::ALL {
            assert_eq!(Code::find(&code.to_string()), Some(code));
            assert_eq!(Code::find(code.name()), Some(code));
        }
    }

    #[test]
    fn no_two_codes_share_a_number_or_a_name() {
        let numbers: std::collections::BTreeSet<_> =
            Code::ALL.iter().map(|code| code.number()).collect();
        let names: std::collections::BTreeSet<_> =
            Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!((numbers.len(), names.len()), (Code::ALL.len(), Code::ALL.len()));
    }

    #[test]
    fn titles_and_advice_are_lower_case_without_a_full_stop() {
        for code in Code::ALL {
            for text in [code.title(), code.advice()] {
                assert!(!text.ends_with('.') && !text.is_empty(), "{code}: {text}");
                assert!(!text.starts_with(char::is_uppercase), "{code}: {text}");
            }
        }
    }

    #[test]
    fn a_fault_from_elsewhere_is_bounded_and_cannot_steer_a_terminal() {
        let evil = "\u{1b}[31m".repeat(10_000);
        let mut fault = Fault::new(Code::Trap).detail(&*evil).hit(&evil, &evil, &evil);
        fault.backtrace = vec![GuestText(evil.clone()); 1000];
        fault.stderr_tail = vec![GuestText(evil.clone()); 1000];
        fault.guest_message = Some(GuestText(evil));
        let fault = fault.with_guest_texts_escaped();
        let shown = format!("{fault}{fault:?}");
        assert!(!shown.contains('\u{1b}'));
        assert_eq!((fault.backtrace.len(), fault.stderr_tail.len()), (32, 32));
        let longest = 2 * GuestText::BYTES_MAX;
        let texts = fault.backtrace.iter().chain(&fault.stderr_tail).chain(&fault.guest_message);
        assert!(texts.map(|text| text.as_str().len()).all(|length| length < longest));
        assert!(fault.detail.len() < longest && fault.hit.unwrap().limit.len() <= 128);
    }

    #[test]
    fn guest_text_is_bounded_and_cannot_steer_a_terminal() {
        let text = GuestText::new("\u{1b}[31mred\u{7}\u{202e}x\r\n");
        assert_eq!(text.as_str(), "\\u{1b}[31mred\\u{7}\\u{202e}x\\u{d}\n");
        assert!(GuestText::new(&"x".repeat(1 << 20)).as_str().len() < GuestText::BYTES_MAX + 20);
        assert!(
            GuestText::from_bytes(&vec![0xff; 100_000]).as_str().len() < GuestText::BYTES_MAX + 20
        );
    }
}
