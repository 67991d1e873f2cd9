//! API tokens.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Extensions,
};
use lanyard_model::{
    text::printable,
    token::{Scope, TokenRecord},
};

use super::{
    challenges::field,
    problem::ApiResult,
    router::actor,
    types::{NewToken, Token, TokenWish},
};
use crate::{
    error::ServerError,
    flow::token::{Wish, create as make, revoke as end},
    state::Server,
};

/// `GET /tokens`.
pub async fn list(State(server): State<Arc<Server>>) -> ApiResult<Vec<Token>> {
    let tokens = server.store.list_tokens().await?;
    Ok(Json(tokens.iter().map(|t| describe(&server, t)).collect()))
}

/// `POST /tokens`.
pub async fn create(
    State(server): State<Arc<Server>>,
    extensions: Extensions,
    Json(wish): Json<TokenWish>,
) -> ApiResult<NewToken> {
    let scope = match wish.role.as_str() {
        "administrator" => Scope::Administrator,
        "approver" => Scope::Approver,
        "gateway" => Scope::Gateway,
        "mint" => Scope::Mint {
            profiles: wish.profiles.iter().map(|p| field("profile", p)).collect::<Result<_, _>>()?,
            templates: wish.templates.iter().map(|t| field("template", t)).collect::<Result<_, _>>()?,
        },
        other => {
            let known = "administrator, approver, gateway, mint";
            return Err(ServerError::Invalid(format!("role '{}' is none of {known}", printable(other))));
        }
    };
    let limited = !wish.profiles.is_empty() || !wish.templates.is_empty();
    if limited && !matches!(scope, Scope::Mint { .. }) {
        return Err(ServerError::Invalid("only the role mint is limited to profiles and templates".into()));
    }
    let wish = Wish {
        description: wish.description,
        user: wish.user.as_deref().map(|u| field("user", u)).transpose()?,
        scope,
        ttl: field("ttl", wish.ttl.as_deref().unwrap_or("365d"))?,
        calls_per_minute: wish.rate.unwrap_or(600),
    };
    let (text, record) = make(&server, wish, &actor(&extensions)).await?;
    Ok(Json(NewToken { token: text.expose().to_owned(), about: describe(&server, &record) }))
}

/// `POST /tokens/{id}/revoke`.
pub async fn revoke(State(server): State<Arc<Server>>, Path(id): Path<String>, extensions: Extensions) -> ApiResult<bool> {
    Ok(Json(end(&server, &field("id", &id)?, &actor(&extensions)).await?))
}

fn describe(server: &Server, record: &TokenRecord) -> Token {
    let state = match (record.revoked_at, server.now() >= record.expires_at) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "valid",
    };
    Token {
        id: record.id.to_string(),
        state: state.to_owned(),
        description: record.description.clone(),
        user: record.user.as_ref().map(ToString::to_string),
        scope: record.scope.to_string(),
        rate: record.calls_per_minute,
        created_by: record.created_by.clone(),
        created_at: record.created_at.to_string(),
        expires_at: record.expires_at.to_string(),
        revoked_at: record.revoked_at.map(|t| t.to_string()),
    }
}
