//! The policy that tells Chromium which certificate to show where (`AutoSelectCertificateForUrls`): without it, Chromium asks its user at every
//! server that wants one.

use std::path::Path;

use lanyard_model::name::{DistinguishedName, attribute_type};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{place::Use, program::Program};
use crate::{
    error::AgentError,
    store::{DeviceStore, Identity, files},
};

/// What the computer's policies hold of this store: one file, because Chromium takes a policy from one file alone.
const FILE: &str = "lanyard-certificates.json";
/// What of a name Chromium compares.
const COMPARED: [&str; 4] = ["CN", "L", "O", "OU"];

/// The folder with the policies of the computer.
pub(super) struct Policies<'a> {
    pub(super) folder: &'a Path,
}

/// What is said at these sites with this identity: subject and issuer, which a renewal keeps.
pub(super) fn entries(sites: &[String], identity: &Identity) -> Result<Vec<String>, AgentError> {
    let subject = identity.certificate.subject().map_err(AgentError::Own)?;
    let issuer = identity.certificate.issuer().map_err(AgentError::Own)?;
    let filter = json!({ "SUBJECT": compared(&subject), "ISSUER": compared(&issuer) });
    Ok(sites.iter().map(|site| json!({ "pattern": site, "filter": filter }).to_string()).collect())
}

/// The attributes of a name that are compared; of several of one type the first.
fn compared(name: &DistinguishedName) -> Value {
    let mut found = Map::new();
    for short in COMPARED {
        let value = attribute_type(short).and_then(|kind| name.0.iter().find(|one| one.oid == kind.oid));
        if let Some(value) = value {
            found.insert(short.to_owned(), json!(value.value));
        }
    }
    Value::Object(found)
}

/// The policy as a file.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "AutoSelectCertificateForUrls")]
    entries: Vec<String>,
}

/// The policy as the text of a file.
pub(super) fn document(entries: &[String]) -> String {
    format!("{:#}\n", json!(Document { entries: entries.to_vec() }))
}

impl Policies<'_> {
    /// Writes what all uses of this store want here, or takes the file away when none wants anything.
    pub(super) fn write(&self, store: &DeviceStore) -> Result<(), AgentError> {
        let path = self.folder.join(FILE);
        let mut all: Vec<String> = Vec::new();
        for one in Use::all(store)? {
            if matches!(&one.program, Program::Nss { policies: Some(folder), .. } if folder == self.folder) {
                all.extend(read(&one.configuration(store))?);
            }
        }
        if !all.is_empty() {
            files::make_public_folder(self.folder)?;
            return files::replace_public(&path, document(&all).as_bytes());
        }
        if path.exists() { std::fs::remove_file(&path).map_err(AgentError::io("removing", &path)) } else { Ok(()) }
    }
}

fn read(path: &Path) -> Result<Vec<String>, AgentError> {
    let read: Document = serde_json::from_slice(&files::read(path)?).map_err(|error| AgentError::damaged(path, error))?;
    Ok(read.entries)
}
