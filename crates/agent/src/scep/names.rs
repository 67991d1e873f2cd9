//! Whether a certificate holds the names that were asked for.

use lanyard_model::{name::DistinguishedName, san::SubjectAltName};
use lanyard_pki::certificate::Certificate;

use crate::error::AgentError;

/// How the names of a certificate differ from those asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameDifferences {
    /// Asked for, but not there.
    pub missing: Vec<String>,
    /// There, but not asked for: an authority may add what its record says.
    pub added: Vec<String>,
}

impl NameDifferences {
    /// Compares; order does not count.
    ///
    /// # Errors
    /// [`AgentError::Own`] when the names of the certificate cannot be read.
    pub fn between(subject: &DistinguishedName, san: &[SubjectAltName], certificate: &Certificate) -> Result<Self, AgentError> {
        let issued_subject = certificate.subject().map_err(AgentError::Own)?;
        let issued_san = certificate.subject_alt_names().map_err(AgentError::Own)?;
        let one = |attribute| DistinguishedName(vec![attribute]).to_string();
        let asked: Vec<String> = subject.0.iter().cloned().map(one).chain(san.iter().map(ToString::to_string)).collect();
        let issued: Vec<String> =
            issued_subject.0.into_iter().map(one).chain(issued_san.iter().map(ToString::to_string)).collect();
        let without = |all: &[String], other: &[String]| all.iter().filter(|n| !other.contains(n)).cloned().collect();
        Ok(Self { missing: without(&asked, &issued), added: without(&issued, &asked) })
    }

    /// The differences in words, or an error when names are missing and that is not accepted.
    ///
    /// # Errors
    /// [`AgentError::OtherNames`].
    pub fn accept(self, missing_too: bool) -> Result<Vec<String>, AgentError> {
        if !self.missing.is_empty() && !missing_too {
            return Err(AgentError::OtherNames { missing: self.missing });
        }
        let missing = self.missing.into_iter().map(|n| format!("without {n}"));
        Ok(missing.chain(self.added.into_iter().map(|n| format!("with {n}"))).collect())
    }
}
