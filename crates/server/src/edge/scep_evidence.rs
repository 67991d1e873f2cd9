//! What the HTTP side of a SCEP request tells about the client.

use std::net::IpAddr;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, Method, Request, Version,
        header::{CONTENT_TYPE, HOST, USER_AGENT},
    },
};
use lanyard_enroll::scep::{
    accommodation::Accommodation,
    query::{Operation, Query},
    recognise::{Evidence, Recognised, recognise},
};
use lanyard_model::{request::RequestContext, text::printable};

use super::listen::Peer;

/// Most characters of a User-Agent that are kept.
const MAX_USER_AGENT: usize = 200;

/// Evidence of one request.
pub struct HttpEvidence {
    user_agent: Option<String>,
    identifier: Option<String>,
    accommodations: Vec<Accommodation>,
}

impl HttpEvidence {
    /// Gathers it.
    #[must_use]
    pub fn of(request: &Request<Body>, query: &Query<'_>) -> Self {
        let headers = request.headers();
        let posted = *request.method() == Method::POST;
        let by_get = matches!(query.operation, Operation::PkiOperation(Some(_)));
        let noted = [
            (request.version() == Version::HTTP_10, Accommodation::Http10),
            (request.version() == Version::HTTP_11 && !filled(headers, HOST), Accommodation::NoHost),
            (posted && !filled(headers, CONTENT_TYPE), Accommodation::NoContentType),
            (by_get, Accommodation::GetInsteadOfPost),
        ];
        let mut accommodations: Vec<Accommodation> = noted.into_iter().filter(|(odd, _)| *odd).map(|(_, what)| what).collect();
        accommodations.extend(&query.accommodations);
        Self { user_agent: text(headers, USER_AGENT), identifier: query.identifier.map(str::to_owned), accommodations }
    }

    /// The client as far as HTTP shows it.
    #[must_use]
    pub fn recognise(&self) -> Option<Recognised> {
        recognise(&Evidence {
            user_agent: self.user_agent.as_deref(),
            identifier: self.identifier.as_deref(),
            transaction: None,
            accommodations: &self.accommodations,
        })
    }

    /// What the record of a request begins with.
    #[must_use]
    pub fn context(&self, request: &Request<Body>, address: Option<IpAddr>) -> RequestContext {
        let socket = request.extensions().get::<Peer>();
        // Behind a proxy both ends matter.
        let peer = match (socket, address) {
            (Some(Peer::Network(proxy)), Some(client)) if proxy.ip().to_canonical() != client => {
                Some(format!("{client} (by proxy {proxy})"))
            }
            (socket, _) => socket.map(ToString::to_string),
        };
        RequestContext {
            peer,
            address,
            user_agent: self.user_agent.clone(),
            method: Some(request.method().to_string()),
            accommodations: self.accommodations.iter().map(|one| one.as_str().to_owned()).collect(),
            ..RequestContext::default()
        }
    }
}

fn filled(headers: &HeaderMap, name: HeaderName) -> bool {
    headers.get(name).is_some_and(|value| !value.is_empty())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(name)?.as_bytes()).chars().take(MAX_USER_AGENT).collect::<String>();
    Some(printable(&value))
}
