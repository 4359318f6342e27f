//! `depends_on`, and inputs that are the results of other jobs.
//!
//! Owns: lists of job ids, and that each names a job of the same file and none waits for itself.
//! Never: orders jobs.

use super::bounds;
use crate::dependencies::{Tangle, order};
use crate::document::{Checker, Node, Place, Value, closest};
use crate::ids::JobId;
use crate::job::JobRequest;

/// Jobs of a cycle that are named.
const NAMED_MAX: usize = 8;

/// Reads the id of a job, or a list of them.
pub(super) fn names(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<JobId>> {
    let Value::List(items) = &node.value else {
        return checker.parsed(node, JobId::new).map(|id| vec![id]);
    };
    if items.is_empty() || items.len() > bounds::DEPENDENCIES_MAX {
        let message = format!("{} jobs are named", items.len());
        let advice = format!("name 1 to {} jobs, or delete the key", bounds::DEPENDENCIES_MAX);
        checker.problem(node.place, message, advice);
        return None;
    }
    let read = |(index, item)| checker.at_index(index, |checker| checker.parsed(item, JobId::new));
    let names: Vec<_> = items.iter().enumerate().map(read).collect();
    names.into_iter().collect()
}

/// Tells of jobs that are not there, and of jobs that wait for each other. `places` has, for each job, its index in the file
/// and where it says what it depends on.
pub(super) fn check(checker: &mut Checker<'_>, jobs: &[JobRequest], places: &[(usize, Place)]) {
    let needs: Vec<_> = jobs.iter().map(JobRequest::dependencies).collect();
    let views: Vec<_> =
        jobs.iter().zip(&needs).map(|(job, needs)| (&job.id, needs.as_slice())).collect();
    let Err(tangles) = order(&views) else { return };
    for tangle in tangles {
        let (job, message, advice) = told(jobs, &tangle);
        let (index, place) = places[job];
        checker.at_index(index, |checker| checker.problem(place, message, advice));
    }
}

fn told(jobs: &[JobRequest], tangle: &Tangle) -> (usize, String, String) {
    match tangle {
        Tangle::Missing { job, wanted } => {
            let message = format!("there is no job `{wanted}` in this file");
            let near = closest(wanted.as_str(), jobs.iter().map(|job| job.id.as_str()));
            let advice = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a job of this file".to_owned(),
            };
            (*job, message, advice)
        }
        Tangle::Cycle(cycle) => {
            let names = cycle.iter().chain(&cycle[..1]).map(|&job| format!("`{}`", jobs[job].id));
            let mut names: Vec<_> = names.take(NAMED_MAX + 1).collect();
            if cycle.len() > NAMED_MAX {
                names.push(format!("… ({} jobs)", cycle.len()));
            }
            let message = match cycle.as_slice() {
                [only] => format!("`{}` waits for itself", jobs[*only].id),
                _ => format!("these jobs wait for each other: {}", names.join(" → ")),
            };
            (cycle[0], message, "take one of these dependencies away".to_owned())
        }
    }
}
