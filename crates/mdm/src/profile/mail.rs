//! An Exchange ActiveSync account (`ActiveSync/Accounts`), the user's.
//!
//! No node names a client certificate: the device shows one of the user's that the server asks for.

use super::job::{Expect, Job, add, atomic, delete, expect};
use crate::{
    csp::{Format, LocUri, Scope},
    syncml::Item,
};

/// A mail account without password.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MailProfile {
    /// GUID in braces, unique for the account.
    pub guid: String,
    /// Shown to the user.
    pub account_name: String,
    /// Mail address.
    pub email_address: String,
    /// Name for logging on.
    pub user_name: String,
    /// Domain, empty without.
    pub domain: String,
    /// Host of the server, not a URL.
    pub server_name: String,
}

impl MailProfile {
    /// Creates it. The server is always spoken to with TLS.
    #[must_use]
    pub fn install(&self) -> Job {
        let node = node(&self.guid);
        let leaf = |uri: LocUri, value: &str| add(Item::value(uri, Format::Chr, value));
        let mut commands = vec![
            add(Item::bare(&node, Format::Node)),
            leaf(node.child("EmailAddress"), &self.email_address),
            leaf(node.child("AccountName"), &self.account_name),
            leaf(node.child("AccountType"), "Exchange"),
            leaf(node.child("ServerName"), &self.server_name),
            leaf(node.child("UserName"), &self.user_name),
        ];
        if !self.domain.is_empty() {
            commands.push(leaf(node.child("Domain"), &self.domain));
        }
        commands.push(leaf(node.child("Options").child("UseSSL"), "1"));
        let proof = vec![
            expect(&node.child("EmailAddress"), Expect::Value(self.email_address.clone())),
            expect(&node.child("ServerName"), Expect::Value(self.server_name.clone())),
        ];
        Job::change(Scope::User, vec![atomic(commands)], proof)
    }
}

fn node(guid: &str) -> LocUri {
    LocUri::new(Scope::User, &["Vendor", "MSFT", "ActiveSync", "Accounts", guid])
}

/// Removes an account by its GUID.
#[must_use]
pub fn remove(guid: &str) -> Job {
    let node = node(guid);
    Job::change(Scope::User, vec![atomic(vec![delete(&node)])], vec![expect(&node, Expect::Absent)])
}
