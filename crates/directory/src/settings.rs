//! Where the directory is and how to come in.

use std::{sync::Arc, time::Duration};

use lanyard_model::secret::SecretText;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::DirectoryError;

/// Where the directory is and how to come in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ldaps://host`; `ldap://host` with StartTLS, or on this machine.
    pub url: String,
    /// StartTLS on an `ldap://` address.
    pub start_tls: bool,
    /// How its certificate is verified; see [`tls`].
    pub tls: Option<Arc<ClientConfig>>,
    /// Account that reads.
    pub bind_dn: String,
    /// Its password; never empty.
    pub password: SecretText,
    /// Time for one search or sign-in.
    pub timeout: Duration,
}

/// Checks that passwords do not go over the network in the clear.
///
/// # Errors
/// The problem in one sentence, which begins with the key.
pub fn check_url(url: &str, start_tls: bool, has_ca_file: bool) -> Result<(), String> {
    let local = ["ldap://127.0.0.1", "ldap://[::1]", "ldap://localhost"];
    let here = local.iter().any(|l| url.strip_prefix(l).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    let tls = url.starts_with("ldaps://") || (url.starts_with("ldap://") && start_tls);
    if !tls && !here {
        return Err("url must begin with ldaps://, or with ldap:// and start-tls = true: a password goes over it".into());
    }
    if tls && !has_ca_file {
        return Err("ca-file is needed: the certificates (PEM) under which the directory stands".into());
    }
    Ok(())
}

/// How a directory's certificate is verified: under these (PEM) and no others.
///
/// # Errors
/// [`DirectoryError::Settings`].
pub fn tls(pem: &str) -> Result<Arc<ClientConfig>, DirectoryError> {
    let fault = |problem: String| DirectoryError::Settings(problem);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| fault(e.to_string()))?;
        roots.add(certificate).map_err(|e| fault(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("ca-file holds no certificate in PEM".to_owned()));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| fault(e.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
