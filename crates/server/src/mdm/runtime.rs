//! What is kept while the server runs.

use std::{path::Path, sync::OnceLock};

use lanyard_model::{template::Approval, time::Span};
use lanyard_pki::{certificate::Certificate, pem};
use lanyard_ra::{policy::Policy, profile::allows};

use super::{
    addresses::Addresses,
    settings::{MdmSettings, days},
};
use crate::{config::Config, error::ServerError, installation::read_file};

/// Windows management of this process.
pub struct Mdm {
    /// Configuration.
    pub settings: MdmSettings,
    /// Authorities whose certificates enrol devices in bulk.
    pub bulk: Vec<Certificate>,
    addresses: OnceLock<Addresses>,
}

impl Mdm {
    /// Of a configuration that has a section for it. File names are relative to the data directory.
    ///
    /// # Errors
    /// [`ServerError::File`]; [`ServerError::Config`] when a file holds no certificate.
    pub fn new(settings: &MdmSettings, dir: &Path) -> Result<Self, ServerError> {
        let mut bulk = Vec::new();
        for file in &settings.bulk_ca_files {
            let path = dir.join(file);
            let text = read_file(&path)?;
            let fault = |problem: String| ServerError::Config { path: path.clone(), problem };
            let found = pem::decode(pem::CERTIFICATE, &text).map_err(|e| fault(e.to_string()))?;
            bulk.push(Certificate::decode(&found).map_err(|e| fault(e.to_string()))?);
        }
        Ok(Self { settings: settings.clone(), bulk, addresses: OnceLock::new() })
    }

    /// Checks the settings against templates and profiles.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn check_against(&self, policy: &Policy) -> Result<(), String> {
        let settings = &self.settings;
        let profile = policy.profiles.find(&settings.profile).ok_or_else(|| {
            format!("mdm.profile: there is no profile {}; copy it from a new installation or name another", settings.profile)
        })?;
        for name in std::iter::once(&settings.template).chain(&settings.renewal_template) {
            let template = policy.templates.find(name).ok_or_else(|| format!("mdm.template: there is no template {name}"))?;
            if !allows(profile, name) || !template.protocols.contains(&lanyard_model::enroll::Protocol::Wstep) {
                return Err(format!("mdm.template: {name} is not in profile {}, or not allowed by wstep", profile.name));
            }
            if template.approval != Approval::Automatic {
                return Err(format!("mdm.template: {name} needs approval, for which no device waits at enrolment"));
            }
            let validity = &template.validity;
            let period = Span::from_days(i64::from(days(settings.renew_period).saturating_add(days(settings.renew_spread))));
            if period.secs() + validity.backdate.secs() + validity.spread.secs() >= validity.lifetime.secs() {
                return Err(format!(
                    "mdm.renew-period and renew-spread: {period} is as long as an identity of template {name} lives ({}), so devices would renew at once",
                    validity.lifetime
                ));
            }
            if period > validity.renewal_window {
                return Err(format!(
                    "mdm.renew-period and renew-spread: devices would renew {period} before the end, and template {name} permits it {} before",
                    validity.renewal_window
                ));
            }
        }
        Ok(())
    }

    /// Sets the addresses, once the ports are known.
    pub fn listening(&self, config: &Config, https: u16, mdm: u16) {
        let _ = self.addresses.set(Addresses::of(config, https, mdm));
    }

    /// Where devices find the services.
    ///
    /// # Errors
    /// [`ServerError::Conflict`] before the server listens.
    pub fn addresses(&self) -> Result<&Addresses, ServerError> {
        self.addresses.get().ok_or_else(|| ServerError::Conflict("the server does not listen yet".into()))
    }
}
