//! Whose turn it is: fair between tenants by weight, earliest deadline first within a tenant.
//!
//! Owns: that order and the bound on what waits. A pure structure: it neither waits nor knows what it holds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use pframe_core::ids::TenantName;

/// A tenant's share is counted in these, so that weights divide evenly enough.
const SHARE: u64 = 1 << 20;

/// The tenant has as much waiting as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Things that wait, each with a length in milliseconds.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    tenants: BTreeMap<TenantName, Line<T>>,
    /// The share of whoever was served last.
    now: u64,
    /// Breaks ties in the order of arrival.
    arrivals: u64,
    /// Things of one tenant at most.
    waiting_max: usize,
}

#[derive(Debug)]
struct Line<T> {
    weight: u64,
    /// Served so far, in milliseconds over weight.
    served: u64,
    waiting: BinaryHeap<Reverse<Waiting<T>>>,
}

#[derive(Debug)]
struct Waiting<T> {
    deadline: Instant,
    arrival: u64,
    length: Duration,
    thing: T,
}

impl<T> Waiting<T> {
    fn rank(&self) -> (Instant, u64) {
        (self.deadline, self.arrival)
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl<T> FairQueue<T> {
    /// An empty one, in which every tenant may have so many things.
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { tenants: BTreeMap::new(), now: 0, arrivals: 0, waiting_max }
    }

    /// Adds all of these things, or none. Each comes with its length.
    pub(super) fn push(
        &mut self,
        tenant: &TenantName,
        weight: u32,
        deadline: Instant,
        things: Vec<(Duration, T)>,
    ) -> Result<(), Full> {
        let new = Line { weight: 1, served: 0, waiting: BinaryHeap::new() };
        let line = self.tenants.entry(tenant.clone()).or_insert(new);
        if line.waiting.len() + things.len() > self.waiting_max {
            return Err(Full);
        }
        line.weight = u64::from(weight.max(1));
        if line.waiting.is_empty() {
            // Who was away saves nothing up.
            line.served = line.served.max(self.now);
        }
        for (length, thing) in things {
            self.arrivals += 1;
            let arrival = self.arrivals;
            line.waiting.push(Reverse(Waiting { deadline, arrival, length, thing }));
        }
        Ok(())
    }

    /// Puts a thing back that was taken and could not be done; it was charged already.
    pub(super) fn put_back(&mut self, tenant: &TenantName, deadline: Instant, thing: T) {
        self.arrivals += 1;
        // Whoever has nothing else waiting may have been forgotten.
        let new = Line { weight: 1, served: self.now, waiting: BinaryHeap::new() };
        let line = self.tenants.entry(tenant.clone()).or_insert(new);
        let (arrival, length) = (self.arrivals, Duration::ZERO);
        line.waiting.push(Reverse(Waiting { deadline, arrival, length, thing }));
    }

    /// Takes the next thing.
    pub(super) fn pop(&mut self) -> Option<T> {
        let lines = self.tenants.values_mut().filter(|line| !line.waiting.is_empty());
        let line = lines.min_by_key(|line| line.served)?;
        let Reverse(next) = line.waiting.pop()?;
        self.now = line.served;
        let length_ms = u64::try_from(next.length.as_millis()).unwrap_or(u64::MAX >> 24);
        line.served += length_ms.saturating_mul(SHARE) / line.weight;
        self.forget_idle();
        Some(next.thing)
    }

    /// Removes what nobody wants any more.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        for line in self.tenants.values_mut() {
            line.waiting.retain(|Reverse(waiting)| is_wanted(&waiting.thing));
        }
        self.forget_idle();
    }

    /// How much of a tenant waits.
    pub(super) fn length_of(&self, tenant: &TenantName) -> Duration {
        let waiting = self.tenants.get(tenant).into_iter().flat_map(|line| &line.waiting);
        waiting.map(|Reverse(waiting)| waiting.length).sum()
    }

    /// A tenant that has nothing and is owed nothing is not kept.
    fn forget_idle(&mut self) {
        let now = self.now;
        self.tenants.retain(|_, line| !line.waiting.is_empty() || line.served > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    fn tenant(name: &str) -> TenantName {
        TenantName::new(name).unwrap()
    }

    fn push(queue: &mut FairQueue<String>, name: &str, weight: u32, count: usize) {
        let things = (0..count).map(|index| (WINDOW, format!("{name}{index}"))).collect();
        queue.push(&tenant(name), weight, Instant::now(), things).unwrap();
    }

    fn order(queue: &mut FairQueue<String>, count: usize) -> String {
        (0..count).map_while(|_| queue.pop()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_small_tenant_does_not_wait_for_a_large_one() {
        let mut queue = FairQueue::new(2000);
        push(&mut queue, "big", 1, 1000);
        assert_eq!(order(&mut queue, 3), "big0 big1 big2");
        push(&mut queue, "small", 1, 5);
        let next = order(&mut queue, 10);
        assert_eq!(next.matches("small").count(), 5, "{next}");
    }

    #[test]
    fn what_is_put_back_is_never_lost() {
        let mut queue = FairQueue::new(10);
        push(&mut queue, "a", 1, 1);
        let taken = queue.pop().unwrap();
        push(&mut queue, "b", 1, 2);
        assert_eq!(order(&mut queue, 2), "b0 b1");
        assert_eq!(queue.pop(), None);
        queue.put_back(&tenant("a"), Instant::now(), taken);
        assert_eq!(order(&mut queue, 1), "a0");
    }

    #[test]
    fn weights_are_shares() {
        let mut queue = FairQueue::new(100);
        push(&mut queue, "a", 1, 50);
        push(&mut queue, "b", 3, 50);
        let next = order(&mut queue, 40);
        assert_eq!(next.matches('b').count(), 30, "{next}");
    }

    #[test]
    fn who_was_away_saves_nothing_up() {
        let mut queue = FairQueue::new(100);
        push(&mut queue, "a", 1, 20);
        order(&mut queue, 20);
        push(&mut queue, "b", 1, 10);
        push(&mut queue, "a", 1, 10);
        let next = order(&mut queue, 10);
        assert_eq!(next.matches('a').count(), 5, "{next}");
    }

    #[test]
    fn within_a_tenant_the_earliest_deadline_comes_first() {
        let mut queue = FairQueue::new(100);
        let now = Instant::now();
        let one = |name: &str| vec![(WINDOW, name.to_owned())];
        queue.push(&tenant("a"), 1, now + WINDOW * 2, one("last")).unwrap();
        queue.push(&tenant("a"), 1, now + WINDOW, one("later")).unwrap();
        queue.push(&tenant("a"), 1, now, one("soon")).unwrap();
        assert_eq!(order(&mut queue, 3), "soon later last");
    }

    #[test]
    fn a_tenant_has_no_more_waiting_than_it_may_and_a_call_comes_whole_or_not_at_all() {
        let mut queue = FairQueue::new(10);
        push(&mut queue, "a", 1, 8);
        let three = (0..3).map(|_| (WINDOW, String::new())).collect();
        assert_eq!(queue.push(&tenant("a"), 1, Instant::now(), three), Err(Full));
        assert_eq!(queue.length_of(&tenant("a")), WINDOW * 8);
        push(&mut queue, "b", 1, 10);
        queue.retain(|thing| thing.starts_with('b'));
        assert_eq!(queue.length_of(&tenant("a")), Duration::ZERO);
        assert_eq!(order(&mut queue, 20).split(' ').count(), 10);
        assert!(queue.tenants.is_empty() || queue.tenants.len() == 1, "nobody idle is kept");
    }
}
