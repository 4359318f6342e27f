//! Runs other programs.
//!
//! Owns: the time limit of every program, and the sentence when one fails.
//! Never: waits forever.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::talk::{say, show};
use crate::workspace::cargo;

/// The longest wait for a question such as `rustc --version`.
pub(crate) const QUESTION_TIME_MAX: Duration = Duration::from_mins(1);

/// The longest wait for a build or an installation.
pub(crate) const WORK_TIME_MAX: Duration = Duration::from_mins(30);

/// Lines that a program may be ahead of us.
const LINES_WAITING_MAX: usize = 1024;

/// How often a running program is looked at. Short enough not to be felt after a question of a few milliseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Runs a program that talks to the person directly.
pub(crate) fn work(command: &mut Command, time_max: Duration) -> Outcome {
    let child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    judge(command, wait(child, time_max)?, time_max)
}

/// Says what will run, as one would type it, and runs it.
pub(crate) fn step(command: &mut Command, time_max: Duration) -> Outcome {
    say(&format!("$ {}", shown(command)));
    work(command, time_max)
}

/// Runs a program, shows each line that it prints, and lets `hear` have it.
pub(crate) fn listen(
    command: &mut Command,
    time_max: Duration,
    mut hear: impl FnMut(&str),
) -> Outcome {
    say(&format!("$ {}", shown(command)));
    let until = Instant::now() + time_max;
    let time_left = || until.saturating_duration_since(Instant::now());
    command.stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    let lines = lines_of(child.stdout.take().expect("it was asked for just now"));
    while let Ok(line) = lines.recv_timeout(time_left()) {
        show(&line);
        hear(&line);
    }
    judge(command, wait(child, time_left())?, time_max)
}

/// Reads on a thread of its own: a program that was killed may leave children which keep the pipe open.
fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES_WAITING_MAX);
    thread::spawn(move || {
        let lines = BufReader::new(stdout).split(b'\n').map_while(Result::ok);
        for line in lines {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn judge(command: &Command, status: Option<ExitStatus>, time_max: Duration) -> Outcome {
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("`{}` failed: {status}", shown(command))),
        None => Err(format!("`{}` took longer than {time_max:?}", shown(command))),
    }
}

/// Asks a short question, such as `rustc --version`.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    ask_within(command, QUESTION_TIME_MAX)
}

/// Runs a program for what it prints; its stderr is dropped. `None` if it is missing, fails or takes too long.
pub(crate) fn ask_within(command: &mut Command, time_max: Duration) -> Option<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut stdout = child.stdout.take()?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = wait(child, time_max).ok().flatten()?;
    let text = reader.join().ok()?.ok()?;
    status.success().then_some(text)
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let is_cargo = command.get_program() == cargo();
    let program = if is_cargo { "cargo".into() } else { command.get_program().to_string_lossy() };
    let program = program.into_owned();
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
    fn what_a_program_prints_is_heard_line_by_line_even_if_it_fails() {
        let mut heard = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; printf two; exit 3"]);
        let outcome = listen(&mut command, QUESTION_TIME_MAX, |line| heard.push(line.to_owned()));
        assert_eq!(heard, ["one", "two"]);
        assert!(outcome.is_err_and(|message| message.ends_with("failed: exit status: 3")));
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
