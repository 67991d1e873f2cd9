//! What our device puts up with from other people's servers.

use lanyard_enroll::scep::{
    attributes::{
        FAIL_INFO, FailInfo, MESSAGE_TYPE, MS_ERROR_CODE, MessageType, PKI_STATUS, RECIPIENT_NONCE, TRANSACTION_ID,
        octets_attribute, printable_attribute,
    },
    capabilities::Capabilities,
    client::{
        answer::{self, Answer, Expected},
        message::{Identity, Outgoing, request, self_signed},
        trust::{CaCertificates, check_floor},
    },
};
use lanyard_model::{
    serial::SerialNumber,
    time::Span,
    usage::{KeyUsage, KeyUsages},
};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    cms::{
        enveloped::{KeyTransport, seal},
        sign::{SignedAttribute, certificates_only, sign},
    },
    crypto::cipher::ContentCipher,
    extension::{Extension, encode_key_usage},
    key::Signer,
    name, oids,
    signature::{Digest, SignatureAlgorithm},
};

use crate::sample::{Key, NOW, Sample, certificate, sample};

/// A registration certificate with these usages alone.
fn registration(sample: &Sample, subject: &str, key: &Key, usage: KeyUsage) -> Certificate {
    let usages: KeyUsages = [usage].into();
    let algorithm = SignatureAlgorithm::natural(sample.ca_key.signer.public_key().kind);
    let tbs = TbsCertificate {
        serial: &SerialNumber::from_random(lanyard_pki::crypto::random::random().unwrap()),
        algorithm,
        issuer: &name::encode(&name::parse("CN=CA").unwrap()),
        not_before: NOW - Span::from_days(1),
        not_after: NOW + Span::from_days(100),
        subject: &name::encode(&name::parse(subject).unwrap()),
        spki: &key.signer.public_key().spki,
        extensions: &[Extension::critical(oids::KEY_USAGE, encode_key_usage(&usages))],
    }
    .encode();
    Certificate::decode(&assemble(&tbs, algorithm, &sample.ca_key.signer.sign(algorithm, &tbs).unwrap())).unwrap()
}

/// A request of ours and the certificate that signs it.
fn asked(sample: &Sample) -> (Outgoing, Certificate) {
    let subject = name::encode(&name::parse("CN=x").unwrap());
    let signer = self_signed(&subject, &sample.device.signer, NOW).unwrap();
    let identity = Identity { certificate: &signer, signer: &sample.device.signer };
    let csr = sample.csr("CN=x", "A");
    (request(MessageType::PkcsReq, &csr, "T-1", &identity, &sample.trusted()).unwrap(), signer)
}

fn read(sample: &Sample, message: &[u8], sent: &Outgoing, signer: &Certificate) -> Answer {
    let expected =
        Expected { sent, recipient: signer, decrypter: sample.device.decrypter(), spki: &sample.device.signer.public_key().spki };
    answer::decode(message, &expected, &sample.trusted(), NOW).unwrap()
}

/// The attributes that every answer must have, without the senderNonce, which not every server sends.
fn attributes(sent: &Outgoing, status: &str) -> Vec<SignedAttribute> {
    vec![
        printable_attribute(TRANSACTION_ID, &sent.transaction),
        printable_attribute(MESSAGE_TYPE, "3"),
        printable_attribute(PKI_STATUS, status),
        octets_attribute(RECIPIENT_NONCE, &sent.nonce),
    ]
}

#[test]
fn ndes_offers_two_registration_certificates_which_are_told_apart_by_usage() {
    let sample = sample();
    let signing = registration(sample, "CN=EA", &sample.device, KeyUsage::DigitalSignature);
    let encryption = registration(sample, "CN=CEP", &sample.registration_key, KeyUsage::KeyEncipherment);
    let (a, b, ca) = (signing.der(), encryption.der(), sample.ca.der());
    for order in [[a, b, ca], [b, a, ca], [ca, b, a], [ca, a, b]] {
        let believed = CaCertificates::decode(&certificates_only(&order), &sample.ca.fingerprint(), NOW).unwrap();
        assert_eq!((believed.signing.der(), believed.encryption.der()), (a, b));
    }
}

#[test]
fn ndes_refuses_without_certificates_with_one_zero_octet_and_an_hresult() {
    let sample = sample();
    let (sent, signer) = asked(sample);
    let mut with = attributes(&sent, "2");
    with.push(printable_attribute(FAIL_INFO, "2"));
    with.push(printable_attribute(MS_ERROR_CODE, "-2146875374"));
    let message = sign(Some(&[0]), with, Digest::Sha256, &sample.registration_key.signer, &sample.registration, &[]).unwrap();
    match read(sample, &message, &sent, &signer) {
        Answer::Refused { fail_info: FailInfo::BadRequest, text: None, hresult: Some(number) } => {
            assert_eq!(number, "-2146875374");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_is_found_by_its_key_wherever_it_stands_and_without_a_sender_nonce() {
    let sample = sample();
    let (sent, signer) = asked(sample);
    let issued = certificate("CN=x", &sample.device, "CN=CA", &sample.ca_key, false);
    let (own, ra, ca) = (issued.der(), sample.registration.der(), sample.ca.der());
    for bag in [vec![ca, ra, own], vec![ra, own, ca], vec![own]] {
        for (cipher, transport) in [
            (ContentCipher::Aes256, KeyTransport::Oaep(Digest::Sha256)),
            (ContentCipher::Aes128, KeyTransport::Oaep(Digest::Sha1)),
            (ContentCipher::Aes256, KeyTransport::Pkcs1),
        ] {
            let key = signer.public_key().unwrap();
            let envelope = seal(&certificates_only(&bag), &signer, &key, cipher, transport).unwrap();
            let by = &sample.registration_key.signer;
            let message =
                sign(Some(&envelope), attributes(&sent, "0"), Digest::Sha512, by, &sample.registration, &[&sample.registration])
                    .unwrap();
            match read(sample, &message, &sent, &signer) {
                Answer::Issued { certificate, .. } => assert_eq!(certificate.der(), own),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_server_without_capabilities_is_below_the_floor() {
    for body in [&b""[..], b"<html>404</html>", b"Internal Server Error", &[0xff; 2000]] {
        assert!(check_floor(Capabilities::decode(body)).is_err());
    }
    // Cisco IOS as a server: no POST, no AES.
    assert!(check_floor(Capabilities::decode(b"GetNextCACert\nRenewal\nSHA-256")).is_err());
    assert!(check_floor(Capabilities::decode(b"AES\r\nSHA-512\r\n")).is_ok());
}
