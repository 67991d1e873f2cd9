//! The device of this program against the server: it joins, and renews by itself and with a password.

use std::sync::Arc;

use lanyard_agent::{
    error::AgentError,
    mdm::{EnrollmentType, JoinCredential, JoinOptions, RenewalProof, join, renew, sync},
    store::DeviceStore,
};
use lanyard_model::{secret::SecretText, time::Span};
use lanyard_pki::pem;
use lanyard_testkit::server::TestServer;

use super::{
    renewal,
    support::{PASSWORD, reason},
};

pub fn options(server: &TestServer, password: &str) -> JoinOptions {
    let now = server.now();
    JoinOptions {
        server: Some(format!("https://localhost:{}", server.https.port())),
        user: "user1@example.org".into(),
        credential: JoinCredential::Password(SecretText::new(password.into())),
        form: EnrollmentType::Full,
        device_name: "DESKTOP-1".into(),
        tls_roots: Some(pem::encode(pem::CERTIFICATE, server.site.root.der()).into_bytes()),
        key: None,
        clock: Arc::new(move || now),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_joins_and_renews_by_itself_and_with_a_password() {
    let server = renewal::server().await;
    let folder = lanyard_testkit::temporary::folder("scratch");
    let store = DeviceStore::open(&folder.path().join("dev1")).unwrap();
    let refused = join(Some(&store), options(&server, "wrong")).await.unwrap_err();
    assert!(matches!(&refused, AgentError::Fault { fault, .. } if fault.hresult().0 == 0x8018_0002), "{refused}");
    let joined = join(Some(&store), options(&server, PASSWORD)).await.unwrap();
    assert_eq!(joined.trusted.len(), 2);
    let early = renew(&store, RenewalProof::Automatic, server.now()).await.unwrap_err();
    assert!(matches!(&early, AgentError::Fault { fault, .. } if fault.hresult().0 == 0x8018_0016), "{early}");
    assert_eq!(reason(&server).await, "mdm.renewal-too-early");
    server.advance(Span::from_days(2));
    let first = renew(&store, RenewalProof::Automatic, server.now()).await.unwrap();
    assert_eq!(first.identity.certificate.subject_der(), joined.identity.certificate.subject_der());
    // The old one lives until a session was held with the new one.
    let status = async |certificate: &lanyard_pki::certificate::Certificate| {
        server.admin.certificate(&certificate.serial().unwrap().to_string()).await.status
    };
    assert_eq!(status(&joined.identity.certificate).await, "valid");
    let now = server.now();
    let clock: lanyard_agent::scep::options::Clock = Arc::new(move || now);
    sync(&store, &clock).await.unwrap();
    assert_eq!(status(&joined.identity.certificate).await, "revoked");
    server.advance(Span::from_days(2));
    let by_password = RenewalProof::Password(SecretText::new(PASSWORD.into()));
    let second = renew(&store, by_password, server.now()).await.unwrap();
    assert_ne!(second.identity.certificate.der(), first.identity.certificate.der());
}
