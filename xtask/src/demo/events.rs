//! JSON lines as a web service might log them.
//!
//! Owns: the fields of an event, some of them missing or null now and then.
//! Never: depends on anything but its seed.

use std::io::{self, Write};

use fastrand::Rng;

const COUNTRIES: [&str; 5] = ["de", "fr", "in", "jp", "us"];
const ACTIONS: [&str; 4] = ["open", "search", "buy", "leave"];

/// A writer of events.
pub(super) struct Events(Rng);

impl Events {
    /// The same events for the same seed.
    pub(super) fn seeded(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// Writes lines until there are at least so many bytes.
    pub(super) fn write(mut self, bytes: u64, to: &mut impl Write) -> io::Result<()> {
        let mut written = 0;
        for number in 1.. {
            let line = self.line(number);
            to.write_all(line.as_bytes())?;
            written += line.len() as u64;
            if written >= bytes {
                break;
            }
        }
        Ok(())
    }

    fn line(&mut self, number: u64) -> String {
        let random = &mut self.0;
        let user = random.u32(1..5000);
        let country = COUNTRIES[random.usize(0..COUNTRIES.len())];
        let action = ACTIONS[random.usize(0..ACTIONS.len())];
        let (milliseconds, tenth) = (random.u32(1..2000), random.u32(0..10));
        let amount = match action {
            "buy" => format!("{}.{:02}", random.u32(1..500), random.u32(0..100)),
            _ => "null".into(),
        };
        format!(
            r#"{{"event":{number},"user":{{"id":{user},"country":"{country}"}},"action":"{action}","took_ms":{milliseconds}.{tenth},"amount":{amount}}}"#
        ) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_object_and_the_same_seed_writes_the_same() {
        let write = || {
            let mut bytes = Vec::new();
            Events::seeded(1).write(10_000, &mut bytes).expect("memory takes everything");
            bytes
        };
        let lines = String::from_utf8(write()).expect("JSON is text");
        let is_object =
            |line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|v| v.is_object());
        assert!(lines.lines().all(is_object), "{lines}");
        assert_eq!(write(), write());
    }
}
