//! B02: modules that nobody wrote, compiled and started inside a handler that is otherwise honest.

use std::time::Duration;

use arbitrary::Unstructured;
use pframe_core::fault::Code;
use pframe_core::job::LimitsRequest;
use pframe_core::units::Fuel;
use pframe_host::Job;
use pframe_tests::component::{SONG, honest};
use pframe_tests::house::{house, job, task, unique_id};
use pframe_tests::random::Random;
use wasm_encoder::{ComponentSection, InstanceSection, ModuleArg, RawSection};
use wasm_smith::{Config, Module};

/// Bytes of chance that a module is made of.
const CHANCE_BYTES: usize = 4096;
/// The section of a component that holds a core module.
const CORE_MODULE: u8 = 1;

/// A module with a start function perhaps, and with everything that the sandbox allows, or with more.
fn module(random: &mut Random, allows_more: bool) -> Option<Vec<u8>> {
    let chance: Vec<u8> = (0..CHANCE_BYTES).map(|_| random.below(256) as u8).collect();
    let config = Config {
        max_imports: 0,
        max_memories: 2,
        max_tables: 4,
        max_memory32_bytes: 16 << 20,
        max_table_elements: 1000,
        min_exports: 0,
        exceptions_enabled: allows_more,
        gc_enabled: allows_more,
        memory64_enabled: allows_more,
        relaxed_simd_enabled: allows_more,
        tail_call_enabled: allows_more,
        threads_enabled: allows_more,
        extended_const_enabled: true,
        custom_page_sizes_enabled: allows_more,
        wide_arithmetic_enabled: allows_more,
        reference_types_enabled: true,
        ..Config::default()
    };
    Module::new(config, &mut Unstructured::new(&chance)).ok().map(|module| module.to_bytes())
}

/// The honest handler, with that module behind it, instantiated: its start function runs first.
fn with(module: &[u8]) -> Vec<u8> {
    let mut bytes = honest();
    RawSection { id: CORE_MODULE, data: module }.append_to_component(&mut bytes);
    let mut instances = InstanceSection::new();
    let none: [(&str, ModuleArg); 0] = [];
    // The honest component has two core modules; this is the third.
    instances.instantiate(2, none);
    instances.append_to_component(&mut bytes);
    bytes
}

#[test]
fn b02_modules_that_nobody_wrote() {
    let count = if std::env::var_os("PFRAME_SLOW").is_some() { 3000 } else { 150 };
    let mut random = Random::seeded(2);
    let (mut sung, mut refused, mut ended) = (0, 0, 0);
    for number in 0..count {
        let Some(module) = module(&mut random, number % 3 == 0) else { continue };
        let name = task(&format!("smith-{}", unique_id()));
        match house().engine.register_component(&name, with(&module)) {
            Err(fault) => {
                assert_ne!(fault.code, Code::Bug, "module {number}: {fault}");
                refused += 1;
            }
            Ok(_) => {
                let timeout = Some(Duration::from_millis(500));
                let limits = LimitsRequest {
                    fuel: Some(Fuel(10_000_000)),
                    timeout,
                    ..LimitsRequest::default()
                };
                let end = house().run(Job { task: name, limits, ..job("tiny", "") });
                match end.result {
                    Ok(text) => {
                        assert_eq!(text, SONG.as_bytes(), "module {number}");
                        sung += 1;
                    }
                    Err(fault) => {
                        assert_ne!(fault.code, Code::Bug, "module {number}: {fault}");
                        ended += 1;
                    }
                }
            }
        }
    }
    println!("{sung} harmless, {ended} ended, {refused} refused");
    assert!(sung > 10 && refused > 10, "{sung} harmless, {ended} ended, {refused} refused");
}
