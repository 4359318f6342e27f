//! Rust types for `wit/task.wit`, generated.
//!
//! Owns: nothing but the generated code and the host types behind its resources.
//! Never: edited by hand; change the WIT.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "pframe:task/imports",
    imports: { default: trappable },
    with: {
        "pframe:task/input.chunk": crate::capability::input::ChunkHandle,
        "pframe:task/input.source": crate::capability::input::SourceHandle,
        "pframe:task/input.partials": crate::capability::input::PartialsHandle,
    },
});
