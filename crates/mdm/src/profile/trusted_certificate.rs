//! Trusted roots, intermediates and distrusted certificates (`RootCATrustedCertificates`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_pki::crypto::digest::sha1;

use super::job::{Expect, Job, OnConflict, add, delete, expect, get};
use crate::{
    csp::{Format, LocUri, Scope},
    syncml::Item,
};

/// Which of the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustStore {
    /// Trusted roots, the device's only.
    Root,
    /// Intermediates.
    Ca,
    /// Publishers of code.
    TrustedPublisher,
    /// People trusted one by one.
    TrustedPeople,
    /// Distrusted at once; since build 17134.
    UntrustedCertificates,
}

impl TrustStore {
    /// Every store.
    pub const ALL: [Self; 5] = [Self::Root, Self::Ca, Self::TrustedPublisher, Self::TrustedPeople, Self::UntrustedCertificates];

    /// The node's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::Ca => "CA",
            Self::TrustedPublisher => "TrustedPublisher",
            Self::TrustedPeople => "TrustedPeople",
            Self::UntrustedCertificates => "UntrustedCertificates",
        }
    }
}

/// SHA-1 of the DER, 40 upper-case hexadecimal digits: the node's name.
#[must_use]
pub fn thumbprint(der: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(40);
    for byte in sha1(der) {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// The store's node. The user has no `Root`; asking for it gives the device's.
#[must_use]
pub fn store(scope: Scope, store: TrustStore) -> LocUri {
    let scope = if store == TrustStore::Root { Scope::Device } else { scope };
    LocUri::new(scope, &["Vendor", "MSFT", "RootCATrustedCertificates", store.as_str()])
}

/// Installs a certificate (DER). One that is there already is as good.
#[must_use]
pub fn install(scope: Scope, trust: TrustStore, der: &[u8]) -> Job {
    let leaf = store(scope, trust).child(&thumbprint(der)).child("EncodedCertificate");
    // One line: the node takes no formatting characters.
    let text = STANDARD.encode(der);
    let item = Item::value(&leaf, Format::B64, text.as_str());
    Job::change(leaf.scope(), vec![add(item)], vec![expect(&leaf, Expect::Base64(text))]).on_conflict(OnConflict::Keep)
}

/// Removes a certificate by its [`thumbprint`].
#[must_use]
pub fn remove(scope: Scope, trust: TrustStore, thumbprint: &str) -> Job {
    let node = store(scope, trust).child(thumbprint);
    Job::change(node.scope(), vec![delete(&node)], vec![expect(&node, Expect::Absent)])
}

/// Asks for the names of a store's certificates, and for the fields of these.
#[must_use]
pub fn query(scope: Scope, trust: TrustStore, thumbprints: &[&str]) -> Job {
    let node = store(scope, trust);
    let mut commands = vec![get([&node])];
    for thumbprint in thumbprints {
        let fields: Vec<LocUri> =
            ["IssuedTo", "IssuedBy", "ValidFrom", "ValidTo"].iter().map(|field| node.child(thumbprint).child(field)).collect();
        commands.push(get(&fields));
    }
    Job::query(node.scope(), commands)
}
