//! Which certificates a device has, as it told in its sessions.

use std::collections::BTreeMap;

use lanyard_mdm::{
    csp::Scope,
    profile::inventory::{Inventory, InventoryEntry, Place},
    syncml::Item,
};
use lanyard_model::{id::JobId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// The last inventory. Stored as JSON; it holds no secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DeviceInventory {
    /// By tree.
    pub trees: BTreeMap<Scope, Tree>,
}

/// What is in one tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tree {
    /// When the device told.
    pub at: Timestamp,
    /// The job that asked.
    pub job: JobId,
    /// What it told.
    pub entries: Vec<(Place, String, InventoryEntry)>,
}

impl DeviceInventory {
    /// Adds what a job's Gets have found. What an earlier job found in the same tree is forgotten: only what was seen counts.
    pub fn add(&mut self, scope: Scope, job: JobId, items: &[Item], now: Timestamp) {
        let found = Inventory::read(items);
        let tree = self.trees.entry(scope).or_insert_with(|| Tree { at: now, job, entries: Vec::new() });
        if tree.job != job {
            *tree = Tree { at: now, job, entries: Vec::new() };
        }
        for ((of, place, name), entry) in found.entries {
            if of == scope {
                tree.entries.retain(|(p, n, _)| (p, n) != (&place, &name));
                tree.entries.push((place, name, entry));
            }
        }
    }

    /// Whether this job found nothing at all.
    #[must_use]
    pub fn is_empty_for(&self, scope: Scope, job: JobId) -> bool {
        self.trees.get(&scope).is_none_or(|tree| tree.job != job || tree.entries.is_empty())
    }
}
