//! Sending by mail: an invitation, a certificate, or a file with a key. Where the mail server does not take what is attached, a link goes
//! instead. A passphrase never goes by mail at all.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::{CertificateRecord, RevocationReason},
    id::{DeviceId, UserName},
    serial::SerialNumber,
};
use lanyard_pki::{certificate::Certificate, cms::sign::certificates_only, pem};
use lanyard_ra::order::ChallengeOrder;
use serde::{Deserialize, Serialize};

use super::{
    invite::{self, Gift, Invitation},
    pfx::MadeHere,
    revoke, subjects,
};
use crate::{
    error::ServerError,
    mail::{
        MailError, Mailer,
        letter::{Attachment, Letter},
    },
    state::Server,
};

/// In what form a certificate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// DER.
    Cer,
    /// Text.
    Pem,
    /// PKCS#7 with the certificates above.
    P7b,
}

/// How something went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// To which address.
    pub to: String,
    /// Whether a link went instead of the file.
    pub as_link: bool,
}

impl Form {
    /// The file: name, media type and octets.
    #[must_use]
    pub fn file(self, server: &Server, record: &CertificateRecord, der: &[u8]) -> Attachment {
        let (ending, media_type, octets) = match self {
            Self::Cer => ("cer", "application/x-x509-user-cert", der.to_vec()),
            Self::Pem => ("pem", "application/x-pem-file", pem::encode(pem::CERTIFICATE, der).into_bytes()),
            Self::P7b => {
                let ring = server.keyring.get();
                let mut all = vec![der];
                all.extend(ring.chain(&record.issuer).into_iter().map(Certificate::der));
                ("p7b", "application/x-pkcs7-certificates", certificates_only(&all))
            }
        };
        Attachment { name: format!("certificate.{ending}"), media_type, octets }
    }
}

fn mailer(server: &Server) -> Result<&Mailer, ServerError> {
    server.mail.as_ref().ok_or_else(|| ServerError::Conflict("mail is not configured: add [mail] to lanyard.toml".into()))
}

async fn address(server: &Server, user: &UserName) -> Result<String, ServerError> {
    let known = subjects::user(server, user).await?;
    let known = known.ok_or_else(|| ServerError::NotFound { what: "user", name: user.to_string() })?;
    known.record.email.ok_or_else(|| ServerError::Invalid(format!("the user {user} has no e-mail address on record")))
}

async fn hand_over(server: &Server, letter: Letter, what: String, by: &str) -> Result<(), MailError> {
    let to = letter.to.clone();
    let mailer = server.mail.as_ref().ok_or_else(|| MailError::Unreachable("mail is not configured".into()))?;
    mailer.send(letter).await?;
    let audit = AuditEvent {
        object: Some(lanyard_model::text::printable(&to)),
        detail: Some(what),
        ..server.event(AuditKind::MailSent, by)
    };
    if let Err(error) = server.store.append_audit(audit).await {
        tracing::error!(%error, "a mail cannot be audited");
    }
    Ok(())
}

fn failed(error: MailError) -> ServerError {
    match error {
        MailError::Letter(problem) => ServerError::Invalid(problem),
        MailError::Refused(problem) => ServerError::Mail(format!("the mail server refuses it: {problem}")),
        MailError::Unreachable(problem) => ServerError::Mail(problem),
    }
}

/// Sends the link of an invitation.
///
/// # Errors
/// [`ServerError::Mail`], [`ServerError::Invalid`] without an address, [`ServerError::Conflict`] without `[mail]`.
pub async fn invitation(server: &Server, invitation: &Invitation, link: &str, by: &str) -> Result<Sent, ServerError> {
    mailer(server)?;
    let to = address(server, &invitation.user).await?;
    let organization = &server.config.organization;
    let what = match &invitation.gift {
        Gift::Identity { .. } => {
            "a certificate for your device, with its key in a file. The passphrase is shown on the page and nowhere else"
        }
        Gift::Certificate { .. } => "a certificate",
    };
    let sign_in = if invitation.sign_in { " You have to sign in there." } else { "" };
    let text = format!(
        "Hello {},\n\n{organization} has {what}.\n\nOpen this address on the device that it is for:\n\n{link}\n\nIt works once, until {}.{sign_in}\n\
         If you did not expect this mail, tell your help desk and do not open the address.\n",
        invitation.user, invitation.until
    );
    let subject = format!("Your certificate from {organization}");
    let letter = Letter { to: to.clone(), subject, text, attachments: Vec::new() };
    hand_over(server, letter, "a link".into(), by).await.map_err(failed)?;
    Ok(Sent { to, as_link: true })
}

/// Sends a certificate to the user it is of, or to another address.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Mail`], [`ServerError::Invalid`] without an address, [`ServerError::Conflict`] without `[mail]`.
pub async fn certificate(
    server: &Server,
    serial: &SerialNumber,
    form: Form,
    (to, link): (Option<String>, bool),
    by: &str,
) -> Result<Sent, ServerError> {
    mailer(server)?;
    let record = revoke::find(server, serial).await?;
    let der = record.der.clone().ok_or_else(|| ServerError::Conflict("the certificate was never signed".into()))?;
    let to = match (to, &record.user) {
        (Some(to), _) => to,
        (None, Some(user)) => address(server, user).await?,
        (None, None) => return Err(ServerError::Invalid("the certificate is of no user; say to whom it goes".into())),
    };
    if !link {
        let organization = &server.config.organization;
        let letter = Letter {
            to: to.clone(),
            subject: format!("Certificate of {}", record.subject),
            text: format!(
                "Hello,\n\nattached is a certificate from {organization}:\n\n{}\nuntil {}\n",
                record.subject, record.not_after
            ),
            attachments: vec![form.file(server, &record, &der)],
        };
        match hand_over(server, letter, format!("certificate {serial}"), by).await {
            Ok(()) => return Ok(Sent { to, as_link: false }),
            Err(MailError::Refused(why)) => {
                tracing::warn!(%serial, why, "the mail server does not take the file; a link goes instead")
            }
            Err(error) => return Err(failed(error)),
        }
    }
    let user =
        record.user.clone().ok_or_else(|| ServerError::Invalid("links are for users; the certificate is of none".into()))?;
    let made = Invitation::new(server, user, Gift::Certificate { serial: serial.clone(), form }, None, false, by)?;
    let address = made.link(server)?;
    invite::keep(server, &made).await?;
    let letter = Letter {
        to: to.clone(),
        subject: format!("Certificate of {}", record.subject),
        text: format!(
            "Hello,\n\nthere is a certificate for you. Open this address; it works once, until {}:\n\n{address}\n",
            made.until
        ),
        attachments: Vec::new(),
    };
    hand_over(server, letter, format!("a link to certificate {serial}"), by).await.map_err(failed)?;
    Ok(Sent { to, as_link: true })
}

/// Sends a file with a key. Its passphrase has to go another way. Where the mail server does not take it, the certificate is revoked, because
/// the key is lost with the file, and an invitation goes instead.
///
/// # Errors
/// [`ServerError::Mail`], [`ServerError::Invalid`] without an address, [`ServerError::Conflict`] without `[mail]`.
pub async fn file(
    server: &Server,
    user: &UserName,
    (order, device): (&ChallengeOrder, Option<DeviceId>),
    made: &MadeHere,
    by: &str,
) -> Result<Sent, ServerError> {
    let to = address(server, user).await?;
    let organization = &server.config.organization;
    let subject = format!("Your certificate from {organization}");
    let text = format!(
        "Hello {user},\n\nattached is a certificate from {organization}, with its key. You get its passphrase another way.\n\
         If you did not expect this mail, tell your help desk.\n"
    );
    let octets = made.files.first().cloned().unwrap_or_default();
    let attachment = Attachment { name: "identity.p12".into(), media_type: "application/x-pkcs12", octets };
    let letter = Letter { to: to.clone(), subject, text, attachments: vec![attachment] };
    let refused = match hand_over(server, letter, format!("a file with a key, request {}", made.request), by).await {
        Ok(()) => return Ok(Sent { to, as_link: false }),
        Err(error) => error,
    };
    revoke_unsent(server, made, by).await?;
    let MailError::Refused(why) = refused else { return Err(failed(refused)) };
    tracing::warn!(request = %made.request, why, "the mail server does not take the file; an invitation goes instead");
    let again = ChallengeOrder::of_records(order.template.clone(), order.profile.clone());
    let (made, link) = invite::to_identity(server, user.clone(), again, device, (None, false), by).await?;
    invitation(server, &made, &link, by).await
}

/// Nobody has the key of a file that was not sent.
async fn revoke_unsent(server: &Server, made: &MadeHere, by: &str) -> Result<(), ServerError> {
    if let Some(serial) = made.certificate.serial() {
        revoke::revoke(server, &serial, RevocationReason::CessationOfOperation, by).await?;
    }
    Ok(())
}

/// Whether mail could be sent to a user at all, asked before anything is issued.
///
/// # Errors
/// [`ServerError::Invalid`] without an address, [`ServerError::Conflict`] without `[mail]`.
pub async fn possible(server: &Server, user: &UserName) -> Result<(), ServerError> {
    mailer(server)?;
    address(server, user).await.map(|_| ())
}
