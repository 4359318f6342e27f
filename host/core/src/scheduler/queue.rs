//! Who waits, in which order: tenants by fair share, then classes and jobs by rank.
//!
//! Owns: the three orders and the sums that go with them.
//! Never: decides whether something fits.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::class::{Class, Shape};
use super::component::Component;
use super::job::{Job, Rank, Tally};
use super::settings::Settings;
use super::slab::{Key, Slab};
use super::tenant::Tenant;
use crate::ids::{Digest, TenantName};
use crate::job::JobSpec;
use crate::units::{ByteSize, Timestamp};

/// Empty classes are kept for work to come, up to this many.
const CLASSES_IDLE_MAX: usize = 1024;

/// All waiting work and everyone it belongs to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    pub(crate) tenants: Slab<Tenant>,
    pub(crate) classes: Slab<Class>,
    pub(crate) components: Slab<Component>,
    /// Tenants that may start something, by virtual time.
    pub(crate) seats: BTreeSet<(u128, Key<Tenant>)>,
    tenant_of: BTreeMap<TenantName, Key<Tenant>>,
    class_of: BTreeMap<Shape, Key<Class>>,
    /// A hash map because it is on the hot path; it is never iterated.
    component_of: HashMap<Digest, Key<Component>>,
    pub(crate) classes_idle: usize,
    /// The highest settled virtual time of any tenant when it last started something.
    floor: u128,
}

/// Where a job belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    pub(crate) tenant: Key<Tenant>,
    pub(crate) class: Key<Class>,
    pub(crate) component: Key<Component>,
}

impl Queue {
    pub(crate) fn tenant(&self, name: &TenantName) -> Option<&Tenant> {
        self.tenant_of.get(name).map(|&key| &self.tenants[key])
    }

    /// Finds or makes the tenant, class and component of a new job.
    pub(crate) fn admit(&mut self, spec: &JobSpec, settings: &Settings) -> Home {
        let tenant = self.tenant_key(&spec.tenant, settings);
        let component = self.component_key(spec.task.component);
        let class = self.class_key(Shape {
            tenant,
            component,
            requirements: spec.requirements,
            memory_limit: match spec.requirements.memory {
                Some(_) => ByteSize::ZERO,
                None => spec.limits.memory,
            },
            disk: match spec.requirements.memory {
                Some(_) => ByteSize::ZERO,
                None => spec.limits.disk,
            },
            batch: spec.batch,
        });
        if self.classes[class].jobs == 0 {
            self.classes_idle -= 1;
        }
        self.classes[class].jobs += 1;
        Home { tenant, class, component }
    }

    /// A job of this class is forgotten.
    pub(crate) fn dismiss(&mut self, class: Key<Class>) {
        self.classes[class].jobs -= 1;
        if self.classes[class].jobs == 0 {
            self.classes_idle += 1;
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        if self.classes_idle <= CLASSES_IDLE_MAX {
            return;
        }
        let classes = &mut self.classes;
        self.class_of.retain(|_, key| {
            let is_used = classes[*key].jobs > 0;
            if !is_used {
                classes.remove(*key);
            }
            is_used
        });
        self.classes_idle = 0;
    }

    fn tenant_key(&mut self, name: &TenantName, settings: &Settings) -> Key<Tenant> {
        if let Some(&key) = self.tenant_of.get(name) {
            return key;
        }
        let key = self.tenants.insert(Tenant::new(name.clone(), settings.tenant(name)));
        self.tenant_of.insert(name.clone(), key);
        key
    }

    fn component_key(&mut self, digest: Digest) -> Key<Component> {
        let components = &mut self.components;
        *self
            .component_of
            .entry(digest)
            .or_insert_with(|| components.insert(Component::new(digest)))
    }

    fn class_key(&mut self, shape: Shape) -> Key<Class> {
        *self.class_of.entry(shape).or_insert_with(|| {
            self.classes_idle += 1;
            self.classes.insert(Class::new(shape))
        })
    }

    /// Brings every sum and order in line with a job that has changed.
    pub(crate) fn rebalance(
        &mut self,
        job: (Rank, Key<Job>),
        home: Home,
        before: Tally,
        after: Tally,
        now: Timestamp,
    ) {
        let tenant = &mut self.tenants[home.tenant];
        tenant.waiting = tenant.waiting + after.waiting - before.waiting;
        let class = &mut self.classes[home.class];
        class.fresh = class.fresh + after.fresh - before.fresh;
        match (before.is_ready, after.is_ready) {
            (false, true) => self.enqueue(job, home, now),
            (true, false) => self.dequeue(job, home),
            (true, true) | (false, false) => {}
        }
    }

    fn enqueue(&mut self, job: (Rank, Key<Job>), home: Home, now: Timestamp) {
        let class = &mut self.classes[home.class];
        let old = class.head();
        class.queue.insert(job);
        if old.is_none() {
            class.waits_since = now;
        }
        if self.tenants[home.tenant].heads.is_empty() {
            self.tenants[home.tenant].catch_up(self.floor);
        }
        self.rehead(home, old);
    }

    fn dequeue(&mut self, job: (Rank, Key<Job>), home: Home) {
        let class = &mut self.classes[home.class];
        let old = class.head();
        class.queue.remove(&job);
        self.rehead(home, old);
    }

    /// The first job of a class may have changed.
    fn rehead(&mut self, home: Home, old: Option<(Rank, Key<Job>)>) {
        let new = self.classes[home.class].head();
        if old == new {
            return;
        }
        let heads = &mut self.tenants[home.tenant].heads;
        if let Some((rank, _)) = old {
            heads.remove(&(rank, home.class));
        }
        if let Some((rank, _)) = new {
            heads.insert((rank, home.class));
        }
        self.reseat(home.tenant);
    }

    /// The virtual time of a tenant, or whether it may start something, may have changed.
    pub(crate) fn reseat(&mut self, key: Key<Tenant>) {
        let tenant = &mut self.tenants[key];
        let seat = tenant.wanted_seat();
        let old = std::mem::replace(&mut tenant.seat, seat);
        if old == seat {
            return;
        }
        if let Some(time) = old {
            self.seats.remove(&(time, key));
        }
        if let Some(time) = seat {
            self.seats.insert((time, key));
        }
    }

    /// An attempt starts: its tenant is charged what it will probably take, which is returned.
    pub(crate) fn charge(&mut self, home: Home, now: Timestamp) -> u128 {
        let class = &mut self.classes[home.class];
        class.waits_since = now;
        let wall = self.components[home.component].wall_estimate();
        let core_time = wall.as_micros() * u128::from(class.shape.requirements.cpu.0);
        let tenant = &mut self.tenants[home.tenant];
        let charge = tenant.share(core_time);
        self.floor = self.floor.max(tenant.settled);
        tenant.expected += charge;
        self.reseat(home.tenant);
        charge
    }

    /// An attempt ended: its tenant is charged what it did take.
    pub(crate) fn settle(&mut self, home: Home, charge: u128, wall: std::time::Duration) {
        let cpu = self.classes[home.class].shape.requirements.cpu;
        let tenant = &mut self.tenants[home.tenant];
        tenant.expected -= charge;
        tenant.settled += tenant.share(wall.as_micros() * u128::from(cpu.0));
        self.reseat(home.tenant);
    }
}
