//! What a policy says. What is not known here is refused: half a policy may be worse than none.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_model::{secret::SecretText, time::Timestamp};
use lanyard_pki::certificate::Certificate;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::error::AgentError;

/// The format that is understood.
const FORMAT: u32 = 1;
/// What such a document calls itself.
const KIND: &str = "lanyard-policy";
/// For whom.
const PLATFORM: &str = "linux";

/// A policy for one device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Document {
    /// Format of the document.
    format: u32,
    /// What it is.
    kind: String,
    /// For what kind of device.
    platform: String,
    /// Installation that made it.
    pub instance: String,
    /// Organisation.
    pub organization: String,
    /// Name of the policy.
    pub name: String,
    /// Its revision.
    pub revision: u32,
    /// For people.
    pub description: String,
    /// When it was made.
    #[serde(deserialize_with = "point")]
    pub made_at: Timestamp,
    /// When the first of its challenges ends; none where it has no identities.
    #[serde(default, deserialize_with = "perhaps_point")]
    pub good_until: Option<Timestamp>,
    /// Roots to trust.
    #[serde(deserialize_with = "certificates")]
    pub roots: Vec<Certificate>,
    /// Authorities below them.
    #[serde(deserialize_with = "certificates")]
    pub intermediates: Vec<Certificate>,
    /// Identities to enrol.
    pub scep: Vec<Identity>,
    /// Networks.
    pub wifi: Vec<Wifi>,
    /// Mail accounts.
    pub mail: Vec<Mail>,
}

/// An identity to enrol by SCEP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Its name in the policy.
    pub name: String,
    /// SCEP URL.
    pub url: String,
    /// Permission for exactly this.
    #[serde(deserialize_with = "secret")]
    pub challenge: SecretText,
    /// Subject, as text.
    pub subject: String,
    /// Alternative names, as text.
    pub san: Vec<String>,
    /// Kind of the key.
    pub key: String,
    /// Whether the key may leave.
    pub exportable: bool,
    /// SHA-256 of the issuing authority's certificate, hexadecimal.
    pub issuer_sha256: String,
    /// How often to ask for a held request.
    #[serde(rename = "retries")]
    _retries: u32,
    /// Seconds between.
    #[serde(rename = "retry-delay")]
    _retry_delay: u64,
}

/// A network with EAP-TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wifi {
    /// Its name.
    pub ssid: String,
    /// WPA2 or WPA3.
    pub security: Security,
    /// It does not announce its name.
    pub hidden: bool,
    /// Connect without being asked.
    pub auto_connect: bool,
    /// Names of the servers to believe.
    pub server_names: Vec<String>,
    /// Their roots.
    #[serde(deserialize_with = "certificates")]
    pub roots: Vec<Certificate>,
    /// The identity to show.
    pub identity: String,
}

/// How a network is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// WPA2.
    Wpa2,
    /// WPA3.
    Wpa3,
}

/// A mail account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mail {
    /// Shown.
    pub name: String,
    /// Host of the server.
    pub host: String,
    /// Address.
    pub address: String,
    /// Name for logging on.
    pub user: String,
    /// The identity that signs.
    pub signing_identity: Option<String>,
}

impl Document {
    /// Reads what was signed.
    ///
    /// # Errors
    /// [`AgentError::Policy`] for another format, kind or platform, for what is not known, and for names that lead nowhere.
    pub fn decode(octets: &[u8]) -> Result<Self, AgentError> {
        let refuse = |why: String| AgentError::Policy(lanyard_model::text::printable(&why));
        let read: Self = serde_json::from_slice(octets).map_err(|error| refuse(format!("it cannot be read: {error}")))?;
        if read.format != FORMAT || read.kind != KIND {
            return Err(refuse(format!("it is of a format that is not known here ({} {})", read.kind, read.format)));
        }
        if read.platform != PLATFORM {
            return Err(refuse(format!("it is for {}, and this device is for {PLATFORM}", read.platform)));
        }
        let named = |name: &String| read.scep.iter().any(|one| one.name == *name);
        let used =
            read.wifi.iter().map(|one| &one.identity).chain(read.mail.iter().filter_map(|one| one.signing_identity.as_ref()));
        if let Some(unknown) = used.into_iter().find(|name| !named(name)) {
            return Err(refuse(format!("it names the identity '{unknown}', which it does not have")));
        }
        Ok(read)
    }
}

fn certificates<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Certificate>, D::Error> {
    let texts = Vec::<String>::deserialize(input)?;
    let decode = |text: String| {
        let der = STANDARD.decode(text).map_err(D::Error::custom)?;
        Certificate::decode(&der).map_err(D::Error::custom)
    };
    texts.into_iter().map(decode).collect()
}

fn secret<'de, D: Deserializer<'de>>(input: D) -> Result<SecretText, D::Error> {
    String::deserialize(input).map(SecretText::new)
}

fn point<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(input)?;
    Timestamp::from_rfc3339(&text).ok_or_else(|| D::Error::custom("it is not a point in time"))
}

fn perhaps_point<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    let read = |text: String| Timestamp::from_rfc3339(&text).ok_or_else(|| D::Error::custom("it is not a point in time"));
    text.map(read).transpose()
}
