//! What is known of users and devices at the moment of use: the records here, and those of the directory where one is configured.

use lanyard_model::{
    directory::{Device, User},
    id::{DeviceId, GroupName, ProfileName, UserName},
};

use crate::{error::ServerError, ldap::Found, state::Server};

/// A user or device with the groups that the directory says it is in.
#[derive(Debug, Clone)]
pub struct Known<T> {
    /// The record.
    pub record: T,
    /// Groups of the directory.
    pub groups: Vec<GroupName>,
}

/// A user. The directory is asked first, so that one who is disabled there gets nothing even where a record here says otherwise.
///
/// # Errors
/// Storage errors; [`ServerError::Directory`].
pub async fn user(server: &Server, name: &UserName) -> Result<Option<Known<User>>, ServerError> {
    let found = match &server.ldap {
        Some(ldap) => ldap.user(name).await?,
        None => None,
    };
    let local = server.store.load_user(name).await?;
    Ok(match (local, found) {
        (None, None) => None,
        (Some(record), None) => Some(Known { record, groups: Vec::new() }),
        (None, Some(Found { record, groups })) => Some(Known { record, groups }),
        (Some(local), Some(Found { record, groups })) => {
            let disabled = local.disabled || record.disabled;
            Some(Known { record: User { disabled, ..local }, groups })
        }
    })
}

/// A device, likewise.
///
/// # Errors
/// Storage errors; [`ServerError::Directory`].
pub async fn device(server: &Server, id: &DeviceId) -> Result<Option<Known<Device>>, ServerError> {
    let found = match &server.ldap {
        Some(ldap) => ldap.device(id).await?,
        None => None,
    };
    let local = server.store.load_device(id).await?;
    Ok(match (local, found) {
        (None, None) => None,
        (Some(record), None) => Some(Known { record, groups: Vec::new() }),
        (None, Some(Found { record, groups })) => Some(Known { record, groups }),
        (Some(local), Some(Found { record, groups })) => {
            let blocked = local.blocked || record.blocked;
            Some(Known { record: Device { blocked, ..local }, groups })
        }
    })
}

/// The groups of a profile in which a user or a device is. Only groups that the profile names are looked at.
///
/// # Errors
/// Storage errors.
pub async fn groups(
    server: &Server,
    profile: &ProfileName,
    user: Option<&Known<User>>,
    device: Option<&Known<Device>>,
) -> Result<Vec<GroupName>, ServerError> {
    let policy = server.policy();
    let Some(rules) = policy.profiles.find(profile) else { return Ok(Vec::new()) };
    let mut member_of = Vec::new();
    for name in &rules.groups {
        let told = user.is_some_and(|u| u.groups.contains(name)) || device.is_some_and(|d| d.groups.contains(name));
        let local = match server.store.load_group(name).await? {
            Some(group) => {
                user.is_some_and(|u| group.users.contains(&u.record.name))
                    || device.is_some_and(|d| group.devices.contains(&d.record.id))
            }
            None => false,
        };
        if told || local {
            member_of.push(name.clone());
        }
    }
    Ok(member_of)
}
