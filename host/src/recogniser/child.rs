//! The recogniser process's life: load a model, into the jail, and listen on every seat until the line closes.
//!
//! Owns: the order in which that happens. What Debian's packages brought is loaded before the jail closes, because a library
//! opens its files by their names; a model that somebody added is looked at only inside.
//! Never: starts a thread once the jail stands.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::mpsc;

use pframe_core::config::Isolation;
use rustix::net::{RecvFlags, recv};
use rustix::process::Resource;

use super::engine::{Problem, Recogniser};
use super::models::Family;
use super::pocketsphinx::{self, PocketSphinx};
use super::protocol::{FromSeat, Load, Loaded, ToSeat};
use crate::process::child::exit_of;
use crate::process::frame::{FrameError, Incoming, Outgoing, receive_frame};
use crate::process::jail::Jail;
use crate::process::syscalls::Phase;

/// The longest window in bytes: 64 s, twice what the host sends.
const WINDOW_BYTES_MAX: u64 = 2 << 20;
/// Stack of a seat: what native recognisers need, and far more.
const STACK_BYTES: usize = 8 << 20;

/// Serves the line on stdin until it closes.
pub(crate) fn serve_recognise(isolation: Isolation) -> ExitCode {
    exit_of("recognise", live(isolation))
}

fn live(isolation: Isolation) -> Result<(), FrameError> {
    let mut jail = Jail::enter(isolation, io::stdin().as_fd())?;
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut incoming = Incoming::with_descriptors();
    let first = receive_frame(&mut incoming, line.as_fd())?;
    let load: Load = first.message()?;
    let mut descriptors = first.descriptors.into_iter();
    let lines: Vec<OwnedFd> = descriptors.by_ref().take(load.seats as usize).collect();

    let installed = match load.family {
        Family::PocketSphinx => Some(installed(load.seats)),
        Family::Whisper => {
            prepare_whisper();
            None
        }
        Family::Scripted => None,
    };
    jail.close(&[(Resource::As, load.memory_max.bytes())]);
    // After what holds for each thread by itself, and before the layer that holds for all and lets no thread start.
    let seats = lines.into_iter().map(seat).collect::<io::Result<Vec<_>>>()?;
    jail.seal(Phase::Recognise);
    let recognisers = match jail.gap().filter(|_| load.demands_layers) {
        Some(gap) => {
            let why = gap.missing.as_deref().unwrap_or_default();
            Err(format!("the layer `{}` does not hold: {why}", gap.layer.name()))
        }
        None => installed.unwrap_or_else(|| added(&load, descriptors.next())),
    };
    let loaded = match recognisers {
        Ok(recognisers) => {
            for (seat, recogniser) in seats.iter().zip(recognisers) {
                let _ = seat.send(recogniser);
            }
            Loaded::Ready
        }
        Err(why) => Loaded::Refused(why),
    };
    let mut outgoing = Outgoing::default();
    outgoing.push(&loaded, Vec::new())?;
    outgoing.flush(line.as_fd())?;
    // The host says nothing more here: when it closes the line, this process ends, and all seats with it.
    receive_frame(&mut incoming, line.as_fd()).map(drop)
}

/// One for each seat, or why there is none.
type Recognisers = Result<Vec<Box<dyn Recogniser>>, String>;

/// The recogniser that Debian's packages brought: its library opens files by their names.
fn installed(seats: u32) -> Recognisers {
    let missing = || format!("its model is not installed; {}", pocketsphinx::INSTALL);
    let installation = pocketsphinx::Installation::find().ok_or_else(missing)?;
    let load = |_| Ok(Box::new(PocketSphinx::load(&installation)?) as Box<dyn Recogniser>);
    (0..seats).map(load).collect()
}

/// A recogniser with a model that somebody added: nothing in its file has been looked at before the jail stood.
fn added(load: &Load, model: Option<OwnedFd>) -> Recognisers {
    let model = File::from(model.ok_or("no model came along")?);
    match load.family {
        Family::PocketSphinx => installed(load.seats),
        Family::Whisper => whisper(&model, load.seats),
        Family::Scripted => scripted(&model, load.seats),
    }
}

#[cfg(feature = "whisper")]
fn whisper(model: &File, seats: u32) -> Recognisers {
    let seats = super::whisper::Whisper::load(model, seats)?.into_iter();
    Ok(seats.map(|seat| Box::new(seat) as Box<dyn Recogniser>).collect())
}

#[cfg(feature = "whisper")]
use super::whisper::prepare as prepare_whisper;

#[cfg(not(feature = "whisper"))]
fn prepare_whisper() {}

#[cfg(not(feature = "whisper"))]
fn whisper(_: &File, _: u32) -> Recognisers {
    Err("this program was built without Whisper (`--features whisper`)".into())
}

#[cfg(feature = "scripted")]
fn scripted(model: &File, seats: u32) -> Recognisers {
    let scripted = super::scripted::Scripted::load(model)?;
    Ok((0..seats).map(|_| Box::new(scripted.clone()) as Box<dyn Recogniser>).collect())
}

#[cfg(not(feature = "scripted"))]
fn scripted(_: &File, _: u32) -> Recognisers {
    Err("this program was built without the recogniser of the tests".into())
}

/// Starts the thread of a seat, which waits for its recogniser.
fn seat(line: OwnedFd) -> io::Result<mpsc::Sender<Box<dyn Recogniser>>> {
    let (give, given) = mpsc::channel::<Box<dyn Recogniser>>();
    let thread = std::thread::Builder::new().name("pframe-seat".into()).stack_size(STACK_BYTES);
    thread.spawn(move || {
        if let Ok(mut recogniser) = given.recv() {
            // The host closes the line of a seat that it needs no longer.
            let _ = listen(&mut *recogniser, &line);
        }
    })?;
    Ok(give)
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
    Ok(pframe_speech::samples(&bytes))
}

/// While a seat listens, the only word of the host is to stop, or that it is gone.
fn has_news(line: &OwnedFd) -> bool {
    let mut byte = [0_u8];
    let looked = recv(line, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    !matches!(looked, Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR))
}
