//! Policies for agents on Linux and Android: JSON in a CMS signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_pki::certificate::Certificate;
use serde_json::{Value, json};

use super::{outfit::Outfit, signature::signed};
use crate::{error::ServerError, state::Server};

/// A signed policy.
///
/// # Errors
/// Those of [`signed`].
pub fn outfit(server: &Server, outfit: &Outfit, platform: &str) -> Result<Vec<u8>, ServerError> {
    let text = serde_json::to_vec_pretty(&document(server, outfit, platform));
    signed(server, &text.map_err(|e| ServerError::Conflict(e.to_string()))?)
}

fn document(server: &Server, outfit: &Outfit, platform: &str) -> Value {
    let encoded = |certificate: &Certificate| STANDARD.encode(certificate.der());
    let (roots, others): (Vec<&Certificate>, Vec<&Certificate>) =
        outfit.certificates.iter().partition(|certificate| certificate.is_self_issued());
    let identities = outfit.identities.iter().map(|identity| {
        json!({
            "name": identity.name,
            "url": identity.url,
            "challenge": identity.challenge.expose(),
            "subject": identity.subject.to_string(),
            "san": identity.san.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "key": format!("rsa:{}", identity.bits),
            "exportable": identity.exportable,
            "issuer-sha256": lanyard_model::text::hex(&identity.issuer.fingerprint()),
            "retries": identity.retries,
            "retry-delay": identity.retry_delay.secs(),
        })
    });
    let wireless = outfit.wireless.iter().map(|wireless| {
        json!({
            "ssid": wireless.ssid,
            "security": if wireless.wpa3 { "wpa3" } else { "wpa2" },
            "hidden": wireless.hidden,
            "auto-connect": wireless.auto_connect,
            "server-names": wireless.server_names,
            "roots": wireless.roots.iter().map(encoded).collect::<Vec<_>>(),
            "identity": wireless.identity,
        })
    });
    let accounts = outfit.accounts.iter().map(|account| {
        json!({
            "name": account.name,
            "host": account.host,
            "address": account.address,
            "user": account.user,
            "signing-identity": account.signing,
        })
    });
    json!({
        "format": 1,
        "kind": "lanyard-policy",
        "platform": platform,
        "instance": server.policy().instance,
        "organization": server.config.organization,
        "name": outfit.name,
        "revision": outfit.revision,
        "description": outfit.description,
        "made-at": server.now().to_string(),
        "good-until": outfit.identities.iter().map(|identity| identity.expires_at).min().map(|at| at.to_string()),
        "roots": roots.into_iter().map(encoded).collect::<Vec<_>>(),
        "intermediates": others.into_iter().map(encoded).collect::<Vec<_>>(),
        "scep": identities.collect::<Vec<_>>(),
        "wifi": wireless.collect::<Vec<_>>(),
        "mail": accounts.collect::<Vec<_>>(),
    })
}
