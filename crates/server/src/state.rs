//! What every flow needs.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, RwLock},
};

use lanyard_ca::keys::unseal::UnsealKey;
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::{AuthorityName, RequestId},
    secret::SecretBytes,
    time::Timestamp,
};
use lanyard_ra::{challenge::ChallengeKeys, policy::Policy};
use lanyard_store::ports::Store;

use crate::{
    api::access::Access,
    clock::Clock,
    config::Config,
    edge::throttle::Throttle,
    fleet::policy::FleetPolicies,
    flow::notices::Outbox,
    installation::Installation,
    jobs::leadership::Leadership,
    keyring::{CurrentKeyring, ISSUING, Keyring},
    ldap::Ldap,
    mail::Mailer,
    mdm::{Mdm, attempts::PasswordGate},
    modules::Modules,
    oidc::Oidc,
    portal::Portal,
    telemetry::Telemetry,
};

/// What can be changed while the server runs.
#[derive(Clone)]
pub struct Rules {
    /// Templates and profiles.
    pub policy: Arc<Policy>,
    /// The profiles' modules.
    pub modules: Arc<Modules>,
    /// What managed devices get.
    pub fleet: Arc<FleetPolicies>,
    /// The files all of it was read from, each with the SHA-256 of its text in hexadecimal.
    pub files: Arc<BTreeMap<String, String>>,
}

impl Rules {
    /// With the issuing CA in use in the place of another.
    #[must_use]
    pub fn issuing_from(mut self, before: &str, now: &AuthorityName) -> Self {
        if let Some(before) = before.parse().ok().filter(|before| before != now) {
            let mut policy = Policy::clone(&self.policy);
            policy.templates.issue_from(&before, now);
            self.policy = Arc::new(policy);
        }
        self
    }
}

/// The server's parts, shared by all its tasks.
pub struct Server {
    /// Where its files are.
    pub installation: Installation,
    /// Configuration.
    pub config: Config,
    /// Storage.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Keys and certificates of the authority.
    pub keyring: CurrentKeyring,
    /// Opens sealed keys; needed again when service keys are renewed.
    pub unseal: UnsealKey,
    /// Makes and checks challenges.
    pub challenge_keys: ChallengeKeys,
    /// Derives the substitute keys of implicit rejection.
    pub rejection_secret: SecretBytes,
    /// Key of the signed heads of the audit chain.
    pub audit_secret: SecretBytes,
    /// Key of the hashes of API tokens.
    pub token_secret: SecretBytes,
    /// Who calls over the network, and how often.
    pub access: Access,
    /// Keeps what policy modules are to be told.
    pub outbox: Outbox,
    /// Seals what managed devices' sessions, jobs and sign-ins keep.
    pub fleet_secret: SecretBytes,
    /// Seals what the portal gives to browsers.
    pub portal_secret: SecretBytes,
    /// Windows management, where it is on.
    pub mdm: Option<Mdm>,
    /// The people's page, where it is on.
    pub portal: Option<Portal>,
    /// The mail server, where one is configured.
    pub mail: Option<Mailer>,
    /// Counts and turns of passwords.
    pub passwords: PasswordGate,
    /// The directory, where one is configured.
    pub ldap: Option<Ldap>,
    /// Where people sign in, if not here.
    pub oidc: Option<Oidc>,
    /// Counters.
    pub telemetry: Telemetry,
    /// Counts of wrong challenges.
    pub throttle: Throttle,
    /// Templates, profiles and their modules.
    pub rules: RwLock<Rules>,
    /// When this process began; what was granted before and is not signed was interrupted.
    pub started_at: Timestamp,
    /// Whether this node does the work that only one may do.
    pub leadership: Leadership,
    /// Certificates that were refused a management session: why, and when that was audited.
    pub mdm_refused: Mutex<HashMap<([u8; 32], &'static str), Timestamp>>,
    /// Wakes the CRL job.
    pub crl_wanted: tokio::sync::Notify,
}

impl Server {
    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Templates and profiles in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.rules.read().unwrap_or_else(std::sync::PoisonError::into_inner).policy)
    }

    /// Policy modules in force. A caller that decides reads the policy first: a module that was added since is then asked already.
    #[must_use]
    pub fn modules(&self) -> Arc<Modules> {
        Arc::clone(&self.rules.read().unwrap_or_else(std::sync::PoisonError::into_inner).modules)
    }

    /// The files behind the rules in force.
    #[must_use]
    pub fn rule_files(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.rules.read().unwrap_or_else(std::sync::PoisonError::into_inner).files)
    }

    /// What managed devices get, as it is in force.
    #[must_use]
    pub fn fleet(&self) -> Arc<FleetPolicies> {
        Arc::clone(&self.rules.read().unwrap_or_else(std::sync::PoisonError::into_inner).fleet)
    }

    /// Puts other rules, as they were read from files, in force all at once.
    pub fn replace_rules(&self, rules: Rules) {
        let mut current = self.rules.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Under the same lock as the change of authority, so that no rules are left that issue from the one before.
        *current = rules.issuing_from(ISSUING, self.keyring.get().issuing());
    }

    /// Puts another keyring in use, and has the rules issue from its issuing CA.
    pub fn replace_keyring(&self, ring: Keyring) {
        let mut rules = self.rules.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let changed = rules.clone().issuing_from(self.keyring.get().issuing().as_str(), ring.issuing());
        self.keyring.replace(ring);
        *rules = changed;
    }

    /// An audit event at the present; the caller adds what else is known.
    #[must_use]
    pub fn event(&self, kind: AuditKind, actor: impl Into<String>) -> AuditEvent {
        AuditEvent { at: self.now(), kind, actor: actor.into(), request: None, reason: None, object: None, detail: None }
    }

    /// An audit event of a request.
    #[must_use]
    pub fn request_event(&self, kind: AuditKind, actor: impl Into<String>, request: RequestId) -> AuditEvent {
        AuditEvent { request: Some(request), ..self.event(kind, actor) }
    }
}
