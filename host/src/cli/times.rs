//! Moments as people and programs read them.
//!
//! Owns: the printed form of a time. Times are UTC: the program knows no time zones.
//! Never: decides by the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pframe_core::units::Timestamp;

/// `2026-01-02T03:04:05Z`.
pub(super) fn show_time(at: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_micros(at.0);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// `5m ago`, in one unit.
pub(super) fn show_age(at: Timestamp) -> String {
    let seconds = now().since(at).as_secs();
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since_epoch)
}
