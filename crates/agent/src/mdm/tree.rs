//! The management tree of a device: what sessions read and change is what is really in the device store.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_mdm::{
    csp::{self, LocUri, Scope},
    profile::trusted_certificate::thumbprint,
    session::device::{Execution, ManagementTree, MemoryTree, TreeError},
};
use lanyard_model::time::Timestamp;
use lanyard_pki::certificate::Certificate;

use super::account::Account;
use crate::{error::AgentError, store::DeviceStore};

/// Windows' `ERROR_NOT_SUPPORTED`.
const NOT_SUPPORTED: u32 = 0x8007_0032;
/// Windows' `E_FAIL`.
const FAILED: u32 = 0x8000_4005;

/// The tree over a store.
pub(crate) struct StoreTree {
    memory: MemoryTree,
    store: DeviceStore,
    /// Enrolments that were started.
    pub(crate) enrolments: Vec<LocUri>,
    /// Whether the identity is to be renewed at once.
    pub(crate) renew_now: bool,
    /// What is put off until the Atomic ends.
    put_off: Option<Vec<Change>>,
}

/// Something outside the tree.
#[derive(Debug, Clone)]
enum Change {
    Trust(Box<Certificate>),
    Distrust(Box<Certificate>),
    Enrol(LocUri),
    RenewNow,
}

impl StoreTree {
    /// The tree as it is: what was set before, and what the store holds.
    pub(crate) fn load(store: &DeviceStore, account: &Account) -> Result<Self, AgentError> {
        let mut memory = MemoryTree::new();
        for (uri, value) in store.load_nodes()? {
            // Nodes of an older program that this one does not know are of no use.
            if let Ok(uri) = LocUri::parse(&uri) {
                memory.restore(&uri, value.as_deref());
            }
        }
        let (roots, intermediates) = store.trusted()?;
        for (place, certificates) in [("Root", &roots), ("CA", &intermediates)] {
            for certificate in certificates {
                show(&mut memory, &["RootCATrustedCertificates", place], certificate);
                show(&mut memory, &["CertificateStore", &place.to_ascii_uppercase(), "System"], certificate);
            }
        }
        for identity in store.identities()? {
            show(&mut memory, &["CertificateStore", "MY", "User"], &identity.certificate);
        }
        own(&mut memory, account);
        if let Ok(identity) = store.identity(&account.identity) {
            let uri = LocUri::device(&["Vendor", "MSFT", "CertificateStore", "MY", "WSTEP", "CertThumprint"]);
            memory.set(&uri, &thumbprint(identity.certificate.der()));
        }
        Ok(Self { memory, store: store.clone(), enrolments: Vec::new(), renew_now: false, put_off: None })
    }

    /// Keeps what was set.
    pub(crate) fn save(&self) -> Result<(), AgentError> {
        let kept = |uri: &LocUri| !uri.names().any(|name| matches!(name, "RootCATrustedCertificates" | "CertificateStore"));
        let settings = |uri: &LocUri| uri.names().any(|name| name == "Renew");
        let nodes = self.memory.nodes().filter(|(uri, _)| kept(uri) || settings(uri));
        let nodes: Vec<_> = nodes.map(|(uri, value)| (uri.to_string(), value.map(str::to_owned))).collect();
        self.store.save_nodes(&nodes)
    }

    /// The value of a leaf.
    pub(crate) fn value(&self, uri: &LocUri) -> Option<String> {
        self.memory.value(uri)
    }

    /// Sets a node, as the device itself does.
    pub(crate) fn set(&mut self, uri: &LocUri, value: &str) {
        self.memory.set(uri, value);
    }

    /// Removes a node, as the device itself does.
    pub(crate) fn unset(&mut self, uri: &LocUri) {
        self.memory.unset(uri);
    }

    /// SCEP enrolments by their nodes, in both trees.
    pub(crate) fn scep_nodes(&self) -> Vec<LocUri> {
        let bases =
            [Scope::Device, Scope::User].map(|scope| LocUri::new(scope, &["Vendor", "MSFT", "ClientCertificateInstall", "SCEP"]));
        let below = |base: &LocUri| {
            let names = self.memory.children(base).unwrap_or_default();
            names.iter().map(|name| base.child(name)).collect::<Vec<_>>()
        };
        bases.iter().flat_map(below).collect()
    }

    /// What a change of a node means for the store.
    fn meaning(&self, uri: &LocUri, value: Option<&str>) -> Result<Option<Change>, TreeError> {
        let names: Vec<&str> = uri.names().collect();
        match names.as_slice() {
            ["Vendor", "MSFT", "RootCATrustedCertificates", "Root" | "CA", _, "EncodedCertificate"]
            | ["Vendor", "MSFT", "CertificateStore", "ROOT" | "CA", "System", _, "EncodedCertificate"] => {
                certificate(value.unwrap_or_default()).map(|one| Some(Change::Trust(Box::new(one))))
            }
            ["Vendor", "MSFT", "ClientCertificateInstall", "PFXCertInstall", ..] => Err(TreeError::Failed(NOT_SUPPORTED)),
            _ => Ok(None),
        }
    }

    fn do_or_put_off(&mut self, change: Change) -> Result<(), TreeError> {
        match &mut self.put_off {
            Some(put_off) => {
                put_off.push(change);
                Ok(())
            }
            None => self.carry_out(change),
        }
    }

    fn carry_out(&mut self, change: Change) -> Result<(), TreeError> {
        let failed = |error: AgentError| {
            tracing::error!(%error, "what the management asked for could not be done");
            TreeError::Failed(FAILED)
        };
        match change {
            Change::Trust(certificate) => {
                self.store.trust(std::slice::from_ref(&certificate)).map_err(failed)?;
                let place = if certificate.is_self_issued() { "Root" } else { "CA" };
                show(&mut self.memory, &["RootCATrustedCertificates", place], &certificate);
                show(&mut self.memory, &["CertificateStore", &place.to_ascii_uppercase(), "System"], &certificate);
            }
            Change::Distrust(certificate) => self.store.distrust(&certificate).map_err(failed)?,
            Change::Enrol(node) => {
                self.memory.set(&node.child("Status"), "32");
                self.enrolments.push(node);
            }
            Change::RenewNow => self.renew_now = true,
        }
        Ok(())
    }
}

/// What every session can read about the device.
fn own(memory: &mut MemoryTree, account: &Account) {
    let mut set = |names: &[&str], value: &str| memory.set(&LocUri::device(names), value);
    set(&["DevInfo", "DevId"], &account.device_id);
    for (name, value) in [("Man", "Lanyard"), ("Mod", "Device agent"), ("DmV", "1.3"), ("Lang", "en-US")] {
        set(&["DevInfo", name], value);
    }
    set(&["DevDetail", "SwV"], super::join::SYSTEM_VERSION);
    set(&["DevDetail", "Ext", "Microsoft", "DeviceName"], &account.device_name);
    let provider = ["Vendor", "MSFT", "DMClient", "Provider", &account.provider_id];
    set(&[&provider[..], &["UPN"]].concat(), &account.user);
    set(&[&provider[..], &["HWDevID"]].concat(), &account.hardware_id);
    if let Some(id) = &account.ent_dmid {
        set(&[&provider[..], &["EntDMID"]].concat(), id);
    }
}

/// Shows a certificate under its thumbprint.
fn show(memory: &mut MemoryTree, place: &[&str], certificate: &Certificate) {
    let thumbprint = thumbprint(certificate.der());
    let node = LocUri::device(&[&["Vendor", "MSFT"], place, &[&thumbprint]].concat());
    memory.set(&node.child("EncodedCertificate"), &STANDARD.encode(certificate.der()));
    let text = |name: Result<lanyard_model::name::DistinguishedName, _>| {
        name.map(|name| name.to_string()).unwrap_or_else(|_: lanyard_pki::error::PkiError| String::new())
    };
    let (from, to) = certificate.validity().unwrap_or((Timestamp(0), Timestamp(0)));
    let described = [
        ("IssuedTo", text(certificate.subject())),
        ("IssuedBy", text(certificate.issuer())),
        ("ValidFrom", from.to_string()),
        ("ValidTo", to.to_string()),
    ];
    for (name, value) in described {
        memory.set(&node.child(name), &value);
    }
}

fn certificate(value: &str) -> Result<Certificate, TreeError> {
    let der = STANDARD.decode(value.trim()).map_err(|_| TreeError::Format)?;
    Certificate::decode(&der).map_err(|_| TreeError::INVALID_ARGUMENT)
}

impl ManagementTree for StoreTree {
    fn exists(&self, uri: &LocUri) -> bool {
        self.memory.exists(uri)
    }

    fn is_default(&self, uri: &LocUri) -> bool {
        self.memory.is_default(uri)
    }

    fn get(&self, uri: &LocUri) -> Result<String, TreeError> {
        self.memory.get(uri)
    }

    fn children(&self, uri: &LocUri) -> Result<Vec<String>, TreeError> {
        self.memory.children(uri)
    }

    fn add(&mut self, uri: &LocUri, value: Option<&str>) -> Result<(), TreeError> {
        let change = self.meaning(uri, value)?;
        self.memory.add(uri, value)?;
        change.map_or(Ok(()), |change| self.do_or_put_off(change))
    }

    fn replace(&mut self, uri: &LocUri, value: &str) -> Result<(), TreeError> {
        let change = self.meaning(uri, Some(value))?;
        self.memory.replace(uri, value)?;
        change.map_or(Ok(()), |change| self.do_or_put_off(change))
    }

    fn delete(&mut self, uri: &LocUri) -> Result<(), TreeError> {
        let trusted = uri.names().any(|name| name == "RootCATrustedCertificates");
        let held = self.memory.value(&uri.child("EncodedCertificate")).filter(|_| trusted);
        if let Some(certificate) = held.and_then(|text| certificate(&text).ok()) {
            self.do_or_put_off(Change::Distrust(Box::new(certificate)))?;
        }
        self.memory.delete(uri)
    }

    fn exec(&mut self, uri: &LocUri, data: &str) -> Result<Execution, TreeError> {
        let csp = csp::find(uri).map(|found| found.csp.name);
        match (csp, uri.name()) {
            (Some("ClientCertificateInstall"), Some("Enroll")) => {
                let node = uri.parent().and_then(|install| install.parent()).ok_or(TreeError::NotFound)?;
                self.do_or_put_off(Change::Enrol(node))?;
                Ok(Execution::Done)
            }
            (Some("CertificateStore"), Some("RenewNow")) => {
                self.do_or_put_off(Change::RenewNow)?;
                Ok(Execution::Accepted)
            }
            _ => self.memory.exec(uri, data),
        }
    }

    fn begin(&mut self) {
        self.memory.begin();
        self.put_off = Some(Vec::new());
    }

    fn commit(&mut self) -> Result<(), TreeError> {
        for change in self.put_off.take().unwrap_or_default() {
            self.carry_out(change)?;
        }
        self.memory.commit()
    }

    fn rollback(&mut self) -> Result<(), TreeError> {
        self.put_off = None;
        self.memory.rollback()
    }
}
