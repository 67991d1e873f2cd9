//! TLS: one configuration for each published host, which asks for a certificate only where one counts.
//!
//! A bad certificate does not end the handshake: the client would see a broken connection and nobody the reason. It is taken, with the proof
//! that the client has its key, and judged for every request ([`crate::certificate`]). Sessions are never shared between hosts.

use std::{collections::HashMap, path::Path, sync::Arc};

use lanyard_model::san::SubjectAltName;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::{
        ServerSessionMemoryCache,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use crate::{
    config::{file, read},
    decide::publish::{Published, canonical},
    error::GatewayError,
};

/// Sessions that one host remembers.
const SESSIONS: usize = 8192;
/// Most names of authorities that are sent: some clients choke on long lists.
const MOST_HINTS: usize = 32;

/// The configurations by server name.
#[derive(Debug)]
pub struct Doors {
    by_host: HashMap<String, Arc<ServerConfig>>,
    below: HashMap<String, Arc<ServerConfig>>,
    /// For whoever names no host or one that is not published: asks nothing, and nothing that is protected is served over it.
    other: Arc<ServerConfig>,
}

/// A server certificate with the names it is for.
struct Identity {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
}

impl Doors {
    /// Reads server certificates and makes the configurations.
    ///
    /// # Errors
    /// [`GatewayError::File`], [`GatewayError::Config`].
    pub fn open(settings: &[file::ServerCertificate], folder: &Path, published: &Published) -> Result<Self, GatewayError> {
        let mut provider = aws_lc_rs::default_provider();
        // A handshake derives many keys; SHA-256, which comes with AES-128, is much quicker than SHA-384 where the processor computes it.
        provider.cipher_suites.sort_by_key(|suite| !suite.suite().as_str().is_some_and(|name| name.contains("_AES_128_GCM_")));
        let provider = Arc::new(provider);
        let identities = settings.iter().map(|one| identity(one, folder, &provider)).collect::<Result<Vec<_>, _>>()?;
        let first =
            identities.first().ok_or_else(|| GatewayError::Config("there is no [[certificate]] of the gateway".into()))?;
        let (mut by_host, mut below) = (HashMap::new(), HashMap::new());
        for (name, host) in published.names() {
            let fits = |identity: &&Identity| identity.names.iter().any(|known| covers(known, &name));
            let identity = identities
                .iter()
                .find(fits)
                .ok_or_else(|| GatewayError::Config(format!("no [[certificate]] is for the host {name}")))?;
            let asks = host.wants_certificate.then(|| {
                let mut hints: Vec<DistinguishedName> = Vec::new();
                for trust in host.applications().filter(|a| a.mode.wants_certificate()).flat_map(|a| &a.trusts) {
                    hints.extend(trust.hints());
                }
                hints.sort_by(|a, b| a.as_ref().cmp(b.as_ref()));
                hints.dedup_by(|a, b| a.as_ref() == b.as_ref());
                if hints.len() > MOST_HINTS { Vec::new() } else { hints }
            });
            let config = Arc::new(config(&identity.key, asks, &provider)?);
            match name.strip_prefix("*.") {
                Some(rest) => below.insert(rest.to_owned(), config),
                None => by_host.insert(name, config),
            };
        }
        let other = Arc::new(config(&first.key, None, &provider)?);
        Ok(Self { by_host, below, other })
    }

    /// The configuration for a server name.
    #[must_use]
    pub fn choose(&self, name: Option<&str>) -> Arc<ServerConfig> {
        let found = name.map(canonical).and_then(|name| {
            let exact = self.by_host.get(&name);
            exact.or_else(|| self.below.get(name.split_once('.')?.1)).map(Arc::clone)
        });
        found.unwrap_or_else(|| Arc::clone(&self.other))
    }
}

/// Whether a name in a certificate is for this host.
fn covers(known: &str, host: &str) -> bool {
    known == host || known.strip_prefix("*.").is_some_and(|rest| host.split_once('.').is_some_and(|(_, below)| below == rest))
}

fn identity(settings: &file::ServerCertificate, folder: &Path, provider: &CryptoProvider) -> Result<Identity, GatewayError> {
    let chain = read::certificates(&read::path(folder, &settings.chain_file))?;
    let key = read::private_key(&read::path(folder, &settings.key_file))?;
    let fault = |problem: String| GatewayError::File { path: settings.chain_file.clone(), problem };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.expose().to_vec()));
    let key = provider.key_provider.load_private_key(key).map_err(|e| fault(e.to_string()))?;
    let names = chain
        .first()
        .map(lanyard_pki::certificate::Certificate::subject_alt_names)
        .transpose()
        .map_err(|e| fault(e.to_string()))?;
    let names = names.unwrap_or_default().into_iter().filter_map(|name| match name {
        SubjectAltName::Dns(name) => Some(name),
        SubjectAltName::Ip(address) => Some(address.to_string()),
        _ => None,
    });
    let names = names.collect();
    let certified = CertifiedKey::new(chain.iter().map(|c| CertificateDer::from(c.der().to_vec())).collect(), key);
    certified.keys_match().map_err(|e| fault(format!("{} is not its key: {e}", settings.key_file)))?;
    Ok(Identity { key: Arc::new(certified), names })
}

fn config(
    key: &Arc<CertifiedKey>,
    asks: Option<Vec<DistinguishedName>>,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, GatewayError> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| GatewayError::Config(e.to_string()))?;
    let builder = match asks {
        Some(hints) => builder.with_client_cert_verifier(Arc::new(TakeAny { hints, provider: Arc::clone(provider) })),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(One(Arc::clone(key))));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    config.send_tls13_tickets = 1;
    config.ignore_client_order = true;
    Ok(config)
}

/// The one certificate of a host.
#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl rustls::server::ResolvesServerCert for One {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Takes any certificate, or none, from whoever proves to have its key. It is judged later: this proves possession, and nothing else.
#[derive(Debug)]
struct TakeAny {
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for TakeAny {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
