//! An authority that issues whatever a test wants.

use lanyard_model::{
    key::KeyKind,
    oid::Oid,
    san::SubjectAltName,
    serial::SerialNumber,
    time::{Span, Timestamp},
    usage::{CLIENT_AUTH, ExtendedKeyUsage},
};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    crl::{TbsCertList, encode as encode_crl},
    crypto::{digest::sha1, random::random},
    extension::{self, Extension},
    general_name,
    key::Signer,
    name, oids, pem,
    signature::SignatureAlgorithm,
    write,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::keys::Key;

/// A certificate with its key.
pub struct Identity {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: Key,
    /// What stands above it and is sent along.
    pub above: Vec<Certificate>,
}

impl Identity {
    /// Certificate and what stands above it, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        let all = std::iter::once(&self.certificate).chain(&self.above);
        all.map(|c| pem::encode(pem::CERTIFICATE, c.der())).collect()
    }

    /// For rustls.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        std::iter::once(&self.certificate).chain(&self.above).map(|c| CertificateDer::from(c.der().to_vec())).collect()
    }

    /// For rustls.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.pkcs8.expose().to_vec()))
    }
}

/// An authority.
pub struct Authority {
    /// Its certificate.
    pub certificate: Certificate,
    key: Key,
}

/// What a certificate is to be.
pub struct Wish {
    /// Subject.
    pub subject: String,
    /// Names, `upn:alice@corp.test`.
    pub names: Vec<String>,
    /// Purposes; none leaves the extension out.
    pub purposes: Vec<ExtendedKeyUsage>,
    /// First second of validity, from now.
    pub from: i64,
    /// Last second of validity, from now.
    pub until: i64,
    /// Serial number.
    pub serial: Option<Vec<u8>>,
    /// The security identifier in its extension.
    pub sid: Option<String>,
    /// Kind of key.
    pub key: KeyKind,
}

/// A client certificate for a day with these names.
#[must_use]
pub fn client(subject: &str, names: &[&str]) -> Wish {
    Wish {
        subject: format!("CN={subject},O=Example"),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        purposes: vec![CLIENT_AUTH],
        from: -3600,
        until: 86_400,
        serial: None,
        sid: None,
        key: KeyKind::EcP256,
    }
}

/// A server certificate for a day with these host names.
#[must_use]
pub fn server(names: &[&str]) -> Wish {
    let names: Vec<String> = names.iter().map(|n| format!("dns:{n}")).collect();
    Wish { names, purposes: vec![ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.1"))], ..client("server", &[]) }
}

fn now() -> Timestamp {
    lanyard_gateway::clock::Clock::default().now().truncated()
}

impl Authority {
    /// A root of this name.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn root(subject: &str) -> Self {
        let key = Key::generate(KeyKind::EcP256);
        let subject = name::encode(&name::parse(subject).unwrap());
        let certificate = sign(&subject, &subject, &key, &key, &ca_extensions(&key), (-86_400, 10 * 86_400), None);
        Self { certificate, key }
    }

    /// An authority below this one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn below(&self, subject: &str) -> Self {
        let key = Key::generate(KeyKind::EcP256);
        let subject = name::encode(&name::parse(subject).unwrap());
        let certificate =
            sign(self.certificate.subject_der(), &subject, &self.key, &key, &ca_extensions(&key), (-86_400, 9 * 86_400), None);
        Self { certificate, key }
    }

    /// Issues.
    ///
    /// # Panics
    /// When that cannot be.
    #[must_use]
    pub fn issue(&self, wish: &Wish) -> Identity {
        let key = Key::generate(wish.key);
        let mut extensions = vec![Extension::critical(oids::BASIC_CONSTRAINTS, extension::encode_basic_constraints(None))];
        if !wish.purposes.is_empty() {
            let purposes = wish.purposes.iter().copied().collect();
            extensions.push(Extension::plain(oids::EXTENDED_KEY_USAGE, extension::encode_extended_key_usage(&purposes)));
        }
        if !wish.names.is_empty() {
            let names: Vec<SubjectAltName> = wish.names.iter().map(|n| n.parse().unwrap()).collect();
            extensions.push(Extension::plain(oids::SUBJECT_ALT_NAME, general_name::encode(&names)));
        }
        if let Some(sid) = &wish.sid {
            let inner =
                [write::oid(Oid::new("1.3.6.1.4.1.311.25.2.1")), write::explicit(0, &write::octet_string(sid.as_bytes()))];
            let value = write::sequence(&[write::constructed(0xa0, &inner)]);
            extensions.push(Extension::plain(oids::MS_SID, value));
        }
        extensions.push(Extension::plain(oids::SUBJECT_KEY_IDENTIFIER, write::octet_string(&sha1(&key.public().spki))));
        let subject = name::encode(&name::parse(&wish.subject).unwrap());
        let serial = wish.serial.as_deref();
        let issuer = self.certificate.subject_der();
        let certificate = sign(issuer, &subject, &self.key, &key, &extensions, (wish.from, wish.until), serial);
        Identity { certificate, key, above: Vec::new() }
    }

    /// PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, self.certificate.der())
    }

    /// A CRL with these certificates that is fresh for so many seconds.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn crl(&self, revoked: &[&Identity], fresh: i64) -> Vec<u8> {
        use lanyard_model::{
            authority::CrlEntry,
            certificate::{Revocation, RevocationReason},
        };
        let revocation = Revocation { at: now(), reason: RevocationReason::KeyCompromise };
        let entries: Vec<CrlEntry> =
            revoked.iter().map(|i| CrlEntry { serial: i.certificate.serial().unwrap(), revocation }).collect();
        let list = TbsCertList {
            issuer: self.certificate.subject_der(),
            authority_key_identifier: &sha1(&self.key.public().spki),
            this_update: now() - Span::from_secs(86_400),
            next_update: now() + Span::from_secs(fresh),
            number: 1,
            entries: &entries,
        };
        encode_crl(&list, &self.key.signer).unwrap()
    }
}

fn ca_extensions(key: &Key) -> Vec<Extension> {
    vec![
        Extension::critical(oids::BASIC_CONSTRAINTS, extension::encode_basic_constraints(Some(None))),
        Extension::plain(oids::SUBJECT_KEY_IDENTIFIER, write::octet_string(&sha1(&key.public().spki))),
    ]
}

fn sign(
    issuer: &[u8],
    subject: &[u8],
    signer: &Key,
    key: &Key,
    extensions: &[Extension],
    (from, until): (i64, i64),
    serial: Option<&[u8]>,
) -> Certificate {
    let mut octets: [u8; 16] = random().unwrap();
    octets[0] = octets[0] & 0x7f | 0x40;
    let serial = SerialNumber::from_magnitude(serial.unwrap_or(&octets)).unwrap();
    let algorithm = SignatureAlgorithm::natural(signer.public().kind);
    let tbs = TbsCertificate {
        serial: &serial,
        algorithm,
        issuer,
        not_before: Timestamp::from_secs(now().secs() + from),
        not_after: Timestamp::from_secs(now().secs() + until),
        subject,
        spki: &key.public().spki,
        extensions,
    }
    .encode();
    let signature = signer.signer.sign(algorithm, &tbs).unwrap();
    Certificate::decode(&assemble(&tbs, algorithm, &signature)).unwrap()
}
