//! Certificate templates: what a kind of certificate contains and who may ask for it.

use serde::{Deserialize, Serialize};

use crate::{
    enroll::Protocol,
    id::{AuthorityName, TemplateName},
    key::KeyKind,
    san::SanKind,
    time::Span,
    usage::{ExtendedKeyUsages, KeyUsages},
};

/// A certificate template as its file tells it. Only `ra` checks and constructs validated ones.
///
/// STORED: one TOML file each in `DIR/templates`; new keys must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Template {
    /// Version of this file format; 1.
    pub format: u32,
    /// Name; the file is `<name>.toml`.
    pub name: TemplateName,
    /// Raised by whoever edits the file; stands in every challenge, certificate record and decision.
    pub revision: u32,
    /// One sentence for people.
    pub description: String,
    /// The issuing authority.
    #[serde(default = "default_authority")]
    pub issuing_ca: AuthorityName,
    /// Protocols that may use the template.
    pub protocols: Vec<Protocol>,
    /// Whether a person approves each first enrolment.
    #[serde(default)]
    pub approval: Approval,
    /// Whether the server keeps a copy of the private key.
    #[serde(default)]
    pub archival: Archival,
    /// What is asked of the device for keeping the private key.
    #[serde(default)]
    pub key_protection: KeyProtection,
    /// Rules for the subject name.
    pub subject: SubjectRule,
    /// Rules for subject alternative names. A name that fits none of them is refused.
    #[serde(default)]
    pub san: Vec<SanRule>,
    /// Key usage and extended key usage.
    pub usage: UsageRule,
    /// Accepted keys.
    pub keys: KeyRule,
    /// Times.
    pub validity: ValidityRule,
}

fn default_authority() -> AuthorityName {
    // "issuing" fits the alphabet of names; the parse cannot fail.
    #[allow(clippy::expect_used)]
    "issuing".parse().expect("a valid authority name")
}

/// Whether a person approves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// The policy engine decides alone.
    #[default]
    Automatic,
    /// A request is held until a person approves or denies it.
    Person,
    /// A request is held until two different people approve it, or one denies it. Neither may have made its challenge.
    TwoPersons,
}

impl Approval {
    /// How many different people have to approve.
    #[must_use]
    pub const fn persons(self) -> usize {
        match self {
            Self::Automatic => 0,
            Self::Person => 1,
            Self::TwoPersons => 2,
        }
    }
}

/// Whether the private key is archived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archival {
    /// The key never leaves the device.
    #[default]
    Never,
    /// The server makes the key and keeps a sealed copy; excludes SCEP and every use but encryption.
    Required,
}

/// What the device is asked to do with the private key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyProtection {
    /// In software, exportable.
    SoftwareExportable,
    /// In software, not exportable.
    Software,
    /// In the TPM where there is one, else in software, not exportable.
    #[default]
    TpmOptional,
    /// In the TPM.
    Tpm,
    /// In the TPM, guarded by a PIN.
    TpmPin,
}

/// Rules for the subject name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SubjectRule {
    /// Attributes with variables in braces, such as `CN={device.name},O={organization}`. A variable is filled from the user or
    /// device record; where the challenge names none, any text an administrator gives stands for it.
    pub pattern: String,
    /// Short names of further attribute types an administrator may bind in a challenge.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// A rule for one kind of subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SanRule {
    /// Kind of name.
    pub kind: SanKind,
    /// Text with variables in braces.
    pub pattern: String,
    /// Whether a name that fits the rule must be there.
    #[serde(default)]
    pub required: bool,
}

/// Usages in the certificate, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UsageRule {
    /// keyUsage, critical.
    pub key_usage: KeyUsages,
    /// extendedKeyUsage, not critical.
    #[serde(default)]
    pub extended_key_usage: ExtendedKeyUsages,
}

/// Accepted keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyRule {
    /// Accepted kinds; an RSA entry is the least accepted modulus length.
    pub accepted: Vec<KeyKind>,
}

/// Times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ValidityRule {
    /// From notBefore to notAfter, both included: notAfter − notBefore + 1 s equals this.
    pub lifetime: Span,
    /// How far before the present notBefore lies, for devices with slow clocks; part of `lifetime`.
    pub backdate: Span,
    /// notBefore lies up to this much further back, differently for each key: a fleet that enrols within an hour then does not renew within
    /// an hour. Part of `lifetime`.
    #[serde(default = "nothing")]
    pub spread: Span,
    /// How long before notAfter a renewal is accepted.
    pub renewal_window: Span,
    /// How long after notAfter a renewal is still accepted.
    #[serde(default = "nothing")]
    pub renewal_grace: Span,
}

const fn nothing() -> Span {
    Span::from_secs(0)
}

/// Shorthand used wherever a rule refers to usages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Usages {
    /// keyUsage.
    pub key_usage: KeyUsages,
    /// extendedKeyUsage.
    pub extended_key_usage: ExtendedKeyUsages,
}
