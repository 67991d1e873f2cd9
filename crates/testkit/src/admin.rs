//! The administrator's socket.

use std::path::{Path, PathBuf};

use lanyard_server::api::{
    delivery_types::{Pfx, PfxMade},
    types::{AuditRecord, AuditVerdict, Authority, Certificate, Challenge, Order, Request, Revoked},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::http::{Response, encode, exchange};

/// Calls the administrator's interface of a server.
#[derive(Debug, Clone)]
pub struct Admin(PathBuf);

impl Admin {
    /// Of the server on this data directory.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self(dir.join("admin.sock"))
    }

    /// A call as it is answered.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn call(&self, method: &str, path: &str, body: &[u8]) -> Response {
        let stream = UnixStream::connect(&self.0).await.expect("the administrator's socket");
        let request = encode(method, &format!("/api/v1{path}"), "Content-Type: application/json\r\n", body);
        Response::parse(&exchange(stream, &request).await.expect("an answer"))
    }

    /// A call that must succeed.
    async fn good<T: DeserializeOwned>(&self, method: &str, path: &str, body: &impl Serialize) -> T {
        let body = serde_json::to_vec(body).unwrap();
        let body = if method == "GET" { Vec::new() } else { body };
        let response = self.call(method, path, &body).await;
        assert_eq!(response.status, 200, "{method} {path}: {}", response.text());
        serde_json::from_slice(&response.body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {}", response.text()))
    }

    /// Makes a challenge.
    pub async fn challenge(&self, order: &Order) -> Challenge {
        self.good("POST", "/challenges", order).await
    }

    /// A request with its story.
    pub async fn request(&self, id: &str) -> Request {
        self.good("GET", &format!("/requests/{id}"), &()).await
    }

    /// Requests in a state, newest first.
    pub async fn requests(&self, state: &str) -> Vec<Request> {
        self.good("GET", &format!("/requests?state={state}&limit=1000"), &()).await
    }

    /// Certificates that are not the authority's own.
    pub async fn certificates(&self) -> Vec<Certificate> {
        self.good("GET", "/certificates?limit=100000", &()).await
    }

    /// A certificate.
    pub async fn certificate(&self, serial: &str) -> Certificate {
        self.good("GET", &format!("/certificates/{serial}"), &()).await
    }

    /// Issues to a CSR in PEM.
    pub async fn issue(&self, order: &Order) -> Request {
        self.good("POST", "/certificates", order).await
    }

    /// Orders an identity with its key.
    pub async fn pfx(&self, order: &Order, old: bool) -> PfxMade {
        self.good("POST", "/pfx", &Pfx { order: order.clone(), old, mail: false }).await
    }

    /// Revokes.
    pub async fn revoke(&self, serial: &str, reason: &str) -> Revoked {
        self.good("POST", &format!("/certificates/{serial}/revoke"), &serde_json::json!({ "reason": reason })).await
    }

    /// Approves a held request.
    pub async fn approve(&self, id: &str) -> Request {
        self.good("POST", &format!("/requests/{id}/approve"), &()).await
    }

    /// Denies a held request.
    pub async fn deny(&self, id: &str, why: &str) -> Request {
        self.good("POST", &format!("/requests/{id}/deny"), &serde_json::json!({ "reason": why })).await
    }

    /// Adds or replaces a device record.
    pub async fn save_device(&self, device: serde_json::Value) {
        self.good::<serde_json::Value>("PUT", "/devices", &device).await;
    }

    /// Adds or replaces a user record.
    pub async fn save_user(&self, user: serde_json::Value) {
        self.good::<serde_json::Value>("PUT", "/users", &user).await;
    }

    /// The authority's own certificates.
    pub async fn authorities(&self) -> Vec<Authority> {
        self.good("GET", "/authorities", &()).await
    }

    /// The whole audit log, oldest first.
    pub async fn audit(&self) -> Vec<AuditRecord> {
        let mut all: Vec<AuditRecord> = Vec::new();
        loop {
            let after = all.last().map_or(0, |r| r.sequence);
            let more: Vec<AuditRecord> = self.good("GET", &format!("/audit?after={after}&limit=10000"), &()).await;
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    /// What checking the audit log finds.
    pub async fn verify_audit(&self) -> AuditVerdict {
        self.good("GET", "/audit/verify", &()).await
    }
}
