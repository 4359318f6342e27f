#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pframe_host::fuzzing::configuration(bytes));
