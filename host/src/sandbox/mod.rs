//! The sandbox: one fresh WebAssembly store for each attempt, with fuel, memory and time that run out.
//!
//! Owns: the wasmtime engine, what a store may hold, how an attempt is stopped and why it ended.
//! Never: decides whether to try again, opens a file by itself, or lets a guest's words name a fault.
//!
//! [`engine`] builds the wasmtime engine and ticks its epoch; [`task`] links a component once;
//! [`attempt`] runs one attempt from start to end; [`ending`] turns what wasmtime says into a fault.

pub(crate) mod attempt;

pub(crate) mod ending;
pub(crate) mod engine;
pub(crate) mod leaving;
pub(crate) mod limiter;
mod merge;
pub(crate) mod meter;
pub(crate) mod state;
pub(crate) mod stop;
pub(crate) mod task;
pub(crate) mod ticker;

pub(crate) use attempt::{Assignment, Order, Product, run};
pub(crate) use engine::{Sandbox, SandboxSettings, compiler};
pub(crate) use meter::forget_last_poll;
pub(crate) use stop::Stop;
pub(crate) use task::{Task, is_known_import};
