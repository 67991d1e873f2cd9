//! TLS for the HTTPS listener: rustls, TLS 1.2 and 1.3, no client certificates, no resumption to speak of.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::TlsAcceptor;

use crate::{error::ServerError, keyring::Keyring};

/// An acceptor with the newest server certificate and its issuers.
///
/// # Errors
/// [`ServerError::Tls`].
pub fn acceptor(ring: &Keyring) -> Result<TlsAcceptor, ServerError> {
    let identity = ring.tls().ok_or_else(|| ServerError::Tls("there is no server certificate".into()))?;
    let fault = |e: rustls::Error| ServerError::Tls(e.to_string());
    let mut chain = vec![CertificateDer::from(identity.certificate.der().to_vec())];
    if let Some(issuer) = ring.issuer_of(&identity.certificate) {
        let above = ring.chain(issuer.name());
        chain.extend(above.iter().filter(|c| !c.is_self_issued()).map(|c| CertificateDer::from(c.der().to_vec())));
    }
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.expose().to_vec()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(fault)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
