//! Company apps of Windows Phone 8.x (`EnterpriseAppManagement`).

use super::job::{Expect, Job, OnConflict, add, atomic, delete, exec, expect};
use crate::{
    csp::{Format, LocUri, Scope, escape_segment},
    syncml::Item,
};

/// The company's token, and which certificate is shown for downloads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CompanyToken {
    /// `EnterpriseID`.
    pub enterprise_id: String,
    /// `EnrollmentToken`: the application enrolment token.
    pub token: String,
    /// Subject of the client certificate, an X.500 string; it is sent URL-encoded and compared with case.
    pub certificate_subject: Option<String>,
    /// Whether the download server's certificate is checked for revocation.
    pub crl_check: bool,
}

impl CompanyToken {
    /// Installs it, over another one of the same company.
    #[must_use]
    pub fn install(&self) -> Job {
        let base = base(&self.enterprise_id);
        let leaf = |name: &str, value: &str| add(Item::value(base.child(name), Format::Chr, value));
        let mut commands = vec![leaf("EnrollmentToken", &self.token)];
        if let Some(subject) = &self.certificate_subject {
            commands.push(leaf("CertificateSearchCriteria", &url_encode(subject)));
        }
        commands.push(leaf("CRLCheck", if self.crl_check { "1" } else { "0" }));
        let proof = vec![
            expect(&base.child("EnrollmentToken"), Expect::Value(self.token.clone())),
            expect(&base.child("Status"), Expect::Value("0".to_owned())),
        ];
        Job::change(Scope::Device, commands, proof).on_conflict(OnConflict::Switch)
    }

    /// Installs it where there may be one with another subject, which cannot be changed: where this one has a subject, what is there goes first,
    /// with its apps.
    #[must_use]
    pub fn install_anew(&self) -> Job {
        let mut job = self.install();
        if self.certificate_subject.is_some() {
            job.commands.insert(0, delete(&base(&self.enterprise_id)));
        }
        job
    }
}

/// Removes a company's token and its apps.
#[must_use]
pub fn remove(enterprise_id: &str) -> Job {
    let base = base(enterprise_id);
    Job::change(Scope::Device, vec![delete(&base)], vec![expect(&base, Expect::Absent)])
}

/// An app to install or update.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CompanyApp {
    /// `EnterpriseID`.
    pub enterprise_id: String,
    /// Product id, GUID in braces.
    pub product_id: String,
    /// Name.
    pub name: String,
    /// Where the package lies.
    pub url: String,
    /// Version.
    pub version: String,
}

impl CompanyApp {
    /// Downloads and installs it. Done at `Status` 5; before, it is asked again.
    #[must_use]
    pub fn install(&self) -> Job {
        let node = base(&self.enterprise_id).child("EnterpriseApps").child("Download").child(&self.product_id);
        let leaf = |name: &str, value: &str| add(Item::value(node.child(name), Format::Chr, value));
        let commands = vec![
            leaf("Name", &self.name),
            leaf("URL", &self.url),
            leaf("Version", &self.version),
            add(Item::value(node.child("DownloadInstall"), Format::Int, "1")),
            exec(Item::value(node.child("DownloadInstall"), Format::Int, "0")),
        ];
        let status = Expect::Progress {
            done: vec!["5".to_owned()],
            pending: ["0", "1", "2", "3", "4"].iter().map(|&number| number.to_owned()).collect(),
        };
        let proof = vec![expect(&node.child("Status"), status), expect(&node.child("LastError"), Expect::Report)];
        Job::change(Scope::Device, vec![atomic(commands)], proof)
    }
}

fn base(enterprise_id: &str) -> LocUri {
    LocUri::device(&["Vendor", "MSFT", "EnterpriseAppManagement", enterprise_id])
}

/// Everything outside RFC 2396's unreserved characters as `%XX`.
fn url_encode(text: &str) -> String {
    let mut encoded = String::new();
    for character in text.chars() {
        match character {
            '!' | '\'' | '(' | ')' => encoded.push(character),
            '$' => encoded.push_str("%24"),
            '&' => encoded.push_str("%26"),
            '+' => encoded.push_str("%2B"),
            ',' => encoded.push_str("%2C"),
            ';' => encoded.push_str("%3B"),
            '=' => encoded.push_str("%3D"),
            ':' => encoded.push_str("%3A"),
            '@' => encoded.push_str("%40"),
            other => encoded.push_str(&escape_segment(other.encode_utf8(&mut [0; 4]))),
        }
    }
    encoded
}
