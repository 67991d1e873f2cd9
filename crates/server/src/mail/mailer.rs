//! Handing mail over.

use std::{path::Path, time::Duration};

use lanyard_model::text::printable;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};

use super::{
    letter::Letter,
    settings::{MailSettings, MailTls},
};
use crate::{
    error::{ServerError, chain},
    installation::{read_file, read_secret},
};

/// Why a mail was not handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailError {
    /// The mail server refuses it for good: the address, or what is attached.
    Refused(String),
    /// It cannot be reached, or not now.
    Unreachable(String),
    /// The mail cannot be written.
    Letter(String),
}

/// The mail server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Of a configuration. File names are relative to the data directory; nobody is asked yet.
    ///
    /// # Errors
    /// [`ServerError::File`], [`ServerError::Mode`], [`ServerError::Invalid`].
    pub fn new(settings: &MailSettings, dir: &Path) -> Result<Self, ServerError> {
        let invalid = |key: &str, problem: String| ServerError::Invalid(format!("mail.{key}: {problem}"));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.server)
            .port(settings.port())
            .timeout(Some(Duration::from_secs(settings.timeout.secs().unsigned_abs())));
        if let Some(file) = settings.ca_file.as_ref().filter(|_| settings.tls != MailTls::None) {
            let mut tls = TlsParameters::builder(settings.server.clone()).certificate_store(CertificateStore::None);
            let text = read_file(&dir.join(file))?;
            let ends = text.split_inclusive("-----END CERTIFICATE-----").filter(|part| part.contains("-----BEGIN"));
            for part in ends {
                let certificate = Certificate::from_pem(part.trim().as_bytes());
                tls = tls.add_root_certificate(certificate.map_err(|e| invalid("ca-file", e.to_string()))?);
            }
            let tls = tls.build_rustls().map_err(|e| invalid("ca-file", e.to_string()))?;
            builder = builder.tls(if settings.tls == MailTls::Implicit { Tls::Wrapper(tls) } else { Tls::Required(tls) });
        }
        if let (Some(name), Some(file)) = (&settings.user_name, &settings.password_file) {
            let password = read_secret(&dir.join(file))?;
            let password = password.expose().trim_end_matches(['\r', '\n']).to_owned();
            builder = builder.credentials(Credentials::new(name.clone(), password));
        }
        let from = settings.from.parse().map_err(|_| invalid("from", "it is no mail address".to_owned()))?;
        Ok(Self { transport: builder.build(), from })
    }

    /// Hands a mail over; when this returns, the mail server has it.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, letter: Letter) -> Result<(), MailError> {
        let message = letter.message(&self.from).map_err(MailError::Letter)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(MailError::Refused(printable(&chain(&error)))),
            Err(error) => Err(MailError::Unreachable(printable(&chain(&error)))),
        }
    }
}
