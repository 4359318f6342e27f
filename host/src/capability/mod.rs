//! The list of ways out of the sandbox. One file each; none opens another.
//!
//! Owns: which interfaces are linked, and what a guest finds behind them when nothing was granted:
//! no directories, no network, no environment, a clock that stands still, seeded randomness.
//! Never: grants anything; grants come in, checked.

pub(crate) mod bindings;
pub(crate) mod clock;
pub(crate) mod directories;
pub(crate) mod http;
pub(crate) mod input;
pub(crate) mod keyvalue;
pub(crate) mod network;
pub(crate) mod offer;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod random;
pub(crate) mod scratch;
pub(crate) mod speech;
pub(crate) mod stdio;

use std::sync::Arc;

use pframe_core::fault::Fault;
use pframe_core::hosts::HostPattern;
use pframe_core::limits::Asked;
use pframe_core::units::Timestamp;
use serde::{Deserialize, Serialize};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use self::bindings::keyvalue::wasi::keyvalue as stores;
use self::bindings::pframe::task as wit;
use self::directories::Files;
use self::http::{GuestHttp, HttpService};
use self::keyvalue::{KeyValue, KeyValueService};
use self::speech::{Speech, SpeechGrant, SpeechService};
use self::stdio::GuestStdio;
use crate::failpoint::trip;
use crate::keyvalue::StoreGrant;

/// Host resources of one attempt.
const RESOURCES_MAX: usize = 4096;
/// The same for an attempt with directories, whose resources may each be an open file of this process.
const RESOURCES_WITH_FILES_MAX: usize = 256;
/// Bytes of HTTP header fields.
const HTTP_FIELDS_BYTES_MAX: usize = 32 << 10;
/// Random bytes in one call.
pub(crate) const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// An interface that this host links.
pub(crate) struct KnownInterface {
    /// Without version, such as `wasi:cli/environment`.
    pub(crate) name: &'static str,
    version: &'static str,
}

impl KnownInterface {
    /// True for a version that is compatible. One that ends with a dot stands for all that begin so; a draft is compatible
    /// with nothing but itself.
    pub(crate) fn has(&self, version: &str) -> bool {
        match self.version.ends_with('.') {
            true => version.starts_with(self.version),
            false => version == self.version,
        }
    }
}

macro_rules! known {
    ($($version:literal: [$($name:literal),* $(,)?]),* $(,)?) => {
        /// Every interface that is linked. All of standard WASI 0.2 is here: languages import much that they never call.
        pub(crate) const KNOWN_INTERFACES: &[KnownInterface] =
            &[$($(KnownInterface { name: $name, version: $version }),*),*];
    };
}

known! {
    "0.1.": ["pframe:audio/speech", "pframe:task/types", "pframe:task/input", "pframe:task/output", "pframe:task/progress"],
    "0.2.": [
        "wasi:cli/environment", "wasi:cli/exit", "wasi:cli/stderr", "wasi:cli/stdin",
        "wasi:cli/stdout", "wasi:cli/terminal-input", "wasi:cli/terminal-output",
        "wasi:cli/terminal-stderr", "wasi:cli/terminal-stdin", "wasi:cli/terminal-stdout",
        "wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock", "wasi:filesystem/preopens",
        "wasi:filesystem/types", "wasi:http/outgoing-handler", "wasi:http/types", "wasi:io/error",
        "wasi:io/poll", "wasi:io/streams", "wasi:random/insecure", "wasi:random/insecure-seed",
        "wasi:random/random", "wasi:sockets/instance-network", "wasi:sockets/ip-name-lookup",
        "wasi:sockets/network", "wasi:sockets/tcp", "wasi:sockets/tcp-create-socket",
        "wasi:sockets/udp", "wasi:sockets/udp-create-socket",
    ],
    "0.2.0-draft": ["wasi:keyvalue/atomics", "wasi:keyvalue/batch", "wasi:keyvalue/store"],
}

/// What a job asked for and the operator allowed, with what an ungranted guest gets instead.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Granted {
    /// Environment variables, name and value.
    pub(crate) environment: Vec<(String, String)>,
    /// The real time instead of `accepted_at`.
    pub(crate) clock: bool,
    /// Real randomness instead of bytes seeded by `seed`.
    pub(crate) random: bool,
    /// What the wall clock shows without the grant.
    pub(crate) accepted_at: Timestamp,
    /// What seeds randomness without the grant: the job and the step, so that a retry sees the same.
    pub(crate) seed: String,
    /// Which models may recognise speech.
    pub(crate) speech: SpeechGrant,
    /// Which hosts may be asked over HTTP.
    pub(crate) http: Vec<HostPattern>,
    /// Which key-value stores may be opened.
    pub(crate) keyvalue: StoreGrant,
}

/// The part that `wasmtime-wasi` acts on, made when the guest first calls it: small handlers never do, and to
/// seed four sources of randomness costs more than to run them.
enum Wasi {
    Wanted(Box<WasiParts>),
    Made(Box<WasiCtx>),
}

/// What a guest's WASI is made of.
struct WasiParts {
    granted: Granted,
    stdio: GuestStdio,
    parameters: Option<Arc<str>>,
}

impl Wasi {
    fn get(&mut self) -> &mut WasiCtx {
        if let Self::Wanted(parts) = self {
            *self = Self::Made(Box::new(parts.make()));
        }
        match self {
            Self::Made(wasi) => wasi,
            Self::Wanted(_) => unreachable!("it was made just now"),
        }
    }
}

/// Who does what a guest asks for; on threads the host itself, in a worker whoever speaks to it.
pub(crate) struct Services {
    pub(crate) progress: Box<dyn progress::Progress>,
    pub(crate) speech: Box<dyn SpeechService>,
    pub(crate) http: Box<dyn HttpService>,
    pub(crate) keyvalue: Box<dyn KeyValueService>,
}

/// The host's side of one guest: what its imports act on.
pub(crate) struct Capabilities {
    wasi: Wasi,
    http: WasiHttpCtx,
    guest_http: GuestHttp,
    network: network::DeniedNetwork,
    /// Its directories, if it has any.
    pub(crate) files: Files,
    /// Listings of its directories that may still be open.
    listings: Vec<directories::Listing>,
    /// Host resources that the guest holds handles to.
    pub(crate) table: ResourceTable,
    /// The result being written.
    pub(crate) output: output::SharedOutput,
    /// How far the work is.
    pub(crate) progress: Box<dyn progress::Progress>,
    /// Recognition of speech.
    pub(crate) speech: Speech,
    /// What it asked about itself.
    pub(crate) asked: Asked,
    /// Stores of the tenant.
    pub(crate) keyvalue: KeyValue,
    /// Bytes of input handed over so far.
    pub(crate) input_bytes: u64,
    /// True from a call of the guest until it is charged as fuel.
    pub(crate) has_called: bool,
    /// Bytes that crossed the border and are not yet charged as fuel.
    pub(crate) uncharged_bytes: u64,
    fault: Option<Fault>,
}

impl Capabilities {
    /// What the guest finds behind its imports. `parameters` reach a command through its environment.
    pub(crate) fn new(
        granted: Granted,
        stdio: GuestStdio,
        parameters: Option<Arc<str>>,
        files: Files,
        output: output::SharedOutput,
        services: Services,
    ) -> Self {
        let Services { progress, speech, http: sender, keyvalue } = services;
        let keyvalue = KeyValue::new(granted.keyvalue.clone(), keyvalue);
        let speech = Speech::new(granted.speech.clone(), speech);
        let guest_http = GuestHttp::new(&granted.http, sender);
        let mut table = ResourceTable::new();
        table.set_max_capacity(resources_max(&files));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HTTP_FIELDS_BYTES_MAX);
        Self {
            wasi: Wasi::Wanted(Box::new(WasiParts { granted, stdio, parameters })),
            http,
            guest_http,
            network: network::DeniedNetwork::default(),
            files,
            listings: Vec::new(),
            table,
            output,
            progress,
            speech,
            asked: Asked::Nothing,
            keyvalue,
            input_bytes: 0,
            has_called: false,
            uncharged_bytes: 0,
            fault: None,
        }
    }

    /// Records why the attempt ends and makes the error that ends it.
    pub(crate) fn end(&mut self, fault: Fault) -> wasmtime::Error {
        self.fault.get_or_insert(fault);
        wasmtime::Error::msg("ended by the host")
    }

    /// The reason recorded by a capability that ended the attempt.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take().or_else(|| self.output.take_fault())
    }

    /// Host resources that the guest may hold.
    pub(crate) fn resources_max(&self) -> usize {
        resources_max(&self.files)
    }

    /// Calls that were denied for want of a grant.
    pub(crate) fn calls_denied(&self) -> u32 {
        let network = self.network.calls_denied.saturating_add(self.guest_http.calls_denied());
        let own = self.speech.calls_denied.saturating_add(self.keyvalue.calls_denied);
        network.saturating_add(own)
    }

    /// The part that `wasmtime-wasi` acts on.
    pub(crate) fn wasi_view(&mut self) -> WasiCtxView<'_> {
        self.has_called = true;
        self.uncharged_bytes += self.guest_http.take_uncharged();
        WasiCtxView { ctx: self.wasi.get(), table: &mut self.table }
    }

    /// The part that `wasmtime-wasi-http` acts on.
    pub(crate) fn http_view(&mut self) -> WasiHttpCtxView<'_> {
        self.has_called = true;
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.guest_http }
    }
}

fn resources_max(files: &Files) -> usize {
    if files.is_empty() { RESOURCES_MAX } else { RESOURCES_WITH_FILES_MAX }
}

/// A store's data that has capabilities.
pub(crate) trait Guest: WasiView + WasiHttpView + Send + 'static {
    /// The host's side of this guest.
    fn capabilities(&mut self) -> &mut Capabilities;

    /// The same, for a call that the guest makes: it is counted.
    fn called(&mut self) -> &mut Capabilities {
        trip("host-function");
        let capabilities = self.capabilities();
        capabilities.has_called = true;
        capabilities
    }
}

/// Ties the generated `pframe:task` functions to [`Capabilities`].
struct Task;

impl HasData for Task {
    type Data<'a> = &'a mut Capabilities;
}

/// Links every known interface.
pub(crate) fn link<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    network::link_denials(linker)?;
    directories::link(linker)?;
    wit::types::add_to_linker::<T, Task>(linker, T::called)?;
    wit::input::add_to_linker::<T, Task>(linker, T::called)?;
    wit::output::add_to_linker::<T, Task>(linker, T::called)?;
    wit::progress::add_to_linker::<T, Task>(linker, T::called)?;
    stores::store::add_to_linker::<T, Task>(linker, T::called)?;
    stores::atomics::add_to_linker::<T, Task>(linker, T::called)?;
    stores::batch::add_to_linker::<T, Task>(linker, T::called)?;
    bindings::audio::pframe::audio::speech::add_to_linker::<T, Task>(linker, T::called)
}

impl WasiParts {
    fn make(&self) -> WasiCtx {
        let Self { granted, stdio, parameters } = self;
        let mut builder = WasiCtxBuilder::new();
        builder.stdin(stdio.stdin.clone());
        builder.stdout(stdio.stdout.clone()).stderr(stdio.stderr.clone());
        // Files are memory or read like inputs: what they cost counts as the attempt's processor time.
        builder.allow_blocking_current_thread(true);
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        builder.max_random_size(RANDOM_BYTES_MAX);
        for (name, value) in &granted.environment {
            builder.env(name, value);
        }
        if let Some(parameters) = parameters {
            builder.env("PFRAME_PARAMETERS", parameters);
        }
        if !granted.clock {
            builder.wall_clock(clock::StoppedClock::at(granted.accepted_at));
            builder.monotonic_clock(clock::CountingClock::default());
        }
        if !granted.random {
            builder.secure_random(random::SeededRandom::new(&granted.seed, "secure"));
            builder.insecure_random(random::SeededRandom::new(&granted.seed, "insecure"));
            builder.insecure_random_seed(random::seed_number(&granted.seed));
        }
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_compatible_and_another_draft_is_not() {
        let has = |name: &str, version: &str| {
            let known = KNOWN_INTERFACES.iter().find(|known| known.name == name);
            known.unwrap().has(version)
        };
        assert!(has("wasi:cli/exit", "0.2.0") && has("wasi:cli/exit", "0.2.11"));
        assert!(!has("wasi:cli/exit", "0.3.0") && !has("wasi:cli/exit", "0.20.0"));
        assert!(has("wasi:keyvalue/store", "0.2.0-draft"));
        for other in ["0.2.0-draft2", "0.2.0", "0.2.0-draf", ""] {
            assert!(!has("wasi:keyvalue/store", other), "{other}");
        }
    }
}
