//! Identities that come with their key.

use std::sync::Arc;

use axum::{Json, extract::State, http::Extensions};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_pki::{pem, pkcs12::Protection};

use super::{
    challenges::parse,
    problem::ApiResult,
    router::{actor, person},
    types::{Pfx, PfxMade},
};
use crate::{
    error::ServerError,
    flow::pfx::{Made, Orderer, make},
    state::Server,
};

/// `POST /pfx`.
pub async fn create(State(server): State<Arc<Server>>, extensions: Extensions, Json(pfx): Json<Pfx>) -> ApiResult<PfxMade> {
    let Pfx { order, old } = pfx;
    if order.csr.is_some() || order.ttl.is_some() {
        return Err(ServerError::Invalid("csr, ttl: the server makes the key, and there is no challenge".into()));
    }
    let (mut parsed, user, device) = parse(&order)?;
    parsed.ordered_by = Some(person(&extensions).identity);
    let protection = if old { Protection::Old } else { Protection::Modern };
    let made = make(&server, parsed, (user, device), &[protection], &Orderer::Administrator(actor(&extensions))).await?;
    Ok(Json(match made {
        Made::File(made) => PfxMade {
            request: super::requests::describe_by_id(&server, made.request).await?,
            file: Some(STANDARD.encode(made.files.concat())),
            passphrase: Some(made.passphrase.expose().to_owned()),
            certificate: Some(pem::encode(pem::CERTIFICATE, made.certificate.der())),
        },
        Made::Refused(id) => PfxMade {
            request: super::requests::describe_by_id(&server, id).await?,
            file: None,
            passphrase: None,
            certificate: None,
        },
    }))
}
