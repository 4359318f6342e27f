//! Misbehaves on request: every way a handler can go wrong, one parameter each.
//!
//! Owns: the table of what it can do; each deed is a few lines in the module of what it attacks.
//! Never: misbehaves unasked: `{"do": "ok"}`, also the default, is a model handler.

mod compute;
mod end;
mod host;
mod keep;
mod outside;
mod web;
mod write;

use pframe_guest::{Chunk, Failure, Handler, Output};
use serde::Deserialize;

/// The task type.
pub struct Evil;

/// What a job may set: `{"do": "write-one", "n": 1000}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// What to do.
    pub r#do: Deed,
    /// How much or how often, where the deed needs a number.
    pub n: u64,
}

/// What it can do.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Nothing, successfully.
    #[default]
    Ok,
    /// The same by another name.
    Nop,
    /// Copies the chunk to the output.
    Echo,

    /// Loops without a call.
    Spin,
    /// Allocates and touches 1 MiB at a time until that is denied, then writes how many it got.
    Alloc,
    /// The same, and treats the denial as Rust does: aborts.
    AllocAbort,
    /// Calls itself until the stack ends.
    Recurse,
    /// Fills 64 MiB (or `n` MiB) again and again, one bulk instruction each.
    MemoryFill,

    /// Writes 64 KiB of output again and again.
    WriteForever,
    /// Writes `n` bytes of output.
    WriteOne,
    /// Hands over one piece of more than 1 MiB (1 MiB and one byte), and writes what the host said.
    WriteTooLong,
    /// Writes to stdout until something stops it.
    StdoutForever,
    /// Writes to stderr until something stops it.
    StderrForever,
    /// Writes `n` numbered lines to stderr and then fails for good.
    StderrLines,
    /// Reports progress, nonsense among it, `n` times, or for ever if that is 0.
    ProgressFlood,

    /// Panics.
    Panic,
    /// Panics with a message of `n` bytes (5 MiB if 0).
    PanicLong,
    /// Ends the process, claiming success.
    Exit0,
    /// Ends the process, admitting failure.
    Exit1,
    /// Fails: the input is to blame.
    Invalid,
    /// Fails: another attempt may help.
    Transient,
    /// Fails: nothing will help.
    Permanent,
    /// Fails as transient while the attempt's number is below `n`, then writes that number.
    TransientUntil,
    /// Fails for good for all chunks but the first `n`, and says everything that it saw.
    Confess,
    /// Fails with a message of 8 MiB.
    HugeFailureMessage,
    /// Fails with a message full of control sequences.
    AnsiFailureMessage,

    /// Waits for ever on the monotonic clock.
    Sleep,
    /// Waits `n` milliseconds.
    SleepMs,
    /// Polls a pollable that is ready at once, for ever.
    PollBusy,
    /// Keeps the handles of `n` pollables, or of as many as it gets if that is 0.
    Handles,
    /// Asks for `n` random bytes at once (1 TiB if 0), and writes how many came.
    Random,
    /// Writes 16 random bytes as hexadecimal digits.
    RandomHex,
    /// Writes arguments and environment, one a line.
    Env,
    /// Writes the wall clock and two readings of the monotonic clock, in nanoseconds, one a line.
    Clock,
    /// Connects to the machine itself and to a public address, and writes what it got, one a line.
    Net,
    /// Asks the cloud's metadata service, the machine itself and a public name by HTTP, and writes what it got.
    Http,
    /// Sends the requests that the chunk lists as JSON, and writes what came of each, one a line.
    Fetch,
    /// Sends the chunk's first request `n` times at once, and writes how often each outcome came.
    FetchMany,
    /// Calls key-value stores as the chunk says, one call a line, and writes what came of each.
    Keep,
    /// Opens and lists files of the host, and writes what it got, one a line.
    Fs,

    /// Reads at the end, beyond the end, and at the greatest offset; writes what it got, one a line.
    ReadOob,
    /// Reads 4 GiB at once, and 1 MiB and a byte; writes what it got, one a line.
    ReadHuge,
    /// Writes what the chunk says about itself, one a line.
    Describe,
}

impl Handler for Evil {
    type Parameters = Parameters;

    fn run(chunk: &Chunk, parameters: Parameters, output: &mut Output) -> Result<(), Failure> {
        let n = parameters.n;
        match parameters.r#do {
            Deed::Ok | Deed::Nop => Ok(()),
            Deed::Echo => write::echo(chunk, output),
            Deed::Spin => compute::spin(),
            Deed::Alloc => compute::allocate(output),
            Deed::AllocAbort => compute::allocate_or_abort(),
            Deed::Recurse => compute::recurse(output),
            Deed::MemoryFill => compute::fill_memory(n),
            Deed::WriteForever => write::forever(output),
            Deed::WriteOne => write::bytes(output, n),
            Deed::WriteTooLong => write::too_long(output),
            Deed::StdoutForever => write::flood(&mut std::io::stdout()),
            Deed::StderrForever => write::flood(&mut std::io::stderr()),
            Deed::StderrLines => write::stderr_lines(n),
            Deed::ProgressFlood => {
                write::progress_flood(n);
                Ok(())
            }
            Deed::Panic => panic!("evil was asked to panic"),
            Deed::PanicLong => compute::panic_long(n),
            Deed::Exit0 => std::process::exit(0),
            Deed::Exit1 => std::process::exit(1),
            Deed::Invalid => Err(Failure::invalid("evil finds the input invalid")),
            Deed::Transient => Err(Failure::transient("evil asks for another attempt")),
            Deed::Permanent => Err(Failure::permanent("evil gives up for good")),
            Deed::TransientUntil => end::transient_until(chunk, output, n),
            Deed::Confess => end::confess(chunk, n),
            Deed::HugeFailureMessage => end::huge_message(),
            Deed::AnsiFailureMessage => end::ansi_message(),

            Deed::Sleep => {
                outside::sleep(u64::MAX);
                Ok(())
            }
            Deed::SleepMs => {
                outside::sleep(n.saturating_mul(1_000_000));
                Ok(())
            }
            Deed::PollBusy => outside::poll_busy(),
            Deed::Handles => outside::handles(output, n),
            Deed::Random => outside::random(output, n),
            Deed::RandomHex => outside::random_hex(output),
            Deed::Env => outside::environment(output),
            Deed::Clock => outside::clock(output),
            Deed::Net => outside::net(output),
            Deed::Http => outside::http(output),
            Deed::Fetch => web::fetch(chunk, output),
            Deed::FetchMany => web::fetch_many(chunk, output, n),
            Deed::Keep => keep::keep(chunk, output),
            Deed::Fs => outside::files(output),
            Deed::ReadOob => host::read_beyond(chunk, output),
            Deed::ReadHuge => host::read_huge(chunk, output),
            Deed::Describe => host::describe(chunk, output),
        }
    }
}

pframe_guest::export!(Evil);

#[cfg(test)]
mod tests {
    use super::*;
    use pframe_guest::testing::run;

    fn check(parameters: &str, expect: Result<&str, Failure>) {
        let outcome = run::<Evil>("some input", parameters);
        assert_eq!(outcome, expect.map(|text| text.as_bytes().to_vec()), "{parameters}");
    }

    #[test]
    fn what_needs_no_host_does_what_it_says() {
        check("{}", Ok(""));
        check(r#"{"do": "echo"}"#, Ok("some input"));
        check(r#"{"do": "write-one", "n": 5}"#, Ok("xxxxx"));
        check(r#"{"do": "permanent"}"#, Err(Failure::permanent("evil gives up for good")));
        check(r#"{"do": "transient-until", "n": 1}"#, Ok("1\n"));
        let early = Failure::transient("attempt 1 of a guest that succeeds at 3");
        check(r#"{"do": "transient-until", "n": 3}"#, Err(early));
    }

    #[test]
    fn reads_beyond_the_end_are_told_apart() {
        let expect =
            "at the end: 0 bytes\nbeyond the end: out-of-range\nfar beyond: out-of-range\n";
        check(r#"{"do": "read-oob"}"#, Ok(expect));
        check(r#"{"do": "read-huge"}"#, Ok("4 GiB: too-long\n1 MiB and a byte: too-long\n"));
    }
}
