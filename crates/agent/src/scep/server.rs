//! One SCEP server over HTTP (RFC 8894, section 4).

use bytes::Bytes;
use http::Uri;
use lanyard_enroll::scep::{
    capabilities::Capabilities,
    client::trust::{CaCertificates, check_floor},
    query::encode_message,
};
use lanyard_model::{text::printable, time::Timestamp};

use super::options::SessionOptions;
use crate::{
    error::{AgentError, PKI_OPERATION},
    http::{Answer, HttpClient},
};

const PKI_MESSAGE: &str = "application/x-pki-message";
const OK: u16 = 200;

/// A server whose URL is good; nothing of it is believed yet.
pub struct ScepServer {
    base: String,
    http: HttpClient,
}

/// A server that offers enough, and whose certificates are verified.
pub struct TrustedServer {
    server: ScepServer,
    /// What it offers; not authenticated, but above the floor.
    pub capabilities: Capabilities,
    /// Its certificates under the pinned CA.
    pub ca: CaCertificates,
}

impl ScepServer {
    /// Checks the URL: http or https, a host, no query, no user name.
    ///
    /// # Errors
    /// [`AgentError::Url`], [`AgentError::TlsRoots`].
    pub fn new(url: &str, session: &SessionOptions) -> Result<Self, AgentError> {
        let refuse = |problem| AgentError::Url { url: printable(&url.chars().take(200).collect::<String>()), problem };
        let uri: Uri = url.parse().map_err(|_| refuse("it is not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(refuse("it must begin with http:// or https://"));
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(refuse("it has no host"));
        }
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refuse("it must not hold a user name or password"));
        }
        if uri.query().is_some() {
            return Err(refuse("it must not have a query"));
        }
        let http = HttpClient::for_uri(&uri, session.tls_roots.as_deref())?.with_timeout(session.timeout);
        Ok(Self { base: url.to_owned(), http })
    }

    /// GetCACaps. The answer is not authenticated. HTTP errors mean that nothing is offered.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`].
    pub async fn capabilities(&self) -> Result<Capabilities, AgentError> {
        let operation = "GetCACaps";
        let answer = match self.http.get(operation, &self.uri("operation=GetCACaps")?).await {
            Ok(answer) => answer,
            Err(AgentError::AnswerTooLarge { .. }) => return Ok(Capabilities::default()),
            Err(error) => return Err(error),
        };
        Ok(if answer.status == OK { Capabilities::decode(&answer.body) } else { Capabilities::default() })
    }

    /// GetCACert, as received. The media type is not looked at: some servers leave it out.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`], [`AgentError::HttpStatus`].
    pub async fn ca_certificates(&self) -> Result<Bytes, AgentError> {
        let operation = "GetCACert";
        let answer = self.http.get(operation, &self.uri("operation=GetCACert")?).await?;
        Ok(accepted(operation, answer)?.body)
    }

    /// Asks for capabilities and certificates, and believes the server only above the floor and under the fingerprint.
    ///
    /// # Errors
    /// [`AgentError::Downgrade`], [`AgentError::CaCertificates`] and what the two questions answer.
    pub async fn trust(self, ca_fingerprint: &[u8; 32], now: Timestamp) -> Result<TrustedServer, AgentError> {
        let capabilities = self.capabilities().await?;
        check_floor(capabilities)?;
        let ca = CaCertificates::decode(&self.ca_certificates().await?, ca_fingerprint, now)?;
        Ok(TrustedServer { server: self, capabilities, ca })
    }

    fn uri(&self, query: &str) -> Result<Uri, AgentError> {
        let uri = format!("{}?{query}", self.base).parse();
        uri.map_err(|_| AgentError::Url { url: self.base.clone(), problem: "it is too long" })
    }
}

impl TrustedServer {
    /// PKIOperation: by POST where the server offers it, otherwise by GET.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`], [`AgentError::HttpStatus`], [`AgentError::AnswerTooLarge`].
    pub async fn pki_operation(&self, message: &[u8]) -> Result<Answer, AgentError> {
        let operation = PKI_OPERATION;
        let post = self.capabilities.post_pki_operation || self.capabilities.scep_standard;
        let answer = if post {
            let uri = self.server.uri("operation=PKIOperation")?;
            self.server.http.post(operation, &uri, PKI_MESSAGE, Bytes::copy_from_slice(message)).await?
        } else {
            let query = format!("operation=PKIOperation&message={}", encode_message(message));
            self.server.http.get(operation, &self.server.uri(&query)?).await?
        };
        accepted(operation, answer)
    }

    /// Whether the server knows RenewalReq.
    #[must_use]
    pub const fn offers_renewal(&self) -> bool {
        self.capabilities.renewal
    }
}

fn accepted(operation: &'static str, answer: Answer) -> Result<Answer, AgentError> {
    if answer.status == OK { Ok(answer) } else { Err(AgentError::HttpStatus { operation, status: answer.status }) }
}
