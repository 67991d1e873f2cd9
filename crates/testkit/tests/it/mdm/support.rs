//! A server with users, and enrolled devices.

use lanyard_mdm::{provisioning::ProvisioningDocument, soap::Fault};
use lanyard_pki::certificate::Certificate;
use lanyard_testkit::{
    keys::rsa,
    mdm::{Door, issue, password},
    server::{Builder, TestServer},
};

pub const PASSWORD: &str = "correct horse battery";

pub async fn start(builder: Builder) -> TestServer {
    let server = builder.start().await;
    for name in ["user1", "user2"] {
        server.admin.save_user(serde_json::json!({ "name": name, "upn": format!("{name}@example.org") })).await;
        let body = serde_json::to_vec(&serde_json::json!({ "password": PASSWORD })).unwrap();
        let set = server.admin.call("PUT", &format!("/users/{name}/password"), &body).await;
        assert_eq!(set.status, 200, "{}", set.text());
    }
    server
}

pub async fn server() -> TestServer {
    start(TestServer::builder()).await
}

/// Enrols the n-th device with the n-th key.
pub async fn enrol(server: &TestServer, n: usize, user: &str) -> Result<ProvisioningDocument, Fault> {
    Door::first(server).token(password(user, PASSWORD), &issue(n, rsa(n))).await
}

pub fn certificate(document: &ProvisioningDocument) -> Certificate {
    document.certificate_store.client.certificate.clone()
}

/// The reason of the newest refusal in the audit log.
pub async fn reason(server: &TestServer) -> String {
    let audit = server.admin.audit().await;
    let newest = audit.iter().rev().find(|record| record.kind == "device-refused");
    newest.and_then(|record| record.reason.clone()).unwrap_or_default()
}

pub async fn assert_refused<T: std::fmt::Debug>(server: &TestServer, answer: Result<T, Fault>, code: &str, hresult: u32) {
    let fault = answer.expect_err(code);
    assert_eq!(reason(server).await, code);
    assert_eq!(fault.hresult().0, hresult, "{code}: {fault:?}");
}
