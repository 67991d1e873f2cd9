//! Messages as clients write them that cannot run in a test: their encodings, algorithms, names of transactions and HTTP requests.
//!
//! Written from published sources and captures, by the facts alone. The octets are made at the time of the test, so that the server under
//! test can open them; `crates/enroll/testdata/scep` holds one of each that was made in the same way.

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::{client::Client, usage::KeyUsage};
use lanyard_pki::{
    crypto::{
        cipher::ContentCipher,
        digest::{digest_with, sha1},
    },
    extension::{Extension, encode_authority_key_identifier, encode_key_usage},
    oids,
    signature::Digest,
    spki, write,
};

use super::{
    device::{Device, random_text},
    endpoint::Endpoint,
    envelope::Envelope,
    odd_signer::{OddSigner, generalized, utc},
};
use crate::keys::Key;

/// Clients whose habits are written here.
pub const CLIENTS: [Client; 7] =
    [Client::Apple, Client::Certmonger, Client::Cisco, Client::Java, Client::Mikrotik, Client::Sscep, Client::Windows];

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Wire {
    /// The pkiMessage.
    pub message: Vec<u8>,
    /// The whole HTTP request.
    pub http: Vec<u8>,
}

/// User-Agent of a client that sends one.
#[must_use]
pub const fn user_agent(client: Client) -> Option<&'static str> {
    match client {
        Client::Apple => Some("mdmclient/1.0 CFNetwork/1410.0.3 Darwin/22.6.0"),
        Client::Cisco => Some("Mozilla/4.0 (compatible; MSIE 5.0; Cisco PKI)"),
        Client::Java => Some("Java/1.8.0_292"),
        Client::Mikrotik => Some("Mikrotik/6.x SCEP"),
        Client::Windows => Some("Mozilla/4.0 (compatible; Win32; NDES client)"),
        _ => None,
    }
}

/// `message` of GetCACert, as it stands in the query.
#[must_use]
pub const fn identifier(client: Client) -> Option<&'static str> {
    match client {
        Client::Apple => Some("SCEP%20Authority"),
        Client::Certmonger => Some("0"),
        Client::Cisco => Some("LAB-CA"),
        Client::Java => Some("ca"),
        Client::Sscep | Client::Windows => Some("default"),
        _ => None,
    }
}

fn upper_hex(octets: &[u8]) -> String {
    lanyard_model::text::hex(octets).to_uppercase()
}

/// A large number in decimal.
fn decimal(octets: &[u8]) -> String {
    let mut digits = vec![0u8];
    for octet in octets {
        let mut carry = u32::from(*octet);
        for digit in &mut digits {
            carry += u32::from(*digit) * 256;
            *digit = u8::try_from(carry % 10).unwrap();
            carry /= 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap());
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

/// transactionID as a client derives it from a key.
///
/// # Panics
/// When the key is not RSA.
#[must_use]
pub fn transaction(client: Client, key: &Key) -> String {
    let spki = &key.public().spki;
    match client {
        // Of the PKCS#1 key, not of the SubjectPublicKeyInfo.
        Client::Apple => upper_hex(&sha1(spki::subject_public_key(spki).unwrap())),
        Client::Certmonger => decimal(&digest_with(Digest::Sha256, spki)),
        // They take MD5, which is nowhere in Lanyard: any 16 octets have its form.
        Client::Cisco | Client::Sscep => upper_hex(&sha1(spki)[..16]),
        Client::Java => lanyard_model::text::hex(&sha1(spki)),
        Client::Windows => format!("{{{}}}", random_text().to_uppercase()),
        _ => random_text(),
    }
}

/// The signer certificate of a first enrolment.
///
/// # Panics
/// When the subject is no name.
#[must_use]
pub fn signer(client: Client, key: &Key, subject: &str) -> lanyard_pki::certificate::Certificate {
    let usages = [KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment].into_iter().collect();
    let usage = Extension::critical(oids::KEY_USAGE, encode_key_usage(&usages));
    let plain = OddSigner::new(subject);
    match client {
        Client::Apple => {
            OddSigner { subject: "CN=6F1C7C4E-62C4-4C8B-9B7B-2A2E0C1F4D11".into(), extensions: vec![usage], ..plain }
        }
        Client::Certmonger => OddSigner {
            version: Some(0),
            // The hash of the key as a number, which may be of 33 octets.
            serial: [&[0u8][..], &[0xd1; 32]].concat(),
            validity: [generalized("20260101000000Z"), generalized("21260101000000Z")],
            ..plain
        },
        Client::Windows => {
            let identifier = spki::key_identifier(&key.public().spki).unwrap();
            let critical = Extension::critical(oids::AUTHORITY_KEY_IDENTIFIER, encode_authority_key_identifier(&identifier));
            OddSigner { serial: vec![0x5a; 16], extensions: vec![usage, critical], ..plain }
        }
        Client::Cisco => OddSigner { version: None, validity: [utc("260101000000Z"), utc("360101000000Z")], ..plain },
        _ => plain,
    }
    .sign(key)
}

/// How a client enrols: transaction, signer, algorithms. `old` says whether it is an old version of it, which knows 3DES or DES. (SHA-1,
/// which they sign with, is never made here: scepclient does it in the tests of real clients.)
#[must_use]
pub fn device(client: Client, device: Device, old: bool) -> (Device, Digest, ContentCipher) {
    let subject = device.info.subject.to_string();
    let device = Device {
        transaction: transaction(client, device.key),
        signer: signer(client, device.key, &subject),
        signer_key: device.key,
        ..device
    };
    let (digest, cipher) = match (client, old) {
        // Captured against NDES.
        (Client::Apple, true) => (Digest::Sha512, ContentCipher::TripleDes),
        (Client::Cisco, true) => (Digest::Sha256, ContentCipher::Des),
        (_, true) => (Digest::Sha256, ContentCipher::TripleDes),
        (Client::Certmonger | Client::Windows, false) => (Digest::Sha256, ContentCipher::Aes256),
        (Client::Java | Client::Sscep, false) => (Digest::Sha512, ContentCipher::Aes128),
        (_, false) => (Digest::Sha256, ContentCipher::Aes128),
    };
    (device, digest, cipher)
}

/// The pkiMessage of a client around this content.
#[must_use]
pub fn message(
    client: Client,
    asking: &Device,
    plain: &[u8],
    digest: Digest,
    cipher: ContentCipher,
    endpoint: &Endpoint,
) -> Vec<u8> {
    let mut envelope = match client {
        // The default of its CryptEncryptMessage: OAEP with SHA-1, parameters absent.
        Client::Windows => {
            let algorithm = write::sequence(&[write::oid(oids::RSAES_OAEP), write::sequence::<Vec<u8>>(&[])]);
            Envelope::seal_oaep(plain, &endpoint.ra, Digest::Sha1, algorithm)
        }
        _ => Envelope::seal_with(plain, &endpoint.ra, cipher),
    };
    envelope.ber = client == Client::Apple;
    let mut draft = asking.draft_of(Some(envelope.encode()));
    draft.digest = digest;
    draft.ber = client == Client::Apple;
    draft.sign()
}

/// The HTTP request of a client for a message.
#[must_use]
pub fn http(client: Client, message: &[u8], path: &str) -> Vec<u8> {
    let text = STANDARD.encode(message);
    let lines = || -> Vec<&str> { text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect() };
    let agent = user_agent(client).map(|agent| format!("User-Agent: {agent}\r\n")).unwrap_or_default();
    let get = |query: String, version: &str, host: &str| {
        format!("GET {path}?operation=PKIOperation&message={query} HTTP/{version}\r\n{host}{agent}Connection: close\r\n\r\n")
            .into_bytes()
    };
    let post = |path: &str, fields: &str| {
        let length = message.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: ca\r\n{agent}{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), message].concat()
    };
    match client {
        Client::Apple => get(text.replace('=', "%3D"), "1.1", "Host: ca\r\n"),
        Client::Certmonger => get(text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"), "1.1", "Host: ca\r\n"),
        Client::Cisco => get(lines().iter().map(|line| format!("{}%0A", line.replace('+', "%2B"))).collect(), "1.0", ""),
        Client::Java => get(text, "1.1", "Host: ca\r\n"),
        Client::Sscep => {
            let escaped = |line: &&str| line.replace('+', "%2B").replace('-', "%2D").replace('=', "%3D");
            get(lines().iter().map(escaped).collect::<Vec<_>>().join("%0A"), "1.1", "Host: ca\r\n")
        }
        Client::Windows => post(
            "/certsrv/mscep/mscep.dll/pkiclient.exe?operation=PKIOperation",
            "Content-Type: application/x-pki-message\r\nAccept: application/x-pki-message\r\n",
        ),
        _ => post(&format!("{path}?operation=PKIOperation"), "Content-Type: application/octet-stream\r\n"),
    }
}

/// A whole first enrolment of a client, on its way.
#[must_use]
pub fn enrolment(client: Client, asking: Device, endpoint: &Endpoint, old: bool) -> (Device, Wire) {
    let (asking, digest, cipher) = device(client, asking, old);
    let message = message(client, &asking, &asking.csr(), digest, cipher, endpoint);
    let http = http(client, &message, &endpoint.path);
    (asking, Wire { message, http })
}
