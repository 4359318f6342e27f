//! Which job waits for which.
//!
//! Owns: an order in which every job stands behind those that it depends on, and the names of what makes that impossible.
//! Never: recurses: a chain may be as long as a job file.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::JobId;

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tangle {
    /// A job depends on one that is not there.
    Missing {
        /// Index of the job that depends.
        job: usize,
        /// What it depends on.
        wanted: JobId,
    },
    /// Each of these jobs depends on the next, and the last on the first.
    Cycle(Vec<usize>),
}

/// Indexes of jobs, each behind those that it depends on; else as they were given. The error names every tangle.
pub fn order(jobs: &[(&JobId, &[JobId])]) -> Result<Vec<usize>, Vec<Tangle>> {
    let (graph, mut tangles) = Graph::of(jobs);
    let (order, stuck) = graph.sort();
    tangles.extend(graph.cycles(stuck).into_iter().map(Tangle::Cycle));
    if tangles.is_empty() { Ok(order) } else { Err(tangles) }
}

/// Jobs as numbers.
struct Graph {
    /// What each depends on.
    needs: Vec<Vec<usize>>,
    /// What depends on each.
    feeds: Vec<Vec<usize>>,
}

impl Graph {
    fn of(jobs: &[(&JobId, &[JobId])]) -> (Self, Vec<Tangle>) {
        let places: BTreeMap<&JobId, usize> =
            jobs.iter().enumerate().map(|(index, (id, _))| (*id, index)).collect();
        let mut graph =
            Self { needs: vec![Vec::new(); jobs.len()], feeds: vec![Vec::new(); jobs.len()] };
        let mut missing = Vec::new();
        for (job, (_, after)) in jobs.iter().enumerate() {
            for wanted in after.iter().collect::<BTreeSet<_>>() {
                match places.get(wanted) {
                    Some(&needed) => {
                        graph.needs[job].push(needed);
                        graph.feeds[needed].push(job);
                    }
                    None => missing.push(Tangle::Missing { job, wanted: wanted.clone() }),
                }
            }
        }
        (graph, missing)
    }

    /// The order as far as it goes, and the jobs that are in a cycle or behind one.
    fn sort(&self) -> (Vec<usize>, BTreeSet<usize>) {
        let mut open: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut ready: BTreeSet<usize> = (0..open.len()).filter(|&job| open[job] == 0).collect();
        let mut order = Vec::with_capacity(open.len());
        while let Some(job) = ready.pop_first() {
            order.push(job);
            for &next in &self.feeds[job] {
                open[next] -= 1;
                if open[next] == 0 {
                    ready.insert(next);
                }
            }
        }
        let stuck = (0..open.len()).filter(|&job| open[job] > 0).collect();
        (order, stuck)
    }

    /// Cycles among the jobs that are stuck, no job in two of them.
    fn cycles(&self, mut stuck: BTreeSet<usize>) -> Vec<Vec<usize>> {
        let mut cycles = Vec::new();
        while let Some(&first) = stuck.first() {
            let mut path = Vec::new();
            let mut places = BTreeMap::new();
            let mut job = first;
            while !places.contains_key(&job) {
                places.insert(job, path.len());
                path.push(job);
                // Where every dependency belongs to a cycle that was found before, this one hangs behind it.
                let Some(&next) = self.needs[job].iter().find(|next| stuck.contains(next)) else {
                    break;
                };
                job = next;
            }
            let is_cycle = self.needs[*path.last().expect("it has its first")].contains(&job);
            if is_cycle && let Some(&start) = places.get(&job) {
                cycles.push(path[start..].to_vec());
            }
            stuck.retain(|job| !places.contains_key(job));
        }
        cycles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a: b c` says that a depends on b and c.
    fn check(jobs: &str) -> String {
        let jobs: Vec<(JobId, Vec<JobId>)> = jobs
            .split(", ")
            .map(|job| {
                let mut names = job.split([':', ' ']).filter(|name| !name.is_empty());
                let id = names.next().unwrap().parse().unwrap();
                (id, names.map(|name| name.parse().unwrap()).collect())
            })
            .collect();
        let views: Vec<_> = jobs.iter().map(|(id, after)| (id, after.as_slice())).collect();
        let names = |indexes: &[usize]| {
            let names: Vec<_> = indexes.iter().map(|&index| jobs[index].0.as_str()).collect();
            names.join(" ")
        };
        let told = |tangle: Tangle| match tangle {
            Tangle::Missing { job, wanted } => format!("{} misses {wanted}", names(&[job])),
            Tangle::Cycle(cycle) => format!("cycle {}", names(&cycle)),
        };
        match order(&views) {
            Ok(order) => names(&order),
            Err(tangles) => tangles.into_iter().map(told).collect::<Vec<_>>().join(", "),
        }
    }

    #[test]
    fn jobs_stand_behind_what_they_depend_on_and_else_as_they_were() {
        assert_eq!(check("a, b, c"), "a b c");
        assert_eq!(check("a: c, b, c"), "b c a");
        assert_eq!(check("d: b c, b: a, c: a, a"), "a b c d");
        assert_eq!(check("b: a a, a"), "a b");
    }

    #[test]
    fn j16_what_is_missing_and_every_cycle_is_named() {
        assert_eq!(check("a: a"), "cycle a");
        assert_eq!(check("a: x, b: y a"), "a misses x, b misses y");
        assert_eq!(check("a: b, b: c, c: a, d: c"), "cycle a b c");
        assert_eq!(check("a: b, b: a, c: d, d: c, e: a"), "cycle a b, cycle c d");
        assert_eq!(check("e: a, a: b, b: a"), "cycle a b");
    }

    #[test]
    fn j16_a_chain_of_a_million_jobs_is_ordered() {
        let ids: Vec<JobId> = (0..1_000_000).map(|n| format!("j{n}").parse().unwrap()).collect();
        let jobs: Vec<_> = (0..ids.len())
            .map(|n| (&ids[n], &ids[(n + 1).min(ids.len())..][..usize::from(n + 1 < ids.len())]))
            .collect();
        let order = order(&jobs).unwrap();
        assert_eq!((order[0], order[999_999]), (999_999, 0));
    }
}
