//! What fuzzers begin with, and what they once found: each file in `fuzz/seeds`, at the border it is for.

use pframe_host::fuzzing::BORDERS;
use pframe_tests::root;

#[test]
fn every_seed_is_harmless() {
    for (name, border) in BORDERS {
        let folder = root().join("fuzz/seeds").join(name);
        let seeds: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().collect();
        assert!(!seeds.is_empty(), "{name} has none");
        for seed in seeds {
            println!("{}", seed.path().display());
            border(&std::fs::read(seed.path()).unwrap());
        }
    }
}
