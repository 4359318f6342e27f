//! Debian's packages, for machines that rustup's server does not reach.
//!
//! Owns: what is installed, what can be had, and how it is installed.
//! Never: installs anything without having said what and why; without the rights it says what to type.

use std::process::Command;

use crate::Outcome;
use crate::process::{WORK_TIME_MAX, ask, work};
use crate::talk::say;

/// Packages that belong together.
pub(crate) struct Wanted<'a> {
    /// Their names.
    pub(crate) packages: &'a [&'a str],
    /// What they are for, and how much they take.
    pub(crate) purpose: &'a str,
    /// The package that must be recent, and its oldest version that will do.
    pub(crate) oldest: (&'a str, (u32, u32)),
}

/// Installs those packages that are missing or too old.
pub(crate) fn ensure(wanted: &Wanted<'_>) -> Outcome {
    if ask(Command::new("apt-get").arg("--version")).is_none() {
        return Err("this is not Debian: there is no apt-get".into());
    }
    let is_missing = |package: &&str| !is_installed(package, wanted.oldest);
    let missing: Vec<_> = wanted.packages.iter().copied().filter(is_missing).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing, wanted) }
}

fn is_installed(package: &str, (aged, version_min): (&str, (u32, u32))) -> bool {
    let format = "--showformat=${db:Status-Status} ${Version}";
    let answer = ask(Command::new("dpkg-query").args(["--show", format, package]));
    let Some(version) = answer.as_deref().and_then(|answer| answer.strip_prefix("installed "))
    else {
        return false;
    };
    package != aged || is_new_enough(version, version_min)
}

/// Whether a version such as `1.96.0+dfsg1-1~deb12u2` or `1:22.1.8-1` will do.
fn is_new_enough(version: &str, version_min: (u32, u32)) -> bool {
    let without_epoch = version.split_once(':').map_or(version, |(_, rest)| rest);
    let mut numbers = without_epoch.split('.').map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= version_min
}

fn install(packages: &[&str], wanted: &Wanted<'_>) -> Outcome {
    let list = packages.join(" ");
    let prefix = right_to_install().ok_or_else(|| {
        format!("installing needs root; type: sudo apt-get update && sudo apt-get install {list}")
    })?;
    let (aged, (major, minor)) = wanted.oldest;
    if !has_candidate(wanted.oldest) {
        say("debian: the package lists are missing or old: apt-get update");
        work(&mut apt(prefix, &["update", "--quiet"]), WORK_TIME_MAX)?;
    }
    if !has_candidate(wanted.oldest) {
        return Err(format!(
            "the archive has no {aged} {major}.{minor} or newer: add your release's security archive to apt's sources"
        ));
    }
    say(&format!("debian: installing {list}: {}", wanted.purpose));
    let options = ["install", "--quiet", "--yes", "--no-install-recommends"];
    work(apt(prefix, &options).args(packages), WORK_TIME_MAX)
}

/// Words in front of `apt-get`: none for root, `sudo -n` where that asks no password.
fn right_to_install() -> Option<&'static [&'static str]> {
    if ask(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0") {
        return Some(&[]);
    }
    ask(Command::new("sudo").args(["-n", "true"])).map(|_| &["sudo", "-n"][..])
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Command {
    let words: Vec<&str> = prefix.iter().copied().chain(["apt-get"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether apt can install a version that will do.
fn has_candidate((package, version_min): (&str, (u32, u32))) -> bool {
    let policy = ask(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"));
    let candidate = policy.as_deref().and_then(candidate);
    candidate.is_some_and(|version| is_new_enough(version, version_min))
}

fn candidate(policy: &str) -> Option<&str> {
    policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let will_do = |version| is_new_enough(version, (1, 96));
        assert!(will_do("1.96.0+dfsg1-1~deb12u2"));
        assert!(will_do("1.100.0"));
        assert!(will_do("2.0.0"));
        assert!(will_do("1:22.1.8-1~deb12u1"));
        assert!(!will_do("1.85.0+dfsg3-1~deb12u3"));
        assert!(!will_do("(none)"));
    }

    #[test]
    fn the_candidate_is_read_from_apts_answer() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0-1\n  Version table:\n";
        assert_eq!(candidate(policy), Some("1.96.0-1"));
        assert_eq!(candidate(""), None);
    }
}
