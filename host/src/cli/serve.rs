//! `pframe-host serve --stdio`
//!
//! Owns: one engine for the program that started this one, and the loop that hears what it asks.
//! Never: outlives its stdin: who asked is gone, and with it whoever could be answered.

mod desk;
mod endings;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

use pframe_core::ids::TenantName;

use self::desk::Desk;
use self::endings::Endings;
use self::wire::{Lines, Request, Wire};
use super::arguments::ServeArguments;
use super::failure::Failure;
use super::porch::Porch;

/// Threads for what takes long: recordings are decoded and components compiled before a job is accepted.
const SLOW_THREADS: usize = 2;
/// Requests that wait for these threads; further ones hold the reader up.
const SLOW_WAITING_MAX: usize = 256;

pub(super) fn serve(mut porch: Porch, arguments: &ServeArguments) -> Result<ExitCode, Failure> {
    let tenant = porch.config.tenants.entry(TenantName::default_tenant()).or_default();
    for text in &arguments.allow {
        let refuse = |error| Failure::Usage(format!("`--allow {text}`: {error}"));
        tenant.grants.push(text.parse().map_err(refuse)?);
    }
    // The network is reached as whoever started this program, not as whoever writes the job file: only he decides to.
    porch.may_pull = false;
    porch.check_scheduler(arguments.fallback)?;
    let mut builder = porch.engine();
    // Two programs may each have an engine of their own: only who names a directory shares what is in it.
    if porch.config.storage.state_dir.is_some() {
        builder = builder.state_dir(&porch.state_dir);
    }
    let engine = builder.build()?;
    let wire = Arc::new(Wire::stdout());
    let endings = Endings::start(Arc::clone(&wire));
    let desk = Desk::new(porch, engine, endings, wire);
    std::thread::scope(|scope| listen(&desk, scope));
    desk.close()?;
    Ok(ExitCode::SUCCESS)
}

/// Answers until stdin ends. What takes long is done beside, so that a job can be cancelled while another is decoded.
fn listen<'scope>(desk: &'scope Desk, scope: &'scope Scope<'scope, '_>) {
    let (sender, receiver) = sync_channel(SLOW_WAITING_MAX);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..SLOW_THREADS {
        let receiver = Arc::clone(&receiver);
        scope.spawn(move || work_off(desk, &receiver));
    }
    for request in Lines::stdin() {
        match request {
            Err(refusal) => desk.refuse(None, refusal),
            Ok(request) if !Desk::takes_long(&request) => desk.answer(request),
            Ok(request) => match sender.try_send(request) {
                Ok(()) => {}
                Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) => {
                    desk.answer(request);
                }
            },
        }
    }
}

fn work_off(desk: &Desk, requests: &Mutex<Receiver<Request>>) {
    let next = || requests.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(request) = next() {
        desk.answer(request);
    }
}
