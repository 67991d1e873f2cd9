//! The state, in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use lanyard_model::gateway::StateLine;

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCertificate {
    /// User it is for: its own, or its device's owner.
    pub user: Option<Arc<str>>,
    /// Device it is for.
    pub device: Option<Arc<str>>,
    /// Whether it is revoked.
    pub revoked: bool,
}

/// What is known of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownUser {
    /// Login name.
    pub name: Arc<str>,
    /// User principal name.
    pub upn: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// May not enter.
    pub disabled: bool,
}

/// Whose a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's.
    Nobody,
    /// This user's.
    One(KnownUser),
    /// Several have it, so that it is nobody's.
    Several,
}

#[derive(Debug, Clone)]
struct KnownDevice {
    user: Option<Arc<str>>,
    blocked: bool,
}

/// Everything that was told.
#[derive(Debug, Default)]
pub struct Told {
    certificates: HashMap<[u8; 32], KnownCertificate>,
    users: HashMap<String, KnownUser>,
    /// Lower-case UPN or mail address to lower-case name; an empty name where several have it.
    principals: HashMap<String, String>,
    devices: HashMap<String, KnownDevice>,
}

/// Whether the state can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It was heard of within the time that is allowed.
    Fresh,
    /// It was not.
    Stale,
    /// Nothing was ever told.
    Nothing,
}

/// The state with its age.
#[derive(Debug)]
pub struct State {
    told: RwLock<Told>,
    heard: Mutex<Option<Instant>>,
    max_age: Duration,
}

/// Who is to be looked at again after a change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// Certificates.
    pub certificates: Vec<[u8; 32]>,
    /// Everybody: a user or device changed, or everything was told anew.
    pub everybody: bool,
}

impl Told {
    /// Takes a line in.
    pub fn take(&mut self, line: StateLine) {
        match line {
            StateLine::Begin | StateLine::Now { .. } => {}
            StateLine::Certificate { fingerprint, user, device, revoked, .. } => {
                let known = KnownCertificate { user: user.map(Arc::from), device: device.map(Arc::from), revoked };
                self.certificates.insert(fingerprint, known);
            }
            StateLine::User { name, upn, email, disabled, removed } => self.take_user(name, upn, email, disabled, removed),
            StateLine::Device { id, user, blocked, removed } => {
                if removed {
                    self.devices.remove(&id);
                } else {
                    self.devices.insert(id, KnownDevice { user: user.map(Arc::from), blocked });
                }
            }
        }
    }

    fn take_user(&mut self, name: String, upn: Option<String>, email: Option<String>, disabled: bool, removed: bool) {
        let key = name.to_lowercase();
        if let Some(before) = self.users.remove(&key) {
            for text in [before.upn, before.email].into_iter().flatten() {
                let text = text.to_lowercase();
                if self.principals.get(&text).is_some_and(|owner| *owner == key) {
                    self.principals.remove(&text);
                }
            }
        }
        if removed {
            return;
        }
        for text in [&upn, &email].into_iter().flatten() {
            let owner = self.principals.entry(text.to_lowercase()).or_insert_with(|| key.clone());
            if *owner != key {
                // Two people with one name: nobody's until a snapshot says otherwise.
                owner.clear();
            }
        }
        self.users.insert(key, KnownUser { name: Arc::from(name), upn, email, disabled });
    }
}

impl State {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(max_age: Duration) -> Self {
        Self { told: RwLock::default(), heard: Mutex::default(), max_age }
    }

    /// Puts a whole snapshot in the place of what was known.
    pub fn replace(&self, told: Told) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = told;
        self.heard();
    }

    /// Takes changes in. Who is to be looked at again.
    pub fn change(&self, lines: Vec<StateLine>) -> Affected {
        let mut affected = Affected::default();
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            match &line {
                StateLine::Certificate { fingerprint, revoked: true, .. } => affected.certificates.push(*fingerprint),
                StateLine::User { disabled: true, .. } | StateLine::Device { blocked: true, .. } => affected.everybody = true,
                StateLine::Device { removed: true, .. } => affected.everybody = true,
                _ => {}
            }
            told.take(line);
        }
        drop(told);
        self.heard();
        affected
    }

    fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether it can be relied on.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        match *self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Freshness::Nothing,
            Some(at) if at.elapsed() > self.max_age => Freshness::Stale,
            Some(_) => Freshness::Fresh,
        }
    }

    /// Age, if anything was ever told.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// A certificate, with its device's owner where it has no user of its own.
    #[must_use]
    pub fn certificate(&self, fingerprint: &[u8; 32]) -> Option<KnownCertificate> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        let mut known = told.certificates.get(fingerprint)?.clone();
        if known.user.is_none()
            && let Some(device) = known.device.as_deref().and_then(|id| told.devices.get(id))
        {
            known.user.clone_from(&device.user);
        }
        Some(known)
    }

    /// Whether a device may not enter.
    #[must_use]
    pub fn is_blocked(&self, device: &str) -> bool {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        told.devices.get(device).is_some_and(|device| device.blocked)
    }

    /// A user by login name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<KnownUser> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        told.users.get(&name.to_lowercase()).cloned()
    }

    /// Whose this UPN or mail address is.
    #[must_use]
    pub fn principal(&self, name: &str) -> Owner {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        match told.principals.get(&name.to_lowercase()) {
            None => Owner::Nobody,
            Some(owner) if owner.is_empty() => Owner::Several,
            Some(owner) => told.users.get(owner).cloned().map_or(Owner::Nobody, Owner::One),
        }
    }

    /// Number of certificates, users and devices.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        (told.certificates.len(), told.users.len(), told.devices.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, upn: &str, removed: bool) -> StateLine {
        StateLine::User { name: name.into(), upn: Some(upn.into()), email: None, disabled: false, removed }
    }

    #[test]
    fn a_name_that_two_people_have_is_nobodys() {
        let state = State::new(Duration::from_secs(60));
        assert_eq!(state.freshness(), Freshness::Nothing);
        state.change(vec![user("alice", "a@corp.test", false)]);
        assert!(matches!(state.principal("A@Corp.test"), Owner::One(user) if user.name.as_ref() == "alice"));
        state.change(vec![user("bob", "a@corp.test", false)]);
        assert_eq!(state.principal("a@corp.test"), Owner::Several);
        state.change(vec![user("carol", "c@corp.test", false), user("carol", "d@corp.test", false)]);
        assert_eq!(state.principal("c@corp.test"), Owner::Nobody);
        state.change(vec![user("carol", "d@corp.test", true)]);
        assert_eq!((state.principal("d@corp.test"), state.user("carol")), (Owner::Nobody, None));
        assert_eq!(state.freshness(), Freshness::Fresh);
    }
}
