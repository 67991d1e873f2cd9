//! Identities that come with their key.

use std::sync::Arc;

use axum::{Json, extract::State, http::Extensions};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_pki::{pem, pkcs12::Protection};

use super::{
    challenges::parse,
    delivery_types::{Pfx, PfxMade, Sent},
    problem::ApiResult,
    router::{actor, person},
};
use crate::{
    error::ServerError,
    flow::{
        pfx::{Made, Orderer, make},
        send,
    },
    state::Server,
};

/// `POST /pfx`.
pub async fn create(State(server): State<Arc<Server>>, extensions: Extensions, Json(pfx): Json<Pfx>) -> ApiResult<PfxMade> {
    let Pfx { order, old, mail } = pfx;
    if order.csr.is_some() || order.ttl.is_some() {
        return Err(ServerError::Invalid("csr, ttl: the server makes the key, and there is no challenge".into()));
    }
    let (mut parsed, user, device) = parse(&order)?;
    parsed.ordered_by = Some(person(&extensions).identity);
    let by = actor(&extensions);
    if mail {
        let user = user.as_ref().ok_or_else(|| ServerError::Invalid("user: mail goes to users on record".into()))?;
        send::possible(&server, user).await?;
    }
    let protection = if old { Protection::Old } else { Protection::Modern };
    let ordered = parsed.clone();
    let made = make(&server, parsed, (user.clone(), device.clone()), &[protection], &Orderer::Administrator(by.clone())).await?;
    let made = match made {
        Made::File(made) => made,
        Made::Refused(id) => {
            let request = super::requests::describe_by_id(&server, id).await?;
            return Ok(Json(PfxMade { request, file: None, history: 0, sent: None, passphrase: None, certificate: None }));
        }
    };
    let sent = match user.filter(|_| mail) {
        Some(user) => Some(send::file(&server, &user, (&ordered, device), &made, &by).await?),
        None => None,
    };
    // Where a link went instead, this key is nobody's.
    let lost = sent.as_ref().is_some_and(|sent| sent.as_link);
    Ok(Json(PfxMade {
        request: super::requests::describe_by_id(&server, made.request).await?,
        file: sent.is_none().then(|| STANDARD.encode(made.files.concat())),
        history: made.history,
        sent: sent.map(|sent| Sent { to: sent.to, as_link: sent.as_link }),
        passphrase: (!lost).then(|| made.passphrase.expose().to_owned()),
        certificate: (!lost).then(|| pem::encode(pem::CERTIFICATE, made.certificate.der())),
    }))
}
