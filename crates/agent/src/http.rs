//! A small HTTP client: one request, one bounded answer, no redirects.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lanyard_model::text::printable;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};

use crate::{error::AgentError, key::DeviceKey, store::Identity};

/// Longest body that is read, in octets.
pub const MAX_BODY: usize = 1024 * 1024;
/// How long connecting, sending and reading the answer may take together.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Header in which a Lanyard server names the request, so that its administrator can find it.
pub const REQUEST_ID: &str = "lanyard-request-id";
const USER_AGENT: &str = concat!("lanyard-device/", env!("CARGO_PKG_VERSION"));

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Media type without its parameters, lower case; empty when the server did not send one.
    pub content_type: String,
    /// Body.
    pub body: Bytes,
    /// What the server calls the request.
    pub request_id: Option<String>,
}

/// Sends requests by HTTP/1.1, with or without TLS.
#[derive(Clone)]
pub struct HttpClient {
    inner: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl HttpClient {
    /// A client for this URL. For https:// it believes servers under these roots (PEM), or under those of the operating system; for
    /// http:// no roots are read.
    ///
    /// # Errors
    /// [`AgentError::TlsRoots`].
    pub fn for_uri(uri: &Uri, tls_roots: Option<&[u8]>) -> Result<Self, AgentError> {
        Ok(Self::with_tls(Self::believing(uri, tls_roots)?.with_no_client_auth()))
    }

    fn believing(uri: &Uri, tls_roots: Option<&[u8]>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, AgentError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| AgentError::TlsRoots(e.to_string()))?;
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        Ok(match tls_roots {
            Some(pem) => builder.with_root_certificates(pem_roots(pem)?),
            None if https => builder.with_native_roots().map_err(|e| AgentError::TlsRoots(e.to_string()))?,
            None => builder.with_root_certificates(RootCertStore::empty()),
        })
    }

    /// A client that shows this identity to servers that ask for one.
    ///
    /// # Errors
    /// [`AgentError::TlsRoots`]; [`AgentError::TlsIdentity`] when the key does not fit; [`AgentError::KeyInTpm`].
    pub fn with_identity(uri: &Uri, tls_roots: Option<&[u8]>, identity: &Identity, key: &DeviceKey) -> Result<Self, AgentError> {
        let issuers = identity.chain.iter().filter(|one| !one.is_self_issued());
        let chain = std::iter::once(&identity.certificate).chain(issuers);
        let chain = chain.map(|one| CertificateDer::from(one.der().to_vec())).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8()?.expose().to_vec()));
        let tls = Self::believing(uri, tls_roots)?.with_client_auth_cert(chain, key);
        Ok(Self::with_tls(tls.map_err(|e| AgentError::TlsIdentity(e.to_string()))?))
    }

    fn with_tls(tls: ClientConfig) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
        Self { inner: Client::builder(TokioExecutor::new()).build(connector), timeout: TIMEOUT }
    }

    /// The same client with another limit of time.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`], [`AgentError::AnswerTooLarge`].
    pub async fn get(&self, operation: &'static str, uri: &Uri) -> Result<Answer, AgentError> {
        self.send(operation, Method::GET, uri, None, Bytes::new()).await
    }

    /// Sends a POST.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`], [`AgentError::AnswerTooLarge`].
    pub async fn post(&self, operation: &'static str, uri: &Uri, media_type: &str, body: Bytes) -> Result<Answer, AgentError> {
        self.send(operation, Method::POST, uri, Some(media_type), body).await
    }

    async fn send(
        &self,
        operation: &'static str,
        method: Method,
        uri: &Uri,
        media_type: Option<&str>,
        body: Bytes,
    ) -> Result<Answer, AgentError> {
        // The query may hold a message; it is of no use to anybody who reads the error.
        let failed = |cause: String| AgentError::Unreachable { operation, url: without_query(uri), cause: printable(&cause) };
        let mut request = Request::builder().method(method).uri(uri.clone()).header(header::USER_AGENT, USER_AGENT);
        if let Some(media_type) = media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let request = request.body(Full::new(body)).map_err(|e| failed(e.to_string()))?;
        let exchange = async {
            let response = self.inner.request(request).await.map_err(|e| failed(chain(&e)))?;
            read(operation, response).await.map_err(|fault| match fault {
                BodyFault::TooLarge => AgentError::AnswerTooLarge { operation, limit: MAX_BODY },
                BodyFault::Broken(cause) => failed(cause),
            })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(failed(format!("no complete answer within {} s", self.timeout.as_secs()))),
        }
    }
}

enum BodyFault {
    TooLarge,
    Broken(String),
}

async fn read(operation: &'static str, response: Response<Incoming>) -> Result<Answer, BodyFault> {
    let (head, body) = response.into_parts();
    let text = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let content_type = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let request_id = text(REQUEST_ID).map(|id| printable(&id.chars().take(64).collect::<String>()));
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { BodyFault::TooLarge } else { BodyFault::Broken(chain(error.as_ref())) }
    })?;
    let body = body.to_bytes();
    tracing::debug!(operation, status = head.status.as_u16(), octets = body.len(), request = request_id, "the server answered");
    Ok(Answer { status: head.status.as_u16(), content_type, body, request_id })
}

fn pem_roots(pem: &[u8]) -> Result<RootCertStore, AgentError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| AgentError::TlsRoots(e.to_string()))?;
        roots.add(certificate).map_err(|e| AgentError::TlsRoots(e.to_string()))?;
    }
    if roots.is_empty() { Err(AgentError::TlsRoots("it holds no certificate".into())) } else { Ok(roots) }
}

/// The whole chain of causes, without hyper's own text where there is a cause: it says little.
fn chain(error: &(dyn Error + 'static)) -> String {
    let first = error.source().unwrap_or(error);
    let mut text = first.to_string();
    let mut cause = first.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn without_query(uri: &Uri) -> String {
    let text = uri.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}
