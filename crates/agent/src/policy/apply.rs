//! What becomes of a policy: certificates are trusted, identities enrolled, programs configured. Applying it again goes on where it was.

use std::collections::BTreeMap;

use lanyard_model::{
    key::KeyKind, name::DistinguishedName, san::SubjectAltName, template::KeyProtection, text::hex, time::Timestamp,
};
use lanyard_pki::{certificate::Certificate, name};
use serde::{Deserialize, Serialize};

use super::{
    document::{Document, Identity, Security, Wifi},
    signed::Signed,
};
use crate::{
    error::AgentError,
    scep::{self, EnrollOptions, EnrollOutcome, SessionOptions, options::fingerprint, outcome::Refusal, outcome::Watcher},
    store::{DeviceStore, LocalId, Owner, Room, Status, files},
    using::{Program, Purpose, Select, Use, Used},
};

const FOLDER: &str = "policies";

/// What came of a policy before.
///
/// STORED: as `policies/<name>.json`; new fields must have defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Installation that made it.
    instance: String,
    /// When it was made, in milliseconds since 1970.
    made_at: i64,
    /// Revision.
    revision: u32,
    /// Identities by their names in the policy.
    identities: BTreeMap<String, LocalId>,
    /// What was written for programs.
    uses: Vec<String>,
}

/// What is to become of an identity of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is enrolled.
    Enrol,
    /// The store has it.
    Kept(LocalId),
    /// The server holds the request.
    UnderWay(LocalId),
}

/// What applying a policy would do.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The policy.
    pub signed: &'a Signed,
    /// Roots that would be trusted, and are not.
    pub new_roots: Vec<Certificate>,
    /// Authorities that would be known, and are not.
    pub new_intermediates: Vec<Certificate>,
    /// Identities by their names.
    pub identities: Vec<(String, Fate)>,
    /// Networks and mail, as uses of identities; those of identities by their names.
    pub uses: Vec<(String, Use)>,
    /// Uses that an earlier revision wanted and this one does not.
    pub dropped: Vec<String>,
    record: Record,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    /// Roots that are trusted now.
    pub roots: Vec<Certificate>,
    /// Identities that were obtained, by their names.
    pub obtained: Vec<(String, LocalId)>,
    /// Requests that the server holds.
    pub held: Vec<(String, LocalId, Option<String>)>,
    /// Refusals.
    pub refused: Vec<(String, Refusal)>,
    /// Enrolments that failed.
    pub failed: Vec<(String, AgentError)>,
    /// What was written for programs.
    pub used: Vec<Used>,
    /// What will be written once its identity is there.
    pub waiting: Vec<String>,
}

/// How keys are kept, and whose the identities become.
#[derive(Debug, Clone, Copy)]
pub struct Keeping {
    /// Protection of keys that must not leave.
    pub protection: KeyProtection,
    /// Whose they are.
    pub owner: Owner,
}

impl<'a> Plan<'a> {
    /// Looks what a policy would do to this store.
    ///
    /// # Errors
    /// [`AgentError::Policy`] for one that is older than what was applied, or of another installation under the same name; those of the store.
    pub fn of(signed: &'a Signed, store: &DeviceStore, now: Timestamp) -> Result<Self, AgentError> {
        let document = &signed.document;
        let record = load(store, document)?;
        let unknown = |room: Room, all: &[Certificate]| -> Vec<Certificate> {
            all.iter().filter(|one| !store.certificate_file(room, one).exists()).cloned().collect()
        };
        let identities: Vec<(String, Fate)> = document
            .scep
            .iter()
            .map(|one| Ok((one.name.clone(), fate(store, &record, one, now)?)))
            .collect::<Result<_, AgentError>>()?;
        let uses = uses(document);
        let dropped = record.uses.iter().filter(|name| !uses.iter().any(|(_, one)| one.name == **name)).cloned().collect();
        Ok(Self {
            new_roots: unknown(Room::Root, &document.roots),
            new_intermediates: unknown(Room::Ca, &document.intermediates),
            identities,
            uses,
            dropped,
            record,
            signed,
        })
    }

    /// Does it. What was done before something failed stays, and applying the same policy again goes on.
    ///
    /// # Errors
    /// Those of the store. What becomes of one identity or network is told beside it.
    pub async fn apply(
        mut self,
        store: &DeviceStore,
        keeping: Keeping,
        session: &SessionOptions,
        watcher: Watcher<'_>,
    ) -> Result<Applied, AgentError> {
        let document = &self.signed.document;
        let mut done = Applied::default();
        for root in std::mem::take(&mut self.new_roots) {
            store.save_certificate(Room::Root, &root)?;
            done.roots.push(root);
        }
        for one in &self.new_intermediates {
            store.save_certificate(Room::Ca, one)?;
        }
        self.record.instance.clone_from(&document.instance);
        self.record.made_at = document.made_at.0;
        self.record.revision = document.revision;
        for (wanted, (name, fate)) in document.scep.iter().zip(&mut self.identities) {
            if *fate != Fate::Enrol {
                continue;
            }
            match enroll(store, &document.name, wanted, keeping, session, watcher).await {
                Ok(EnrollOutcome::Issued(issued)) => {
                    self.record.identities.insert(name.clone(), issued.id.clone());
                    done.obtained.push((name.clone(), issued.id.clone()));
                    *fate = Fate::Kept(issued.id);
                }
                Ok(EnrollOutcome::StillPending { id, request_id, .. }) => {
                    self.record.identities.insert(name.clone(), id.clone());
                    done.held.push((name.clone(), id.clone(), request_id));
                    *fate = Fate::UnderWay(id);
                }
                Ok(EnrollOutcome::Refused(refusal)) => done.refused.push((name.clone(), refusal)),
                Err(error) => done.failed.push((name.clone(), error)),
            }
            save(store, &document.name, &self.record)?;
        }
        for (identity, mut one) in std::mem::take(&mut self.uses) {
            let Some((_, fate)) = self.identities.iter().find(|(name, _)| *name == identity) else { continue };
            let (Fate::Kept(id) | Fate::UnderWay(id)) = fate else { continue };
            one.select.id = Some(id.clone());
            let written = if matches!(fate, Fate::Kept(_)) {
                one.write(store, (session.clock)()).map(|used| done.used.push(used))
            } else {
                one.intend(store).map(|()| done.waiting.push(one.name.clone()))
            };
            match written {
                Ok(()) if self.record.uses.contains(&one.name) => {}
                Ok(()) => self.record.uses.push(one.name.clone()),
                Err(error) => done.failed.push((one.name.clone(), error)),
            }
        }
        for name in &self.dropped {
            match Use::remove(store, name) {
                // Somebody took it away before.
                Ok(()) | Err(AgentError::UnknownId(_)) => self.record.uses.retain(|one| one != name),
                Err(error) => done.failed.push((name.clone(), error)),
            }
        }
        save(store, &document.name, &self.record)?;
        Ok(done)
    }
}

/// What is to become of an identity: one that the store has, with the names that the policy wants, is not enrolled again.
fn fate(store: &DeviceStore, record: &Record, wanted: &Identity, now: Timestamp) -> Result<Fate, AgentError> {
    let Some(id) = record.identities.get(&wanted.name) else { return Ok(Fate::Enrol) };
    if store.pendings()?.iter().any(|one| one.id == *id) {
        return Ok(Fate::UnderWay(id.clone()));
    }
    let all = store.identities()?;
    let subject = subject(wanted)?;
    let fits = |one: &&crate::store::Identity| {
        let same = one.certificate.subject().is_ok_and(|found| found.same_set(&subject));
        one.about.status == Status::Current && one.certificate.is_valid_at(now) && one.about.url == wanted.url && same
    };
    let found = all.iter().filter(fits).find(|one| crate::using::choose::descends(one, id, &all));
    Ok(found.map_or(Fate::Enrol, |one| Fate::Kept(one.about.id.clone())))
}

async fn enroll(
    store: &DeviceStore,
    policy: &str,
    wanted: &Identity,
    keeping: Keeping,
    session: &SessionOptions,
    watcher: Watcher<'_>,
) -> Result<EnrollOutcome, AgentError> {
    let wrong = |what: &str| AgentError::Policy(format!("the {what} of the identity '{}' cannot be used", wanted.name));
    let san: Vec<SubjectAltName> =
        wanted.san.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(|_| wrong("names"))?;
    let key_kind: KeyKind = wanted.key.parse().map_err(|_| wrong("key"))?;
    let options = EnrollOptions {
        challenge: Some(wanted.challenge.clone()),
        san,
        key_kind,
        protection: if wanted.exportable { KeyProtection::SoftwareExportable } else { keeping.protection },
        owner: keeping.owner,
        name: Some(format!("{policy} {}", wanted.name)),
        session: session.clone(),
        ..EnrollOptions::new(&wanted.url, fingerprint(&wanted.issuer_sha256)?, subject(wanted)?)
    };
    scep::enroll(Some(store), options, watcher).await
}

fn subject(wanted: &Identity) -> Result<DistinguishedName, AgentError> {
    let wrong = |_| AgentError::Policy(format!("the subject of the identity '{}' cannot be used", wanted.name));
    name::parse(&wanted.subject).map_err(wrong)
}

/// Networks and signatures of mail as uses, beside the name of the identity of each.
fn uses(document: &Document) -> Vec<(String, Use)> {
    let select = |purpose| Select { purpose, issuer: None, id: None };
    let networks = document.wifi.iter().map(|wifi| {
        let mut roots = wifi.roots.iter().map(|one| hex(&one.fingerprint()));
        let one = Use {
            name: word(&format!("{}-wifi-{}", document.name, wifi.ssid)),
            program: network(wifi),
            select: select(Purpose::ClientAuth),
            root: roots.next(),
            further_roots: roots.collect(),
        };
        (wifi.identity.clone(), one)
    });
    let signed = document.mail.iter().filter_map(|mail| {
        let one = Use {
            name: word(&format!("{}-mail-{}", document.name, mail.name)),
            program: Program::Mail,
            select: select(Purpose::Mail),
            root: document.roots.first().map(|one| hex(&one.fingerprint())),
            further_roots: Vec::new(),
        };
        Some((mail.signing_identity.clone()?, one))
    });
    networks.chain(signed).collect()
}

fn network(wifi: &Wifi) -> Program {
    Program::Wifi {
        ssid: wifi.ssid.clone(),
        server_names: wifi.server_names.clone(),
        wpa3: wifi.security == Security::Wpa3,
        hidden: wifi.hidden,
        by_hand: !wifi.auto_connect,
    }
}

/// A name for a use or a file out of what people call it.
fn word(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(fit).take(64).collect()
}

fn load(store: &DeviceStore, document: &Document) -> Result<Record, AgentError> {
    let path = store.path().join(FOLDER).join(format!("{}.json", word(&document.name)));
    let Some(octets) = files::read_optional(&path)? else { return Ok(Record::default()) };
    let record: Record = serde_json::from_slice(&octets).map_err(|error| AgentError::damaged(&path, error))?;
    if record.instance != document.instance {
        let why = format!("another installation's policy '{}' is in force on this device", document.name);
        return Err(AgentError::Policy(lanyard_model::text::printable(&why)));
    }
    if document.made_at.0 < record.made_at {
        return Err(AgentError::Policy(format!(
            "it is older than what is in force, which was made at {}",
            Timestamp(record.made_at)
        )));
    }
    Ok(record)
}

fn save(store: &DeviceStore, name: &str, record: &Record) -> Result<(), AgentError> {
    let folder = store.path().join(FOLDER);
    files::make_folder(&folder)?;
    let path = folder.join(format!("{}.json", word(name)));
    let text = serde_json::to_vec_pretty(record).map_err(|error| AgentError::damaged(&path, error))?;
    files::replace(&path, &text)
}
