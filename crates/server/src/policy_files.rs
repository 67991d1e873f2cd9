//! Loading templates, profiles and their modules from the data directory.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use lanyard_model::text::hex;
use lanyard_pki::crypto::digest::sha256;
use lanyard_ra::{policy::Policy, profile::Profiles, template::Templates};

use crate::{
    error::ServerError,
    fleet::policy::FleetPolicies,
    installation::{Installation, read_toml_files},
    modules::Modules,
    state::Rules,
};

/// Reads and checks every template and profile, and sets up the modules.
///
/// # Errors
/// [`ServerError::Policy`] naming file and key, [`ServerError::Module`], [`ServerError::File`].
pub fn load(installation: &Installation, instance: String, organization: String) -> Result<Rules, ServerError> {
    let policy = load_with(installation, instance, organization, &[])?;
    let modules = Modules::load(installation, &policy)?;
    // Installations that were made before there were managed devices have no such directory.
    let files = if installation.fleet().is_dir() { read_toml_files(&installation.fleet())? } else { Vec::new() };
    let mut digests = digests("fleet", &files);
    digests.extend(digests_of("templates", &installation.templates())?);
    digests.extend(digests_of("profiles", &installation.profiles())?);
    let fleet = FleetPolicies::load(installation, files, &policy)?;
    Ok(Rules { policy: Arc::new(policy), modules: Arc::new(modules), fleet: Arc::new(fleet), files: Arc::new(digests) })
}

fn digests_of(folder: &str, path: &Path) -> Result<BTreeMap<String, String>, ServerError> {
    Ok(digests(folder, &read_toml_files(path)?))
}

fn digests(folder: &str, files: &[(String, String)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| (format!("{folder}/{name}"), hex(&sha256(text.as_bytes())))).collect()
}

/// Templates and profiles alone, with these texts in place of the files of their name, or beside them.
///
/// # Errors
/// [`ServerError::Policy`] naming file and key, [`ServerError::File`].
pub fn load_with(
    installation: &Installation,
    instance: String,
    organization: String,
    changed: &[String],
) -> Result<Policy, ServerError> {
    let mut templates = read_toml_files(&installation.templates())?;
    let mut profiles = read_toml_files(&installation.profiles())?;
    for text in changed {
        // What cannot be read as TOML is told with the place by whoever loads it.
        let table: toml::Table = text.parse().unwrap_or_default();
        let name = table.get("name").and_then(toml::Value::as_str).unwrap_or("changed");
        // Templates alone say by which protocols they may be had.
        let files = if table.contains_key("protocols") { &mut templates } else { &mut profiles };
        let file = format!("{name}.toml");
        files.retain(|(existing, _)| *existing != file);
        files.push((file, text.clone()));
    }
    Ok(Policy::new(instance, organization, Templates::load(templates)?, Profiles::load(profiles)?)?)
}
