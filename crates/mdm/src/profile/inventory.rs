//! Which certificates a device really has: the questions, and what the answers mean.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    job::{Job, get},
    trusted_certificate::{self, TrustStore},
};
use crate::{
    csp::{self, Listing, LocUri, Scope, split_children},
    syncml::Item,
};

/// Where on the device a certificate is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Under `RootCATrustedCertificates`, in the store of this name.
    Trusted(String),
    /// Under `CertificateStore`, in the store of this name, for example `ROOT/System` or `MY/User`.
    Store(String),
    /// The certificate of the enrolment itself.
    Enrolment,
    /// From a SCEP enrolment of this id.
    Scep(String),
    /// From a SCEP enrolment of this id under the older `CertificateStore/MY/SCEP`.
    LegacyScep(String),
    /// From a PKCS#12 file of this id.
    Pfx(String),
}

/// One certificate, as far as the device told. Names and times are the device's texts: their layout is specified nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct InventoryEntry {
    /// SHA-1 in hexadecimal; nothing while an enrolment has no certificate.
    pub thumbprint: Option<String>,
    /// The certificate, DER.
    pub encoded: Option<Vec<u8>>,
    /// Subject.
    pub issued_to: Option<String>,
    /// Issuer.
    pub issued_by: Option<String>,
    /// Begin of validity.
    pub valid_from: Option<String>,
    /// End of validity.
    pub valid_to: Option<String>,
    /// Template.
    pub template: Option<String>,
    /// `Status` of the enrolment, import or renewal.
    pub status: Option<i64>,
    /// `ErrorCode` of it.
    pub error: Option<i64>,
    /// Which SCEP server answered.
    pub respondent: Option<String>,
}

/// All certificates of a device, by scope and place; within a store also by thumbprint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The certificates.
    pub entries: BTreeMap<(Scope, Place, String), InventoryEntry>,
}

/// Asks for everything in one scope's tree. Devices that do not know `?list=StructData` answer 404 or 405; see [`names`].
#[must_use]
pub fn query(scope: Scope) -> Job {
    let mut nodes = vec![LocUri::new(scope, &["Vendor", "MSFT", "ClientCertificateInstall"])];
    if scope == Scope::Device {
        nodes.push(LocUri::device(&["Vendor", "MSFT", "CertificateStore"]));
    }
    for store in TrustStore::ALL {
        let node = trusted_certificate::store(scope, store);
        if node.scope() == scope {
            nodes.push(node);
        }
    }
    let commands = nodes.into_iter().map(|node| get([&node.with_listing(Some(Listing::StructData))])).collect();
    Job::query(scope, commands)
}

/// Asks for the names below each store only, one level: the way of devices without `?list=StructData`.
#[must_use]
pub fn names(scope: Scope) -> Job {
    let mut job = query(scope);
    let items = job.commands.iter_mut().flat_map(crate::syncml::Command::items_mut);
    for address in items.filter_map(|item| item.target.as_mut()) {
        if let Some((node, _)) = address.loc_uri.split_once('?') {
            address.loc_uri = node.to_owned();
        }
    }
    job
}

impl Inventory {
    /// Reads the items of Results, of any of the questions; what is about something else is passed over.
    #[must_use]
    pub fn read<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut inventory = Self::default();
        for item in items {
            if let Some(uri) = item.source_uri().and_then(|text| LocUri::parse(text).ok()) {
                inventory.add(&uri, item);
            }
        }
        // An enrolment that has neither certificate nor status was only named on the way.
        inventory.entries.retain(|_, entry| *entry != InventoryEntry::default());
        inventory
    }

    fn add(&mut self, uri: &LocUri, item: &Item) {
        let Some(found) = csp::find(uri) else { return };
        let path = found.node.path;
        let name = found.names.first().copied().unwrap_or_default();
        let field = path.rsplit('/').next().unwrap_or_default();
        let scope = uri.scope();
        match found.csp.name {
            "RootCATrustedCertificates" | "CertificateStore" if path.contains("<SHA1>") => {
                let store = path.split("/<").next().unwrap_or_default().to_owned();
                let entry = self.in_store(scope, found.csp.name, store, name);
                entry.set(field, item);
            }
            "RootCATrustedCertificates" | "CertificateStore" if path.starts_with("MY/WSTEP") => {
                self.entry(scope, Place::Enrolment, "").set(field, item);
            }
            "CertificateStore" if path.starts_with("MY/SCEP/<") => {
                self.entry(scope, Place::LegacyScep(name.to_owned()), "").set(field, item);
            }
            // A store itself: its value is the names of its certificates.
            "RootCATrustedCertificates" | "CertificateStore" => {
                for child in split_children(item.trimmed()).unwrap_or_default() {
                    if child.len() == 40 && child.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                        self.in_store(scope, found.csp.name, path.to_owned(), &child);
                    }
                }
            }
            "ClientCertificateInstall" if path.starts_with("SCEP/<") => {
                self.entry(scope, Place::Scep(name.to_owned()), "").set(field, item);
            }
            "ClientCertificateInstall" if path.starts_with("PFXCertInstall/<") => {
                self.entry(scope, Place::Pfx(name.to_owned()), "").set(field, item);
            }
            _ => {}
        }
    }

    fn in_store(&mut self, scope: Scope, csp: &str, store: String, thumbprint: &str) -> &mut InventoryEntry {
        let place = if csp == "CertificateStore" { Place::Store(store) } else { Place::Trusted(store) };
        let thumbprint = thumbprint.to_ascii_uppercase();
        let entry = self.entry(scope, place, &thumbprint);
        entry.thumbprint = Some(thumbprint);
        entry
    }

    fn entry(&mut self, scope: Scope, place: Place, key: &str) -> &mut InventoryEntry {
        self.entries.entry((scope, place, key.to_owned())).or_default()
    }
}

impl InventoryEntry {
    fn set(&mut self, field: &str, item: &Item) {
        let text = item.trimmed();
        if text.is_empty() {
            return;
        }
        let value = Some(text.to_owned());
        match field {
            "EncodedCertificate" => {
                let octets: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                self.encoded = STANDARD.decode(octets).ok();
            }
            "IssuedTo" => self.issued_to = value,
            "IssuedBy" => self.issued_by = value,
            "ValidFrom" => self.valid_from = value,
            "ValidTo" => self.valid_to = value,
            "TemplateName" => self.template = value,
            "CertThumbprint" | "CertThumbPrint" | "CertThumprint" | "Thumbprint" => {
                self.thumbprint = Some(text.to_ascii_uppercase())
            }
            "Status" => self.status = text.parse().ok(),
            "ErrorCode" => self.error = text.parse().ok(),
            "RespondentServerUrl" => self.respondent = value,
            _ => {}
        }
    }
}
