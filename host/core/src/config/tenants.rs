//! `tenants`: on whose account, with what share, and what is allowed.
//!
//! Owns: the meaning of a tenant's keys.
//! Never: counts what a tenant uses.

use std::collections::BTreeMap;

use super::keys;
use super::layers::Reader;
use super::values::Tenant;
use crate::document::{Checker, Fields, Node};
use crate::ids::TenantName;
use crate::jobfile::{bounds, grants};

/// The largest weight: two tenants differ by a factor of this at most.
const WEIGHT_MAX: u32 = 1000;

/// Reads all tenants.
pub(super) fn tenants(reader: &mut Reader<'_, '_>) -> BTreeMap<TenantName, Tenant> {
    let Some((file, node)) = reader.in_file("tenants") else {
        return BTreeMap::new();
    };
    let mut tenants = BTreeMap::new();
    let fields = reader.checker.at("tenants", |checker| checker.mapping(node, "`tenants`"));
    for entry in fields.iter().flat_map(Fields::entries) {
        let checker = &mut reader.checker;
        let read = checker.at("tenants", |checker| {
            let name = match TenantName::new(&entry.key) {
                Ok(name) => Some(name),
                Err(error) => {
                    checker.problem(entry.place, error.to_string(), "");
                    None
                }
            };
            name.zip(checker.at_name(&entry.key, |checker| tenant(checker, &entry.value)))
        });
        tenants.extend(read);
        reader.record(&format!("tenants.{}", entry.key), &file, &entry.value);
    }
    tenants
}

fn tenant(checker: &mut Checker<'_>, node: &Node) -> Option<Tenant> {
    let fields = checker.fields(node, &keys::TENANT)?;
    let quota = |checker: &mut Checker<'_>, node: &Node| checker.count(node, 1..=u32::MAX);
    Some(Tenant {
        weight: checker
            .optional(fields, "weight", |checker, node| checker.count(node, 1..=WEIGHT_MAX))
            .unwrap_or(Tenant::default().weight),
        queued_max: checker.optional(fields, "max_queued", quota).map(u64::from),
        running_max: checker.optional(fields, "max_running", quota),
        memory_max: checker.optional(fields, "memory", |checker, node| {
            checker.size(node, bounds::MEMORY_MIN..=bounds::RESERVED_MEMORY_MAX)
        }),
        grants: checker
            .optional(fields, "grants", |checker, node| Some(grants(checker, node)))
            .unwrap_or_default(),
    })
}
