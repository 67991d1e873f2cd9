//! Asking the directory.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lanyard_model::{
    directory::{Device, User},
    id::{DeviceId, GroupName, UserName},
    secret::SecretText,
    text::{hex, printable},
};
use ldap3::{Scope, SearchEntry, ldap_escape};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::timeout;

use super::{
    pool::Pool,
    settings::{DN, Groups, LdapSettings, NAME, Place},
};
use crate::{
    error::ServerError,
    installation::{read_file, read_secret},
};

/// The attribute in which Active Directory says whether an account is disabled, and the bit for it (ADS_UF_ACCOUNTDISABLE).
const CONTROL: &str = "userAccountControl";
const DISABLED: i64 = 0x2;
/// Most answers that are remembered.
const MOST: usize = 10_000;
/// Most groups of one entry.
const MOST_GROUPS: usize = 1000;

/// A record of the directory.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// As if it were kept here.
    pub record: T,
    /// Names of the groups it is in, as far as they can be names here.
    pub groups: Vec<GroupName>,
}

/// The way to the directory.
pub struct Ldap {
    pub(super) settings: LdapSettings,
    password: SecretText,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) pool: Pool,
    users: Mutex<HashMap<UserName, (Instant, Found<User>)>>,
    devices: Mutex<HashMap<DeviceId, (Instant, Found<Device>)>>,
}

/// An entry with the groups it is in.
struct Entry {
    entry: SearchEntry,
    groups: Vec<GroupName>,
}

impl Ldap {
    /// Reads password and certificates; nobody is asked yet. File names are relative to the data directory.
    ///
    /// # Errors
    /// [`ServerError::File`], [`ServerError::Mode`], [`ServerError::Directory`].
    pub fn new(settings: &LdapSettings, dir: &Path) -> Result<Self, ServerError> {
        let password = read_secret(&dir.join(&settings.password_file))?;
        let password = SecretText::new(password.expose().trim_end_matches(['\r', '\n']).to_owned());
        if password.expose().is_empty() {
            // An empty password is an anonymous bind, which a directory grants to everybody (RFC 4513, section 5.1.2).
            return Err(ServerError::Directory(format!("the password in {} is empty", settings.password_file)));
        }
        let tls = match &settings.ca_file {
            Some(file) => Some(Arc::new(tls(&read_file(&dir.join(file))?).map_err(ServerError::Directory)?)),
            None => None,
        };
        let pool = Pool::default();
        Ok(Self { settings: settings.clone(), password, tls, pool, users: Mutex::default(), devices: Mutex::default() })
    }

    /// A user, by name.
    ///
    /// # Errors
    /// [`ServerError::Directory`] when the directory does not answer, or not clearly.
    pub async fn user(&self, name: &UserName) -> Result<Option<Found<User>>, ServerError> {
        let Some(place) = &self.settings.users else { return Ok(None) };
        if let Some(found) = self.remembered(&self.users, name) {
            return Ok(Some(found));
        }
        let Some(found) = self.ask(place, name.as_str()).await? else { return Ok(None) };
        let mut record = User::named(name.clone());
        for (field, attribute) in &place.attributes {
            if let Some(text) = record.text_mut(field) {
                *text = value(&found.entry, attribute);
            }
        }
        record.distinguished_name = Some(found.entry.dn.clone());
        record.disabled = is_disabled(&found.entry);
        let found = Found { record, groups: found.groups };
        self.remember(&self.users, name.clone(), &found);
        Ok(Some(found))
    }

    /// A device, by id.
    ///
    /// # Errors
    /// [`ServerError::Directory`] when the directory does not answer, or not clearly.
    pub async fn device(&self, id: &DeviceId) -> Result<Option<Found<Device>>, ServerError> {
        let Some(place) = &self.settings.devices else { return Ok(None) };
        if let Some(found) = self.remembered(&self.devices, id) {
            return Ok(Some(found));
        }
        let Some(found) = self.ask(place, id.as_str()).await? else { return Ok(None) };
        let mut record = Device::named(id.clone());
        for (field, attribute) in &place.attributes {
            if let Some(text) = record.text_mut(field) {
                *text = value(&found.entry, attribute);
            }
        }
        record.blocked = is_disabled(&found.entry);
        let found = Found { record, groups: found.groups };
        self.remember(&self.devices, id.clone(), &found);
        Ok(Some(found))
    }

    fn remembered<K: std::hash::Hash + Eq, T: Clone>(
        &self,
        cache: &Mutex<HashMap<K, (Instant, Found<T>)>>,
        key: &K,
    ) -> Option<Found<T>> {
        let life = seconds(self.settings.cache.secs());
        let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(key).filter(|(at, _)| at.elapsed() < life).map(|(_, found)| found.clone())
    }

    fn remember<K: std::hash::Hash + Eq, T: Clone>(
        &self,
        cache: &Mutex<HashMap<K, (Instant, Found<T>)>>,
        key: K,
        found: &Found<T>,
    ) {
        let life = seconds(self.settings.cache.secs());
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MOST {
            cache.retain(|_, (at, _)| at.elapsed() < life);
        }
        if cache.len() < MOST {
            cache.insert(key, (Instant::now(), found.clone()));
        }
    }

    async fn ask(&self, place: &Place, name: &str) -> Result<Option<Entry>, ServerError> {
        let life = seconds(self.settings.timeout.secs());
        match timeout(life, self.look_up(place, name)).await {
            Ok(answer) => answer.map_err(|error| ServerError::Directory(printable(&error))),
            Err(_) => Err(ServerError::Directory(format!("no answer within {} s", life.as_secs()))),
        }
    }

    async fn look_up(&self, place: &Place, name: &str) -> Result<Option<Entry>, String> {
        let _turn = self.pool.turn().await?;
        if let Some(mut used) = self.pool.take() {
            let half = seconds(self.settings.timeout.secs()) / 2;
            if let Ok(Ok(answer)) = timeout(half, self.with(&mut used.ldap, place, name)).await {
                self.pool.keep(used);
                return Ok(answer);
            }
        }
        let mut fresh = self.connect().await?;
        let bound = fresh.ldap.simple_bind(&self.settings.bind_dn, self.password.expose()).await;
        let bound = bound.and_then(ldap3::LdapResult::success);
        bound.map_err(|e| format!("the account {} is not let in: {e}", self.settings.bind_dn))?;
        let answer = self.with(&mut fresh.ldap, place, name).await?;
        self.pool.keep(fresh);
        Ok(answer)
    }

    async fn with(&self, ldap: &mut ldap3::Ldap, place: &Place, name: &str) -> Result<Option<Entry>, String> {
        let filter = place.filter.replace(NAME, &ldap_escape(name));
        let mut attributes: Vec<&str> = place.attributes.values().map(String::as_str).collect();
        attributes.push(CONTROL);
        let mut found = search(ldap, &place.base, &filter, attributes).await?;
        let entry = match (found.pop(), found.is_empty()) {
            (None, _) => return Ok(None),
            (Some(entry), true) => entry,
            (Some(_), false) => return Err(format!("{filter} finds more than one entry")),
        };
        let groups = match &self.settings.groups {
            Some(groups) => groups_of(ldap, groups, &entry.dn).await?,
            None => Vec::new(),
        };
        Ok(Some(Entry { entry, groups }))
    }
}

pub(super) fn seconds(whole: i64) -> Duration {
    Duration::from_secs(u64::try_from(whole).unwrap_or_default())
}

async fn groups_of(ldap: &mut ldap3::Ldap, groups: &Groups, dn: &str) -> Result<Vec<GroupName>, String> {
    let filter = groups.filter.replace(DN, &ldap_escape(dn));
    let found = search(ldap, &groups.base, &filter, vec![groups.name.as_str()]).await?;
    if found.len() > MOST_GROUPS {
        return Err(format!("{dn} is in more than {MOST_GROUPS} groups"));
    }
    // A group whose name cannot be a name here cannot be named by a profile either.
    Ok(found.iter().filter_map(|entry| value(entry, &groups.name)?.parse().ok()).collect())
}

async fn search(ldap: &mut ldap3::Ldap, base: &str, filter: &str, attributes: Vec<&str>) -> Result<Vec<SearchEntry>, String> {
    let result = ldap.search(base, Scope::Subtree, filter, attributes).await.and_then(ldap3::SearchResult::success);
    let (entries, _) = result.map_err(|e| format!("the search below {base} failed: {e}"))?;
    Ok(entries.into_iter().map(SearchEntry::construct).collect())
}

/// The first value of an attribute; binary ones, such as objectGUID, in hexadecimal.
fn value(entry: &SearchEntry, attribute: &str) -> Option<String> {
    let named = |name: &String| name.eq_ignore_ascii_case(attribute);
    let text = entry.attrs.iter().find(|(name, _)| named(name)).and_then(|(_, values)| values.first().cloned());
    let binary = || entry.bin_attrs.iter().find(|(name, _)| named(name)).and_then(|(_, values)| values.first());
    text.or_else(|| binary().map(|octets| hex(octets))).filter(|text| !text.is_empty())
}

/// Whether the entry says that it is disabled. What cannot be read says so too.
fn is_disabled(entry: &SearchEntry) -> bool {
    value(entry, CONTROL).is_some_and(|text| text.parse::<i64>().map_or(true, |bits| bits & DISABLED != 0))
}

fn tls(pem: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    if roots.is_empty() {
        return Err("ca-file holds no certificate in PEM".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
