//! The management tree of a device: what sessions read and change is what is really in the device store.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_mdm::{
    csp::{self, LocUri, Scope},
    profile::trusted_certificate::thumbprint,
    session::device::{Execution, ManagementTree, MemoryTree, TreeError},
};
use lanyard_model::time::Timestamp;
use lanyard_pki::certificate::Certificate;

use super::{
    account::{Account, Poll, Turns},
    pfx,
};
use crate::{error::AgentError, store::DeviceStore};

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
    /// When it was loaded.
    now: Timestamp,
}

/// Something outside the tree.
#[derive(Debug, Clone)]
enum Change {
    Trust(Box<Certificate>),
    Distrust(Box<Certificate>),
    Enrol(LocUri),
    /// A PKCS#12 file was given.
    Import(LocUri),
    /// A certificate with its key is to go, as its node showed it.
    Remove(LocUri, Box<MemoryTree>),
    RenewNow,
}

impl StoreTree {
    /// The tree as it is: what was set before, and what the store holds.
    pub(crate) fn load(store: &DeviceStore, account: &Account, now: Timestamp) -> Result<Self, AgentError> {
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
        show_identities(&mut memory, store)?;
        own(&mut memory, account);
        if let Ok(identity) = store.identity(&account.identity) {
            let uri = LocUri::device(&["Vendor", "MSFT", "CertificateStore", "MY", "WSTEP", "CertThumprint"]);
            memory.set(&uri, &thumbprint(identity.certificate.der()));
        }
        Ok(Self { memory, store: store.clone(), enrolments: Vec::new(), renew_now: false, put_off: None, now })
    }

    /// Keeps what was set.
    pub(crate) fn save(&self) -> Result<(), AgentError> {
        let kept = |uri: &LocUri| !uri.names().any(|name| matches!(name, "RootCATrustedCertificates" | "CertificateStore"));
        let settings = |uri: &LocUri| uri.names().any(|name| name == "Renew");
        let nodes = self.memory.nodes().filter(|(uri, _)| kept(uri) || settings(uri));
        let nodes: Vec<_> = nodes.map(|(uri, value)| (uri.to_string(), value.map(str::to_owned))).collect();
        self.store.save_nodes(&nodes)
    }

    /// What the server has changed of the account takes effect.
    pub(crate) fn tell(&self, account: &mut Account) {
        let number = |names: &[&str]| self.memory.value(&LocUri::device(names))?.trim().parse::<u32>().ok();
        let poll = ["Vendor", "MSFT", "DMClient", "Provider", &account.provider_id, "Poll"];
        let turns = |(count, minutes): (&str, &str)| {
            let value = |name: &str| number(&[&poll[..], &[name]].concat()).unwrap_or(0);
            Turns { count: value(count), minutes: value(minutes) }
        };
        let [first, second, remaining] = POLL.map(turns);
        let told = Poll { first, second, remaining };
        if told != account.poll {
            account.poll = told;
            account.polled = 0;
        }
        let renew = |name: &'static str| [&RENEW[..], &[name]].concat();
        if let Some(days) = number(&renew("RenewPeriod")) {
            account.renewal.period_days = days;
        }
        if let Some(days) = number(&renew("RetryInterval")) {
            account.renewal.retry_days = days;
        }
        let text = |name: &'static str| self.memory.value(&LocUri::device(&renew(name)));
        if let Some(automatic) = text("ROBOSupport") {
            account.renewal.automatic = matches!(automatic.trim(), "true" | "1");
        }
        account.renewal.server_url = text("ServerURL").filter(|url| !url.is_empty());
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

    fn show_own(&mut self) -> Result<(), AgentError> {
        show_identities(&mut self.memory, &self.store)
    }

    /// Removes every certificate with its key that the management brought, besides the identity.
    pub(crate) fn remove_brought(&self) -> Result<(), AgentError> {
        let nodes = self.scep_nodes().into_iter().chain(self.nodes_of("PFXCertInstall"));
        nodes.into_iter().try_for_each(|node| pfx::remove(&self.store, &self.memory, &node))
    }

    /// Thumbprints of the certificates with a key that the management brought.
    pub(crate) fn brought(&self) -> Vec<String> {
        let shown = |node: LocUri| ["Thumbprint", "CertThumbprint"].iter().find_map(|name| self.value(&node.child(name)));
        let nodes = self.scep_nodes().into_iter().chain(self.nodes_of("PFXCertInstall"));
        nodes.filter_map(shown).filter(|thumbprint| !thumbprint.is_empty()).collect()
    }

    /// SCEP enrolments by their nodes, in both trees.
    pub(crate) fn scep_nodes(&self) -> Vec<LocUri> {
        self.nodes_of("SCEP")
    }

    fn nodes_of(&self, kind: &str) -> Vec<LocUri> {
        let bases =
            [Scope::Device, Scope::User].map(|scope| LocUri::new(scope, &["Vendor", "MSFT", "ClientCertificateInstall", kind]));
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
            ["Vendor", "MSFT", "ClientCertificateInstall", "PFXCertInstall", _, "PFXCertBlob"] => {
                Ok(uri.parent().map(Change::Import))
            }
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
            Change::Import(node) => {
                pfx::import(&self.store, &mut self.memory, &node, self.now);
                self.show_own().map_err(failed)?;
            }
            Change::Remove(node, before) => {
                pfx::remove(&self.store, &before, &node).map_err(failed)?;
                self.show_own().map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Shows every certificate whose key the device has.
fn show_identities(memory: &mut MemoryTree, store: &DeviceStore) -> Result<(), AgentError> {
    memory.unset(&LocUri::device(&["Vendor", "MSFT", "CertificateStore", "MY", "User"]));
    for identity in store.identities()? {
        show(memory, &["CertificateStore", "MY", "User"], &identity.certificate);
    }
    Ok(())
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
    if let Some(signed) = &account.signed_ent_dmid {
        set(&[&provider[..], &["SignedEntDMID"]].concat(), signed);
    }
    if let Some(at) = account.renewed_at {
        set(&[&provider[..], &["CertRenewTimeStamp"]].concat(), &at.to_string());
    }
    for (names, turns) in POLL.iter().zip([account.poll.first, account.poll.second, account.poll.remaining]) {
        set(&[&provider[..], &["Poll", names.0]].concat(), &turns.count.to_string());
        set(&[&provider[..], &["Poll", names.1]].concat(), &turns.minutes.to_string());
    }
    let renewal = &account.renewal;
    let status = match (renewal.error, account.renewed_at) {
        (0, None) => "0",
        (0, Some(_)) => "2",
        _ => "3",
    };
    let values = [
        ("RenewPeriod", renewal.period_days.to_string()),
        ("RetryInterval", renewal.retry_days.to_string()),
        ("ROBOSupport", renewal.automatic.to_string()),
        ("Status", status.to_owned()),
        ("ErrorCode", renewal.error.cast_signed().to_string()),
    ];
    for (name, value) in values {
        set(&[&RENEW[..], &[name]].concat(), &value);
    }
    if let Some(url) = &renewal.server_url {
        set(&[&RENEW[..], &["ServerURL"]].concat(), url);
    }
}

/// Names of the nodes of the three schedules.
const POLL: [(&str, &str); 3] = [
    ("NumberOfFirstRetries", "IntervalForFirstSetOfRetries"),
    ("NumberOfSecondRetries", "IntervalForSecondSetOfRetries"),
    ("NumberOfRemainingScheduledRetries", "IntervalForRemainingScheduledRetries"),
];
/// Where the settings of the renewal are.
const RENEW: [&str; 6] = ["Vendor", "MSFT", "CertificateStore", "MY", "WSTEP", "Renew"];

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
        let names: Vec<&str> = uri.names().collect();
        if matches!(names.as_slice(), ["Vendor", "MSFT", "ClientCertificateInstall", "SCEP" | "PFXCertInstall", _]) {
            self.do_or_put_off(Change::Remove(uri.clone(), Box::new(self.memory.clone())))?;
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
