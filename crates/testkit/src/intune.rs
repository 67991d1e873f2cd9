//! A double of Intune's SCEP validation service, with the login and the directory in front of it (ndes-policy, section 3.2).

use std::collections::HashMap;

use serde_json::json;

use crate::service::{Asked, Says, Service};

/// Tenant of the double.
pub const TENANT: &str = "contoso.example";
/// Application registered there.
pub const CLIENT_ID: &str = "11111111-2222-3333-4444-555555555555";
/// Its secret.
pub const CLIENT_SECRET: &str = "s3cret & more";

const ENDPOINTS: &str = "/v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints";

/// The double.
pub struct Intune {
    /// Login, directory and validation service in one place.
    pub service: Service,
}

/// Deviations from a service that says yes: by the last part of the path, `token` or `endpoints`.
pub type Deviations = HashMap<&'static str, Says>;

impl Intune {
    /// A double that says yes to everything.
    pub async fn start() -> Self {
        let service = Service::start(|_| Says::status(500)).await;
        let double = Self { service };
        double.deviates(Deviations::new());
        double
    }

    /// Deviates like this from now on, and no more as before.
    pub fn deviates(&self, deviations: Deviations) {
        let base = format!("http://{}/StatelessScep", self.service.address);
        self.service.now_says(move |asked| {
            let last = asked.path.rsplit('/').next().unwrap_or_default();
            deviations.get(last).cloned().unwrap_or_else(|| usual(asked, &base))
        });
    }

    /// One deviation.
    pub fn answers(&self, call: &'static str, says: Says) {
        self.deviates(HashMap::from([(call, says)]));
    }

    /// Answers a call with this code.
    pub fn answers_code(&self, call: &'static str, code: &str) {
        self.answers(call, Says::json(&json!({ "code": code, "errorDescription": "as the test wants it" })));
    }

    /// The calls of one kind so far.
    #[must_use]
    pub fn calls(&self, call: &str) -> Vec<Asked> {
        self.service.asked().into_iter().filter(|a| a.path.ends_with(call)).collect()
    }

    /// A `[[module]]` that asks this double for this template.
    #[must_use]
    pub fn module(&self, template: &str) -> String {
        let base = format!("http://{}", self.service.address);
        format!(
            "\n[[module]]\nkind = \"intune\"\ntenant = \"{TENANT}\"\nclient-id = \"{CLIENT_ID}\"\n\
             client-secret-file = \"intune.secret\"\ntemplate = \"{template}\"\nlogin-url = \"{base}\"\ngraph-url = \"{base}\"\n\
             allow-addresses = [\"127.0.0.0/8\"]\ntimeout = \"2s\"\n"
        )
    }
}

fn usual(asked: &Asked, base: &str) -> Says {
    let token = format!("/{TENANT}/oauth2/v2.0/token");
    let path = asked.path.as_str();
    if path == token {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        let expected = format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret=s3cret%20%26%20more&scope=");
        if asked.method != "POST" || !body.starts_with(&expected) {
            return Says::status(400);
        }
        // The token names what it is for, so that a mix-up shows.
        let scope = body.rsplit('=').next().unwrap_or_default();
        let purpose = if scope.contains("manage.microsoft") { "intune" } else { "graph" };
        return Says::json(
            &json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": format!("token-for-{purpose}") }),
        );
    }
    if path == ENDPOINTS {
        if asked.method != "GET" || asked.field("authorization") != Some("Bearer token-for-graph") {
            return Says::status(401);
        }
        return Says::json(&json!({ "value": [
            { "providerName": "PkiConnectorFEService", "uri": "http://127.0.0.1:1/other" },
            { "providerName": "ScepRequestValidationFEService", "uri": base },
        ] }));
    }
    let action = ["validateRequest", "successNotification", "failureNotification"]
        .into_iter()
        .any(|a| path == format!("/StatelessScep/ScepActions/{a}"));
    if !action {
        return Says::status(404);
    }
    let sound = asked.method == "POST"
        && asked.field("authorization") == Some("Bearer token-for-intune")
        && asked.field("api-version") == Some("2018-02-20")
        && asked.field("content-type") == Some("application/json")
        && asked.field("client-request-id").is_some_and(|id| id.len() == 36);
    if sound { Says::json(&json!({ "code": "Success", "errorDescription": "" })) } else { Says::status(401) }
}
