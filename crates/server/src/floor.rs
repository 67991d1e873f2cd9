//! The cryptography that a SCEP enrolment cannot do without, measured alone: what every figure of speed is compared with.

use std::time::Duration;

use lanyard_enroll::scep::{
    reply::{CertRep, Replier, encode},
    request::{RegistrationKey, decode},
};
use lanyard_model::{key::KeyKind, secret::SecretBytes};
use lanyard_pki::{
    crypto::software::{SoftwareSigner, generate},
    key::Signer,
    signature::SignatureAlgorithm,
};

use crate::{
    error::{ServerError, chain},
    state::Server,
};

/// CPU time of unwrapping, three verifications, the CA's signature, the envelope and the reply's signature, without anything that waits:
/// the mean of `rounds` on this thread. `message` is a first enrolment of the default profile, `device_key` its key.
///
/// # Errors
/// [`ServerError::Conflict`] when the message is no such enrolment.
pub fn scep(server: &Server, message: &[u8], device_key: &SecretBytes, rounds: u32) -> Result<Duration, ServerError> {
    let unfit = |e: &dyn std::error::Error| ServerError::Conflict(format!("the message cannot be measured: {}", chain(e)));
    let ring = server.keyring.get();
    let name = ring.issuing().clone();
    let registration = ring.registrations(&name).first();
    let registration =
        registration.ok_or_else(|| ServerError::NotFound { what: "registration certificate", name: name.to_string() })?;
    let ca_key = generate(KeyKind::EcP256).and_then(|key| SoftwareSigner::from_pkcs8(&key)).map_err(|e| unfit(&e))?;
    let device = SoftwareSigner::from_pkcs8(device_key).map_err(|e| unfit(&e))?;
    let keys = [RegistrationKey { certificate: &registration.certificate, decrypter: registration.decrypter.as_ref() }];
    let began = thread_cpu();
    for _ in 0..rounds {
        let received = decode(message, false).message.map_err(|e| unfit(&e))?;
        let envelope = received.envelope(false).map_err(|e| unfit(&e))?;
        let (plain, mirror) = received.open(&envelope, &keys, &server.rejection_secret).map_err(|e| unfit(&e))?;
        received.certification_request(&plain, false, false).map_err(|e| unfit(&e))?;
        let signature = ca_key.sign(SignatureAlgorithm::natural(KeyKind::EcP256), &[7; 700]).map_err(|e| unfit(&e))?;
        let certificates: [&[u8]; 1] = [&[signature, vec![0; 700]].concat()];
        let recipient_key = device.public_key();
        let reply = CertRep::Success { certificates: &certificates, recipient: &received.signer, recipient_key, mirror };
        let by = Replier { certificate: &registration.certificate, signer: registration.signer.as_ref() };
        encode(reply, &received.reply_to, by).map_err(|e| unfit(&e))?;
    }
    Ok((thread_cpu() - began) / rounds.max(1))
}

/// CPU time of this thread so far.
fn thread_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap_or_default()
}
