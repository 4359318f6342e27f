//! From the traits of a task to the exports of a component.
//!
//! Owns: the glue between `Handler`, `Chunker`, `Collector` and the generated bindings, and `export!`.
//! Never: holds logic of its own: parse the parameters, call, hand over what is left.

use std::marker::PhantomData;

use crate::bindings::imports::pframe::task::input as host;
use crate::bindings::imports::pframe::task::types::Failure as WitFailure;
use crate::bindings::{Span, chunker, collector, handler};
use crate::chunk::{Chunk, Source};
use crate::failure::Failure;
use crate::output::Output;
use crate::parameters::parse_parameters;
use crate::partials::Partials;
use crate::task::{Chunker, Collector, Handler};

/// A task as the generated bindings want to see it; `export!` uses it.
pub struct Exported<T>(PhantomData<T>);

impl<T: Handler> handler::exports::pframe::task::handler::Guest for Exported<T> {
    fn run(chunk: &host::Chunk, parameters: String) -> Result<(), WitFailure> {
        written(|output| T::run(&Chunk::from_host(chunk), parse_parameters(&parameters)?, output))
    }
}

impl<T: Chunker> chunker::exports::pframe::task::chunker::Guest for Exported<T> {
    fn cut(source: &host::Source, parameters: String) -> Result<Vec<Span>, WitFailure> {
        let parameters = parse_parameters(&parameters)?;
        Ok(T::cut(&Source::from_host(source), parameters)?)
    }
}

impl<T: Collector> collector::exports::pframe::task::collector::Guest for Exported<T> {
    fn combine(parts: &host::Partials, parameters: String) -> Result<(), WitFailure> {
        let parts = Partials::from_host(parts);
        written(|output| T::combine(&parts, parse_parameters(&parameters)?, output))
    }

    fn finish(parts: &host::Partials, parameters: String) -> Result<(), WitFailure> {
        let parts = Partials::from_host(parts);
        written(|output| T::finish(&parts, parse_parameters(&parameters)?, output))
    }
}

/// Runs something that writes, and hands over the rest of its output.
fn written(work: impl FnOnce(&mut Output) -> Result<(), Failure>) -> Result<(), WitFailure> {
    let mut output = Output::to_host();
    work(&mut output)?;
    output.finish()?;
    Ok(())
}

/// Makes a component of a task. The crate must be a `cdylib`.
///
/// ```text
/// pframe_guest::export!(WordCount);
/// pframe_guest::export!(WordCount with collector);
/// pframe_guest::export!(WordCount with chunker);
/// pframe_guest::export!(WordCount with chunker, collector);
/// ```
///
/// Natively it exports nothing (a native linker refuses the names of a component's exports) but checks the same, so
/// that the crate can be tested, linted and used as a library.
#[macro_export]
macro_rules! export {
    ($task:ident) => {
        $crate::export!(@one $task, Handler, handler, export_handler);
    };
    ($task:ident with chunker) => {
        $crate::export!($task);
        $crate::export!(@one $task, Chunker, chunker, export_chunker);
    };
    ($task:ident with collector) => {
        $crate::export!($task);
        $crate::export!(@one $task, Collector, collector, export_collector);
    };
    ($task:ident with chunker, collector) => {
        $crate::export!($task with chunker);
        $crate::export!(@one $task, Collector, collector, export_collector);
    };
    (@one $task:ident, $trait:ident, $module:ident, $export:ident) => {
        const _: () = {
            const fn implements<T: $crate::$trait>() {}
            implements::<$task>();
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::Exported<$task>;
            $crate::bindings::$module::$export!(Exported with_types_in $crate::bindings::$module);
        };
    };
}
