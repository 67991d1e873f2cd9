//! The module itself.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use lanyard_model::{module::IntuneModule, secret::SecretText, text::printable};
use lanyard_pki::crypto::digest::sha1;
use serde::Serialize;
use uuid::Uuid;

use super::{
    directory::Directory,
    hresult,
    messages::{
        API_VERSION, CALLER, Failure, FailureNotification, MAX_DESCRIPTION, Success, SuccessNotification, ValidateRequest,
        Validation, Verdict,
    },
    token::Token,
};
use crate::{
    contract::{Disposition, Inquiry, IssuedCertificate, PolicyModule, Report, Wanted},
    error::ModuleError,
    outbound::{Answer, Call, Outbound, Target},
};

/// Lets Intune decide.
pub struct Intune {
    outbound: Outbound,
    directory: Directory,
    token: Token,
}

impl Intune {
    /// Sets the module up from its table, the application's secret and the contents of its `ca-file`.
    ///
    /// # Errors
    /// [`ModuleError::Config`].
    pub fn new(config: &IntuneModule, secret: &SecretText, ca_certificates: Option<&str>) -> Result<Self, ModuleError> {
        let fault = |key, problem, fix| ModuleError::Config { module: "intune", key, problem, fix };
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if !plain(&config.tenant) {
            let problem = format!("'{}' is no tenant", printable(&config.tenant));
            return Err(fault("tenant", problem, "write the tenant's id or domain"));
        }
        let timeout = Duration::from_secs(u64::try_from(config.timeout.secs()).unwrap_or(5));
        let outbound = Outbound::new(ca_certificates, config.allow_addresses.clone(), timeout)
            .map_err(|p| fault("ca-file", p, "name a file with the certificates under which Microsoft's services stand"))?;
        let target = |key, url: &str| {
            let target = Target::parse(url).map_err(|p| fault(key, p, "leave it out for Microsoft's public cloud"))?;
            outbound.permits(&target).map_err(|p| fault(key, p.to_owned(), "add what is missing to the module's table"))?;
            Ok::<Target, ModuleError>(target)
        };
        let login = target("login-url", &config.login_url)?.below(&format!("{}/oauth2/v2.0/token", config.tenant));
        let graph = target("graph-url", &config.graph_url)?;
        let token = |resource: &str| Token::new(login.clone(), &config.client_id, secret.clone(), resource);
        let directory = Directory::new(graph, token(&config.graph_url));
        Ok(Self { directory, token: token(&config.resource), outbound })
    }

    /// Calls the service and reads its verdict. A token that is not accepted, and a service that is not where it was, are looked up
    /// anew once.
    async fn tell<T: Serialize + Sync>(&self, action: &str, body: &T) -> Result<(), ModuleError> {
        let body = serde_json::to_vec(body).map_err(|e| odd("intune", e.to_string()))?;
        let target = self.directory.validation(&self.outbound).await?;
        let first = self.post(&target, action, body.clone()).await;
        let (answer, target) = match first {
            Ok(answer) if answer.status == 401 => {
                self.token.forget().await;
                (self.post(&target, action, body).await?, target)
            }
            Ok(answer) if answer.status != 404 => (answer, target),
            moved => {
                self.directory.forget().await;
                let other = self.directory.validation(&self.outbound).await?;
                if other == target { (moved?, target) } else { (self.post(&other, action, body).await?, other) }
            }
        };
        if answer.status != 200 {
            self.directory.forget().await;
            return Err(odd(target.host(), format!("its status is {}", answer.status)));
        }
        let verdict: Verdict =
            serde_json::from_slice(&answer.body).map_err(|_| odd(target.host(), "it holds no code".to_owned()))?;
        verdict.into_result().map_err(|said| ModuleError::Denied { said: format!("Intune answered {said}") })
    }

    async fn post(&self, target: &Target, action: &str, body: Vec<u8>) -> Result<Answer, ModuleError> {
        let token = self.token.get(&self.outbound).await?;
        let fields = [
            ("authorization", format!("Bearer {}", token.expose())),
            ("api-version", API_VERSION.to_owned()),
            ("client-request-id", Uuid::new_v4().to_string()),
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        let target = target.below(&format!("ScepActions/{action}"));
        self.outbound.call(Call { method: Method::POST, target: &target, fields: &fields, body }).await
    }

    async fn succeeded(&self, report: &Report, certificate: &IssuedCertificate, csr: &str) -> Result<(), ModuleError> {
        let thumbprint: String = sha1(&certificate.der).iter().map(|octet| format!("{octet:02X}")).collect();
        let notification = Success {
            transaction_id: &report.transaction,
            certificate_request: csr,
            certificate_thumbprint: &thumbprint,
            certificate_serial_number: &certificate.serial.to_string(),
            certificate_expiration_date_utc: &certificate.not_after.to_string(),
            issuing_certificate_authority: &certificate.issuer,
            caller_info: CALLER,
            ca_configuration: certificate.authority.as_str(),
            certificate_authority: certificate.authority.as_str(),
        };
        self.tell("successNotification", &SuccessNotification { notification }).await
    }

    async fn failed(&self, report: &Report, csr: &str) -> Result<(), ModuleError> {
        let description = report.reason.as_deref().unwrap_or("the authority failed");
        let description: String = description.chars().take(MAX_DESCRIPTION).collect();
        let notification = Failure {
            transaction_id: &report.transaction,
            certificate_request: csr,
            h_result: hresult::of(report.reason.as_deref()),
            error_description: &description,
            caller_info: CALLER,
        };
        self.tell("failureNotification", &FailureNotification { notification }).await
    }
}

#[async_trait]
impl PolicyModule for Intune {
    fn kind(&self) -> &'static str {
        "intune"
    }

    async fn generate(&self, wanted: &Wanted) -> Result<(), ModuleError> {
        let said = format!("the challenges of profile {} are made by Intune", wanted.profile);
        Err(ModuleError::Denied { said })
    }

    async fn verify(&self, inquiry: &Inquiry) -> Result<(), ModuleError> {
        if inquiry.csr.is_empty() {
            return Err(ModuleError::NoCsr);
        }
        let request = Validation {
            transaction_id: &inquiry.transaction,
            certificate_request: &STANDARD.encode(&inquiry.csr),
            caller_info: CALLER,
        };
        self.tell("validateRequest", &ValidateRequest { request }).await
    }

    async fn notify(&self, report: &Report, _now: lanyard_model::time::Timestamp) -> Result<(), ModuleError> {
        if report.csr.is_empty() {
            return Err(ModuleError::NoCsr);
        }
        let csr = STANDARD.encode(&report.csr);
        match (report.disposition, &report.certificate) {
            (Disposition::Issued, Some(certificate)) => self.succeeded(report, certificate, &csr).await,
            // Intune knows no request that waits.
            (Disposition::Pending, _) => Ok(()),
            _ => self.failed(report, &csr).await,
        }
    }

    fn must_know_first(&self) -> bool {
        true
    }
}

/// An answer that is not one of the protocol's.
fn odd(host: &str, problem: String) -> ModuleError {
    ModuleError::Answer { host: printable(host), problem }
}
