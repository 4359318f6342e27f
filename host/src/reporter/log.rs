//! The log: one line for each event, made in one place.
//!
//! Owns: the level and the format of log lines on stderr.
//! Never: sentences; fields.

use pframe_core::config::LogLevel;
use pframe_core::event::Record;
use tracing_subscriber::filter::LevelFilter;

use super::Reporter;
use super::told::is_colourful;

/// Starts logging. Where nobody asked for a level only warnings are shown: the progress says the rest.
pub(crate) fn start(level: LogLevel, is_asked_for: bool) {
    let level = match level {
        _ if !is_asked_for => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| super::screen::Log)
        .with_ansi(is_colourful())
        .with_target(false)
        .try_init();
}

/// Writes each event at level info.
pub(crate) struct EventLog;

impl Reporter for EventLog {
    fn show(&mut self, records: &[Record]) {
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        for record in records {
            let event = serde_json::to_string(&record.event).expect("an event is valid JSON");
            tracing::info!(seq = record.seq, job = %record.event.job(), event);
        }
    }
}
