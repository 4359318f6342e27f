//! Randomness for a guest without the grant `random`: bytes seeded by its job and step. Not for secrets.
//!
//! Owns: the seeding. Its limit: 1 MiB in one call. It charges: a call's fuel.
//! Its escape test: `an_ungranted_guest_is_reproducible` in the tests package.
//! Never: the same stream for two steps, or another one for a retry.

use std::convert::Infallible;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{SeedableRng, TryRng};
use sha2::{Digest as _, Sha256};

/// `ChaCha12` (the algorithm is part of the promise: results stay the same across versions), seeded when first asked.
pub(crate) struct SeededRandom {
    stream: Option<ChaCha12Rng>,
    seed: String,
    use_of: &'static str,
}

impl SeededRandom {
    pub(crate) fn new(seed: &str, use_of: &'static str) -> Self {
        Self { stream: None, seed: seed.to_owned(), use_of }
    }

    fn stream(&mut self) -> &mut ChaCha12Rng {
        let (seed, use_of) = (&self.seed, self.use_of);
        self.stream.get_or_insert_with(|| ChaCha12Rng::from_seed(material(seed, use_of)))
    }
}

impl TryRng for SeededRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.stream().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.stream().try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.stream().try_fill_bytes(bytes)
    }
}

/// The number behind `wasi:random/insecure-seed`, which languages use for their hash maps.
///
/// FNV-1a: it is asked for by every attempt, and a cryptographic hash would cost more than a tiny handler.
pub(crate) fn seed_number(seed: &str) -> u128 {
    seed.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash: u128, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

fn material(seed: &str, use_of: &str) -> [u8; 32] {
    Sha256::new().chain_update(use_of).chain_update([0]).chain_update(seed).finalize().into()
}
