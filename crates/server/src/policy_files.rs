//! Loading templates and profiles from the data directory.

use lanyard_ra::{policy::Policy, profile::Profiles, template::Templates};

use crate::{
    error::ServerError,
    installation::{Installation, read_toml_files},
};

/// Reads and checks every template and profile.
///
/// # Errors
/// [`ServerError::Policy`] naming file and key, [`ServerError::File`].
pub fn load(installation: &Installation, instance: String, organization: String) -> Result<Policy, ServerError> {
    let templates = Templates::load(read_toml_files(&installation.templates())?)?;
    let profiles = Profiles::load(read_toml_files(&installation.profiles())?)?;
    Ok(Policy::new(instance, organization, templates, profiles)?)
}
