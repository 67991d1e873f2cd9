//! Accounts of a directory: Active Directory, or another that has the same attributes under names of its own.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lanyard_directory::{Answer, Directory, Entry, Settings, check_url, escape};
use lanyard_model::{text::printable, time::Timestamp};

use super::{
    basic::{Credentials, Name},
    source::Account,
};
use crate::{
    certificate::{verdict::Verified, windows},
    config::{
        file::{DirectorySettings, Mapping},
        read,
    },
    decide::denial::{Denial, Reason},
    error::GatewayError,
    proxy::application::seconds,
};

/// Most mappings that are remembered.
const MOST: usize = 50_000;
/// How long it is remembered that there is no account.
const NOBODY: Duration = Duration::from_secs(5);
/// ADS_UF_ACCOUNTDISABLE.
const DISABLED: i64 = 0x2;
/// ADS_UF_LOCKOUT, which stands in the computed attribute only.
const LOCKED: i64 = 0x10;
/// 1601-01-01 in seconds of the epoch.
const WINDOWS_EPOCH: i64 = -11_644_473_600;

const CONTROL: &str = "userAccountControl";
const COMPUTED: &str = "msDS-User-Account-Control-Computed";
const EXPIRES: &str = "accountExpires";
const LOCKOUT: &str = "lockoutTime";
const LOCKED_OPENLDAP: &str = "pwdAccountLockedTime";
const SID: &str = "objectSid";

type Remembered = (Instant, Result<Arc<Account>, Denial>);

/// A directory with accounts.
#[derive(Debug)]
pub struct DirectoryAccounts {
    settings: DirectorySettings,
    directory: Directory,
    known: Mutex<HashMap<([u8; 32], u64), Remembered>>,
}

impl DirectoryAccounts {
    /// Reads password and certificates; nobody is asked yet.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn open(settings: &DirectorySettings, folder: &Path) -> Result<Self, GatewayError> {
        let fault = |problem: String| GatewayError::Config(format!("accounts {}: {problem}", settings.name));
        check_url(&settings.url, settings.start_tls, settings.ca_file.is_some()).map_err(fault)?;
        if !(1..=15).contains(&settings.timeout.secs()) || settings.cache.secs() > 900 {
            return Err(fault("timeout must be 1s to 15s and cache at most 15m".into()));
        }
        let tls = match &settings.ca_file {
            Some(file) => {
                let pem = read::text(&read::path(folder, file))?;
                Some(lanyard_directory::tls(&pem).map_err(|e| fault(e.to_string()))?)
            }
            None => None,
        };
        let directory = Directory::new(Settings {
            url: settings.url.clone(),
            start_tls: settings.start_tls,
            tls,
            bind_dn: settings.bind_dn.clone(),
            password: read::secret(&read::path(folder, &settings.password_file))?,
            timeout: seconds(settings.timeout),
        });
        let directory = directory.map_err(|e| fault(e.to_string()))?;
        Ok(Self { settings: settings.clone(), directory, known: Mutex::default() })
    }

    /// Whose this certificate is. What was found is believed for a while.
    ///
    /// # Errors
    /// The denial.
    pub async fn map(&self, verified: &Verified, ways: &[Mapping], now: Timestamp) -> Result<Arc<Account>, Denial> {
        // The same certificate may be believed more or less elsewhere.
        let ways_in_order = ways.iter().fold(u64::from(verified.vouches_for_names), |code, way| code << 4 | (*way as u64 + 1));
        let key = (verified.fingerprint, ways_in_order);
        if let Some(known) = self.remembered(&key) {
            return known;
        }
        let found = self.find(verified, ways, now).await;
        let lasting = found.as_ref().map_or_else(|d| d.reason != Reason::AccountsUnavailable, |_| true);
        if lasting {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST {
                let life = seconds(self.settings.cache);
                known.retain(|_, (at, _)| at.elapsed() < life);
            }
            if known.len() < MOST {
                known.insert(key, (Instant::now(), found.clone()));
            }
        }
        found
    }

    fn remembered(&self, key: &([u8; 32], u64)) -> Option<Result<Arc<Account>, Denial>> {
        let life = seconds(self.settings.cache);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, found) = known.get(key)?;
        let life = if found.is_ok() { life } else { life.min(NOBODY) };
        (at.elapsed() < life).then(|| found.clone())
    }

    async fn find(&self, verified: &Verified, ways: &[Mapping], now: Timestamp) -> Result<Arc<Account>, Denial> {
        let (certificate, facts) = (&verified.certificate, &verified.facts);
        for way in ways {
            let identities = |values: Vec<String>| values.into_iter().map(|v| ("altSecurityIdentities".to_owned(), v)).collect();
            let (values, by): (Vec<(String, String)>, _) = match way {
                Mapping::AltSecurityIdentities => {
                    (identities(windows::strong(certificate, facts)), "altSecurityIdentities, strong")
                }
                Mapping::WeakAltSecurityIdentities => {
                    (identities(windows::weak(certificate, facts)), "altSecurityIdentities, weak")
                }
                Mapping::Sid if verified.vouches_for_names => {
                    (facts.sids.iter().map(|sid| (SID.to_owned(), sid.clone())).collect(), "sid, strong")
                }
                Mapping::Upn if verified.vouches_for_names => {
                    (facts.upns.iter().map(|upn| (self.settings.upn_attribute.clone(), upn.clone())).collect(), "upn")
                }
                Mapping::Email if verified.vouches_for_names => {
                    (facts.emails.iter().map(|email| (self.settings.email_attribute.clone(), email.clone())).collect(), "email")
                }
                _ => continue,
            };
            if values.is_empty() {
                continue;
            }
            if let Some(entry) = self.one(&values).await? {
                self.same_sid(&entry, &facts.sids)?;
                return self.enter(&entry, by, now);
            }
        }
        if ways.contains(&Mapping::AltSecurityIdentities)
            && let Some(value) = windows::not_reversed(certificate)
            && self.one(&[("altSecurityIdentities".to_owned(), value)]).await?.is_some()
        {
            let why =
                "an account has this serial number in altSecurityIdentities with its octets in the wrong order: reverse them";
            return Err(Denial::because(Reason::AccountUnknown, why));
        }
        Err(Denial::of(Reason::AccountUnknown))
    }

    /// A security identifier in a certificate must be that of the account, however the account was found.
    fn same_sid(&self, entry: &Entry, sids: &[String]) -> Result<(), Denial> {
        match (sid(entry), sids) {
            (Some(own), [_, ..]) if !sids.contains(&own) => Err(Denial::because(
                Reason::AccountRefused,
                "the security identifier in the certificate is not that of the account",
            )),
            _ => Ok(()),
        }
    }

    /// The one entry that has one of these values.
    async fn one(&self, values: &[(String, String)]) -> Result<Option<Entry>, Denial> {
        let any: String = values.iter().map(|(name, value)| format!("({name}={})", escape(value.as_str()))).collect();
        let filter = format!("(&{}(|{any}))", self.settings.filter);
        let attributes = [
            self.settings.name_attribute.as_str(),
            &self.settings.upn_attribute,
            &self.settings.email_attribute,
            CONTROL,
            COMPUTED,
            EXPIRES,
            LOCKOUT,
            LOCKED_OPENLDAP,
            SID,
        ];
        let found = self.directory.search(&self.settings.base, &filter, &attributes).await;
        let mut found = found.map_err(|e| Denial::because(Reason::AccountsUnavailable, &e.to_string()))?;
        if found.len() > 1 {
            let names: Vec<String> = found.iter().take(3).map(|entry| printable(&entry.dn)).collect();
            return Err(Denial::because(Reason::AccountAmbiguous, &names.join("; ")));
        }
        Ok(found.pop())
    }

    fn enter(&self, entry: &Entry, by: &'static str, now: Timestamp) -> Result<Arc<Account>, Denial> {
        if let Some(why) = refused(entry, now) {
            return Err(Denial::because(Reason::AccountRefused, &format!("{} {why}", entry.dn)));
        }
        let name = entry.value(&self.settings.name_attribute);
        let nameless =
            || Denial::because(Reason::AccountRefused, &format!("{} has no {}", entry.dn, self.settings.name_attribute));
        Ok(Arc::new(Account {
            key: sid(entry).unwrap_or_else(|| entry.dn.to_lowercase()),
            name: name.ok_or_else(nameless)?,
            upn: entry.value(&self.settings.upn_attribute),
            email: entry.value(&self.settings.email_attribute),
            device: None,
            found_by: by,
        }))
    }

    async fn by_name(&self, credentials: &Credentials) -> Result<Option<Entry>, Denial> {
        let plain = |name: &str| vec![(self.settings.name_attribute.clone(), name.to_owned())];
        let values = match credentials.name() {
            Name::Plain(name) => plain(name),
            Name::Domain(domain, name) => {
                if self.settings.domain.as_ref().is_some_and(|own| !own.eq_ignore_ascii_case(domain)) {
                    return Ok(None);
                }
                plain(name)
            }
            Name::Principal(whole) => {
                [&self.settings.upn_attribute, &self.settings.email_attribute].map(|a| (a.clone(), whole.to_owned())).to_vec()
            }
        };
        self.one(&values).await
    }

    /// The account of a name alone.
    ///
    /// # Errors
    /// The denial.
    pub async fn named(&self, credentials: &Credentials, now: Timestamp) -> Result<Arc<Account>, Denial> {
        let entry = self.by_name(credentials).await.map_err(by_password)?.ok_or(Denial::of(Reason::PasswordWrong))?;
        self.enter(&entry, "name", now).map_err(by_password)
    }

    /// The account of a name with its password. Names that nobody has take as long.
    ///
    /// # Errors
    /// The denial.
    pub async fn check(&self, credentials: &Credentials, now: Timestamp) -> Result<Arc<Account>, Denial> {
        let entry = self.by_name(credentials).await.map_err(by_password)?;
        let nobody = format!("cn=lanyard-nobody,{}", self.settings.base);
        let dn = entry.as_ref().map_or(nobody.as_str(), |entry| entry.dn.as_str());
        let answer = self.directory.lets_in(dn, &credentials.password).await;
        match (answer.map_err(|e| Denial::because(Reason::AccountsUnavailable, &e.to_string()))?, entry) {
            (Answer::Yes, Some(entry)) => self.enter(&entry, "name", now).map_err(by_password),
            (Answer::Yes, None) => Err(Denial::because(Reason::PasswordWrong, "the directory lets in somebody it does not have")),
            (Answer::No(said), _) => Err(Denial::because(Reason::PasswordWrong, explain(&said).unwrap_or(&said))),
        }
    }
}

/// Whoever comes with a password is told one thing only.
fn by_password(denial: Denial) -> Denial {
    match denial.reason {
        Reason::AccountsUnavailable => denial,
        _ => Denial::because(Reason::PasswordWrong, &denial.detail),
    }
}

/// What Active Directory means by the number in its refusal.
fn explain(said: &str) -> Option<&'static str> {
    let (_, rest) = said.split_once("data ")?;
    Some(match rest.split([',', ' ']).next()? {
        "525" => "data 525: no such user",
        "52e" => "data 52e: wrong password",
        "530" => "data 530: not at this time",
        "531" => "data 531: not from here",
        "532" => "data 532: the password has expired",
        "533" => "data 533: the account is disabled",
        "701" => "data 701: the account has expired",
        "773" => "data 773: the password must be changed first",
        "775" => "data 775: the account is locked",
        _ => return None,
    })
}

/// Why an account may not enter. What cannot be read is a reason.
fn refused(entry: &Entry, now: Timestamp) -> Option<&'static str> {
    let number = |attribute: &str| entry.value(attribute).map(|text| text.parse::<i64>());
    match number(CONTROL) {
        Some(Err(_)) => return Some("has a state that cannot be read"),
        Some(Ok(bits)) if bits & DISABLED != 0 => return Some("is disabled"),
        _ => {}
    }
    let locked = match (number(COMPUTED), number(LOCKOUT)) {
        (Some(computed), _) => computed.map_or(true, |bits| bits & LOCKED != 0),
        (None, Some(since)) => since != Ok(0),
        (None, None) => entry.value(LOCKED_OPENLDAP).is_some(),
    };
    if locked {
        return Some("is locked");
    }
    match number(EXPIRES) {
        None | Some(Ok(0 | i64::MAX)) => None,
        Some(Ok(ticks)) if WINDOWS_EPOCH.saturating_add(ticks / 10_000_000) > now.secs() => None,
        Some(_) => Some("has expired"),
    }
}

/// The security identifier of an entry, as text.
fn sid(entry: &Entry) -> Option<String> {
    let octets = entry.octets(SID)?;
    if let Some(text) = std::str::from_utf8(&octets).ok().filter(|text| text.starts_with("S-1-")) {
        return Some(text.to_owned());
    }
    let ([1, count, authority @ ..], parts) = octets.split_at_checked(8)? else { return None };
    let authority = authority.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
    if parts.len() != usize::from(*count) * 4 {
        return None;
    }
    let parts = parts.chunks_exact(4).map(|part| part.iter().rev().fold(0_u32, |number, octet| number << 8 | u32::from(*octet)));
    Some(parts.fold(format!("S-1-{authority}"), |text, part| format!("{text}-{part}")))
}
