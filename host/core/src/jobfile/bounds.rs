//! How much a job may ask for at all; operators can only allow less.
//!
//! Owns: the hard maxima, with their reasons.
//! Never: the ceiling of one host; that is configuration.

use std::time::Duration;

use crate::units::{ByteSize, CpuCores, Fuel};

/// Memory of one attempt at least: one WebAssembly page.
pub const MEMORY_MIN: ByteSize = ByteSize::kib(64);
/// Memory of one attempt at most: what 32-bit addresses reach.
pub const MEMORY_MAX: ByteSize = ByteSize::gib(4);
/// Fuel of one attempt at most: years of work, and far from overflow.
pub const FUEL_MAX: Fuel = Fuel(1_000_000_000_000_000_000);
/// Time of one attempt at least.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// Time of one attempt at most.
pub const TIMEOUT_MAX: Duration = Duration::from_hours(30 * 24);
/// Time of a whole job at most.
pub const DEADLINE_MAX: Duration = Duration::from_hours(365 * 24);
/// Result of one attempt at most.
pub const OUTPUT_MAX: ByteSize = ByteSize::gib(1024);
/// Scratch space of one attempt at most.
pub const DISK_MAX: ByteSize = ByteSize::gib(1024);
/// Memory that one attempt may reserve, on any machine there is.
pub const RESERVED_MEMORY_MAX: ByteSize = ByteSize::gib(64 * 1024);
/// Processor cores that one attempt may reserve, on any machine there is.
pub const CPU_CORES_MAX: CpuCores = CpuCores::whole(4096);
/// Retries of one chunk at most: more only hide a permanent failure.
pub const RETRIES_MAX: u32 = 100;
/// Chunks in one batch at most: a batch is lost and repeated as one.
pub const BATCH_FILES_MAX: u32 = 10_000;
/// Tolerated failures at most: all chunks of the longest plan.
pub const FAILED_CHUNKS_MAX: u32 = 1_000_000;
/// Jobs that one job may depend on.
pub const DEPENDENCIES_MAX: usize = 10_000;
/// Chunk size at least: below it, the work of starting outweighs the work.
pub const CHUNK_SIZE_MIN: ByteSize = ByteSize(1);
/// Chunk size at most.
pub const CHUNK_SIZE_MAX: ByteSize = ByteSize::gib(64 * 1024);
/// Chunk size of the strategies `size` and `content` where none is stated.
pub const CHUNK_SIZE_DEFAULT: ByteSize = ByteSize::mib(8);
/// Chunk length at least.
pub const CHUNK_LENGTH_MIN: Duration = Duration::from_millis(1);
/// Chunk length at most.
pub const CHUNK_LENGTH_MAX: Duration = Duration::from_hours(365 * 24);
/// Chunk length of the strategy `time` where none is stated.
pub const CHUNK_LENGTH_DEFAULT: Duration = Duration::from_mins(10);
/// Longest separator: it is searched for in every chunk.
pub const SEPARATOR_BYTES_MAX: usize = 256;
/// Longest name of a model in a grant.
pub const MODEL_NAME_BYTES_MAX: usize = 64;
/// Longest name of a directory in a grant.
pub const DIRECTORY_NAME_BYTES_MAX: usize = 64;
/// Directories that one job may read or write to: each is a descriptor on the way to every worker.
pub const DIRECTORIES_MAX: usize = 16;
/// Longest name of a key-value store in a grant.
pub const STORE_NAME_BYTES_MAX: usize = 64;
/// Longest name of an environment variable in a grant.
pub const ENVIRONMENT_NAME_BYTES_MAX: usize = 256;
