//! Lets so many compilers run at once, and so many of one tenant; the others wait their turn.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use pframe_core::ids::TenantName;

/// Compilers that run at once for one tenant.
const TENANT_MAX: usize = 2;
/// Compilers that run at once: one tenant never holds all places.
const ALL_MAX: usize = 2 * TENANT_MAX;

/// Lets compilers in. A tenant who has none inside comes before one who has.
#[derive(Default)]
pub(super) struct Turnstile {
    queues: Mutex<HashMap<TenantName, Queue>>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, Default)]
struct Queue {
    inside: usize,
    waiting: usize,
}

impl Turnstile {
    pub(super) fn enter(&self, tenant: &TenantName) -> Inside<'_> {
        let mut queues = self.queues();
        queues.entry(tenant.clone()).or_default().waiting += 1;
        while !may_enter(&queues, tenant) {
            queues = self.changed.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
        let queue = queues.entry(tenant.clone()).or_default();
        queue.waiting -= 1;
        queue.inside += 1;
        // Somebody may have waited only because this one came first.
        self.changed.notify_all();
        Inside { turnstile: self, tenant: tenant.clone() }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<TenantName, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn may_enter(queues: &HashMap<TenantName, Queue>, tenant: &TenantName) -> bool {
    let inside = queues.get(tenant).map_or(0, |queue| queue.inside);
    let all = queues.values().map(|queue| queue.inside).sum::<usize>();
    let somebody_has_none = queues.values().any(|queue| queue.inside == 0 && queue.waiting > 0);
    inside < TENANT_MAX && all < ALL_MAX && (inside == 0 || !somebody_has_none)
}

/// One that was let in; it leaves when this falls.
pub(super) struct Inside<'a> {
    turnstile: &'a Turnstile,
    tenant: TenantName,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut queues = self.turnstile.queues();
        if let Some(queue) = queues.get_mut(&self.tenant) {
            queue.inside -= 1;
            if queue.inside + queue.waiting == 0 {
                queues.remove(&self.tenant);
            }
        }
        self.turnstile.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(of: &[(&str, usize, usize)]) -> HashMap<TenantName, Queue> {
        let queue = |&(name, inside, waiting): &(&str, usize, usize)| {
            (name.parse().unwrap(), Queue { inside, waiting })
        };
        of.iter().map(queue).collect()
    }

    #[track_caller]
    fn check(of: &[(&str, usize, usize)], tenant: &str, expect: bool) {
        assert_eq!(may_enter(&queues(of), &tenant.parse().unwrap()), expect, "{of:?}");
    }

    #[test]
    fn b24_a_tenant_has_two_places_and_never_the_last() {
        check(&[("a", 1, 100)], "a", true);
        check(&[("a", 2, 100)], "a", false);
        check(&[("a", 2, 100), ("b", 0, 1)], "b", true);
        check(&[("a", 2, 100), ("b", 2, 1), ("c", 0, 1)], "c", false);
    }

    #[test]
    fn b24_who_has_none_inside_comes_first() {
        check(&[("a", 1, 5), ("b", 1, 5), ("c", 0, 1)], "a", false);
        check(&[("a", 1, 5), ("b", 1, 5), ("c", 0, 1)], "c", true);
    }

    #[test]
    fn whoever_leaves_lets_the_next_in_and_nothing_is_kept() {
        let turnstile = Turnstile::default();
        let tenant: TenantName = "a".parse().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| drop(turnstile.enter(&tenant)));
            }
        });
        assert!(turnstile.queues().is_empty());
    }
}
