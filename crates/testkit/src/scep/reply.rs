//! An answer, verified and taken apart.

use lanyard_enroll::scep::attributes::{
    FAIL_INFO, FAIL_INFO_TEXT, MESSAGE_TYPE, PKI_STATUS, RECIPIENT_NONCE, SENDER_NONCE, TRANSACTION_ID,
};
use lanyard_model::{oid::Oid, secret::SecretBytes};
use lanyard_pki::{
    certificate::Certificate,
    cms::{
        enveloped::{EnvelopedData, KeyTransport},
        signed::SignedData,
    },
    crypto::cipher::ContentCipher,
    oids,
};

use super::device::Device;
use crate::http::Response;

/// A CertRep.
#[derive(Debug, Clone)]
pub struct CertRep {
    /// pkiStatus.
    pub status: String,
    /// failInfo.
    pub fail_info: Option<String>,
    /// failInfoText.
    pub fail_text: Option<String>,
    /// senderNonce.
    pub sender_nonce: Vec<u8>,
    /// Certificates in the order they came.
    pub certificates: Vec<Certificate>,
    /// CRLs in the order they came.
    pub crls: Vec<Vec<u8>>,
    /// Content encryption of the answer.
    pub cipher: Option<ContentCipher>,
    /// Key transport of the answer.
    pub transport: Option<KeyTransport>,
    /// What the server calls the request.
    pub request_id: String,
    /// All of it.
    pub octets: Vec<u8>,
}

impl CertRep {
    /// Reads the answer to a message of this device: status 200, exact media type, Content-Length, signed by the registration
    /// certificate, our transaction and nonce, an envelope if and only if it is a success.
    ///
    /// # Panics
    /// When any of that does not hold.
    #[must_use]
    pub fn read(response: &Response, ra: &Certificate, device: &Device) -> Self {
        let reply = Self::fetched(response, ra, device);
        if reply.status == "0" {
            assert_eq!(reply.certificates[0].spki_der(), device.key.public().spki, "the first certificate is ours");
        }
        reply
    }

    /// Reads the answer to a GetCert or GetCRL: the same, but for the key of the first certificate.
    ///
    /// # Panics
    /// When any of that does not hold.
    #[must_use]
    pub fn fetched(response: &Response, ra: &Certificate, device: &Device) -> Self {
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.field("content-type"), Some("application/x-pki-message"));
        assert_eq!(response.field("content-length"), Some(response.body.len().to_string().as_str()));
        assert_eq!(response.field("cache-control"), Some("no-store"));
        assert_eq!(response.field("transfer-encoding"), None);
        let signed = SignedData::decode(&response.body).expect("a CertRep");
        let [signer] = signed.signers.as_slice() else { panic!("not one signer") };
        assert!(signer.identifier.names(ra), "signed by another certificate than the one offered");
        assert!(signed.certificates.iter().any(|c| c.der() == ra.der()), "the registration certificate is missing");
        let content = signed.content.clone().unwrap_or_default();
        signer.verify(&ra.public_key().unwrap(), oids::DATA, &content).expect("the signature");
        let value = |oid: Oid| signer.attribute(oid, "attribute").unwrap().map(|(tag, octets)| (tag, octets.to_vec()));
        let text = |oid: Oid, expected: u8| {
            value(oid).map(|(tag, octets)| {
                assert_eq!(tag, expected, "string type of {oid}");
                String::from_utf8(octets).unwrap()
            })
        };
        assert_eq!(text(MESSAGE_TYPE, 0x13).as_deref(), Some("3"));
        assert_eq!(text(TRANSACTION_ID, 0x13).as_deref(), Some(device.transaction.as_str()));
        assert_eq!(value(RECIPIENT_NONCE), Some((4, device.nonce.clone())));
        let sender_nonce = value(SENDER_NONCE).expect("a senderNonce").1;
        assert_eq!(sender_nonce.len(), 16);
        let status = text(PKI_STATUS, 0x13).expect("a pkiStatus");
        let fail_info = text(FAIL_INFO, 0x13);
        assert_eq!(status == "2", fail_info.is_some(), "failInfo if and only if it failed");
        assert_eq!(status == "0", signed.content.is_some(), "an envelope if and only if it succeeded");
        let opened = if status == "0" { open(&content, device) } else { Opened::default() };
        Self {
            status,
            fail_info,
            fail_text: text(FAIL_INFO_TEXT, 0x0c),
            sender_nonce,
            certificates: opened.certificates,
            crls: opened.crls,
            cipher: opened.cipher,
            transport: opened.transport,
            request_id: response.field("lanyard-request-id").expect("a request id").to_owned(),
            octets: response.body.clone(),
        }
    }

    /// The certificate issued.
    ///
    /// # Panics
    /// When none was.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        assert_eq!(self.status, "0", "{:?} {:?}, request {}", self.fail_info, self.fail_text, self.request_id);
        &self.certificates[0]
    }

    /// Asserts that a certificate was issued.
    ///
    /// # Panics
    /// When none was.
    #[track_caller]
    pub fn assert_issued(&self) {
        assert_eq!(self.status, "0", "{:?} {:?}, request {}", self.fail_info, self.fail_text, self.request_id);
    }

    /// Serial number of the certificate issued.
    ///
    /// # Panics
    /// When none was.
    #[must_use]
    pub fn serial(&self) -> String {
        self.certificate().serial().unwrap().to_string()
    }

    /// Asserts that it is a refusal with this failInfo.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn assert_refused(&self, fail_info: &str) {
        assert_eq!((self.status.as_str(), self.fail_info.as_deref()), ("2", Some(fail_info)), "request {}", self.request_id);
    }
}

#[derive(Default)]
struct Opened {
    certificates: Vec<Certificate>,
    crls: Vec<Vec<u8>>,
    cipher: Option<ContentCipher>,
    transport: Option<KeyTransport>,
}

fn open(content: &[u8], device: &Device) -> Opened {
    let envelope = EnvelopedData::decode(content).expect("an envelope");
    let recipient = envelope.recipient(&device.signer).expect("encrypted to our signer certificate");
    let plain = envelope.open(recipient, device.signer_key.decrypter(), &SecretBytes::new(vec![0; 32])).expect("decrypts");
    let bag = SignedData::decode(plain.expose()).expect("certs-only");
    assert!(bag.signers.is_empty() && bag.content.is_none(), "certs-only has neither signers nor content");
    Opened { certificates: bag.certificates, crls: bag.crls, cipher: Some(envelope.cipher), transport: recipient.transport }
}
