//! What fuzzers feed: one function for each border that takes bytes from strangers. Only in builds with the feature `fuzzing`.
//!
//! Owns: from any bytes to that border. Whatever they are, none may panic, hang, or end in a fault of the host's own.
//! Never: runs in a release.

use std::os::fd::AsFd;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use pframe_core::config::{Layers, load};
use pframe_core::fault::Code;
use pframe_core::ids::Digest;
use pframe_core::jobfile;
use pframe_hostile::{Guest, IMPORTS};

use crate::process::frame::{Incoming, receive_frame};
use crate::registry::ArtefactCache;
use crate::worker::protocol::{FromWorker, ToWorker};
use crate::{Engine, Job, JobInput};

/// The handler that does what its chunk says.
const TASK: &str = "obedient";
/// Jobs of one engine.
const JOBS_MAX: u32 = 20_000;

/// A border by the name of its fuzz target.
pub type Border = fn(&[u8]);

/// Every border.
pub const BORDERS: [(&str, Border); 5] = [
    ("job_file", job_file),
    ("configuration", configuration),
    ("frames", frames),
    ("artefact", artefact),
    ("lifting", lifting),
];

/// Bytes that a socket takes without somebody who reads.
const SOCKET_BYTES: usize = 64 << 10;

/// A job file, as JSON or YAML.
pub fn job_file(bytes: &[u8]) {
    let _ = jobfile::parse(bytes, "fuzz.yaml");
}

/// A configuration.
pub fn configuration(bytes: &[u8]) {
    let _ = load(&Layers { file: Some(("fuzz.yaml", bytes)), ..Layers::default() });
}

/// What comes over the line between host and worker.
pub fn frames(bytes: &[u8]) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    let flags = SocketFlags::CLOEXEC;
    let Ok((here, there)) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None) else {
        return;
    };
    let _ = rustix::io::write(&here, &bytes[..bytes.len().min(SOCKET_BYTES)]);
    drop(here);
    let mut incoming = Incoming::without_descriptors();
    while let Ok(frame) = receive_frame(&mut incoming, there.as_fd()) {
        if let Ok(FromWorker::Refused(fault)) = frame.message() {
            let _ = fault.read().to_string();
        }
        let _ = frame.message::<ToWorker>();
    }
}

/// A file in the cache of compiled components: without the seal it is nothing.
pub fn artefact(bytes: &[u8]) {
    static CACHE: LazyLock<(tempfile::TempDir, ArtefactCache)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let cache = ArtefactCache::at(folder.path(), &wasmtime::Engine::default());
        cache.put(&Digest([0; 32]), b"so that there is a key");
        (folder, cache)
    });
    let (_, cache) = &*CACHE;
    let component = Digest([1; 32]);
    cache.put_unsealed(&component, bytes);
    assert_eq!(cache.get(&component), None, "what carries no seal was taken for an artefact");
}

/// What a guest hands to host functions, and returns: a handler that does what its chunk says. Each 16 bytes of it are
/// a call: a number, and three arguments.
pub fn lifting(bytes: &[u8]) {
    static ENGINE: Mutex<Option<(Engine, u32)>> = Mutex::new(None);
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    // An engine remembers every job.
    if engine.as_ref().is_some_and(|(_, jobs)| *jobs == JOBS_MAX) {
        *engine = None;
    }
    let (engine, jobs) = engine.get_or_insert_with(|| (engine_for_lifting(), 0));
    *jobs += 1;
    let id = format!("fuzz-{jobs}").parse().expect("an id");
    let mut job = Job::new(id, TASK.parse().expect("a name"), JobInput::Bytes(bytes.to_vec()));
    job.retries_max = Some(0);
    job.limits.timeout = Some(Duration::from_secs(2));
    let ended = engine.submit(job).and_then(|job| job.wait_blocking());
    if let Err(fault) = ended {
        assert!(!matches!(fault.code, Code::Bug), "{fault}");
    }
}

fn engine_for_lifting() -> Engine {
    let engine = Engine::builder().workers(1).attempts(1).build().expect("an engine can be built");
    let task = TASK.parse().expect("a name");
    engine.register_component(&task, obedient().bytes()).expect("the component is sound");
    engine
}

fn obedient() -> Guest {
    Guest::new(&format!(
        r#"{IMPORTS}
        (func (export "run") (param $chunk i32) (param i32 i32) (result i32)
          (local $at i32) (local $end i32) (local $one i32) (local $two i32) (local $three i32)
          (call $read (local.get $chunk) (i64.const 0) (i32.const 4096) (i32.const 256))
          (local.set $at (i32.load (i32.const 260)))
          (local.set $end (i32.add (local.get $at) (i32.load (i32.const 264))))
          (block $done (loop $next
            (br_if $done
              (i32.gt_u (i32.add (local.get $at) (i32.const 16)) (local.get $end)))
            (local.set $one (i32.load offset=4 (local.get $at)))
            (local.set $two (i32.load offset=8 (local.get $at)))
            (local.set $three (i32.load offset=12 (local.get $at)))
            (block $write (block $size (block $drop (block $id (block $read (block $copy (block $return
              (br_table $write $size $drop $id $read $copy $return $return
                (i32.and (i32.load8_u (local.get $at)) (i32.const 7))))
              (return (local.get $one)))
              ;; copy: the chunk's own bytes somewhere into memory
              (memory.copy (i32.and (local.get $one) (i32.const 65535))
                (local.get $at) (i32.const 16))
              (local.set $at (i32.add (local.get $at) (i32.const 16))) (br $next))
              ;; read
              (call $read (local.get $chunk) (i64.extend_i32_u (local.get $one))
                (local.get $two) (local.get $three))
              (local.set $at (i32.add (local.get $at) (i32.const 16))) (br $next))
              ;; id
              (call $job-id (local.get $chunk) (local.get $one))
              (local.set $at (i32.add (local.get $at) (i32.const 16))) (br $next))
              ;; drop
              (call $drop (local.get $one))
              (local.set $at (i32.add (local.get $at) (i32.const 16))) (br $next))
              ;; size
              (drop (call $size (local.get $one)))
              (local.set $at (i32.add (local.get $at) (i32.const 16))) (br $next))
            ;; write
            (call $write (local.get $one) (local.get $two) (local.get $three))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br $next)))
          (i32.const 64))"#
    ))
}
