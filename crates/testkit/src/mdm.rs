//! A Windows-like device that speaks the enrolment services message by message, so that tests decide about every field.

use std::{net::SocketAddr, sync::Arc};

use lanyard_mdm::{
    provisioning::ProvisioningDocument,
    soap::{Action, Answer, CONTENT_TYPE, Fault, RequestHeader, Security, UsernameToken},
    wstep::{
        AdditionalContext, CertificateRequest, EnrollmentType, RequestSecurityToken, RequestSecurityTokenResponse, encode_renewal,
    },
    xml::Element,
};
use lanyard_model::{
    name::{COMMON_NAME, DistinguishedName, NameAttribute},
    secret::SecretText,
    time::Timestamp,
};
use lanyard_pki::{
    certificate::Certificate,
    csr::encode::{CertificationRequestInfo, encode as encode_request},
    extension::Extension,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{
    http::{Response, encode, exchange},
    keys::Key,
    server::TestServer,
};

/// Path of the discovery service.
pub const DISCOVERY: &str = "/EnrollmentServer/Discovery.svc";
/// Path of the policy service.
pub const POLICY: &str = "/EnrollmentServer/Policy.svc";
/// Path of the enrolment service.
pub const ENROLLMENT: &str = "/EnrollmentServer/Enrollment.svc";
const MESSAGE_ID: &str = "urn:uuid:748132ec-a575-4329-b01b-6171a9cf8478";

/// Where a device speaks, and with what certificate.
#[derive(Clone)]
pub struct Door<'a> {
    /// Address.
    pub address: SocketAddr,
    /// Root under which the server is believed.
    pub root: &'a Certificate,
    /// Certificate and key for TLS.
    pub identity: Option<(&'a Certificate, &'a Key)>,
}

impl<'a> Door<'a> {
    /// The listener for first enrolments.
    #[must_use]
    pub const fn first(server: &'a TestServer) -> Self {
        Self { address: server.https, root: &server.site.root, identity: None }
    }

    /// The listener for managed devices.
    #[must_use]
    pub const fn devices(server: &'a TestServer, certificate: &'a Certificate, key: &'a Key) -> Self {
        Self { address: server.mdm, root: &server.site.root, identity: Some((certificate, key)) }
    }

    /// Sends these octets over TLS and reads until the server closes.
    ///
    /// # Errors
    /// Those of the connection, a refused handshake among them.
    ///
    /// # Panics
    /// When the key and certificate cannot be used.
    pub async fn exchange(&self, octets: &[u8]) -> std::io::Result<Response> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.root.der().to_vec())).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8.expose().to_vec()));
                builder.with_client_auth_cert(vec![CertificateDer::from(certificate.der().to_vec())], pkcs8).unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await?;
        let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await?;
        let answer = exchange(stream, octets).await?;
        if answer.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(Response::parse(&answer)) }
    }

    /// Asks a service.
    ///
    /// # Errors
    /// Those of the connection.
    ///
    /// # Panics
    /// When the answer is none, or not one message with its length.
    pub async fn ask(&self, path: &str, action: Action, security: Security, body: Element) -> std::io::Result<Answer> {
        let header = RequestHeader { action, message_id: MESSAGE_ID.into(), to: format!("https://localhost{path}"), security };
        let message = header.encode(body).unwrap();
        let octets = encode("POST", path, &format!("Content-Type: {CONTENT_TYPE}\r\n"), message.expose().as_bytes());
        let response = self.exchange(&octets).await?;
        assert_eq!(response.field("content-length"), Some(response.body.len().to_string().as_str()), "{response:?}");
        assert_eq!(response.field("transfer-encoding"), None);
        assert_eq!(response.field("content-encoding"), None);
        assert_eq!(response.field("content-type"), Some(CONTENT_TYPE), "{}", response.text());
        let answer = Answer::decode(&response.body, action, MESSAGE_ID).expect("an answer");
        assert_eq!(response.status, if matches!(answer, Answer::Fault(_)) { 500 } else { 200 });
        Ok(answer)
    }

    /// Asks for a token.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn token(&self, security: Security, request: &RequestSecurityToken) -> Result<ProvisioningDocument, Fault> {
        match self.ask(ENROLLMENT, Action::RequestSecurityToken, security, request.encode()).await.expect("an answer") {
            Answer::Fault(fault) => Err(fault),
            Answer::Response(response) => {
                let response = RequestSecurityTokenResponse::decode(&response.body).unwrap();
                Ok(ProvisioningDocument::decode(response.provisioning_document.expose()).unwrap())
            }
        }
    }
}

/// User name and password.
#[must_use]
pub fn password(user: &str, password: &str) -> Security {
    let username = UsernameToken { username: user.into(), password: SecretText::new(password.into()) };
    Security { username: Some(username), ..Security::default() }
}

/// The PKCS#10 of Windows, with the subject and extension that mean nothing.
///
/// # Panics
/// When the key cannot sign.
#[must_use]
pub fn pkcs10(key: &Key) -> Vec<u8> {
    let attribute = NameAttribute { oid: COMMON_NAME, value: "01234567-89ab-cdef-0123-4567!ConfigMgrEnroll\0".into() };
    let extension = Extension {
        oid: "1.3.6.1.4.1.311.66.1.0".parse().unwrap(),
        critical: false,
        value: b"0123456789ABCDEF0123456789ABCDEF\0".to_vec(),
    };
    let subject = DistinguishedName(vec![attribute]);
    encode_request(&CertificationRequestInfo { subject, extensions: vec![extension], ..Default::default() }, &key.signer).unwrap()
}

/// What the n-th device tells about itself.
///
/// # Panics
/// Never.
#[must_use]
pub fn context(n: usize) -> AdditionalContext {
    let version = || "10.0.22631.4169".parse().ok();
    AdditionalContext {
        hw_dev_id: Some(format!("{n:064X}")),
        device_id: Some(format!("{n:032X}")),
        device_name: Some(format!("DESKTOP-{n}")),
        enrollment_type: Some(EnrollmentType::Full),
        device_type: Some("CIMClient_Windows".into()),
        os_version: version(),
        application_version: version(),
        request_version: "4.0".parse().ok(),
        ..AdditionalContext::default()
    }
}

/// A first request of the n-th device.
#[must_use]
pub fn issue(n: usize, key: &Key) -> RequestSecurityToken {
    RequestSecurityToken { request: CertificateRequest::Issue(pkcs10(key)), context: context(n) }
}

/// A renewal of the n-th device: a request of the new key, signed with the old one.
///
/// # Panics
/// When a key cannot sign.
#[must_use]
pub fn renewal(n: usize, old: (&Certificate, &Key), new: &Key, now: Timestamp, twice: bool) -> RequestSecurityToken {
    let pkcs7 = encode_renewal(&pkcs10(new), &old.1.signer, old.0, now).unwrap();
    let context = AdditionalContext { device_id: context(n).device_id, ..AdditionalContext::default() };
    RequestSecurityToken { request: CertificateRequest::Renew { pkcs7, is_twice_encoded: twice }, context }
}
