//! A SCEP enrolment by the device (`ClientCertificateInstall/SCEP`).

use super::job::{Expect, Fill, Filling, Job, add, atomic, delete, exec, expect, get};
use crate::{
    csp::{Format, LocUri, Scope},
    syncml::{Command, Item},
};

/// Where the key is made (`KeyProtection`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyProtection {
    /// 1: in the TPM, or not at all.
    Tpm,
    /// 2: in the TPM if there is one.
    TpmOptional,
    /// 3: in software.
    Software,
    /// 4: in the container of Windows Hello for Business, RSA 2048 with SHA-256 only.
    Hello {
        /// Name of the container.
        container: String,
        /// What the prompt for the PIN says.
        prompt: Option<String>,
    },
}

impl KeyProtection {
    /// The number.
    #[must_use]
    pub const fn number(&self) -> u8 {
        match self {
            Self::Tpm => 1,
            Self::TpmOptional => 2,
            Self::Software => 3,
            Self::Hello { .. } => 4,
        }
    }
}

/// A subject alternative name (`type+value`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "value")]
pub enum AlternativeName {
    /// 2.
    Rfc822(String),
    /// 3.
    Dns(String),
    /// 7.
    Uri(String),
    /// 8.
    Ip(String),
    /// 11.
    Upn(String),
}

impl AlternativeName {
    fn text(&self) -> String {
        let (number, value) = match self {
            Self::Rfc822(value) => (2, value),
            Self::Dns(value) => (3, value),
            Self::Uri(value) => (7, value),
            Self::Ip(value) => (8, value),
            Self::Upn(value) => (11, value),
        };
        format!("{number}+{value}")
    }
}

/// Everything about one enrolment. The challenge is not part of it: it is made when the commands are sent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScepProfile {
    /// `UniqueID`: name of the node. A renewal is safest under a new one.
    pub id: String,
    /// Device's or user's store.
    pub scope: Scope,
    /// `ServerURL`: tried one after the other.
    pub server_urls: Vec<String>,
    /// `EKUMapping`: object identifiers.
    pub ekus: Vec<String>,
    /// `KeyUsage`: 0x80 digital signature, 0x20 key encipherment; 160 both.
    pub key_usage: u16,
    /// `SubjectName`: an X.500 string.
    pub subject: String,
    /// `KeyProtection` and what belongs to it.
    pub key_protection: KeyProtection,
    /// `RetryDelay`: minutes between polls while the request is pending, at least 1.
    pub retry_delay: u32,
    /// `RetryCount`: how often it polls, 0 to 30.
    pub retry_count: u32,
    /// `KeyLength`: 1024, 2048 or 4096.
    pub key_length: u16,
    /// `HashAlgorithm`: `SHA-1`, `SHA-2`, `SHA-3`.
    pub hash_algorithms: Vec<String>,
    /// `CAThumbprint`: SHA-1 of the authority's certificate, 40 hexadecimal digits.
    pub ca_thumbprint: String,
    /// `SubjectAlternativeNames`.
    pub alternative_names: Vec<AlternativeName>,
    /// `ValidPeriodUnits`, in days; the server decides in the end.
    pub valid_days: Option<u32>,
    /// `TemplateName`: an object identifier.
    pub template: Option<String>,
}

impl ScepProfile {
    /// The node of the enrolment.
    #[must_use]
    pub fn node(&self) -> LocUri {
        node(self.scope, &self.id)
    }

    /// What is put into `Install`, in the order it is sent; the challenge is empty.
    fn parameters(&self) -> Vec<(&'static str, Format, String)> {
        let names: Vec<String> = self.alternative_names.iter().map(AlternativeName::text).collect();
        let mut list = vec![
            ("ServerURL", Format::Chr, self.server_urls.join(";")),
            ("Challenge", Format::Chr, String::new()),
            ("EKUMapping", Format::Chr, self.ekus.join("+")),
            ("KeyUsage", Format::Int, self.key_usage.to_string()),
            ("SubjectName", Format::Chr, self.subject.clone()),
            ("KeyProtection", Format::Int, self.key_protection.number().to_string()),
            ("RetryDelay", Format::Int, self.retry_delay.max(1).to_string()),
            ("RetryCount", Format::Int, self.retry_count.min(30).to_string()),
            ("KeyLength", Format::Int, self.key_length.to_string()),
            ("HashAlgorithm", Format::Chr, self.hash_algorithms.join("+")),
            ("CAThumbprint", Format::Chr, self.ca_thumbprint.clone()),
        ];
        if !names.is_empty() {
            list.push(("SubjectAlternativeNames", Format::Chr, names.join(";")));
        }
        if let Some(days) = self.valid_days {
            list.push(("ValidPeriod", Format::Chr, "Days".to_owned()));
            list.push(("ValidPeriodUnits", Format::Int, days.to_string()));
        }
        if let Some(template) = &self.template {
            list.push(("TemplateName", Format::Chr, template.clone()));
        }
        if let KeyProtection::Hello { container, prompt } = &self.key_protection {
            list.push(("ContainerName", Format::Chr, container.clone()));
            if let Some(prompt) = prompt {
                list.push(("CustomTextToShowInPrompt", Format::Chr, prompt.clone()));
            }
        }
        list
    }

    /// The Atomic: the node, every parameter, and `Enroll` last.
    #[must_use]
    pub fn atomic(&self) -> Command {
        let node = self.node();
        let install = node.child("Install");
        let mut commands = vec![add(Item::bare(&node, Format::Node))];
        for (name, format, value) in self.parameters() {
            commands.push(add(Item::value(install.child(name), format, value)));
        }
        commands.push(exec(Item::bare(install.child("Enroll"), Format::Null)));
        atomic(commands)
    }

    /// Enrols. Verified when `Status` says finished; while it says pending or unknown, it is asked again.
    #[must_use]
    pub fn enroll(&self) -> Job {
        let status = Expect::Progress { done: vec!["1".to_owned()], pending: vec!["2".to_owned(), "32".to_owned()] };
        let node = self.node();
        let mut job = Job::change(
            self.scope,
            vec![self.atomic()],
            vec![
                expect(&node.child("Status"), status),
                expect(&node.child("ErrorCode"), Expect::Report),
                expect(&node.child("CertThumbprint"), Expect::Report),
                expect(&node.child("RespondentServerUrl"), Expect::Report),
            ],
        );
        job.fill.push(Fill { uri: node.child("Install").child("Challenge").to_string(), what: Filling::ScepChallenge });
        job
    }

    /// Enrols in place of whatever is under the same id: certificate and key of the old enrolment are deleted first, so the device is
    /// without until the new one has come. A new id and a later [`remove`] leave no gap.
    #[must_use]
    pub fn enroll_again(&self) -> Job {
        let mut job = self.enroll();
        job.commands.insert(0, delete(&self.node()));
        job
    }
}

fn node(scope: Scope, id: &str) -> LocUri {
    LocUri::new(scope, &["Vendor", "MSFT", "ClientCertificateInstall", "SCEP", id])
}

/// Removes an enrolment with its certificate and key.
#[must_use]
pub fn remove(scope: Scope, id: &str) -> Job {
    let node = node(scope, id);
    Job::change(scope, vec![delete(&node)], vec![expect(&node, Expect::Absent)])
}

/// Asks how an enrolment ended.
#[must_use]
pub fn query(scope: Scope, id: &str) -> Job {
    let node = node(scope, id);
    let nodes: Vec<LocUri> =
        ["Status", "ErrorCode", "CertThumbprint", "RespondentServerUrl"].iter().map(|name| node.child(name)).collect();
    Job::query(scope, vec![get(&nodes)])
}
