//! Files of certificates and keys, told apart by what is in them and not by their names: certificates and PKCS#7 in DER or PEM, keys in
//! PKCS#8, PKCS#1 and SEC1, encrypted or not, PKCS#12; and any of it in bare base64.

use base64::{Engine as _, alphabet, engine::general_purpose as base64_engine};
use lanyard_model::secret::{SecretBytes, SecretText};

use crate::{
    ber,
    certificate::Certificate,
    cms::signed::SignedData,
    error::PkiError,
    pkcs12::{
        MAX_ITERATIONS, MAX_SIZE, Pkcs12, PrivateKey,
        pbe::{Password, open_private_key},
    },
    private_key::{self, Form},
    tlv::{Reader, tag},
};

/// Most certificates and keys in one file.
pub const MAX_ENTRIES: usize = 64;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One certificate, DER (`.cer`, `.crt`).
    Certificate,
    /// PKCS#7 with certificates (`.p7b`, `.p7c`).
    Pkcs7,
    /// PKCS#12 (`.pfx`, `.p12`).
    Pkcs12,
    /// A private key alone, DER.
    Key,
    /// PEM blocks.
    Pem,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Certificate => "certificate",
            Self::Pkcs7 => "PKCS#7",
            Self::Pkcs12 => "PKCS#12",
            Self::Key => "private key",
            Self::Pem => "PEM",
        })
    }
}

/// What a file holds.
#[derive(Debug)]
pub struct Bundle {
    /// What kind of file it is.
    pub format: Format,
    /// Certificates, in the order of the file, each once.
    pub certificates: Vec<Certificate>,
    /// Private keys.
    pub keys: Vec<PrivateKey>,
}

/// A file that was looked into.
#[derive(Debug)]
pub enum Opened {
    /// This is in it.
    Bundle(Bundle),
    /// Something in it is encrypted, and the passphrase, if one was given, does not open it.
    Locked(Format),
}

/// The work on a file.
struct Opener {
    password: Option<(Password, SecretText)>,
    rounds: u32,
    certificates: Vec<Certificate>,
    keys: Vec<PrivateKey>,
}

/// Looks into a file. Without a passphrase, a PKCS#12 file is tried with an empty one.
///
/// # Errors
/// [`PkiError::Text`] when nothing known is in it; [`PkiError::Limit`], [`PkiError::Malformed`], [`PkiError::Unsupported`].
pub fn open(octets: &[u8], passphrase: Option<&SecretText>) -> Result<Opened, PkiError> {
    if octets.len() > MAX_SIZE {
        return Err(PkiError::Limit { what: "size of a file of certificates", limit: MAX_SIZE });
    }
    let password = passphrase.map(|text| (Password::new(text), SecretText::new(text.expose().to_owned())));
    let opener = Opener { password, rounds: MAX_ITERATIONS, certificates: Vec::new(), keys: Vec::new() };
    let format = match kind_of(octets) {
        Some(format) => format,
        None => {
            let unknown = || PkiError::Text("neither a certificate nor a key nor a file of such (PKCS#7, PKCS#12, PEM)".into());
            let der = bare_base64(octets).ok_or_else(unknown)?;
            let format = kind_of(&der).filter(|format| *format != Format::Pem).ok_or_else(unknown)?;
            return opener.run(format, &der);
        }
    };
    opener.run(format, octets)
}

fn kind_of(octets: &[u8]) -> Option<Format> {
    if octets.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes()) {
        return Some(Format::Pem);
    }
    // Enough for what follows, and cheap on hostile files: the outer elements only.
    let der = ber::normalise(octets).ok()?;
    if Form::of(&der).is_some_and(|form| form != Form::Pkcs8 || !is_pfx(&der)) {
        return Some(Format::Key);
    }
    let reader = Reader::sequence_of(&der, "file").ok()?;
    match reader.peek()? {
        tag::OID => Some(Format::Pkcs7),
        tag::INTEGER => Some(Format::Pkcs12),
        tag::SEQUENCE => Some(Format::Certificate),
        _ => None,
    }
}

/// Both begin with a number and a SEQUENCE: that of a PKCS#12 file is a ContentInfo, whose second element is tagged.
fn is_pfx(der: &[u8]) -> bool {
    let inner = || {
        let mut reader = Reader::sequence_of(der, "file").ok()?;
        let version = reader.small().ok()?;
        let mut info = reader.sequence().ok()?;
        info.oid().ok()?;
        Some(version == 3 && info.peek()? == tag::context(0))
    };
    inner().unwrap_or(false)
}

fn bare_base64(octets: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = octets.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    base64_engine::STANDARD.decode(text).ok().filter(|der| !der.is_empty())
}

const BEGIN: &str = "-----BEGIN ";

impl Opener {
    fn run(mut self, format: Format, octets: &[u8]) -> Result<Opened, PkiError> {
        let read = match format {
            Format::Pem => self.pem(&String::from_utf8_lossy(octets)),
            Format::Certificate => self.certificate(octets),
            Format::Pkcs7 => self.pkcs7(octets),
            Format::Pkcs12 => self.pkcs12(octets),
            Format::Key => self.key(SecretBytes::new(ber::normalise(octets)?)),
        };
        match read {
            Ok(()) => {}
            Err(PkiError::Decrypt) => return Ok(Opened::Locked(format)),
            Err(error) => return Err(error),
        }
        if self.certificates.is_empty() && self.keys.is_empty() {
            return Err(PkiError::Text("there is neither a certificate nor a key in the file".into()));
        }
        Ok(Opened::Bundle(Bundle { format, certificates: self.certificates, keys: self.keys }))
    }

    fn limit(&self) -> Result<(), PkiError> {
        let entries = self.certificates.len() + self.keys.len();
        if entries > MAX_ENTRIES {
            return Err(PkiError::Limit { what: "certificates and keys in one file", limit: MAX_ENTRIES });
        }
        Ok(())
    }

    fn add(&mut self, certificate: Certificate) -> Result<(), PkiError> {
        if !self.certificates.iter().any(|known| known.der() == certificate.der()) {
            self.certificates.push(certificate);
        }
        self.limit()
    }

    fn certificate(&mut self, octets: &[u8]) -> Result<(), PkiError> {
        self.add(Certificate::decode(octets)?)
    }

    fn pkcs7(&mut self, octets: &[u8]) -> Result<(), PkiError> {
        // Signatures over a list of certificates mean nothing: each is judged by its own.
        SignedData::decode_certificates(octets, MAX_ENTRIES)?.into_iter().try_for_each(|certificate| self.add(certificate))
    }

    fn pkcs12(&mut self, octets: &[u8]) -> Result<(), PkiError> {
        let empty = SecretText::new(String::new());
        let found = Pkcs12::decode(octets, self.password.as_ref().map_or(&empty, |(_, text)| text))?;
        self.keys.extend(found.keys);
        found.certificates.into_iter().try_for_each(|certificate| self.add(certificate))
    }

    fn key(&mut self, der: SecretBytes) -> Result<(), PkiError> {
        let form = Form::of(der.expose()).ok_or(PkiError::Malformed { what: "private key", at: 0 })?;
        let (form, der) = match form {
            Form::Encrypted => (Form::Pkcs8, self.decrypted(der.expose())?),
            plain => (plain, der),
        };
        self.keys.push(PrivateKey { pkcs8: private_key::to_pkcs8(form, der)?, name: None });
        self.limit()
    }

    fn decrypted(&mut self, der: &[u8]) -> Result<SecretBytes, PkiError> {
        let (password, _) = self.password.as_ref().ok_or(PkiError::Decrypt)?;
        let (key, cost) = open_private_key(der, password, self.rounds)?;
        self.rounds = self.rounds.saturating_sub(cost);
        Ok(key)
    }

    fn pem(&mut self, text: &str) -> Result<(), PkiError> {
        let mut rest = text;
        while let Some((_, block)) = rest.split_once(BEGIN) {
            let malformed = || PkiError::Text("a PEM block is not complete".into());
            let (label, body) = block.split_once("-----").ok_or_else(malformed)?;
            let (body, after) = body.split_once(&format!("-----END {label}-----")).ok_or_else(malformed)?;
            rest = after;
            self.block(label, body)?;
        }
        Ok(())
    }

    fn block(&mut self, label: &str, body: &str) -> Result<(), PkiError> {
        let (headers, base64) =
            match body.trim_start_matches(['\r', '\n']).split_once("\n\n").or_else(|| body.split_once("\r\n\r\n")) {
                Some((headers, base64)) if headers.contains(':') => (headers, base64),
                _ => ("", body),
            };
        let text: String = base64.split_ascii_whitespace().collect();
        let tolerant = base64_engine::GeneralPurpose::new(&alphabet::STANDARD, base64_engine::PAD);
        let octets = tolerant.decode(text).map_err(|_| PkiError::Text("a PEM block is not base64".into()))?;
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" => self.certificate(&octets),
            // OpenSSL's own form: the certificate, and behind it what it is trusted for, which is for the person to say here.
            "TRUSTED CERTIFICATE" => self.certificate(Reader::new(&octets, "trusted certificate").expect(tag::SEQUENCE)?.raw),
            "PKCS7" | "CMS" => self.pkcs7(&octets),
            "PKCS12" => self.pkcs12(&octets),
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
                let header = |name: &str| headers.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let octets = SecretBytes::new(octets);
                match header("DEK-Info:") {
                    None => self.key(octets),
                    Some(info) => {
                        let (password, _) = self.password.as_ref().ok_or(PkiError::Decrypt)?;
                        let plain = private_key::open_old_pem(info, octets.expose(), password.octets())?;
                        // A wrong passphrase that happens to leave good padding leaves nothing that is a key.
                        if Form::of(plain.expose()).is_none() { Err(PkiError::Decrypt) } else { self.key(plain) }
                    }
                }
            }
            // Parameters, requests and lists are no concern of whoever installs a certificate.
            _ => Ok(()),
        }
    }
}
