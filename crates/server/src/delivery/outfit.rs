//! What a policy means for one device, whatever platform it is of: certificates, identities with their challenges, networks, accounts.

use lanyard_model::{
    name::DistinguishedName,
    san::SubjectAltName,
    secret::SecretText,
    template::Usages,
    time::{Span, Timestamp},
};
use lanyard_pki::certificate::Certificate;

/// Everything for one device.
pub struct Outfit {
    /// Name of the policy; one of the same name replaces it.
    pub name: String,
    /// Its revision.
    pub revision: u32,
    /// For people.
    pub description: String,
    /// Certificates to know: self-issued ones are trusted.
    pub certificates: Vec<Certificate>,
    /// Identities to fetch.
    pub identities: Vec<Identity>,
    /// Networks.
    pub wireless: Vec<Wireless>,
    /// Mail accounts.
    pub accounts: Vec<Account>,
}

/// An identity that the device fetches by SCEP.
pub struct Identity {
    /// Name in the policy.
    pub name: String,
    /// Where.
    pub url: String,
    /// Permission for exactly this, and for one request.
    pub challenge: SecretText,
    /// When that permission ends.
    pub expires_at: Timestamp,
    /// Subject to ask for.
    pub subject: DistinguishedName,
    /// Alternative names to ask for.
    pub san: Vec<SubjectAltName>,
    /// Bits of the RSA key to make.
    pub bits: u32,
    /// What it is good for.
    pub usages: Usages,
    /// The issuing authority.
    pub issuer: Certificate,
    /// How often the device asks again while a request is held.
    pub retries: u32,
    /// Time between.
    pub retry_delay: Span,
    /// Whether the key may leave the device.
    pub exportable: bool,
}

/// A wireless network with EAP-TLS.
pub struct Wireless {
    /// Its name.
    pub ssid: String,
    /// WPA3 instead of WPA2.
    pub wpa3: bool,
    /// It does not announce its name.
    pub hidden: bool,
    /// Connect without being asked.
    pub auto_connect: bool,
    /// Names of the servers to believe.
    pub server_names: Vec<String>,
    /// Roots of those servers; they stand in [`Outfit::certificates`] too.
    pub roots: Vec<Certificate>,
    /// Name of the identity to show.
    pub identity: String,
}

/// A mail account (ActiveSync).
pub struct Account {
    /// Shown.
    pub name: String,
    /// Host.
    pub host: String,
    /// Address.
    pub address: String,
    /// Name for logging on.
    pub user: String,
    /// Name of the identity that signs mail, if the policy has one for that.
    pub signing: Option<String>,
}
