//! Which WebAssembly proposals a component needs and this host has switched off: all of them, where the compiler names the first.
//!
//! Owns: their names, as people look them up.
//! Never: decides whether a component is accepted; the compiler does.

use wasmparser::{Validator, WasmFeatures};

/// What is switched off, beside the name of each. What is not listed here, the newest validator does not know either.
const OFF: &[(&str, WasmFeatures)] = &[
    ("tail calls", WasmFeatures::TAIL_CALL),
    ("relaxed SIMD", WasmFeatures::RELAXED_SIMD),
    ("64-bit memories", WasmFeatures::MEMORY64),
    ("threads", WasmFeatures::THREADS),
    ("shared-everything threads", WasmFeatures::SHARED_EVERYTHING_THREADS),
    ("typed function references", WasmFeatures::FUNCTION_REFERENCES),
    ("garbage collection", WasmFeatures::GC),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    ("legacy exceptions", WasmFeatures::LEGACY_EXCEPTIONS),
    ("stack switching", WasmFeatures::STACK_SWITCHING),
    ("custom page sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("wide arithmetic", WasmFeatures::WIDE_ARITHMETIC),
    ("asynchronous components", WasmFeatures::CM_ASYNC),
    ("error contexts of components", WasmFeatures::CM_ERROR_CONTEXT),
    ("garbage collection in components", WasmFeatures::CM_GC),
];

/// The names of all that are needed; none where the component is not valid with all of them either.
pub(crate) fn switched_off(component: &[u8]) -> Vec<&'static str> {
    let is_valid =
        |features| Validator::new_with_features(features).validate_all(component).is_ok();
    let all = WasmFeatures::all();
    if !is_valid(all) {
        return Vec::new();
    }
    let needed = OFF.iter().filter(|(_, feature)| !is_valid(all.difference(*feature)));
    needed.map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &str, expect: &[&str]) {
        let text = format!("(component (core module {fields}))");
        assert_eq!(switched_off(&wat::parse_str(text).unwrap()), expect, "{fields}");
    }

    #[test]
    fn every_proposal_that_is_off_is_named() {
        check("(func)", &[]);
        check("(memory i64 1)", &["64-bit memories"]);
        check("(memory 1 1 shared) (func $f (return_call $f))", &["tail calls", "threads"]);
        check("(tag) (func (throw 0))", &["exceptions"]);
        check("(type (struct))", &["garbage collection"]);
        check("(func (param (ref func)))", &["typed function references"]);
        check(
            "(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))",
            &["relaxed SIMD"],
        );
    }

    #[test]
    fn what_is_damaged_needs_nothing() {
        assert_eq!(switched_off(b"\0asm\x0d\0\x01\0\xff"), Vec::<&str>::new());
    }
}
