//! Runs other programs.
//!
//! Owns: the time limit of every program, and the sentence when one fails.
//! Never: waits forever.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// The longest wait for a question such as `rustc --version`.
pub(crate) const QUESTION_TIME_MAX: Duration = Duration::from_mins(1);

/// The longest wait for a build or an installation.
pub(crate) const WORK_TIME_MAX: Duration = Duration::from_mins(30);

/// How often a running program is looked at. Short enough not to be felt after a question of a few milliseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Runs a program that talks to the person directly.
pub(crate) fn work(command: &mut Command, time_max: Duration) -> Outcome {
    let child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    match wait(child, time_max)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("`{}` failed: {status}", shown(command))),
        None => Err(format!("`{}` took longer than {time_max:?}", shown(command))),
    }
}

/// Runs a program for what it prints; its stderr is dropped. `None` if it is missing, fails or takes too long.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut stdout = child.stdout.take()?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = wait(child, QUESTION_TIME_MAX).ok().flatten()?;
    let text = reader.join().ok()?.ok()?;
    status.success().then_some(text)
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start `{}`: {error}", command.get_program().to_string_lossy())
}

/// Waits for the end, or kills the program once its time is over.
fn wait(mut child: Child, time_max: Duration) -> Outcome<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        let status = child.try_wait().map_err(|error| format!("cannot wait: {error}"))?;
        if status.is_some() {
            return Ok(status);
        }
        if start.elapsed() > time_max {
            child.kill().map_err(|error| format!("cannot kill: {error}"))?;
            child.wait().map_err(|error| format!("cannot wait: {error}"))?;
            return Ok(None);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let started = Instant::now();
        let outcome = work(Command::new("sleep").arg("60"), Duration::from_millis(20));
        assert_eq!(outcome, Err("`sleep 60` took longer than 20ms".into()));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_missing_program_answers_nothing() {
        assert_eq!(ask(&mut Command::new("no-such-program-anywhere")), None);
    }

    #[test]
    fn a_program_that_fails_answers_nothing() {
        assert_eq!(ask(&mut Command::new("false")), None);
    }
}
