//! What is kept while the server runs.

use std::sync::OnceLock;

use super::settings::PortalSettings;
use crate::{config::Config, error::ServerError, mdm::addresses::base};

/// The people's page of this process.
pub struct Portal {
    settings: PortalSettings,
    url: OnceLock<String>,
}

impl Portal {
    /// Of a configuration that has a section for it.
    #[must_use]
    pub fn new(settings: &PortalSettings) -> Self {
        Self { settings: settings.clone(), url: OnceLock::new() }
    }

    /// Sets the address, once the port is known.
    pub fn listening(&self, config: &Config, https: u16) {
        let _ = self.url.set(base(config, self.settings.url.as_ref(), https));
    }

    /// Address without a slash at the end.
    ///
    /// # Errors
    /// [`ServerError::Conflict`] before the server listens.
    pub fn url(&self) -> Result<&str, ServerError> {
        let url = self.url.get().map(String::as_str);
        url.ok_or_else(|| ServerError::Conflict("the server does not listen yet".into()))
    }
}
