//! Rust types for `wit/`, generated.
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

/// `wasi:keyvalue`, which only handlers import that keep something between attempts.
pub(crate) mod keyvalue {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "package pframe:host-side; world keeper {
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
        }",
        world: "pframe:host-side/keeper",
        imports: { default: trappable },
        with: { "wasi:keyvalue/store.bucket": crate::capability::keyvalue::BucketHandle },
    });
}

/// `pframe:audio`, which only handlers that transcribe import.
pub(crate) mod audio {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "package pframe:host-side; world listener { import pframe:audio/speech@0.1.0; }",
        world: "pframe:host-side/listener",
        imports: {
            "pframe:audio/speech.[method]audio.transcribe": async | trappable,
            default: trappable,
        },
        with: {
            "pframe:audio/speech.audio": crate::capability::speech::AudioHandle,
        },
    });
}
