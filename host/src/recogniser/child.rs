//! The recogniser process's life: load a model, into the jail, and listen on every seat until the line closes.
//!
//! Owns: the order in which that happens. A library may open its files by name, so the model is loaded first; nothing of a
//! tenant has been looked at by then.
//! Never: starts a thread once the jail stands.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

use pframe_core::config::Isolation;
use rustix::net::{RecvFlags, recv};
use rustix::process::Resource;

use super::engine::{Problem, Recogniser};
use super::models::Family;
use super::pocketsphinx::{self, PocketSphinx};
use super::protocol::{FromSeat, Load, Loaded, ToSeat};
use crate::process::frame::{FrameError, Incoming, Outgoing, receive_frame};
use crate::process::jail::Jail;
use crate::process::syscalls::Phase;

/// The longest window in bytes: 64 s, twice what the host sends.
const WINDOW_BYTES_MAX: u64 = 2 << 20;
/// Stack of a seat: what native recognisers need, and far more.
const STACK_BYTES: usize = 8 << 20;

/// Serves the line on stdin until it closes.
pub(crate) fn serve_recognise(isolation: Isolation) -> ExitCode {
    match live(isolation) {
        Ok(()) | Err(FrameError::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = rustix::io::write(io::stderr(), format!("recognise: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn live(isolation: Isolation) -> Result<(), FrameError> {
    let mut jail = Jail::enter(isolation, io::stdin().as_fd())?;
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut incoming = Incoming::with_descriptors();
    let first = receive_frame(&mut incoming, line.as_fd())?;
    let load: Load = first.message()?;
    let mut descriptors = first.descriptors.into_iter();
    let lines: Vec<OwnedFd> = descriptors.by_ref().take(load.seats as usize).collect();
    let seated = match recognisers(&load, descriptors.next()) {
        Ok(recognisers) => {
            recognisers
                .into_iter()
                .zip(lines)
                .try_for_each(|(recogniser, line)| seat(recogniser, line))?;
            Ok(())
        }
        Err(why) => Err(why),
    };
    jail.close(&[(Resource::As, load.memory_max.bytes())], None);
    jail.seal(Phase::Recognise);
    let seated = match jail.gap().filter(|_| load.demands_layers) {
        Some(gap) => {
            let why = gap.missing.as_deref().unwrap_or_default();
            Err(format!("the layer `{}` does not hold: {why}", gap.layer.name()))
        }
        None => seated,
    };
    let loaded = seated.map_or_else(Loaded::Refused, |()| Loaded::Ready);
    let mut outgoing = Outgoing::default();
    outgoing.push(&loaded, Vec::new())?;
    outgoing.flush(line.as_fd())?;
    // The host says nothing more here: when it closes the line, this process ends, and all seats with it.
    receive_frame(&mut incoming, line.as_fd()).map(drop)
}

/// One recogniser for each seat.
fn recognisers(load: &Load, model: Option<OwnedFd>) -> Result<Vec<Box<dyn Recogniser>>, String> {
    let seats = 0..load.seats;
    match load.family {
        Family::PocketSphinx => {
            let missing = || format!("its model is not installed; {}", pocketsphinx::INSTALL);
            let installation = pocketsphinx::Installation::find().ok_or_else(missing)?;
            let load = |_| Ok(Box::new(PocketSphinx::load(&installation)?) as Box<dyn Recogniser>);
            seats.map(load).collect()
        }
        #[cfg(feature = "scripted")]
        Family::Scripted => {
            let model = model.ok_or("no model came along")?;
            let scripted = super::scripted::Scripted::load(&File::from(model))?;
            Ok(seats.map(|_| Box::new(scripted.clone()) as Box<dyn Recogniser>).collect())
        }
        #[cfg(not(feature = "scripted"))]
        Family::Scripted => Err(format!("this build has no scripted recogniser ({model:?})")),
    }
}

/// Starts the thread of a seat.
fn seat(mut recogniser: Box<dyn Recogniser>, line: OwnedFd) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("pframe-seat".into()).stack_size(STACK_BYTES);
    let listen = move || {
        // The host closes the line of a seat that it needs no longer.
        let _ = listen(&mut *recogniser, &line);
    };
    thread.spawn(listen).map(drop)
}

fn listen(recogniser: &mut dyn Recogniser, line: &OwnedFd) -> Result<(), FrameError> {
    let mut incoming = Incoming::with_descriptors();
    loop {
        let frame = receive_frame(&mut incoming, line.as_fd())?;
        let (offset, length, options) = match frame.message()? {
            ToSeat::Listen { offset, length, options } => (offset, length, options),
            // It came too late: the answer was on its way.
            ToSeat::Cancel => continue,
        };
        let file = frame.descriptors.into_iter().next();
        let file = file.ok_or(FrameError::Malformed("no samples came along"))?;
        let answer: FromSeat = match samples(&File::from(file), offset, length) {
            Ok(samples) => recogniser.recognise(&samples, &options, &mut || has_news(line)),
            Err(error) => Err(Problem::Failed(format!("reading the samples: {error}"))),
        };
        let mut outgoing = Outgoing::default();
        outgoing.push(&answer, Vec::new())?;
        outgoing.flush(line.as_fd())?;
    }
}

fn samples(file: &File, offset: u64, length: u64) -> io::Result<Vec<i16>> {
    if length > WINDOW_BYTES_MAX {
        return Err(io::Error::other("a window that is too long"));
    }
    let mut bytes = vec![0; usize::try_from(length).expect("two megabytes")];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

/// While a seat listens, the only word of the host is to stop, or that it is gone.
fn has_news(line: &OwnedFd) -> bool {
    let mut byte = [0_u8];
    let looked = recv(line, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    !matches!(looked, Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR))
}
