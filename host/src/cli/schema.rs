//! `pframe-host schema`
//!
//! Owns: printing the JSON Schema of job files.
//! Never: knows a key; the core does.

use std::process::ExitCode;

use super::failure::Failure;
use super::print::print;

pub(super) fn schema() -> Result<ExitCode, Failure> {
    let schema = pframe_core::schema::job_file();
    print(&serde_json::to_string_pretty(&schema).expect("a schema is valid JSON"))?;
    Ok(ExitCode::SUCCESS)
}
