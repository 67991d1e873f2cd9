//! Where the tenant's validation service is: looked up in Microsoft Graph, remembered, and looked up again when it fails.

use http::Method;
use lanyard_model::text::printable;
use serde::Deserialize;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::token::Token;
use crate::{
    error::ModuleError,
    outbound::{Call, Outbound, Target},
};

/// The service principal of Intune and the list of its services.
const ENDPOINTS: &str = "v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints";
/// Name of the validation service in that list.
const VALIDATION: &str = "ScepRequestValidationFEService";

/// Looks services up.
pub struct Directory {
    graph: Target,
    token: Token,
    found: Mutex<Option<Target>>,
}

#[derive(Deserialize)]
struct Endpoints {
    value: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default)]
    provider_name: String,
    #[serde(default)]
    uri: String,
}

impl Directory {
    /// Of the tenant that the token is for.
    pub fn new(graph: Target, token: Token) -> Self {
        Self { graph, token, found: Mutex::new(None) }
    }

    /// Where the validation service is.
    pub async fn validation(&self, outbound: &Outbound) -> Result<Target, ModuleError> {
        let mut found = self.found.lock().await;
        if let Some(target) = found.as_ref() {
            return Ok(target.clone());
        }
        let target = self.look_up(outbound).await?;
        *found = Some(target.clone());
        Ok(target)
    }

    /// Forgets where it was, because it is not there any more.
    pub async fn forget(&self) {
        *self.found.lock().await = None;
    }

    async fn look_up(&self, outbound: &Outbound) -> Result<Target, ModuleError> {
        let odd = |problem: String| ModuleError::Answer { host: printable(self.graph.host()), problem };
        let target = self.graph.below(ENDPOINTS);
        let token = self.token.get(outbound).await?;
        let fields = [
            ("authorization", format!("Bearer {}", token.expose())),
            ("accept", "application/json".to_owned()),
            ("client-request-id", Uuid::new_v4().to_string()),
        ];
        let answer = outbound.call(Call { method: Method::GET, target: &target, fields: &fields, body: Vec::new() }).await?;
        if answer.status != 200 {
            self.token.forget().await;
            return Err(odd(format!("the services cannot be looked up: status {}", answer.status)));
        }
        let list: Endpoints = serde_json::from_slice(&answer.body).map_err(|_| odd("it holds no list of services".to_owned()))?;
        let found = list.value.into_iter().find(|e| e.provider_name == VALIDATION);
        let found = found.ok_or_else(|| odd(format!("it lists no {VALIDATION}")))?;
        let target = Target::parse(&found.uri).map_err(|problem| odd(format!("the service's address {problem}")))?;
        outbound.permits(&target).map_err(|problem| odd(format!("the service's address cannot be used: {problem}")))?;
        Ok(target)
    }
}
