//! What wit-bindgen makes of `wit/task.wit`: the imports once, the exports once for each world.
//!
//! Owns: the generated code, and with it the `unsafe` that it needs.
//! Never: is written by hand; the rest of the crate turns it into something pleasant.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated code: its documentation is wit/task.wit"
)]

pub use imports::pframe::task::types::{ReadError, Span, Unit};

/// What every task may call.
pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        world: "imports",
        generate_all,
        additional_derives: [PartialEq],
    });
}

/// Generates the export of one interface; the types are those of [`imports`].
///
/// One small world for each interface, and not the worlds of `wit/task.wit`: the parts of a component that name
/// their worlds are merged when it is linked, so a task gets exactly what it exports, and each interface is generated
/// once. (Two worlds with the same interface would define the same macro twice.)
macro_rules! interface {
    ($module:ident, $world:tt, $export:tt, $inline:tt) => {
        #[doc = concat!("The export of the interface `", $world, "`.")]
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                inline: $inline,
                world: $world,
                with: {
                    "pframe:task/types@0.1.0": crate::bindings::imports::pframe::task::types,
                    "pframe:task/input@0.1.0": crate::bindings::imports::pframe::task::input,
                },
                pub_export_macro: true,
                export_macro_name: $export,
            });
        }
    };
}

interface!(
    handler,
    "pframe:sdk/handler",
    "export_handler",
    "package pframe:sdk; world handler { export pframe:task/handler@0.1.0; }"
);
interface!(
    chunker,
    "pframe:sdk/chunker",
    "export_chunker",
    "package pframe:sdk; world chunker { export pframe:task/chunker@0.1.0; }"
);
interface!(
    collector,
    "pframe:sdk/collector",
    "export_collector",
    "package pframe:sdk; world collector { export pframe:task/collector@0.1.0; }"
);

/// What a task may call to recognise speech.
#[cfg(feature = "speech")]
pub mod speech {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package pframe:sdk; world listener { import pframe:audio/speech@0.1.0; }",
        world: "pframe:sdk/listener",
        generate_all,
        additional_derives: [PartialEq],
    });
}
