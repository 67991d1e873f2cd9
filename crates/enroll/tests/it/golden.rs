//! Captures of real clients (`testdata/scep/README.md`).

use lanyard_enroll::scep::{
    attributes::MessageType,
    error::ScepError,
    query::{self, Operation},
    request::decode,
};
use lanyard_pki::{crypto::cipher::ContentCipher, signature::Digest};

const SCEPCLIENT_PKCSREQ: &[u8] = include_bytes!("../../testdata/scep/scepclient-2.1.0/pkcsreq.der");
const SCEPCLIENT_RENEWALREQ: &[u8] = include_bytes!("../../testdata/scep/scepclient-2.1.0/renewalreq.der");
const CERTMONGER_PKCSREQ: &str = include_str!("../../testdata/scep/certmonger-0.79.17/pkcsreq.query");
const CERTMONGER_RENEWAL: &str = include_str!("../../testdata/scep/certmonger-0.79.17/renewal-with-new-key.query");

fn from_query(message: &str) -> Vec<u8> {
    match query::decode(&format!("operation=PKIOperation&message={message}"), false) {
        Ok(Operation::PkiOperation(Some(message))) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn scepclient_2_1_0_signs_with_sha1_and_encrypts_with_des() {
    for (capture, message_type, self_signed) in
        [(SCEPCLIENT_PKCSREQ, MessageType::PkcsReq, true), (SCEPCLIENT_RENEWALREQ, MessageType::RenewalReq, false)]
    {
        let message = decode(capture, true).message.unwrap();
        assert_eq!(message.message_type, message_type);
        assert_eq!(message.reply_to.digest, Digest::Sha1);
        assert!(message.reply_to.transaction.ends_with('='), "base64: {}", message.reply_to.transaction);
        assert_eq!(message.reply_to.nonce.len(), 16);
        assert_eq!(message.signer.is_self_issued(), self_signed);
        assert_eq!(message.envelope(true).unwrap().cipher(), ContentCipher::Des);
        assert!(matches!(message.envelope(false), Err(ScepError::Legacy("DES-CBC"))));
        let refused = decode(capture, false);
        assert!(refused.reply_to.is_some(), "a refusal can be addressed");
        assert!(matches!(refused.message, Err(ScepError::Legacy("SHA-1"))));
    }
}

#[test]
fn certmonger_0_79_17_sends_version_1_signers_and_decimal_transactions() {
    let message = decode(&from_query(CERTMONGER_PKCSREQ), false).message.unwrap();
    assert_eq!(message.message_type, MessageType::PkcsReq);
    assert_eq!(message.reply_to.digest, Digest::Sha256);
    assert!(message.reply_to.transaction.len() > 70 && message.reply_to.transaction.bytes().all(|b| b.is_ascii_digit()));
    assert!(message.signer.extensions().unwrap().is_empty());
    assert_eq!(message.envelope(false).unwrap().cipher(), ContentCipher::Aes256);

    let renewal = decode(&from_query(CERTMONGER_RENEWAL), false).message.unwrap();
    assert_eq!(renewal.message_type, MessageType::PkcsReq, "it never sends RenewalReq");
    assert!(!renewal.signer.is_self_issued());
    assert_ne!(renewal.reply_to.transaction, message.reply_to.transaction, "derived from the key");
}

#[test]
fn every_altered_octet_of_a_capture_is_noticed_or_harmless() {
    let capture = from_query(CERTMONGER_PKCSREQ);
    let original = decode(&capture, false).message.unwrap();
    for position in 0..capture.len() {
        let mut altered = capture.clone();
        altered[position] ^= 1;
        // What still verifies must say the same: the changed octet was in the unsigned frame.
        if let Ok(message) = decode(&altered, false).message {
            assert_eq!(message.reply_to.transaction, original.reply_to.transaction, "octet {position}");
            assert_eq!(message.reply_to.nonce, original.reply_to.nonce, "octet {position}");
            assert_eq!(message.signer_key, original.signer_key, "octet {position}");
        }
    }
}
