//! Policy modules as a profile's file configures them (ndes-policy, section 2).

use serde::{Deserialize, Serialize};

use crate::{id::TemplateName, network::Network, time::Span};

/// One `[[module]]` of a profile. Secrets stand in files of their own, never here.
///
/// STORED: in the profile's file; new keys must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ModuleConfig {
    /// Asks an outside service by HTTP.
    Http(HttpModule),
    /// Speaks Microsoft's Intune SCEP validation protocol.
    Intune(IntuneModule),
    /// Accepts one secret that many devices share.
    StaticSecret(StaticSecret),
}

impl ModuleConfig {
    /// The word in the file and in messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Intune(_) => "intune",
            Self::StaticSecret(_) => "static-secret",
        }
    }

    /// How long one call of the module may take; `None` for a module that calls nobody.
    #[must_use]
    pub const fn timeout(&self) -> Option<Span> {
        match self {
            Self::Http(module) => Some(module.timeout),
            Self::Intune(module) => Some(module.timeout),
            Self::StaticSecret(_) => None,
        }
    }

    /// For a module whose challenges are none of ours: the one template it may issue.
    #[must_use]
    pub const fn adopts(&self) -> Option<&TemplateName> {
        match self {
            Self::Http(_) => None,
            Self::Intune(module) => Some(&module.template),
            Self::StaticSecret(module) => Some(&module.template),
        }
    }
}

/// What an outside service is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpEvent {
    /// Before a challenge is made: may it be?
    Generate,
    /// Before a certificate is issued or a request is held: may it be?
    Verify,
    /// Afterwards: how it ended.
    Notify,
}

/// Asks an outside service by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpModule {
    /// Where every event is posted to.
    pub url: String,
    /// File with the key of the HMAC that signs each body: at least 16 characters, mode 0600.
    pub secret_file: String,
    /// What the service is called for.
    #[serde(default = "default_events")]
    pub events: Vec<HttpEvent>,
    /// Whether `verify` carries the CSR itself, which holds the device's still unused challenge.
    #[serde(default)]
    pub send_csr: bool,
    /// Certificates (PEM) under one of which the service's own must stand; needed for https.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Non-public addresses that may be connected to; needed for http.
    #[serde(default)]
    pub allow_addresses: Vec<Network>,
    /// Time for one call, from the look-up of the name to the last octet of the answer.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
}

/// Speaks Microsoft's Intune SCEP validation protocol (ndes-policy, section 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IntuneModule {
    /// Tenant, by id or domain.
    pub tenant: String,
    /// Id of the application that is registered there.
    pub client_id: String,
    /// File with the application's secret; mode 0600.
    pub client_secret_file: String,
    /// The one template that is issued; its patterns limit the names, which come from the CSR that Intune validated.
    pub template: TemplateName,
    /// Where tokens are issued.
    #[serde(default = "default_login_url")]
    pub login_url: String,
    /// Where the services of the tenant are looked up.
    #[serde(default = "default_graph_url")]
    pub graph_url: String,
    /// Resource that the token for the validation service is asked for.
    #[serde(default = "default_resource")]
    pub resource: String,
    /// Certificates (PEM) under one of which the services' own must stand; needed for https.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Non-public addresses that may be connected to; needed for http.
    #[serde(default)]
    pub allow_addresses: Vec<Network>,
    /// Time for one call.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
}

/// Accepts one secret that many devices share (ndes-policy T2). Off unless it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StaticSecret {
    /// File with the secret: at least 16 characters, mode 0600.
    pub secret_file: String,
    /// The one template that is issued; its patterns limit the names, which come from the CSR.
    pub template: TemplateName,
    /// Addresses a request may come from.
    pub from: Vec<Network>,
    /// How many certificates a period brings at most.
    pub quota: u32,
    /// Length of a period; periods follow each other from 1970 on.
    pub period: Span,
}

/// The page from which tools read a fresh challenge as they would from NDES (ndes-policy, section 1.1). Off unless it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NdesPage {
    /// Template of every challenge of the page.
    pub template: TemplateName,
    /// How many challenges of the page may be unused at a time (NDES: PasswordMax).
    #[serde(default = "default_password_max")]
    pub password_max: u32,
    /// How long each is good (NDES: PasswordValidity).
    #[serde(default = "default_password_validity")]
    pub password_validity: Span,
}

fn default_events() -> Vec<HttpEvent> {
    vec![HttpEvent::Verify, HttpEvent::Notify]
}

const fn default_timeout() -> Span {
    Span::from_secs(5)
}

fn default_login_url() -> String {
    "https://login.microsoftonline.com".to_owned()
}

fn default_graph_url() -> String {
    "https://graph.microsoft.com".to_owned()
}

fn default_resource() -> String {
    "https://api.manage.microsoft.com".to_owned()
}

const fn default_password_max() -> u32 {
    5
}

const fn default_password_validity() -> Span {
    Span::from_secs(3600)
}
