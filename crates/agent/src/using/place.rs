//! What is written down for programs, brought up to date after renewals, and taken away.

use std::path::PathBuf;

use lanyard_model::time::Timestamp;
use lanyard_pki::{certificate::Certificate, pem};
use serde::{Deserialize, Serialize};

use super::{
    choose::{Select, is_called},
    nss::Database,
    policy::Policies,
    program::{Paths, Program},
    swanctl,
};
use crate::{
    error::AgentError,
    key::KeyPlace,
    store::{DeviceStore, LocalId, Room, files},
};

const USES: &str = "use";
const REQUEST: &str = "use.json";
const CLIENT: &str = "client.pem";
const ROOTS: &str = "roots.pem";
const OPENSSL: &str = "openssl.cnf";
/// What OpenSSL must know for a key in the TPM (Debian's tpm2-openssl): who signs with it, and that everything else stays with OpenSSL, because a
/// TPM has neither the slots nor the speed for it.
const TPM_PROVIDER: &str = "\
# For the program that uses this: OPENSSL_CONF names this file, TPM2OPENSSL_TCTI the TPM, such as tabrmd.
openssl_conf = lanyard
[lanyard]
providers = providers
alg_section = algorithms
random = random
[providers]
default = active
tpm2 = active
[active]
activate = 1
[random]
random = CTR-DRBG
properties = provider=default
seed = SEED-SRC
seed_properties = provider=default
[algorithms]
default_properties = ?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes,tpm2.rand!=yes
";

/// What was asked for.
///
/// STORED: as `use.json`; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Its name: lower-case letters, digits and dashes.
    pub name: String,
    /// For which program.
    pub program: Program,
    /// Which identity.
    pub select: Select,
    /// The root that servers must lead to: beginning of its fingerprint, or its common name. Without it, the only one that is trusted.
    pub root: Option<String>,
    /// Others that they may lead to as well, named likewise; browsers get the first alone.
    #[serde(default)]
    pub further_roots: Vec<String>,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Used {
    /// What was asked for.
    pub request: Use,
    /// The identity that was chosen.
    pub identity: LocalId,
    /// Configuration of the program.
    pub file: PathBuf,
    /// What `OPENSSL_CONF` must name when the program runs: the key is in the TPM.
    pub openssl: Option<PathBuf>,
}

/// How bringing one of them up to date ended.
#[derive(Debug)]
pub struct Refreshed {
    /// Its name.
    pub name: String,
    /// What was written; after an error, what was there is as it was.
    pub outcome: Result<Used, AgentError>,
}

impl Use {
    /// Chooses the identity and writes everything, in place of what was there under this name.
    ///
    /// # Errors
    /// [`AgentError::Usage`], [`AgentError::NoIdentity`], [`AgentError::SeveralIdentities`], [`AgentError::NeedsPkcs11`]; those of the store.
    pub fn write(&self, store: &DeviceStore, now: Timestamp) -> Result<Used, AgentError> {
        self.check()?;
        let identity = self.select.find(store, now)?;
        let in_tpm = identity.about.place == KeyPlace::Tpm;
        if identity.about.place == KeyPlace::TpmPin || in_tpm && !self.program.is_openssl() {
            return Err(AgentError::NeedsPkcs11 { id: identity.about.id.to_string(), program: self.program.title() });
        }
        let root = self.root(store, self.root.as_deref())?;
        let mut anchors = pem::encode(pem::CERTIFICATE, root.der());
        for further in &self.further_roots {
            anchors += &pem::encode(pem::CERTIFICATE, self.root(store, Some(further))?.der());
        }
        let folder = folder(store, &self.name);
        let (client, roots, file) = (folder.join(CLIENT), folder.join(ROOTS), folder.join(self.program.file()));
        let issuers = identity.chain.iter().filter(|one| !one.is_self_issued());
        let chain: String =
            std::iter::once(&identity.certificate).chain(issuers).map(|one| pem::encode(pem::CERTIFICATE, one.der())).collect();
        let key = store.key_file(&identity.about.id);
        let configuration = self.program.configure(&identity, &Paths { client: &client, key: &key, roots: &roots })?;
        files::make_folder(&folder)?;
        files::replace(&client, chain.as_bytes())?;
        files::replace(&roots, anchors.as_bytes())?;
        files::replace(&file, configuration.as_bytes())?;
        let environment = folder.join(OPENSSL);
        if in_tpm {
            files::replace(&environment, TPM_PROVIDER.as_bytes())?;
        } else if environment.exists() {
            std::fs::remove_file(&environment).map_err(AgentError::io("removing", &environment))?;
        }
        match &self.program {
            Program::Nss { database, .. } => Database::new(database, &self.name).install(store, &identity, &root, &folder)?,
            Program::Vpn { .. } => swanctl::place(&folder, &key, &identity, &root)?,
            _ => {}
        }
        let before = Self::all(store)?.into_iter().find(|one| one.name == self.name);
        self.keep(store)?;
        for one in before.iter().chain([self]) {
            one.update_policies(store)?;
        }
        Ok(Used { request: self.clone(), identity: identity.about.id, file, openssl: in_tpm.then_some(environment) })
    }

    /// Keeps what is wanted until its identity is there: then [`Use::refresh`] writes it.
    ///
    /// # Errors
    /// [`AgentError::Usage`], [`AgentError::Io`].
    pub fn intend(&self, store: &DeviceStore) -> Result<(), AgentError> {
        self.check()?;
        files::make_folder(&folder(store, &self.name))?;
        self.keep(store)
    }

    fn check(&self) -> Result<(), AgentError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(allowed) {
            return Err(AgentError::Usage("a name for this has 1 to 64 lower-case letters, digits and dashes"));
        }
        self.program.check()
    }

    fn keep(&self, store: &DeviceStore) -> Result<(), AgentError> {
        let folder = folder(store, &self.name);
        let request = serde_json::to_vec_pretty(self).map_err(|error| AgentError::damaged(&folder, error))?;
        files::replace(&folder.join(REQUEST), &request)
    }

    fn root(&self, store: &DeviceStore, wanted: Option<&str>) -> Result<Certificate, AgentError> {
        let mut roots = store.certificates_in(Room::Root)?;
        if let Some(wanted) = wanted {
            roots.retain(|one| is_called(one, wanted));
        }
        match (roots.pop(), roots.is_empty()) {
            (Some(root), true) => Ok(root),
            (None, _) => Err(AgentError::Usage("no such root is trusted by this device; see 'lanyard device trust --list'")),
            (Some(_), false) => {
                Err(AgentError::Usage("several roots are trusted by this device; say by --root which one servers must lead to"))
            }
        }
    }

    /// What was written, by name.
    ///
    /// # Errors
    /// [`AgentError::Io`] when the store cannot be read. What is damaged is passed over.
    pub fn all(store: &DeviceStore) -> Result<Vec<Self>, AgentError> {
        let folder = store.path().join(USES);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&folder).map_err(AgentError::io("reading", &folder))?;
        let read = |path: PathBuf| serde_json::from_slice::<Self>(&files::read(&path.join(REQUEST)).ok()?).ok();
        let mut found: Vec<Self> = entries.flatten().filter_map(|entry| read(entry.path())).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Brings everything up to date, as after a renewal. One that fails leaves the others alone, and what it had as it was; one whose identity is
    /// still on its way is passed over.
    ///
    /// # Errors
    /// [`AgentError::Io`] when the store cannot be read.
    pub fn refresh(store: &DeviceStore, now: Timestamp) -> Result<Vec<Refreshed>, AgentError> {
        let under_way = store.pendings()?;
        let waits = |one: &Self| under_way.iter().any(|pending| Some(&pending.id) == one.select.id.as_ref());
        let all = Self::all(store)?.into_iter().filter(|one| !waits(one));
        Ok(all.map(|one| Refreshed { outcome: one.write(store, now), name: one.name }).collect())
    }

    /// Takes away what was written under a name.
    ///
    /// # Errors
    /// [`AgentError::UnknownId`], [`AgentError::Io`].
    pub fn remove(store: &DeviceStore, name: &str) -> Result<(), AgentError> {
        let (known, others): (Vec<Self>, Vec<Self>) = Self::all(store)?.into_iter().partition(|one| one.name == name);
        let known = known.into_iter().next().ok_or_else(|| AgentError::UnknownId(lanyard_model::text::printable(name)))?;
        if let Program::Nss { database, .. } = &known.program {
            Database::new(database, &known.name).remove()?;
            // The root may be that of another one, too.
            for other in others {
                if matches!(&other.program, Program::Nss { database: same, .. } if same == database) {
                    Database::new(database, &other.name).trust(&folder(store, &other.name).join(ROOTS))?;
                }
            }
        }
        files::remove_folder(&folder(store, &known.name))?;
        known.update_policies(store)
    }

    /// File of its program's configuration.
    pub(super) fn configuration(&self, store: &DeviceStore) -> PathBuf {
        folder(store, &self.name).join(self.program.file())
    }

    fn update_policies(&self, store: &DeviceStore) -> Result<(), AgentError> {
        match &self.program {
            Program::Nss { policies: Some(folder), .. } => Policies { folder }.write(store),
            _ => Ok(()),
        }
    }
}

fn folder(store: &DeviceStore, name: &str) -> PathBuf {
    store.path().join(USES).join(name)
}
