//! Loading templates, profiles and their modules from the data directory.

use std::sync::Arc;

use lanyard_ra::{policy::Policy, profile::Profiles, template::Templates};

use crate::{
    error::ServerError,
    installation::{Installation, read_toml_files},
    modules::Modules,
    state::Rules,
};

/// Reads and checks every template and profile, and sets up the modules.
///
/// # Errors
/// [`ServerError::Policy`] naming file and key, [`ServerError::Module`], [`ServerError::File`].
pub fn load(installation: &Installation, instance: String, organization: String) -> Result<Rules, ServerError> {
    let templates = Templates::load(read_toml_files(&installation.templates())?)?;
    let profiles = Profiles::load(read_toml_files(&installation.profiles())?)?;
    let policy = Policy::new(instance, organization, templates, profiles)?;
    let modules = Modules::load(installation, &policy)?;
    Ok(Rules { policy: Arc::new(policy), modules: Arc::new(modules) })
}
