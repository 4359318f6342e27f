//! LLVM's tools that read traces.
//!
//! Owns: where they are found: rustup's component first, else Debian's package of the compiler's own LLVM version,
//! because older tools do not read newer traces.
//! Never: waits for a server that does not answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::Outcome;
use crate::apt::{Wanted, ensure};
use crate::process::{WORK_TIME_MAX, ask, ask_within, work};
use crate::talk::say;
use crate::workspace::root;

/// The longest wait for rustup's server: without a network the request may hang.
const DOWNLOAD_TIME_MAX: Duration = Duration::from_mins(3);

/// Where the two programs are.
pub(super) struct Tools {
    profdata: PathBuf,
    cov: PathBuf,
}

/// The lines of one source file.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Lines {
    /// The file.
    #[serde(rename = "filename")]
    pub(super) file: PathBuf,
    /// How many of its lines ran.
    pub(super) summary: Summary,
}

/// What LLVM says about a file.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Summary {
    /// Its lines.
    pub(super) lines: Count,
}

/// Lines with code in them.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) struct Count {
    /// All.
    pub(super) count: u64,
    /// Those that ran.
    pub(super) covered: u64,
}

/// Finds the tools, installing what is missing.
pub(super) fn find() -> Outcome<Tools> {
    if let Some(tools) = of_rustup() {
        return Ok(tools);
    }
    let major = compilers_llvm()?;
    if let Some(tools) = of_debian(major) {
        return Ok(tools);
    }
    say("rustup: adding llvm-tools, which read the traces of instrumented tests");
    let mut add = Command::new("rustup");
    let outcome = work(add.args(["component", "add", "llvm-tools"]), DOWNLOAD_TIME_MAX);
    if let (Ok(()), Some(tools)) = (&outcome, of_rustup()) {
        return Ok(tools);
    }
    say("rustup's server does not have them for us; trying Debian's packages");
    let package = format!("llvm-{major}");
    let purpose = "LLVM's tools, which read the traces of instrumented tests";
    let oldest = (package.as_str(), (major, 0));
    ensure(&Wanted { packages: &[&package], purpose, oldest })?;
    of_debian(major)
        .ok_or_else(|| format!("{package} is installed and llvm-cov-{major} is missing"))
}

fn of_rustup() -> Option<Tools> {
    let libraries = ask(Command::new("rustc").arg("--print=target-libdir"))?;
    let folder = Path::new(libraries.trim()).parent()?.join("bin");
    let tools = Tools { profdata: folder.join("llvm-profdata"), cov: folder.join("llvm-cov") };
    tools.work().then_some(tools)
}

fn of_debian(major: u32) -> Option<Tools> {
    let name = |tool: &str| PathBuf::from(format!("{tool}-{major}"));
    let tools = Tools { profdata: name("llvm-profdata"), cov: name("llvm-cov") };
    tools.work().then_some(tools)
}

/// The major version of the LLVM inside the compiler.
fn compilers_llvm() -> Outcome<u32> {
    let answer = ask(Command::new("rustc").arg("-vV")).ok_or("`rustc -vV` failed")?;
    major_in(&answer).ok_or_else(|| format!("`rustc -vV` names no LLVM version:\n{answer}"))
}

fn major_in(answer: &str) -> Option<u32> {
    let version = answer.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.parse().ok()
}

impl Tools {
    fn work(&self) -> bool {
        let answers = |tool: &Path| ask(Command::new(tool).arg("--version")).is_some();
        answers(&self.profdata) && answers(&self.cov)
    }

    /// Makes one profile of many traces.
    pub(super) fn merge(&self, traces: &Path) -> Outcome<PathBuf> {
        let profile = root().join("target/coverage/all.profdata");
        let files =
            fs::read_dir(traces).map_err(|error| format!("the tests left no trace: {error}"))?;
        let mut command = Command::new(&self.profdata);
        command.args(["merge", "--sparse", "--output"]).arg(&profile);
        command.args(files.flatten().map(|file| file.path()));
        work(&mut command, WORK_TIME_MAX)?;
        Ok(profile)
    }

    /// The lines of every source file that the programs were made from.
    pub(super) fn lines(&self, profile: &Path, programs: &[PathBuf]) -> Outcome<Vec<Lines>> {
        let (first, others) = programs.split_first().ok_or("these packages have no tests")?;
        let mut command = Command::new(&self.cov);
        command.args(["export", "--summary-only", "--instr-profile"]).arg(profile).arg(first);
        command.args(others.iter().flat_map(|program| [Path::new("--object"), program]));
        let text = ask_within(&mut command, WORK_TIME_MAX).ok_or("`llvm-cov export` failed")?;
        lines_in(&text)
    }
}

#[derive(Deserialize)]
struct Export {
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<Lines>,
}

fn lines_in(export: &str) -> Outcome<Vec<Lines>> {
    let export: Export = serde_json::from_str(export)
        .map_err(|error| format!("`llvm-cov export` says something unexpected: {error}"))?;
    Ok(export.data.into_iter().flat_map(|data| data.files).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_names_its_llvm() {
        assert_eq!(major_in("rustc 1.95.0\nrelease: 1.95.0\nLLVM version: 22.1.2\n"), Some(22));
        assert_eq!(major_in("rustc 1.95.0"), None);
    }

    #[test]
    fn lines_are_read_from_llvms_answer() {
        let answer = r#"{"data": [{"files": [{"filename": "/a.rs", "summary":
            {"lines": {"count": 4, "covered": 3, "percent": 75.0}, "regions": {}}}], "totals": {}}],
            "type": "llvm.coverage.json.export", "version": "3.1.0"}"#;
        let lines = Count { count: 4, covered: 3 };
        let expected = Lines { file: "/a.rs".into(), summary: Summary { lines } };
        assert_eq!(lines_in(answer), Ok(vec![expected]));
    }
}
