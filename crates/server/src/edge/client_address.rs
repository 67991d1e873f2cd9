//! Whose request it is: the address at the other end of the socket, or the one that a configured proxy names.

use std::net::IpAddr;

use axum::{body::Body, http::Request};

use super::listen::Peer;
use crate::config::Proxies;

/// The client's address; `None` at the administrator's socket. A field from anybody but a configured proxy counts for nothing, and of a
/// proxy's the last address that is not itself a configured proxy.
#[must_use]
pub fn client_address(request: &Request<Body>, proxies: &Proxies) -> Option<IpAddr> {
    let Some(Peer::Network(socket)) = request.extensions().get::<Peer>() else { return None };
    let socket = socket.ip().to_canonical();
    let trusted = |address: IpAddr| proxies.trusted.iter().any(|network| network.contains(address));
    if !trusted(socket) {
        return Some(socket);
    }
    let values = request.headers().get_all(proxies.field.as_str()).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut known = socket;
    for text in named.into_iter().rev() {
        // What cannot be read was not written by a proxy of ours: whoever wrote it is where the last one says.
        let Ok(address) = text.parse::<IpAddr>() else { return Some(known) };
        known = address.to_canonical();
        if !trusted(known) {
            break;
        }
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(socket: &str, field: Option<&str>) -> String {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Peer::Network(format!("{socket}:5").parse().unwrap()));
        if let Some(field) = field {
            request.headers_mut().insert("x-forwarded-for", field.parse().unwrap());
        }
        let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() };
        client_address(&request, &proxies).unwrap().to_string()
    }

    #[test]
    fn security_2_a_field_counts_only_from_a_configured_proxy() {
        assert_eq!(address("192.0.2.1", Some("203.0.113.9")), "192.0.2.1");
        assert_eq!(address("10.0.0.1", Some("203.0.113.9")), "203.0.113.9");
        // Whatever the client itself put before it counts for nothing.
        assert_eq!(address("10.0.0.1", Some("1.2.3.4, 203.0.113.9, 10.0.0.2")), "203.0.113.9");
        assert_eq!(address("10.0.0.1", Some("nonsense")), "10.0.0.1");
        assert_eq!(address("10.0.0.1", Some("1.2.3.4, nonsense, 10.0.0.2")), "10.0.0.2");
        assert_eq!(address("10.0.0.1", None), "10.0.0.1");
    }
}
