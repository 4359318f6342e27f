//! The file itself: its version, its tasks, its jobs, and what must hold between them.
//!
//! Owns: [`parse`]; ids, task names, output paths and stdin where they stand twice.
//! Never: looks at a later version's keys; their meaning is not known.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use super::input::path;
use super::job::{Read, job};
use super::{dependencies, keys};
use crate::document::{self, Checker, Node, Place, Problems, shown};
use crate::fault::Code;
use crate::ids::TaskName;
use crate::job::{ComponentPlace, JobFile, JobRequest, STANDARD_STREAM, TaskDeclaration};
use crate::oci;

/// The version of the format that this host reads.
pub const VERSION: i64 = 1;

/// Remarks that are told one by one.
const REMARKS_MAX: usize = 20;

/// Reads a job file, YAML or JSON; the error lists every problem with its place.
///
/// `file_name` is what messages call the file; nothing is opened.
pub fn parse(bytes: &[u8], file_name: &str) -> Result<JobFile, Problems> {
    let mut problems = Problems::new(file_name, Code::JobFile);
    let file = document::read(bytes, &mut problems)
        .and_then(|root| file(&mut Checker::new(&mut problems), &root, file_name));
    problems.unless_empty(file)
}

fn file(checker: &mut Checker<'_>, root: &Node, file_name: &str) -> Option<JobFile> {
    let stranger = checker.mapping(root, keys::FILE.what)?;
    if !checker.is_readable_version(stranger, VERSION, "write `version: 1`") {
        return None;
    }
    let fields = checker.fields(root, &keys::FILE)?;
    let tasks = checker.optional(fields, "tasks", tasks).unwrap_or_default();
    let mut remarks = Remarks { file_name, told: Vec::new(), total: 0 };
    let jobs = checker.required(fields, "jobs", "list at least one job", |checker, node| {
        jobs(checker, node, &mut remarks)
    });
    Some(JobFile { tasks, jobs: jobs?, remarks: remarks.finish() })
}

fn tasks(checker: &mut Checker<'_>, node: &Node) -> Option<BTreeMap<TaskName, TaskDeclaration>> {
    let mut tasks = BTreeMap::new();
    let mut names: BTreeMap<TaskName, (String, Place)> = BTreeMap::new();
    for entry in checker.mapping(node, "`tasks`")?.entries() {
        let declared = checker.at_name(&entry.key, |checker| declaration(checker, &entry.value));
        match TaskName::new(&entry.key) {
            Err(error) => checker.problem(entry.place, error.to_string(), ""),
            Ok(name) => match names.entry(name.clone()) {
                Slot::Occupied(first) => {
                    let (written, place) = first.get();
                    let message =
                        format!("{} is the same name as {}", shown(&entry.key), shown(written));
                    let advice = format!(
                        "`-` and `_` are equal in task names; the first is in line {}",
                        place.line
                    );
                    checker.problem(entry.place, message, advice);
                }
                Slot::Vacant(slot) => {
                    slot.insert((entry.key.clone(), entry.place));
                    tasks.extend(declared.map(|declared| (name, declared)));
                }
            },
        }
    }
    Some(tasks)
}

fn declaration(checker: &mut Checker<'_>, node: &Node) -> Option<TaskDeclaration> {
    let fields = checker.fields(node, &keys::TASK)?;
    let component = checker.required(fields, "component", "name the component's file", place);
    let sha256 =
        checker.optional(fields, "sha256", |checker, node| checker.parsed(node, str::parse));
    Some(TaskDeclaration { component: component?, sha256 })
}

/// A path, or the one kind of address that is fetched: what it leads to has a digest.
fn place(checker: &mut Checker<'_>, node: &Node) -> Option<ComponentPlace> {
    match node.as_written() {
        Some(text) if text.starts_with(oci::SCHEME) => {
            checker.parsed(node, str::parse).map(ComponentPlace::Registry)
        }
        _ => path(checker, node).map(ComponentPlace::File),
    }
}

fn jobs(
    checker: &mut Checker<'_>,
    node: &Node,
    remarks: &mut Remarks<'_>,
) -> Option<Vec<JobRequest>> {
    let items = checker.items(node, "a list of jobs")?;
    if items.is_empty() {
        checker.problem(node.place, "there are no jobs", "list at least one");
        return None;
    }
    let mut jobs = Vec::with_capacity(items.len());
    let mut seen = Seen::default();
    let mut places = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let read = checker.at_index(index, |checker| {
            let read = job(checker, item)?;
            seen.check(checker, &read);
            Some(read)
        });
        if let Some(Read { job, retry_count, depends, .. }) = read {
            if let Some(place) = retry_count {
                remarks.ignored("retry_count", place);
            }
            places.extend(job.is_some().then_some((index, depends.unwrap_or(item.place))));
            jobs.extend(job);
        }
    }
    // Where a job could not be read, nobody knows whom the others wait for.
    if jobs.len() == items.len() {
        dependencies::check(checker, &jobs, &places);
    }
    Some(jobs)
}

/// What must be unique among the jobs of a file, with the place where it stood first.
#[derive(Default)]
struct Seen {
    ids: BTreeMap<String, (String, Place)>,
    outputs: BTreeMap<String, Place>,
    stdin: Option<Place>,
}

impl Seen {
    fn check(&mut self, checker: &mut Checker<'_>, read: &Read) {
        if let Some((id, place)) = &read.id {
            self.check_id(checker, id.as_str(), *place);
        }
        if let Some((path, place)) = &read.output {
            self.check_output(checker, path, *place);
        }
        if let Some((times, place)) = read.stdin {
            self.check_stdin(checker, times, place);
        }
    }

    /// What was read from it once is not there a second time.
    fn check_stdin(&mut self, checker: &mut Checker<'_>, times: usize, place: Place) {
        let first = *self.stdin.get_or_insert(place);
        if times > 1 || first != place {
            let advice = format!("name it once; the first is in line {}", first.line);
            let message = "stdin (`-`) stands twice among the files";
            checker.at("input_data", |checker| checker.problem(place, message, advice));
        }
    }

    /// Ids that differ only in case are refused too: results are files named by ids.
    fn check_id(&mut self, checker: &mut Checker<'_>, id: &str, place: Place) {
        match self.ids.entry(id.to_ascii_lowercase()) {
            Slot::Vacant(slot) => {
                slot.insert((id.to_owned(), place));
            }
            Slot::Occupied(first) => {
                let (written, first) = first.get();
                let message = if written == id {
                    format!("the id `{id}` stands twice")
                } else {
                    format!("the id `{id}` differs from `{written}` only in case")
                };
                let advice = format!("choose another; the first is in line {}", first.line);
                checker.at("id", |checker| checker.problem(place, message, advice));
            }
        }
    }

    /// Any number of results may go to stdout, one after the other.
    fn check_output(&mut self, checker: &mut Checker<'_>, path: &str, place: Place) {
        if path == STANDARD_STREAM {
            return;
        }
        match self.outputs.entry(path.to_owned()) {
            Slot::Vacant(slot) => {
                slot.insert(place);
            }
            Slot::Occupied(first) => {
                let message = format!("two jobs write to {}", shown(path));
                let advice =
                    format!("choose another path; the first is in line {}", first.get().line);
                checker.at("output", |checker| checker.problem(place, message, advice));
            }
        }
    }
}

/// Harmless oddities, the first few in words.
struct Remarks<'f> {
    file_name: &'f str,
    told: Vec<String>,
    total: usize,
}

impl Remarks<'_> {
    fn ignored(&mut self, key: &str, place: Place) {
        self.total += 1;
        if self.told.len() < REMARKS_MAX {
            let remark = format!(
                "{}:{place}: `{key}` is ignored; `max_retries` says how often a chunk is tried again",
                self.file_name
            );
            self.told.push(remark);
        }
    }

    fn finish(mut self) -> Vec<String> {
        let more = self.total - self.told.len();
        if more > 0 {
            self.told.push(format!("{}: and {more} more remarks", self.file_name));
        }
        self.told
    }
}
