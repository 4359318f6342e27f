//! The graph of jobs that wait for each other, drawn as trees.
//!
//! Owns: under which of several dependencies a job is drawn: the last, so that everything above it comes first.
//! Never: recurses, or draws more than a person reads.

use std::collections::{BTreeMap, BTreeSet};

use pframe_core::ids::JobId;

/// Lines that are drawn.
const LINES_MAX: usize = 200;
/// Levels that are indented; what is deeper stands below the last of them.
const LEVELS_MAX: usize = 24;

/// Draws jobs, each given behind those that it depends on; `None` where no job depends on another.
pub(super) fn draw(jobs: &[(&JobId, &[JobId])]) -> Option<String> {
    let places: BTreeMap<&JobId, usize> =
        jobs.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
    let mut below: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut roots = BTreeSet::new();
    for (place, (_, after)) in jobs.iter().enumerate() {
        let needed = after.iter().filter_map(|id| places.get(id).copied());
        if let Some(parent) = needed.clone().max() {
            below.entry(parent).or_default().push(place);
            roots.extend(needed.filter(|&needed| jobs[needed].1.is_empty()));
        }
    }
    (!roots.is_empty()).then(|| trees(jobs, &places, &below, &roots))
}

/// A job to be drawn: which, what stands before its name, and what stands before those below it.
struct Line {
    job: usize,
    before: String,
    before_below: String,
}

fn trees(
    jobs: &[(&JobId, &[JobId])],
    places: &BTreeMap<&JobId, usize>,
    below: &BTreeMap<usize, Vec<usize>>,
    roots: &BTreeSet<usize>,
) -> String {
    let root = |&job: &usize| Line { job, before: "  ".into(), before_below: "  ".into() };
    let mut waiting: Vec<Line> = roots.iter().rev().map(root).collect();
    let mut lines = Vec::new();
    while let Some(Line { job, before, before_below }) = waiting.pop() {
        if lines.len() == LINES_MAX {
            lines.push("  …".to_owned());
            break;
        }
        let (id, after) = jobs[job];
        let parent = after.iter().max_by_key(|id| places[id]);
        let others: Vec<_> =
            after.iter().filter(|id| Some(*id) != parent).map(JobId::as_str).collect();
        let also = match others.is_empty() {
            true => String::new(),
            false => format!("  (and after {})", others.join(", ")),
        };
        lines.push(format!("{before}{id}{also}"));
        let children = below.get(&job).map_or(&[][..], Vec::as_slice);
        for (index, &child) in children.iter().enumerate().rev() {
            let (fork, bar) =
                if index + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let is_deep = before_below.chars().count() > 3 * LEVELS_MAX;
            let below = if is_deep { before_below.clone() } else { format!("{before_below}{bar}") };
            waiting.push(Line {
                job: child,
                before: format!("{before_below}{fork}"),
                before_below: below,
            });
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a: b c` says that a depends on b and c.
    fn drawn(jobs: &[&str]) -> Option<String> {
        let read = |job: &&str| {
            let mut names = job.split([':', ' ']).filter(|name| !name.is_empty());
            let id: JobId = names.next().unwrap().parse().unwrap();
            (id, names.map(|name| name.parse().unwrap()).collect::<Vec<JobId>>())
        };
        let jobs: Vec<_> = jobs.iter().map(read).collect();
        let views: Vec<_> = jobs.iter().map(|(id, after)| (id, after.as_slice())).collect();
        draw(&views)
    }

    #[test]
    fn jobs_stand_below_the_last_that_they_wait_for() {
        let graph =
            drawn(&["fetch", "alone", "words: fetch", "pages: fetch", "report: pages words"]);
        let expect = ["  fetch", "  ├─ words", "  └─ pages", "     └─ report  (and after words)"];
        assert_eq!(graph.unwrap().lines().collect::<Vec<_>>(), expect);
    }

    #[test]
    fn jobs_that_do_not_wait_are_no_graph() {
        assert_eq!(drawn(&["a", "b"]), None);
    }

    #[test]
    fn a_long_chain_is_drawn_in_part() {
        let chain: Vec<String> = (0..5000)
            .map(|n: u32| {
                format!("j{n}: {}", n.checked_sub(1).map_or(String::new(), |n| format!("j{n}")))
            })
            .collect();
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        let graph = drawn(&chain).unwrap();
        assert_eq!(graph.lines().count(), LINES_MAX + 1);
        assert!(graph.lines().all(|line| line.chars().count() < 120));
    }
}
