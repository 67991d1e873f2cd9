//! Which fields go on to the back end, and which come back.
//!
//! A back end behind CGI, WSGI or PHP cannot tell `X-Remote-User` from `x_remote.user`, so fields are compared folded: lower case, and
//! everything that is neither letter nor digit as a hyphen.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, header};

/// Fields between two neighbours (RFC 9110, section 7.6.1), and those that a proxy makes itself.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Fields by which somebody's identity, certificate or address is handed on somewhere; folded. Only a gateway may set them.
const IDENTITY: [&str; 54] = [
    "auth-user",
    "cert-subject",
    "client-cert",
    "client-cert-chain",
    "client-ip",
    "forwarded",
    "from-user",
    "http-remote-user",
    "iv-user",
    "oidc-claim-sub",
    "remote-addr",
    "remote-email",
    "remote-groups",
    "remote-name",
    "remote-user",
    "sm-user",
    "smuser",
    "ssl-client-cert",
    "ssl-client-s-dn",
    "ssl-client-verify",
    "true-client-ip",
    "user-principal-name",
    "webauth-user",
    "x-arr-clientcert",
    "x-arr-log-id",
    "x-arr-ssl",
    "x-auth-user",
    "x-authenticated-user",
    "x-client-cert",
    "x-client-certificate",
    "x-client-dn",
    "x-client-ip",
    "x-client-verify",
    "x-cluster-client-ip",
    "x-credential-username",
    "x-email",
    "x-forwarded",
    "x-groups",
    "x-http-method-override",
    "x-login-user",
    "x-ms-client-principal",
    "x-ms-client-principal-id",
    "x-ms-client-principal-name",
    "x-original-url",
    "x-pomerium-claim-email",
    "x-proxy-user",
    "x-real-ip",
    "x-remote-user",
    "x-rewrite-url",
    "x-ssl-cert",
    "x-tls-client-cert",
    "x-user",
    "x-username",
    "x-verified-user",
];

/// Beginnings of families of such fields; folded.
const FAMILIES: [&str; 16] = [
    "client-cert-",
    "oidc-",
    "remote-user-",
    "ssl-client-",
    "x-arr-",
    "x-auth-request-",
    "x-authentik-",
    "x-client-cert-",
    "x-forwarded-",
    "x-goog-authenticated-user-",
    "x-ms-client-principal-",
    "x-pomerium-",
    "x-remote-",
    "x-ssl-",
    "x-tls-",
    "x-webobjects-",
];

/// A name as the least careful back end reads it.
#[must_use]
pub fn fold(name: &str) -> String {
    name.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b.to_ascii_lowercase()) } else { '-' }).collect()
}

/// Whether only a gateway may set a field of this name.
#[must_use]
pub fn is_identity(name: &str, reserved: &HashSet<String>) -> bool {
    let plain = |name: &str| {
        IDENTITY.binary_search(&name).is_ok() || FAMILIES.iter().any(|family| name.starts_with(family)) || reserved.contains(name)
    };
    // Names of a HeaderMap are in lower case already.
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') { plain(name) } else { plain(&fold(name)) }
}

/// The fields named in `Connection`, which are for this neighbour only. `None` when they cannot be read.
fn listed(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            names.push(HeaderName::from_bytes(name.as_bytes()).ok()?);
        }
    }
    Some(names)
}

/// Takes out of a request what must not go on: fields between neighbours, fields that are listed as such, fields that only the gateway may set,
/// `Expect`, which is answered here, and `Authorization`, which is handed on deliberately or not at all. `false` when `Connection`
/// cannot be read.
#[must_use]
pub fn clean_request(headers: &mut HeaderMap, reserved: &HashSet<String>, keep_authorization: bool) -> bool {
    let Some(listed) = listed(headers) else { return false };
    let goes = |name: &HeaderName| {
        HOP_BY_HOP.contains(&name.as_str())
            || *name == header::EXPECT
            || (*name == header::AUTHORIZATION && !keep_authorization)
            || listed.contains(name)
            || is_identity(name.as_str(), reserved)
    };
    let gone: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
    true
}

/// Takes out of an answer what is between the back end and the gateway.
pub fn clean_response(headers: &mut HeaderMap) {
    let listed = listed(headers).unwrap_or_default();
    let gone: Vec<HeaderName> =
        headers.keys().filter(|name| HOP_BY_HOP.contains(&name.as_str()) || listed.contains(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_identity_fields_is_sorted_and_folded() {
        assert!(IDENTITY.is_sorted());
        assert!(IDENTITY.iter().chain(&FAMILIES).all(|name| fold(name) == **name));
    }

    #[test]
    fn identity_fields_are_recognised_however_they_are_spelt() {
        let reserved = HashSet::from(["x-own-user".to_owned()]);
        for name in [
            "remote_user",
            "x.webobjects.remote~user",
            "x-webobjects_remote-user",
            "x-ssl-client-s-dn-cn",
            "x_own_user",
            "client_cert",
        ] {
            assert!(is_identity(name, &reserved), "{name}");
        }
        for name in ["user-agent", "x-ms-policykey", "ms-asprotocolversion", "accept", "cookie", "x-requested-with"] {
            assert!(!is_identity(name, &reserved), "{name}");
        }
    }
}
