//! A thousand random lives of a host: jobs, tenants, failures, cancellations, crashes, drains.
//!
//! After every step the scheduler counts itself anew, and the laws below are checked over the events.
//! `PFRAME_SEED=7 cargo test -p pframe-core --test simulation` runs one seed alone.

mod common;
mod world;

use world::World;

const SEEDS: u64 = 1000;
const STEPS: u32 = 80;

fn live(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.run_dry();
}

/// A journal that lost a record is refused, or replayed to something sound; it is never a panic.
#[test]
fn a_damaged_journal_never_panics() {
    for seed in 0..100 {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.lose_a_record();
    }
}

#[test]
fn a_thousand_random_lives_keep_every_law() {
    if let Ok(seed) = std::env::var("PFRAME_SEED") {
        return live(seed.parse().expect("PFRAME_SEED is a number"));
    }
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(|| live(seed));
        if let Err(panic) = outcome {
            eprintln!("seed {seed} broke a law; rerun it alone:");
            eprintln!("  PFRAME_SEED={seed} cargo test -p pframe-core --test simulation");
            std::panic::resume_unwind(panic);
        }
    }
}
