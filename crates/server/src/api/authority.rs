//! Authorities, their CRLs, templates and profiles.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Extensions,
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    authority::AuthorityRole,
    id::AuthorityName,
    text::printable,
};
use lanyard_pki::{certificate::Certificate, pem};
use lanyard_ra::modules::warnings;

use super::{
    problem::ApiResult,
    router::actor,
    types::{Authority, Named, digest},
};
use crate::{
    error::ServerError,
    flow::{crl, nodes, successor},
    installation::read_file,
    keyring::{ISSUING, Keyring},
    policy_files,
    state::Server,
};

/// `GET /authorities`.
pub async fn list(State(server): State<Arc<Server>>) -> ApiResult<Vec<Authority>> {
    let ring = server.keyring.get();
    let mut authorities = Vec::new();
    for record in server.store.list_authorities().await? {
        let certificate = Certificate::decode(&record.certificate)?;
        let is_ca = matches!(record.role, AuthorityRole::Root | AuthorityRole::Issuing);
        let newest = if is_ca { server.store.load_crl(&record.name).await? } else { None };
        authorities.push(Authority {
            name: record.name.to_string(),
            role: record.role.to_string(),
            subject: certificate.subject()?.to_string(),
            serial: certificate.serial().map(|s| s.to_string()).unwrap_or_default(),
            key: certificate.public_key()?.kind.to_string(),
            not_before: record.not_before.to_string(),
            not_after: record.not_after.to_string(),
            fingerprint: digest(&certificate.fingerprint()),
            crl_url: is_ca.then(|| format!("{}/crl/{}.crl", server.config.url, record.name)),
            crl_number: newest.as_ref().map(|c| c.number),
            crl_next_update: newest.as_ref().map(|c| c.next_update.to_string()),
            state: is_ca.then(|| state(&ring, &record.name)).flatten(),
            pem: pem::encode(pem::CERTIFICATE, certificate.der()),
        });
    }
    Ok(Json(authorities))
}

/// Where an issuing CA stands in the order of things.
fn state(ring: &Keyring, name: &AuthorityName) -> Option<String> {
    let authority = ring.authority(name).ok()?;
    let is = |other: &AuthorityName| other == name;
    Some(match () {
        () if authority.certificate().is_self_issued() => return None,
        () if is(ring.issuing()) => "in use".into(),
        () if ring.successor().is_some_and(|successor| is(successor.name())) => "announced".into(),
        () => format!("followed by {}", ring.issuing()),
    })
}

/// `POST /authorities/{name}/crl`: signs a CRL now.
pub async fn issue_crl(State(server): State<Arc<Server>>, Path(name): Path<String>) -> ApiResult<u64> {
    let name: AuthorityName = name.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))?;
    Ok(Json(crl::issue(&server, &name).await?.number))
}

/// `POST /authorities/{name}/successor`: makes and announces the CA that is to follow.
pub async fn prepare_successor(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    extensions: Extensions,
) -> ApiResult<String> {
    if name != ISSUING {
        return Err(ServerError::NotFound { what: "issuing authority", name: printable(&name) });
    }
    Ok(Json(successor::prepare(&server, &actor(&extensions)).await?.to_string()))
}

/// `POST /authorities/{name}/take-over`: the successor issues from now on.
pub async fn take_over(State(server): State<Arc<Server>>, Path(name): Path<String>, extensions: Extensions) -> ApiResult<String> {
    if name != ISSUING {
        return Err(ServerError::NotFound { what: "issuing authority", name: printable(&name) });
    }
    Ok(Json(successor::take_over(&server, &actor(&extensions)).await?.to_string()))
}

/// `GET /templates`.
pub async fn templates(State(server): State<Arc<Server>>) -> ApiResult<Vec<Named>> {
    let policy = server.policy();
    let named = policy.templates.iter().map(|t| Named {
        name: t.name.to_string(),
        revision: t.revision,
        description: t.description.clone(),
        text: None,
        warnings: Vec::new(),
    });
    Ok(Json(named.collect()))
}

/// `GET /templates/{name}`.
pub async fn template(State(server): State<Arc<Server>>, Path(name): Path<String>) -> ApiResult<Named> {
    let policy = server.policy();
    let found = name.parse().ok().and_then(|name| policy.templates.find(&name));
    let found = found.ok_or_else(|| ServerError::NotFound { what: "template", name: printable(&name) })?;
    let text = read_file(&server.installation.templates().join(format!("{}.toml", found.name)))?;
    let (revision, description) = (found.revision, found.description.clone());
    Ok(Json(Named { name: found.name.to_string(), revision, description, text: Some(text), warnings: Vec::new() }))
}

/// `GET /profiles`.
pub async fn profiles(State(server): State<Arc<Server>>) -> ApiResult<Vec<Named>> {
    let policy = server.policy();
    let named = policy.profiles.iter().map(|p| Named {
        name: p.name.to_string(),
        revision: p.revision,
        description: p.description.clone(),
        text: None,
        warnings: warnings(p),
    });
    Ok(Json(named.collect()))
}

/// `GET /profiles/{name}`.
pub async fn profile(State(server): State<Arc<Server>>, Path(name): Path<String>) -> ApiResult<Named> {
    let policy = server.policy();
    let found = name.parse().ok().and_then(|name| policy.profiles.find(&name));
    let found = found.ok_or_else(|| ServerError::NotFound { what: "profile", name: printable(&name) })?;
    let text = read_file(&server.installation.profiles().join(format!("{}.toml", found.name)))?;
    let (revision, description) = (found.revision, found.description.clone());
    let warnings = warnings(found);
    Ok(Json(Named { name: found.name.to_string(), revision, description, text: Some(text), warnings }))
}

/// `POST /policy/reload`: reads templates and profiles again. Broken files change nothing.
pub async fn reload(State(server): State<Arc<Server>>, extensions: Extensions) -> ApiResult<String> {
    let instance = server.policy().instance.clone();
    let rules = policy_files::load(&server.installation, instance, server.config.organization.clone())?;
    let policy = &rules.policy;
    let summary = format!("{} templates, {} profiles", policy.templates.iter().count(), policy.profiles.iter().count());
    let audit = AuditEvent { detail: Some(summary.clone()), ..server.event(AuditKind::PolicyChanged, actor(&extensions)) };
    server.store.append_audit(audit).await?;
    server.replace_rules(rules);
    let warnings = nodes::say_and_warn(&server).await?;
    Ok(Json(std::iter::once(summary).chain(warnings).collect::<Vec<_>>().join("; ")))
}
