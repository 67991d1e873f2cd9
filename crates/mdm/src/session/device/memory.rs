//! A tree in memory: the tables' rules and defaults, and nothing behind the nodes. For simulated devices and tests.

use std::collections::BTreeMap;

use super::tree::{Execution, ManagementTree, TreeError};
use crate::csp::{self, LocUri, NodeSpec, Occurrence};

/// Nodes that were set, the others as the tables say.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    nodes: BTreeMap<LocUri, Option<String>>,
    /// What it was when the Atomic began.
    before: Option<BTreeMap<LocUri, Option<String>>>,
    /// What was executed, with its data.
    pub executed: Vec<(LocUri, String)>,
}

impl MemoryTree {
    /// Only what every device has.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a node whatever its access: what the device itself writes.
    pub fn set(&mut self, uri: &LocUri, value: &str) {
        self.nodes.insert(key(uri), Some(value.to_owned()));
    }

    /// Removes a node whatever its access, with what is below it.
    pub fn unset(&mut self, uri: &LocUri) {
        let uri = key(uri);
        self.nodes.retain(|set, _| !set.is_within(&uri));
    }

    /// The nodes that were set, with the values of leaves: what a device keeps.
    pub fn nodes(&self) -> impl Iterator<Item = (&LocUri, Option<&str>)> {
        self.nodes.iter().map(|(uri, value)| (uri, value.as_deref()))
    }

    /// Sets a node as it was kept.
    pub fn restore(&mut self, uri: &LocUri, value: Option<&str>) {
        self.nodes.insert(key(uri), value.map(str::to_owned));
    }

    /// The value of a leaf, defaults included.
    #[must_use]
    pub fn value(&self, uri: &LocUri) -> Option<String> {
        self.get(uri).ok()
    }

    fn is_set(&self, uri: &LocUri) -> bool {
        self.nodes.keys().any(|set| set.is_within(uri))
    }
}

/// The same text for addresses that name the same node.
fn key(uri: &LocUri) -> LocUri {
    let Some(found) = csp::find(uri) else { return uri.clone() };
    if !found.csp.ignore_case {
        return uri.clone().with_listing(None);
    }
    let mut names = found.names.iter();
    let mut key = LocUri::new(uri.scope(), found.csp.base);
    for segment in found.node.path.split('/').filter(|segment| !segment.is_empty()) {
        let name = if segment.starts_with('<') {
            names.next().copied().unwrap_or_default().to_ascii_uppercase()
        } else {
            segment.to_owned()
        };
        key = key.child(&name);
    }
    key
}

/// Whether a node is there as soon as its parent is.
fn is_given(node: &NodeSpec) -> bool {
    node.occurrence == Occurrence::One || node.default.is_some()
}

impl ManagementTree for MemoryTree {
    fn exists(&self, uri: &LocUri) -> bool {
        let uri = key(uri);
        if self.is_set(&uri) {
            return true;
        }
        let Some(found) = csp::find(&uri) else { return false };
        is_given(found.node) && (found.node.path.is_empty() || uri.parent().is_some_and(|parent| self.exists(&parent)))
    }

    fn is_default(&self, uri: &LocUri) -> bool {
        let uri = key(uri);
        !self.is_set(&uri) && csp::find(&uri).is_some_and(|found| found.node.is_leaf()) && self.exists(&uri)
    }

    fn get(&self, uri: &LocUri) -> Result<String, TreeError> {
        let uri = key(uri);
        if let Some(Some(value)) = self.nodes.get(&uri) {
            return Ok(value.clone());
        }
        let found = csp::find(&uri).filter(|_| self.exists(&uri)).ok_or(TreeError::NotFound)?;
        found.node.default.map(str::to_owned).ok_or(TreeError::NotFound)
    }

    fn children(&self, uri: &LocUri) -> Result<Vec<String>, TreeError> {
        let uri = key(uri);
        if !self.exists(&uri) {
            return Err(TreeError::NotFound);
        }
        let mut names: Vec<String> = Vec::new();
        if let Some(found) = csp::find(&uri) {
            let given = found.csp.below(found.node).filter(|child| is_given(child));
            let given = given.filter(|child| child.scopes.unwrap_or(found.csp.scopes).contains(uri.scope()));
            names.extend(given.filter_map(|child| child.path.rsplit('/').next()).map(str::to_owned));
        }
        for set in self.nodes.keys().filter(|set| set.is_within(&uri)) {
            if let Some(name) = set.names().nth(uri.depth()).filter(|name| !names.iter().any(|one| one == name)) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn add(&mut self, uri: &LocUri, value: Option<&str>) -> Result<(), TreeError> {
        self.nodes.insert(key(uri), value.map(str::to_owned));
        Ok(())
    }

    fn replace(&mut self, uri: &LocUri, value: &str) -> Result<(), TreeError> {
        self.set(uri, value);
        Ok(())
    }

    fn delete(&mut self, uri: &LocUri) -> Result<(), TreeError> {
        let uri = key(uri);
        self.nodes.retain(|set, _| !set.is_within(&uri));
        Ok(())
    }

    fn exec(&mut self, uri: &LocUri, data: &str) -> Result<Execution, TreeError> {
        self.executed.push((uri.clone(), data.to_owned()));
        let leaves = csp::find(uri).is_some_and(|found| found.csp.name == "DMClient" && uri.name() == Some("Unenroll"));
        Ok(if leaves { Execution::Unenroll } else { Execution::Done })
    }

    fn begin(&mut self) {
        self.before = Some(self.nodes.clone());
    }

    fn commit(&mut self) -> Result<(), TreeError> {
        self.before = None;
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), TreeError> {
        if let Some(before) = self.before.take() {
            self.nodes = before;
        }
        Ok(())
    }
}
