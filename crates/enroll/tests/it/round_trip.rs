//! Our device and our server understand each other, whatever the contents.

use lanyard_enroll::scep::{
    attributes::{FailInfo, MessageType},
    client::{
        answer::{self, Answer, Expected},
        message::{Identity, poll, request, self_signed},
    },
    reply::{CertRep, Replier, encode},
    request::{Mirror, PkiMessage, RegistrationKey, decode},
};
use lanyard_model::secret::SecretBytes;
use lanyard_pki::{cms::enveloped::KeyTransport, crypto::cipher::ContentCipher, key::Signer, name, signature::Digest};
use proptest::prelude::*;

use crate::sample::{NOW, Sample, certificate, sample};

fn registration(sample: &Sample) -> [RegistrationKey<'_>; 1] {
    [RegistrationKey { certificate: &sample.registration, decrypter: sample.registration_key.decrypter() }]
}

fn replier(sample: &Sample) -> Replier<'_> {
    Replier { certificate: &sample.registration, signer: &sample.registration_key.signer }
}

fn opened(message: &PkiMessage, sample: &Sample) -> (SecretBytes, Mirror) {
    let envelope = message.envelope(false).unwrap();
    message.open(&envelope, &registration(sample), &SecretBytes::new(vec![1; 32])).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rfc8894_3_3_1_a_request_arrives_as_it_was_sent(
        common_name in "[a-zA-Z0-9 äöü'()+,./:=?-]{0,20}x", transaction in "[a-zA-Z0-9+/=]{1,64}", challenge in "[A-Z2-7]{1,100}",
    ) {
        let sample = sample();
        let mut subject = name::parse("CN=x").unwrap();
        subject.0[0].value = common_name.trim().to_owned();
        let csr = sample.csr(&subject.to_string(), &challenge);
        let signer = self_signed(&name::encode(&subject), &sample.device.signer, NOW).unwrap();
        let identity = Identity { certificate: &signer, signer: &sample.device.signer };
        let sent = request(MessageType::PkcsReq, &csr, &transaction, &identity, &sample.trusted()).unwrap();
        let message = decode(&sent.message, false).message.unwrap();
        prop_assert_eq!(&message.reply_to.transaction, &transaction);
        prop_assert_eq!(&message.reply_to.nonce, &sent.nonce);
        let (plain, _) = opened(&message, sample);
        let read = message.certification_request(&plain, false, false).unwrap();
        prop_assert_eq!(&read.content.subject, &subject);
        let arrived = read.challenge.unwrap();
        prop_assert_eq!(arrived.expose(), challenge);
    }

    #[test]
    fn rfc8894_3_3_2_an_answer_mirrors_what_was_asked_with(cipher in 0usize..3, oaep in any::<bool>(), digest in 0usize..3) {
        let sample = sample();
        let csr = sample.csr("CN=x", "A");
        let signer = self_signed(&name::encode(&name::parse("CN=x").unwrap()), &sample.device.signer, NOW).unwrap();
        let identity = Identity { certificate: &signer, signer: &sample.device.signer };
        let sent = request(MessageType::PkcsReq, &csr, "T", &identity, &sample.trusted()).unwrap();
        let message = decode(&sent.message, false).message.unwrap();
        let issued = certificate("CN=x", &sample.device, "CN=CA", &sample.ca_key, false);
        let mut to = message.reply_to.clone();
        to.digest = [Digest::Sha256, Digest::Sha384, Digest::Sha512][digest];
        let mirror = Mirror {
            cipher: [ContentCipher::Aes128, ContentCipher::Aes192, ContentCipher::Aes256][cipher],
            transport: if oaep { KeyTransport::Oaep(Digest::Sha256) } else { KeyTransport::Pkcs1 },
        };
        let reply = CertRep::Success {
            certificates: &[issued.der(), sample.ca.der()],
            recipient: &message.signer,
            recipient_key: &message.signer_key,
            mirror,
        };
        let reply = encode(reply, &to, replier(sample)).unwrap();
        let expected = Expected {
            sent: &sent,
            recipient: &signer,
            decrypter: sample.device.decrypter(),
            spki: &sample.device.signer.public_key().spki,
        };
        match answer::decode(&reply, &expected, &sample.trusted(), NOW).unwrap() {
            Answer::Issued { certificate, chain } => {
                prop_assert_eq!(certificate.der(), issued.der());
                prop_assert_eq!(chain.len(), 1);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn rfc8894_3_3_3_polls_and_short_answers_come_through() {
    let sample = sample();
    let subject = name::encode(&name::parse("CN=x").unwrap());
    let signer = self_signed(&subject, &sample.device.signer, NOW).unwrap();
    let identity = Identity { certificate: &signer, signer: &sample.device.signer };
    let sent = poll(&subject, "T", &identity, &sample.trusted()).unwrap();
    let message = decode(&sent.message, false).message.unwrap();
    assert_eq!(message.message_type, MessageType::CertPoll);
    message.issuer_and_subject(&opened(&message, sample).0).unwrap();
    let expected = Expected { sent: &sent, recipient: &signer, decrypter: sample.device.decrypter(), spki: &[] };
    let pending = encode(CertRep::Pending, &message.reply_to, replier(sample)).unwrap();
    assert!(matches!(answer::decode(&pending, &expected, &sample.trusted(), NOW).unwrap(), Answer::Pending));
    for (fail_info, text) in [(FailInfo::BadAlg, true), (FailInfo::BadTime, false)] {
        let failure = encode(CertRep::Failure { fail_info, text }, &message.reply_to, replier(sample)).unwrap();
        match answer::decode(&failure, &expected, &sample.trusted(), NOW).unwrap() {
            Answer::Refused { fail_info: found, text: words, hresult: None } => {
                assert_eq!((found, words.is_some()), (fail_info, text));
            }
            other => panic!("{other:?}"),
        }
    }
}
