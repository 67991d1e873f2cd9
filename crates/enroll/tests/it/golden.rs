//! Captures of real clients (`testdata/scep/README.md`).

use lanyard_enroll::scep::{
    accommodation::Accommodation,
    attributes::MessageType,
    error::ScepError,
    query::{self, Operation},
    recognise::{Evidence, recognise},
    request::decode,
};
use lanyard_model::client::Client;
use lanyard_pki::{crypto::cipher::ContentCipher, signature::Digest};

const SCEPCLIENT_PKCSREQ: &[u8] = include_bytes!("../../testdata/scep/scepclient-2.1.0/pkcsreq.der");
const SCEPCLIENT_RENEWALREQ: &[u8] = include_bytes!("../../testdata/scep/scepclient-2.1.0/renewalreq.der");
const CERTMONGER_PKCSREQ: &str = include_str!("../../testdata/scep/certmonger-0.79.17/pkcsreq.query");
const CERTMONGER_RENEWAL: &str = include_str!("../../testdata/scep/certmonger-0.79.17/renewal-with-new-key.query");

fn from_query(message: &str) -> Vec<u8> {
    match query::decode(&format!("operation=PKIOperation&message={message}"), false).map(|q| q.operation) {
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

/// Written messages (`testdata/scep/README.md`): the whole HTTP request, and what is in it.
struct Written {
    http: &'static [u8],
    message: &'static [u8],
    digest: Digest,
    cipher: ContentCipher,
    signs: &'static [Accommodation],
}

macro_rules! written {
    ($folder:literal, $digest:ident, $cipher:ident, $signs:expr) => {
        Written {
            http: include_bytes!(concat!("../../testdata/scep/", $folder, "-written/pkcsreq.http")),
            message: include_bytes!(concat!("../../testdata/scep/", $folder, "-written/pkcsreq.der")),
            digest: Digest::$digest,
            cipher: ContentCipher::$cipher,
            signs: $signs,
        }
    };
}

#[test]
fn clients_that_cannot_run_here_are_read_and_recognised() {
    use Accommodation::{Ber, LinesInQuery, RawBase64, SignerCriticalAki, SignerLife, SignerSerial, SignerTime, SignerVersion1};
    let table = [
        (Client::Apple, written!("apple", Sha256, Aes128, &[RawBase64, Ber])),
        (Client::Certmonger, written!("certmonger", Sha256, Aes256, &[SignerVersion1, SignerSerial, SignerTime, SignerLife])),
        (Client::Cisco, written!("cisco", Sha256, Aes128, &[LinesInQuery, RawBase64])),
        (Client::Java, written!("java", Sha512, Aes128, &[RawBase64])),
        (Client::Mikrotik, written!("mikrotik", Sha256, Aes128, &[])),
        (Client::Sscep, written!("sscep", Sha512, Aes128, &[LinesInQuery, RawBase64])),
        (Client::Windows, written!("windows", Sha256, Aes128, &[SignerCriticalAki])),
    ];
    for (client, written) in table {
        let (head, body) = written.http.split_at(written.http.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4);
        let head = std::str::from_utf8(head).unwrap();
        let (method, target) = head.split_once(' ').map(|(method, rest)| (method, rest.split(' ').next().unwrap())).unwrap();
        let query = query::decode(target.split_once('?').unwrap().1, method == "POST").unwrap();
        let message = match query.operation {
            Operation::PkiOperation(Some(message)) => message,
            _ => body.to_vec(),
        };
        assert_eq!(message, written.message, "{client}: however it is spelt");
        let received = decode(&message, false);
        let read = received.message.unwrap();
        assert_eq!((read.message_type, read.reply_to.digest), (MessageType::PkcsReq, written.digest), "{client}");
        assert_eq!(read.reply_to.nonce.len(), 16);
        assert!(read.signer.is_self_issued());
        assert_eq!(read.envelope(false).unwrap().cipher(), written.cipher, "{client}");
        let noted: Vec<Accommodation> = query.accommodations.iter().chain(&received.accommodations).copied().collect();
        assert_eq!(noted, written.signs, "{client}");
        let agent = head.lines().find_map(|line| line.strip_prefix("User-Agent: "));
        let transaction = Some(read.reply_to.transaction.as_str());
        let evidence = Evidence { user_agent: agent, identifier: None, transaction, accommodations: &noted };
        assert_eq!(recognise(&evidence).map(|r| r.client), Some(client));
    }
}
