//! The handshake: everything the server shows is written down, and judged afterwards, so that one fault does not hide the next.

use std::sync::{Arc, Mutex, PoisonError};

use lanyard_model::{text::printable, time::Timestamp};
use lanyard_pki::{certificate::Certificate, name, tlv::Reader};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, RootCertStore,
    SignatureScheme, SupportedProtocolVersion,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use super::{plan::ClientCertificate, verdict::Verdict};

/// Days before the end from when somebody should look.
const SOON: i64 = 14 * 86_400;

/// What was seen of the other side.
#[derive(Debug, Default)]
pub struct Seen {
    /// The server's certificates, its own first; DER.
    pub chain: Vec<Vec<u8>>,
    /// Why its certificate is not to be believed.
    pub fault: Option<Error>,
    /// Whether it asked for a client certificate, and the names of the issuers it would take; DER.
    pub asked: Option<Vec<Vec<u8>>>,
}

/// Writes down what comes.
#[derive(Debug)]
pub struct Witness {
    seen: Mutex<Seen>,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    /// The certificate to show, if one is to be shown.
    identity: Option<Arc<CertifiedKey>>,
}

impl Witness {
    /// A witness that judges by these roots and shows this certificate.
    ///
    /// # Errors
    /// What is wrong with the certificate or its key, in words.
    pub fn new(roots: Arc<RootCertStore>, identity: Option<&ClientCertificate>) -> Result<Arc<Self>, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let identity = identity.map(|one| certified(&provider, one)).transpose()?;
        // Without a single root nothing is believed; rustls knows no such verifier.
        let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().ok();
        Ok(Arc::new(Self { seen: Mutex::default(), inner, provider, identity }))
    }

    /// What was seen so far.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What became of the question for a client certificate so far.
    pub fn question(&self) -> Question {
        match (&self.seen.lock().unwrap_or_else(PoisonError::into_inner).asked, &self.identity) {
            (None, _) => Question::NotAsked,
            (Some(_), None) => Question::Unanswered,
            (Some(_), Some(_)) => Question::Answered,
        }
    }

    /// A client that has this witness; only one version where one is named (12 or 13).
    ///
    /// # Errors
    /// What rustls says.
    pub fn client(self: &Arc<Self>, version: Option<u8>) -> Result<ClientConfig, String> {
        let versions: &[&SupportedProtocolVersion] = match version {
            Some(12) => &[&TLS12],
            Some(13) => &[&TLS13],
            _ => &[&TLS13, &TLS12],
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_protocol_versions(versions).map_err(|e| e.to_string())?;
        let verifier = Arc::clone(self);
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesClientCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

fn certified(provider: &CryptoProvider, identity: &ClientCertificate) -> Result<Arc<CertifiedKey>, String> {
    let chain = identity.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.expose().to_vec()));
    let signer = provider.key_provider.load_private_key(key).map_err(|e| format!("the key of the client certificate: {e}"))?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|_| "the key is not the one of the client certificate".to_owned())?;
    Ok(Arc::new(certified))
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = match &self.inner {
            Some(inner) => inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).map(drop),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.chain = std::iter::once(end_entity).chain(intermediates).map(|one| one.to_vec()).collect();
        seen.fault = judged.err();
        // Nothing is sent over this connection before the caller has looked at what was seen.
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, root_hint_subjects: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.asked = Some(root_hint_subjects.iter().map(|name| name.to_vec()).collect());
        // As some clients do, it is shown even to a server that names other issuers: then its answer is seen, too.
        self.identity.clone().filter(|identity| identity.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What became of the question for a client certificate before an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// It was not asked.
    NotAsked,
    /// It was asked, and none was shown.
    Unanswered,
    /// One was shown.
    Answered,
}

/// What an error of TLS means.
#[must_use]
pub fn of_error(error: &Error, question: Question) -> Verdict {
    match error {
        Error::AlertReceived(alert) => of_alert(*alert, question),
        Error::InvalidMessage(_) => Verdict::TlsNotSpoken,
        Error::PeerIncompatible(_) => Verdict::TlsVersion,
        _ => Verdict::TlsFailed,
    }
}

/// RFC 8446, section 6.2.
fn of_alert(alert: AlertDescription, question: Question) -> Verdict {
    match alert {
        AlertDescription::CertificateRequired => Verdict::ClientCertificateRequired,
        AlertDescription::CertificateExpired => Verdict::ClientCertificateExpired,
        AlertDescription::CertificateRevoked => Verdict::ClientCertificateRevoked,
        AlertDescription::UnknownCA => Verdict::ClientCertificateUnknownIssuer,
        AlertDescription::UnsupportedCertificate => Verdict::ClientCertificatePurpose,
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => Verdict::ClientCertificateBad,
        AlertDescription::AccessDenied => Verdict::AccessDenied,
        AlertDescription::UnrecognisedName => Verdict::NameNotServed,
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => Verdict::TlsVersion,
        // In TLS 1.2 servers say this for lack of a certificate, too.
        AlertDescription::HandshakeFailure => match question {
            Question::NotAsked => Verdict::TlsVersion,
            Question::Unanswered => Verdict::ClientCertificateRequired,
            Question::Answered => Verdict::ClientCertificateBad,
        },
        _ => Verdict::TlsFailed,
    }
}

/// Whether an error was the server's word about our certificate, or the lack of one.
#[must_use]
pub const fn is_about_client(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::ClientCertificateRequired
            | Verdict::ClientCertificateExpired
            | Verdict::ClientCertificateRevoked
            | Verdict::ClientCertificateUnknownIssuer
            | Verdict::ClientCertificatePurpose
            | Verdict::ClientCertificateBad
            | Verdict::AccessDenied
    )
}

/// Judges the server's certificate. `now` is the present of this machine.
#[must_use]
pub fn judge(seen: &Seen, now: Timestamp) -> Verdict {
    let Some(fault) = &seen.fault else {
        let end = seen.chain.first().and_then(|der| Certificate::decode(der).ok()).and_then(|one| one.validity().ok());
        let soon = end.is_some_and(|(_, end)| end.since(now).secs() < SOON);
        return if soon { Verdict::ServerSoon } else { Verdict::ServerGood };
    };
    let Error::InvalidCertificate(fault) = fault else { return Verdict::ServerBad };
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Verdict::ServerExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Verdict::ServerNotYet,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Verdict::ServerName,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Verdict::ServerPurpose,
        CertificateError::UnknownIssuer if is_incomplete(seen) => Verdict::ServerIncomplete,
        CertificateError::UnknownIssuer => Verdict::ServerUntrusted,
        _ => Verdict::ServerBad,
    }
}

/// A single certificate that says where the one above it can be had: whoever issued it has one above it in turn.
fn is_incomplete(seen: &Seen) -> bool {
    let [only] = seen.chain.as_slice() else { return false };
    let Ok(leaf) = Certificate::decode(only) else { return false };
    let fetches = leaf.extensions().is_ok_and(|all| all.iter().any(|extension| extension.oid.to_string() == "1.3.6.1.5.5.7.1.1"));
    !leaf.is_self_issued() && fetches
}

/// Certificates for people: who, from whom, until when, for which names.
#[must_use]
pub fn describe(chain: &[Vec<u8>]) -> Vec<String> {
    let mut out = Vec::new();
    for (place, der) in chain.iter().enumerate() {
        let Ok(one) = Certificate::decode(der) else {
            out.push("a certificate that cannot be read".to_owned());
            continue;
        };
        let name = |name: Result<lanyard_model::name::DistinguishedName, _>| {
            name.map_or_else(|_: lanyard_pki::error::PkiError| "?".to_owned(), |name| printable(&name.to_string()))
        };
        let dates = one.validity().map_or_else(|_| String::new(), |(from, to)| format!(", valid from {from} to {to}"));
        out.push(format!("{} by {}{dates}", name(one.subject()), name(one.issuer())));
        if place == 0 {
            let names: Vec<String> =
                one.subject_alt_names().unwrap_or_default().iter().map(|name| printable(&name.to_string())).collect();
            out.push(format!("names: {}", names.join(", ")));
        }
    }
    out
}

/// Judges the question for a client certificate. Whether one is wanted is unknown where no mode is expected.
#[must_use]
pub fn judge_question(seen: &Seen, identity: Option<&ClientCertificate>, wanted: Option<bool>) -> (Verdict, Vec<String>) {
    let Some(names) = &seen.asked else {
        let verdict = if wanted == Some(true) { Verdict::CertificateNotAskedButWanted } else { Verdict::CertificateNotAsked };
        return (verdict, Vec::new());
    };
    let shown = names.iter().take(20).map(|der| {
        let name = Reader::sequence_of(der, "name").and_then(name::decode).map(|name| printable(&name.to_string()));
        format!("takes: {}", name.unwrap_or_else(|_| "a name that cannot be read".to_owned()))
    });
    let mut shown: Vec<String> = shown.collect();
    if names.len() > shown.len() {
        shown.push(format!("and {} more", names.len() - shown.len()));
    }
    if wanted == Some(false) {
        return (Verdict::CertificateAskedUnwanted, shown);
    }
    if names.is_empty() {
        return (Verdict::CertificateAskedAny, shown);
    }
    let Some(identity) = identity else { return (Verdict::CertificateAsked, shown) };
    let issuers = identity.chain.iter().filter_map(|der| Certificate::decode(der).ok());
    let ours = issuers.into_iter().any(|one| names.iter().any(|name| name.as_slice() == one.issuer_der()));
    (if ours { Verdict::CertificateAskedOurs } else { Verdict::CertificateAskedOthers }, shown)
}

/// Version of TLS for people.
#[must_use]
pub const fn version_words(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "unknown version",
    }
}
