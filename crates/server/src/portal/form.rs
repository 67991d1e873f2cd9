//! What a browser sends: queries and forms (`application/x-www-form-urlencoded`).

use std::collections::HashMap;

use axum::extract::Request;

use crate::{
    edge::{body::read_body, sign_in::unescape},
    state::Server,
};

/// Longest query.
const MAX_QUERY: usize = 16 * 1024;
/// Largest form.
const MAX_FORM: usize = 16 * 1024;
/// Largest form that brings a file back.
pub const MAX_FILE_FORM: usize = 1024 * 1024;

/// Fields by name; each comes once.
#[derive(Debug, Default)]
pub struct Fields(HashMap<String, String>);

impl Fields {
    /// Of a text; nothing when it is malformed or a field comes twice.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = HashMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if fields.insert(unescape(name)?, unescape(value)?).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }

    /// Of a request's query.
    #[must_use]
    pub fn of_query(request: &Request) -> Option<Self> {
        let query = request.uri().query().unwrap_or_default();
        (query.len() <= MAX_QUERY).then(|| Self::parse(query)).flatten()
    }

    /// Of a request's body.
    pub async fn of_body(server: &Server, request: Request) -> Option<Self> {
        Self::of_large_body(server, request, MAX_FORM).await
    }

    /// Of a body of at most so many octets.
    pub async fn of_large_body(server: &Server, request: Request, most: usize) -> Option<Self> {
        let octets = read_body(request.into_body(), most, &server.config.limits).await.ok()?;
        Self::parse(std::str::from_utf8(&octets).ok()?)
    }

    /// A field; empty when it is not there.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Takes a secret out.
    #[must_use]
    pub fn take(&mut self, name: &str) -> String {
        self.0.remove(name).unwrap_or_default()
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> &HashMap<String, String> {
        &self.0
    }
}
