//! Every problem of a file at once, each with its place and what to do about it.
//!
//! Owns: [`Problems`], its bound and its printed form.
//! Never: decides what is a problem.

use std::fmt;

use super::tree::Place;
use crate::fault::{Code, Fault};

/// Problems that are told one by one; the rest is counted.
pub const PROBLEMS_MAX: usize = 50;

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// In the file as a whole.
    Whole,
    /// At a line and column of the file.
    At(Place),
    /// Outside the file: an environment variable or a flag.
    Named(String),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub spot: Spot,
    /// The keys that lead there, such as `jobs[0].limits.memory`; may be empty.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub advice: String,
}

/// All problems of one file, in its order. An error only once it is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    code: Code,
    told: Vec<Problem>,
    total: usize,
}

impl Problems {
    /// An empty list for the file of this name; `code` says what kind of file it is.
    pub fn new(file: &str, code: Code) -> Self {
        Self { file: file.to_owned(), code, told: Vec::new(), total: 0 }
    }

    /// The first [`PROBLEMS_MAX`] problems.
    pub fn told(&self) -> &[Problem] {
        &self.told
    }

    /// How many there are, told or not.
    pub fn total(&self) -> usize {
        self.total
    }

    /// True where nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The class of the fault that these problems are.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Adds a problem; it is worded only if it will be told.
    pub(crate) fn add(&mut self, problem: impl FnOnce() -> Problem) {
        self.total += 1;
        if self.told.len() < PROBLEMS_MAX {
            self.told.push(problem());
        }
    }

    /// Adds a problem of the text itself, before there is a tree.
    pub(crate) fn add_at(&mut self, place: Place, message: &str, advice: &str) {
        self.add(|| Problem {
            spot: Spot::At(place),
            path: String::new(),
            message: message.into(),
            advice: advice.into(),
        });
    }

    /// `value` where nothing is wrong, else the problems in the order of the file.
    pub(crate) fn unless_empty<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            Some(_) | None => {
                debug_assert!(!self.is_empty(), "whoever gives no value says why");
                self.told.sort();
                Err(self)
            }
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.told.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            self.write_problem(f, problem)?;
        }
        match self.total - self.told.len() {
            0 => Ok(()),
            1 => write!(f, "\n{}: and 1 more problem", self.file),
            more => write!(f, "\n{}: and {more} more problems", self.file),
        }
    }
}

impl Problems {
    fn write_problem(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        match &problem.spot {
            Spot::Whole => write!(f, "{}: ", self.file)?,
            Spot::At(place) => write!(f, "{}:{place}: ", self.file)?,
            Spot::Named(name) => write!(f, "{name}: ")?,
        }
        write!(f, "error[{}]: {}", self.code, problem.message)?;
        if !problem.path.is_empty() {
            write!(f, "\n  in: {}", problem.path)?;
        }
        if !problem.advice.is_empty() {
            write!(f, "\n  advice: {}", problem.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Fault {
    fn from(problems: Problems) -> Self {
        let count = match problems.total {
            1 => "1 problem".to_owned(),
            more => format!("{more} problems"),
        };
        Self::new(problems.code).detail(format!("{count}\n{problems}"))
    }
}
