//! TLS of the HTTPS listeners: rustls, TLS 1.2 and 1.3, no resumption to speak of. One asks nobody for a certificate, the other everybody.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::{NoServerSessionStorage, WantsServerCert, WebPkiClientVerifier},
    time_provider::TimeProvider,
};
use tokio_rustls::TlsAcceptor;

use crate::{clock::Clock, error::ServerError, keyring::Keyring};

/// An acceptor with the newest server certificate and its issuers.
///
/// # Errors
/// [`ServerError::Tls`].
pub fn acceptor(ring: &Keyring) -> Result<TlsAcceptor, ServerError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(fault)?;
    finish(ring, builder.with_no_client_auth()).map(|config| TlsAcceptor::from(Arc::new(config)))
}

/// An acceptor for managed devices: each must show a certificate of one of our issuing authorities, whichever of them are still known, so that
/// a device is let in until its certificate ends. Sessions are never resumed: every connection proves the key anew.
///
/// # Errors
/// [`ServerError::Tls`].
pub fn acceptor_of_devices(ring: &Keyring, clock: Arc<dyn Clock>) -> Result<TlsAcceptor, ServerError> {
    let mut anchors = RootCertStore::empty();
    for authority in ring.authorities().filter(|authority| !authority.certificate().is_self_issued()) {
        anchors.add(CertificateDer::from(authority.certificate().der().to_vec())).map_err(fault)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), provider());
    let verifier = verifier.build().map_err(|e| ServerError::Tls(e.to_string()))?;
    let builder: ConfigBuilder<ServerConfig, WantsVerifier> =
        ServerConfig::builder_with_details(provider(), Arc::new(OurClock(clock)))
            .with_safe_default_protocol_versions()
            .map_err(fault)?;
    let mut config = finish(ring, builder.with_client_cert_verifier(verifier))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn finish(ring: &Keyring, builder: ConfigBuilder<ServerConfig, WantsServerCert>) -> Result<ServerConfig, ServerError> {
    let identity = ring.tls().ok_or_else(|| ServerError::Tls("there is no server certificate".into()))?;
    let mut chain = vec![CertificateDer::from(identity.certificate.der().to_vec())];
    if let Some(issuer) = ring.issuer_of(&identity.certificate) {
        let above = ring.chain(issuer.name());
        chain.extend(above.iter().filter(|c| !c.is_self_issued()).map(|c| CertificateDer::from(c.der().to_vec())));
    }
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.expose().to_vec()));
    let mut config = builder.with_single_cert(chain, key).map_err(fault)?;
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Strong suites all of them, those of AES-128 first: a handshake derives many keys, and SHA-256, which they come with, is several times faster
/// than SHA-384 where the processor computes it.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !suite.suite().as_str().is_some_and(|name| name.contains("_AES_128_GCM_")));
    Arc::new(provider)
}

// `map_err` hands the error over.
#[allow(clippy::needless_pass_by_value)]
fn fault(error: rustls::Error) -> ServerError {
    ServerError::Tls(error.to_string())
}

/// Certificates of devices are judged by the server's clock.
struct OurClock(Arc<dyn Clock>);

impl fmt::Debug for OurClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OurClock")
    }
}

impl TimeProvider for OurClock {
    fn current_time(&self) -> Option<UnixTime> {
        u64::try_from(self.0.now().0 / 1000).ok().map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
