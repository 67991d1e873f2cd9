//! Accounts in a file: for a handful of people, and where there is no directory.

use std::{collections::HashMap, path::Path, sync::Arc};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use lanyard_model::{secret::SecretText, text::unhex};
use lanyard_pki::crypto::digest::constant_time_eq;
use serde::Deserialize;

use super::{
    basic::{Credentials, Name},
    source::Account,
};
use crate::{
    certificate::verdict::Verified,
    config::{file::Mapping, read},
    decide::denial::{Denial, Reason},
    error::GatewayError,
};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Users {
    #[serde(default)]
    user: Vec<User>,
}

/// A user as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct User {
    /// Name.
    name: String,
    /// Argon2id hash in its usual text form; without one no password is right.
    #[serde(default)]
    password_hash: Option<String>,
    /// User principal name.
    #[serde(default)]
    upn: Option<String>,
    /// Mail address.
    #[serde(default)]
    email: Option<String>,
    /// SHA-256 fingerprints of certificates.
    #[serde(default)]
    certificates: Vec<String>,
    /// Whether it may not enter.
    #[serde(default)]
    disabled: bool,
}

#[derive(Debug)]
struct Kept {
    account: Arc<Account>,
    hash: Option<Hash>,
    disabled: bool,
}

/// An Argon2id hash with what it was made with.
#[derive(Debug, Clone)]
struct Hash {
    cost: (u32, u32, u32),
    salt: Vec<u8>,
    key: Vec<u8>,
}

/// What costs as much as most hashes, for names that nobody has.
const NOBODY: (u32, u32, u32) = (32 * 1024, 3, 1);

/// The accounts of a file.
#[derive(Debug)]
pub struct FileAccounts {
    users: Vec<Kept>,
    by_name: HashMap<String, usize>,
    by_principal: HashMap<String, usize>,
    by_email: HashMap<String, usize>,
    by_certificate: HashMap<[u8; 32], usize>,
}

impl FileAccounts {
    /// Reads the file, which only its owner may read.
    ///
    /// # Errors
    /// [`GatewayError::File`].
    pub fn open(path: &Path) -> Result<Self, GatewayError> {
        read::private(path)?;
        let fault = |problem: String| GatewayError::File { path: path.display().to_string(), problem };
        let parsed: Users = toml::from_str(&read::text(path)?).map_err(|e| fault(e.to_string()))?;
        Self::of(parsed.user).map_err(fault)
    }

    fn of(users: Vec<User>) -> Result<Self, String> {
        let mut all = Self {
            users: Vec::new(),
            by_name: HashMap::new(),
            by_principal: HashMap::new(),
            by_email: HashMap::new(),
            by_certificate: HashMap::new(),
        };
        for (index, user) in users.into_iter().enumerate() {
            let key = user.name.to_lowercase();
            let twice = |what: &str| format!("user {}: another user has the same {what}", user.name);
            let hash = user.password_hash.as_deref().map(|text| Hash::parse(text).ok_or("password-hash is not an Argon2id hash"));
            let hash = hash.transpose().map_err(|problem| format!("user {}: {problem}", user.name))?;
            if all.by_name.insert(key.clone(), index).is_some() {
                return Err(twice("name"));
            }
            if user.upn.as_ref().is_some_and(|upn| all.by_principal.insert(upn.to_lowercase(), index).is_some()) {
                return Err(twice("upn"));
            }
            if user.email.as_ref().is_some_and(|email| all.by_email.insert(email.to_lowercase(), index).is_some()) {
                return Err(twice("email"));
            }
            for fingerprint in &user.certificates {
                let octets: Option<[u8; 32]> = unhex(fingerprint).and_then(|octets| octets.try_into().ok());
                let octets = octets.ok_or_else(|| format!("user {}: certificates holds SHA-256 fingerprints", user.name))?;
                if all.by_certificate.insert(octets, index).is_some() {
                    return Err(twice("certificate"));
                }
            }
            let account = Account { key, name: user.name, upn: user.upn, email: user.email, device: None, found_by: "name" };
            all.users.push(Kept { account: Arc::new(account), hash, disabled: user.disabled });
        }
        Ok(all)
    }

    /// Whose this certificate is.
    ///
    /// # Errors
    /// The denial.
    pub fn map(&self, verified: &Verified, ways: &[Mapping]) -> Result<Arc<Account>, Denial> {
        let names = |found: &HashMap<String, usize>, names: &[String]| {
            let mut places: Vec<usize> = names.iter().filter_map(|name| found.get(&name.to_lowercase()).copied()).collect();
            places.sort_unstable();
            places.dedup();
            places
        };
        for way in ways {
            let (places, by) = match way {
                Mapping::Record => (self.by_certificate.get(&verified.fingerprint).copied().into_iter().collect(), "record"),
                Mapping::Upn if verified.vouches_for_names => (names(&self.by_principal, &verified.facts.upns), "upn"),
                Mapping::Email if verified.vouches_for_names => (names(&self.by_email, &verified.facts.emails), "email"),
                _ => continue,
            };
            match places.as_slice() {
                [] => {}
                [one] => return self.enter(*one, by),
                _ => return Err(Denial::because(Reason::AccountAmbiguous, "its names belong to several accounts")),
            }
        }
        Err(Denial::of(Reason::AccountUnknown))
    }

    fn enter(&self, place: usize, by: &'static str) -> Result<Arc<Account>, Denial> {
        let kept = self.users.get(place).ok_or(Denial::of(Reason::AccountUnknown))?;
        if kept.disabled {
            return Err(Denial::because(Reason::AccountRefused, &format!("{} is disabled", kept.account.name)));
        }
        if kept.account.found_by == by {
            return Ok(Arc::clone(&kept.account));
        }
        Ok(Arc::new(Account { found_by: by, ..Account::clone(&kept.account) }))
    }

    fn find(&self, credentials: &Credentials) -> Option<usize> {
        let user = credentials.name();
        let found = match &user {
            Name::Plain(name) | Name::Domain(_, name) => self.by_name.get(&name.to_lowercase()),
            Name::Principal(whole) => {
                let whole = whole.to_lowercase();
                self.by_principal.get(&whole).or_else(|| self.by_email.get(&whole)).or_else(|| self.by_name.get(&whole))
            }
        };
        found.copied()
    }

    /// The account of a name.
    ///
    /// # Errors
    /// The denial.
    pub fn named(&self, credentials: &Credentials) -> Result<Arc<Account>, Denial> {
        let place = self.find(credentials).ok_or(Denial::of(Reason::PasswordWrong))?;
        self.enter(place, "name").map_err(|denial| Denial::because(Reason::PasswordWrong, &denial.detail))
    }

    /// The account of a name with its password. Names that nobody has take as long.
    ///
    /// # Errors
    /// The denial.
    pub async fn check(&self, credentials: &Credentials) -> Result<Arc<Account>, Denial> {
        let place = self.find(credentials);
        let hash = place.and_then(|p| self.users.get(p)).and_then(|kept| kept.hash.clone());
        let password = credentials.password.clone();
        let right = tokio::task::spawn_blocking(move || verify(&password, hash)).await;
        match (right, place) {
            (Ok(true), Some(place)) => {
                self.enter(place, "name").map_err(|denial| Denial::because(Reason::PasswordWrong, &denial.detail))
            }
            (Err(_), _) => Err(Denial::of(Reason::Internal)),
            _ => Err(Denial::of(Reason::PasswordWrong)),
        }
    }
}

impl Hash {
    /// Reads `$argon2id$v=19$m=…,t=…,p=…$salt$key`.
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", cost, salt, key] = parts.as_slice() else { return None };
        let mut numbers =
            cost.split(',').zip(["m=", "t=", "p="]).map(|(text, name)| text.strip_prefix(name)?.parse::<u32>().ok());
        let cost = (numbers.next()??, numbers.next()??, numbers.next()??);
        Params::new(cost.0, cost.1, cost.2, Some(32)).ok()?;
        let key = STANDARD_NO_PAD.decode(key).ok().filter(|key| key.len() == 32)?;
        Some(Self { cost, salt: STANDARD_NO_PAD.decode(salt).ok()?, key })
    }
}

fn verify(password: &SecretText, hash: Option<Hash>) -> bool {
    let known = hash.is_some();
    let hash = hash.unwrap_or_else(|| Hash { cost: NOBODY, salt: vec![0; 16], key: vec![0; 32] });
    let Ok(params) = Params::new(hash.cost.0, hash.cost.1, hash.cost.2, Some(32)) else { return false };
    let mut key = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let derived = argon2.hash_password_into(password.expose().as_bytes(), &hash.salt, &mut key).is_ok();
    constant_time_eq(&key, &hash.key) && derived && known
}

/// A hash for the file, with the least work: for tests and for measuring, where many passwords are checked.
#[must_use]
pub fn hash(password: &str) -> String {
    let salt = lanyard_pki::crypto::random::random::<16>().unwrap_or_default();
    let mut key = [0; 32];
    if let Ok(params) = Params::new(8, 1, 1, Some(32)) {
        let _ = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(password.as_bytes(), &salt, &mut key);
    }
    format!("$argon2id$v=19$m=8,t=1,p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key))
}
