//! Errors as problem documents (RFC 9457).

use axum::{
    Json,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use lanyard_modules::error::ModuleError;
use lanyard_ra::{error::RaError, reason::Reason};
use lanyard_store::error::StoreError;

use super::types::Problem;
use crate::error::{ServerError, chain};

/// Result of a handler.
pub type ApiResult<T> = Result<Json<T>, ServerError>;

impl IntoResponse for ServerError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) | Self::Pki(_) => StatusCode::BAD_REQUEST,
            Self::Access(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Policy(RaError::OrderRefused { reason: Reason::ApprovalOwn, .. }) => StatusCode::FORBIDDEN,
            Self::Policy(RaError::OrderRefused { .. } | RaError::OrderLifetime { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Module { source: ModuleError::Denied { .. }, .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Module { source: ModuleError::Config { .. }, .. } => StatusCode::BAD_REQUEST,
            Self::Module { .. } | Self::Directory(_) | Self::Mail(_) => StatusCode::BAD_GATEWAY,
            Self::Store(StoreError::Stopped | StoreError::Closed) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let detail = chain(&self);
        if status.is_server_error() {
            tracing::error!(code = self.code(), error = %detail, "an administrator's call failed");
        }
        let problem = Problem { code: self.code().to_owned(), title: self.to_string(), detail };
        (status, [(CONTENT_TYPE, "application/problem+json")], Json(problem)).into_response()
    }
}
