//! Putting into the store what a person agreed to: all of it or nothing.

use lanyard_model::time::Timestamp;
use lanyard_pki::certificate::Certificate;

use super::review::{PlannedIdentity, Review};
use crate::{
    error::AgentError,
    key::KeyPlace,
    store::{DeviceStore, Identity, IdentityAbout, LocalId, Owner, Room, Status},
};

/// What a person agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// Whether roots become trusted; without it everything else is installed.
    pub roots: bool,
    /// Whether keys may leave the store again.
    pub exportable: bool,
    /// Whose identities they become.
    pub owner: Owner,
}

/// What was put into the store.
#[derive(Debug, Default)]
pub struct Installed {
    /// Identities, with those that were there already.
    pub identities: Vec<LocalId>,
    /// Certificates that are new, and where.
    pub certificates: Vec<(Room, Certificate)>,
    /// Roots that were left out, because nobody agreed to them.
    pub refused_roots: usize,
}

impl Review {
    /// Installs. After an error, what was written is taken back.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn install(&self, store: &DeviceStore, consent: Consent, from: &str, now: Timestamp) -> Result<Installed, AgentError> {
        let mut done = Installed::default();
        let mut fresh = Vec::new();
        match self.write(store, consent, from, now, &mut done, &mut fresh) {
            Ok(()) => Ok(done),
            Err(error) => {
                // The first error is the one that counts.
                fresh.iter().for_each(|id| drop(store.remove_identity(id)));
                done.certificates.iter().for_each(|(room, one)| drop(store.remove_certificate(*room, one)));
                Err(error)
            }
        }
    }

    fn write(
        &self,
        store: &DeviceStore,
        consent: Consent,
        from: &str,
        now: Timestamp,
        done: &mut Installed,
        fresh: &mut Vec<LocalId>,
    ) -> Result<(), AgentError> {
        for planned in &self.certificates {
            if planned.known {
                continue;
            }
            if planned.room == Room::Root && !consent.roots {
                done.refused_roots += 1;
                continue;
            }
            store.save_certificate(planned.room, &planned.certificate)?;
            done.certificates.push((planned.room, planned.certificate.clone()));
        }
        for planned in &self.identities {
            if let Some(known) = &planned.known {
                done.identities.push(known.clone());
                continue;
            }
            let identity = identity(planned, consent, from, now)?;
            let id = identity.about.id.clone();
            store.install(&identity, &planned.key)?;
            fresh.push(id.clone());
            done.identities.push(id);
        }
        Ok(())
    }
}

fn identity(planned: &PlannedIdentity, consent: Consent, from: &str, now: Timestamp) -> Result<Identity, AgentError> {
    let certificate = planned.certificate.clone();
    let (_, not_after) = certificate.validity().map_err(AgentError::Own)?;
    let about = IdentityAbout {
        id: LocalId::generate()?,
        status: Status::Current,
        url: String::new(),
        profile: format!("file {from}"),
        ca_fingerprint: String::new(),
        subject: certificate.subject().map(|name| name.to_string()).unwrap_or_default(),
        san: certificate.subject_alt_names().unwrap_or_default().iter().map(ToString::to_string).collect(),
        key: planned.key.public_key().kind,
        transaction: String::new(),
        request_id: None,
        obtained_at: now,
        not_after,
        predecessor: None,
        exportable: consent.exportable,
        place: KeyPlace::Software,
        owner: consent.owner,
        name: planned.name.clone(),
    };
    // A root is trusted by its own consent, not because a certificate leads to it.
    let chain = planned.issuers.iter().filter(|one| !one.is_self_issued()).cloned().collect();
    Ok(Identity { about, certificate, chain, tls_roots: None })
}
