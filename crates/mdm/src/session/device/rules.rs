//! Whether a command may be done to a node: the tables' access, formats and limits, before the tree is asked.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::tree::{ManagementTree, TreeError};
use crate::{
    csp::{self, Access, Format, Found, LocUri, Scope},
    profile::trusted_certificate::thumbprint,
    syncml::{Item, Meta, Verb},
};

/// Under which circumstances a command came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// Within an Atomic.
    pub(super) in_atomic: bool,
    /// The enrolled user is logged on.
    pub(super) has_user: bool,
}

/// Why a command may not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The address is none (400).
    Address,
    /// Anything else.
    Tree(TreeError),
}

impl From<TreeError> for Refusal {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

/// The node of an item, when the command may be done to it.
pub(super) fn judge(
    verb: Verb,
    item: &Item,
    command: &Meta,
    circumstances: Circumstances,
    tree: &dyn ManagementTree,
) -> Result<LocUri, Refusal> {
    let text = item.target_uri().ok_or(Refusal::Address)?;
    let uri = LocUri::parse(text).map_err(|_| Refusal::Address)?;
    if uri.listing().is_some() && verb != Verb::Get {
        return Err(Refusal::Address);
    }
    if uri.scope() == Scope::User && !circumstances.has_user {
        return Err(TreeError::NotAllowed.into());
    }
    let found = csp::find(&uri).ok_or(TreeError::NotFound)?;
    if !found.node.access.allows(access_for(verb)) {
        return Err(TreeError::NotAllowed.into());
    }
    // No page says which status a change outside of Atomic gets; it is a matter of what the node allows.
    if found.node.atomic && !circumstances.in_atomic && verb != Verb::Get {
        return Err(TreeError::NotAllowed.into());
    }
    let there = tree.exists(&uri);
    match verb {
        Verb::Add if there && !tree.is_default(&uri) => return Err(TreeError::AlreadyExists.into()),
        Verb::Replace | Verb::Delete | Verb::Get if !there => return Err(TreeError::NotFound.into()),
        _ => {}
    }
    if matches!(verb, Verb::Add | Verb::Replace) {
        judge_value(&found, item, command)?;
    }
    Ok(uri)
}

const fn access_for(verb: Verb) -> Access {
    match verb {
        Verb::Add => Access::ADD,
        Verb::Replace => Access::REPLACE,
        Verb::Delete => Access::DELETE,
        Verb::Get => Access::GET,
        Verb::Exec => Access::EXEC,
    }
}

fn judge_value(found: &Found<'_>, item: &Item, command: &Meta) -> Result<(), TreeError> {
    let node = found.node;
    if let Some(text) = item.meta.format.as_deref().or(command.format.as_deref()) {
        let given = Format::parse(text).ok_or(TreeError::Format)?;
        if !is_compatible(given, node.format) {
            return Err(TreeError::Format);
        }
    }
    let data = item.data.as_deref().unwrap_or_default();
    if !node.format.accepts(data) {
        return Err(TreeError::Format);
    }
    if node.is_leaf() && !node.limit.accepts(data) {
        return Err(TreeError::INVALID_ARGUMENT);
    }
    if node.path.ends_with("<SHA1>/EncodedCertificate") {
        let der = STANDARD.decode(data.trim()).map_err(|_| TreeError::Format)?;
        if !found.names.first().is_some_and(|name| name.eq_ignore_ascii_case(&thumbprint(&der))) {
            return Err(TreeError::INVALID_ARGUMENT);
        }
    }
    Ok(())
}

/// Words for the same thing: servers write b64 for bin, xml for chr, and chr where they do not care.
fn is_compatible(given: Format, wanted: Format) -> bool {
    match (given, wanted) {
        (Format::Node, _) | (_, Format::Node) => given == wanted,
        (Format::B64 | Format::Bin, Format::B64 | Format::Bin) => true,
        (Format::Chr | Format::Xml | Format::Time | Format::Date, Format::Chr | Format::Xml | Format::Time | Format::Date) => {
            true
        }
        _ => given == wanted,
    }
}
