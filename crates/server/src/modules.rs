//! The policy modules of every profile, set up: files read, addresses parsed, secrets loaded.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use lanyard_model::{
    id::ProfileName,
    module::{ModuleConfig, StaticSecret},
    secret::SecretText,
};
use lanyard_modules::{contract::PolicyModule, error::ModuleError, intune::Intune, webhook::Webhook};
use lanyard_ra::policy::Policy;

use crate::{
    error::ServerError,
    installation::{Installation, read_file, read_secret},
};

/// Shortest secret that a person may choose.
const LEAST_SECRET: usize = 16;

/// The modules of one profile in their order.
pub type Chain = Vec<Arc<dyn PolicyModule>>;

/// The policy modules of an installation.
pub struct Modules {
    chains: BTreeMap<ProfileName, Chain>,
    secrets: BTreeMap<ProfileName, (StaticSecret, SecretText)>,
}

impl Modules {
    /// Sets up what the profiles configure. File names are relative to the data directory.
    ///
    /// # Errors
    /// [`ServerError::Module`] naming profile, module and key; [`ServerError::File`], [`ServerError::Mode`].
    pub fn load(installation: &Installation, policy: &Policy) -> Result<Self, ServerError> {
        let (mut chains, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for profile in policy.profiles.iter() {
            let mut chain: Chain = Vec::new();
            for config in &profile.modules {
                match module(installation.dir(), config) {
                    Ok(Made::Asks(module)) => chain.push(module),
                    Ok(Made::Secret(config, secret)) => {
                        secrets.insert(profile.name.clone(), (config, secret));
                    }
                    Err(Fault::Module(source)) => {
                        return Err(ServerError::Module { profile: profile.name.to_string(), source });
                    }
                    Err(Fault::File(error)) => return Err(error),
                }
            }
            chains.insert(profile.name.clone(), chain);
            for warning in lanyard_ra::modules::warnings(profile) {
                tracing::warn!(profile = %profile.name, "{warning}");
            }
        }
        Ok(Self { chains, secrets })
    }

    /// The modules of a profile.
    #[must_use]
    pub fn of(&self, profile: &ProfileName) -> &[Arc<dyn PolicyModule>] {
        self.chains.get(profile).map_or(&[], Vec::as_slice)
    }

    /// The static secret of a profile.
    #[must_use]
    pub fn secret(&self, profile: &ProfileName) -> Option<&(StaticSecret, SecretText)> {
        self.secrets.get(profile)
    }
}

enum Made {
    Asks(Arc<dyn PolicyModule>),
    Secret(StaticSecret, SecretText),
}

enum Fault {
    Module(ModuleError),
    File(ServerError),
}

impl From<ModuleError> for Fault {
    fn from(error: ModuleError) -> Self {
        Self::Module(error)
    }
}

impl From<ServerError> for Fault {
    fn from(error: ServerError) -> Self {
        Self::File(error)
    }
}

fn module(dir: &Path, config: &ModuleConfig) -> Result<Made, Fault> {
    Ok(match config {
        ModuleConfig::Http(http) => {
            let secret = secret(dir, &http.secret_file, config.kind(), "secret-file", LEAST_SECRET)?;
            let ca = http.ca_file.as_ref().map(|file| read_file(&dir.join(file))).transpose()?;
            Made::Asks(Arc::new(Webhook::new(http, secret, ca.as_deref())?))
        }
        ModuleConfig::Intune(intune) => {
            let secret = secret(dir, &intune.client_secret_file, config.kind(), "client-secret-file", 1)?;
            let ca = intune.ca_file.as_ref().map(|file| read_file(&dir.join(file))).transpose()?;
            Made::Asks(Arc::new(Intune::new(intune, &secret, ca.as_deref())?))
        }
        ModuleConfig::StaticSecret(fixed) => {
            let secret = secret(dir, &fixed.secret_file, config.kind(), "secret-file", LEAST_SECRET)?;
            Made::Secret(fixed.clone(), secret)
        }
    })
}

/// A secret without the line end that editors add.
fn secret(dir: &Path, file: &str, module: &'static str, key: &'static str, least: usize) -> Result<SecretText, Fault> {
    let text = read_secret(&dir.join(file))?;
    let text = SecretText::new(text.expose().trim_end_matches(['\r', '\n']).to_owned());
    if text.expose().chars().count() < least {
        let problem = format!("the secret in {file} has fewer than {least} characters");
        return Err(Fault::Module(ModuleError::Config { module, key, problem, fix: "put a longer random one there" }));
    }
    Ok(text)
}
