//! What the tests of the configuration share: one file loaded, and a job to resolve with it.

use std::fmt::Write as _;

use pframe_core::config::{self, Config, Layers};
use pframe_core::ids::{JobId, TaskName};
use pframe_core::job::{InputRequest, JobRequest};

/// The text of the design, unchanged.
pub(crate) const DESIGN: &str = include_str!("design.yaml");

pub(crate) fn load(text: &str) -> Config {
    let layers = Layers { file: Some(("pframe.yaml", text.as_bytes())), ..Layers::default() };
    config::load(&layers).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) fn job(task: &str) -> JobRequest {
    let input = InputRequest::Text("x".into());
    let (id, task) = (JobId::new("a"), TaskName::new(task));
    JobRequest::new(id.expect("a name"), task.expect("a name"), input)
}

pub(crate) fn shown(config: &Config) -> String {
    config.entries().iter().fold(String::new(), |mut text, entry| {
        writeln!(text, "{} = {}  # {}", entry.path, entry.value, entry.origin)
            .expect("a String takes all");
        text
    })
}
