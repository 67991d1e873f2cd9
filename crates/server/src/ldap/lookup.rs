//! Asking the directory.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use lanyard_directory::{Answer, Directory, DirectoryError, Entry as DirectoryEntry, Settings, escape};
use lanyard_model::{
    directory::{Device, User},
    id::{DeviceId, GroupName, UserName},
    secret::SecretText,
    text::printable,
};

use super::settings::{DN, Groups, LdapSettings, NAME, Place};
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
    settings: LdapSettings,
    directory: Directory,
    users: Mutex<HashMap<UserName, (Instant, Found<User>)>>,
    devices: Mutex<HashMap<DeviceId, (Instant, Found<Device>)>>,
}

/// An entry with the groups it is in.
struct Entry {
    entry: DirectoryEntry,
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
        let tls = match &settings.ca_file {
            Some(file) => Some(lanyard_directory::tls(&read_file(&dir.join(file))?).map_err(fault)?),
            None => None,
        };
        let directory = Directory::new(Settings {
            url: settings.url.clone(),
            start_tls: settings.start_tls,
            tls,
            bind_dn: settings.bind_dn.clone(),
            password,
            timeout: seconds(settings.timeout.secs()),
        });
        let directory = directory.map_err(|e| ServerError::Directory(format!("{}: {e}", settings.password_file)))?;
        Ok(Self { settings: settings.clone(), directory, users: Mutex::default(), devices: Mutex::default() })
    }

    /// Whether this is the password of the entry. An empty one never is.
    ///
    /// # Errors
    /// [`ServerError::Directory`] when the directory does not answer, or not clearly.
    pub async fn lets_in(&self, dn: &str, password: &SecretText) -> Result<bool, ServerError> {
        Ok(self.directory.lets_in(dn, password).await.map_err(fault)? == Answer::Yes)
    }

    /// A name that is nobody's. Asking for it takes as long as asking for somebody's with another password.
    #[must_use]
    pub fn nobody(&self) -> Option<String> {
        self.settings.users.as_ref().map(|place| format!("cn=lanyard-nobody,{}", place.base))
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
                *text = found.entry.value(attribute);
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
                *text = found.entry.value(attribute);
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
        let filter = place.filter.replace(NAME, &escape(name));
        let mut attributes: Vec<&str> = place.attributes.values().map(String::as_str).collect();
        attributes.push(CONTROL);
        let mut found = self.directory.search(&place.base, &filter, &attributes).await.map_err(fault)?;
        let entry = match (found.pop(), found.is_empty()) {
            (None, _) => return Ok(None),
            (Some(entry), true) => entry,
            (Some(_), false) => return Err(ServerError::Directory(printable(&format!("{filter} finds more than one entry")))),
        };
        let groups = match &self.settings.groups {
            Some(groups) => self.groups_of(groups, &entry.dn).await?,
            None => Vec::new(),
        };
        Ok(Some(Entry { entry, groups }))
    }

    async fn groups_of(&self, groups: &Groups, dn: &str) -> Result<Vec<GroupName>, ServerError> {
        let filter = groups.filter.replace(DN, &escape(dn));
        let found = self.directory.search(&groups.base, &filter, &[groups.name.as_str()]).await.map_err(fault)?;
        if found.len() > MOST_GROUPS {
            return Err(ServerError::Directory(printable(&format!("{dn} is in more than {MOST_GROUPS} groups"))));
        }
        // A group whose name cannot be a name here cannot be named by a profile either.
        Ok(found.iter().filter_map(|entry| entry.value(&groups.name)?.parse().ok()).collect())
    }
}

#[allow(clippy::needless_pass_by_value)]
fn fault(error: DirectoryError) -> ServerError {
    ServerError::Directory(error.to_string())
}

fn seconds(whole: i64) -> Duration {
    Duration::from_secs(u64::try_from(whole).unwrap_or_default())
}

/// Whether the entry says that it is disabled. What cannot be read says so too.
fn is_disabled(entry: &DirectoryEntry) -> bool {
    entry.value(CONTROL).is_some_and(|text| text.parse::<i64>().map_or(true, |bits| bits & DISABLED != 0))
}
