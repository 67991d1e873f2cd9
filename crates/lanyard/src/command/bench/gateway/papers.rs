//! Certificates of one authority with keys on P-256: a server's and a client's.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use lanyard_agent::{
    model::{
        key::KeyKind,
        oid::Oid,
        san::SubjectAltName,
        secret::SecretBytes,
        serial::SerialNumber,
        time::{Span, Timestamp},
        usage::ExtendedKeyUsage,
    },
    pki::{
        certificate::{
            Certificate,
            encode::{TbsCertificate, assemble},
        },
        crypto::{
            random::random,
            software::{SoftwareSigner, generate},
        },
        error::PkiError,
        extension::{self, Extension},
        general_name,
        key::Signer,
        name, oids, pem,
        signature::SignatureAlgorithm,
    },
};

/// Name of the server.
pub const HOST: &str = "bench.example.org";
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
const LIFE: Span = Span::from_days(2);

/// A certificate with its key, DER and PKCS#8.
pub struct Paper {
    /// The certificate.
    pub certificate: Certificate,
    /// The key.
    pub key: SecretBytes,
}

/// Everything that is needed, and files of it: `root.pem`, `server.pem`, `server.key`, `both.pem` (certificate and key).
pub struct Papers {
    /// Whom servers and clients trust.
    pub root: Certificate,
    /// The client's.
    pub client: Paper,
}

impl Papers {
    /// Makes them, valid from an hour ago.
    pub fn write(folder: &Path, now: Timestamp) -> Result<Self, String> {
        let text = |e: PkiError| e.to_string();
        let root_key = generate(KeyKind::EcP256).map_err(text)?;
        let signer = SoftwareSigner::from_pkcs8(&root_key).map_err(text)?;
        let issuer = name::encode(&name::parse("CN=Bench Root,O=Example").map_err(text)?);
        let authority = [Extension::critical(oids::BASIC_CONSTRAINTS, extension::encode_basic_constraints(Some(None)))];
        let root = sign(&issuer, &issuer, &signer, &signer, &authority, now).map_err(text)?;
        let issue = |subject: &str, san: &str, purpose: &'static str| -> Result<Paper, PkiError> {
            let key = generate(KeyKind::EcP256)?;
            let own = SoftwareSigner::from_pkcs8(&key)?;
            let purposes = [ExtendedKeyUsage(Oid::new(purpose))].into_iter().collect();
            let names: Vec<SubjectAltName> = san.parse().into_iter().collect();
            let extensions = [
                Extension::plain(oids::EXTENDED_KEY_USAGE, extension::encode_extended_key_usage(&purposes)),
                Extension::plain(oids::SUBJECT_ALT_NAME, general_name::encode(&names)),
            ];
            let certificate = sign(&issuer, &name::encode(&name::parse(subject)?), &signer, &own, &extensions, now)?;
            Ok(Paper { certificate, key })
        };
        let server = issue("CN=server,O=Example", &format!("dns:{HOST}"), SERVER_AUTH).map_err(text)?;
        let client = issue("CN=alice,O=Example", "upn:alice@example.org", CLIENT_AUTH).map_err(text)?;
        let written = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text)
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)))
                .map_err(|e| e.to_string())
        };
        let encode = |one: &Certificate| pem::encode(pem::CERTIFICATE, one.der());
        let key = pem::encode_key(&server.key);
        written("root.pem", &encode(&root))?;
        written("server.pem", &encode(&server.certificate))?;
        written("server.key", key.expose())?;
        written("both.pem", &(encode(&server.certificate) + key.expose()))?;
        Ok(Self { root, client })
    }
}

fn sign(
    issuer: &[u8],
    subject: &[u8],
    signer: &SoftwareSigner,
    own: &SoftwareSigner,
    extensions: &[Extension],
    now: Timestamp,
) -> Result<Certificate, PkiError> {
    let mut octets: [u8; 16] = random()?;
    if let Some(first) = octets.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    let serial = SerialNumber::from_magnitude(&octets).ok_or_else(|| PkiError::Text("no serial number".into()))?;
    let algorithm = SignatureAlgorithm::natural(signer.public_key().kind);
    let begin = now - Span::from_secs(3600);
    let tbs = TbsCertificate {
        serial: &serial,
        algorithm,
        issuer,
        not_before: begin,
        not_after: begin + LIFE,
        subject,
        spki: &own.public_key().spki,
        extensions,
    }
    .encode();
    Certificate::decode(&assemble(&tbs, algorithm, &signer.sign(algorithm, &tbs)?))
}
