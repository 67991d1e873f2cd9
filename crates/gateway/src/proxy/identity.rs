//! Fields by which the gateway tells the back end who it is.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::application::{Application, Delegation};
use crate::{
    account::basic::Credentials,
    decide::{
        admit::Admission,
        denial::{Denial, Reason},
    },
};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const PROTO_HTTPS: HeaderValue = HeaderValue::from_static("https");

/// Adds them; a client's own are gone already.
///
/// # Errors
/// [`Reason::AccountRefused`] when the account has no name that can be handed on.
pub fn add(headers: &mut HeaderMap, application: &Application, admission: &Admission, source: IpAddr) -> Result<(), Denial> {
    if let Ok(value) = HeaderValue::from_str(&source.to_canonical().to_string()) {
        headers.insert(FOR, value);
    }
    headers.insert(PROTO, PROTO_HTTPS);
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert(HOST, host);
    }
    if let (true, Some(verified)) = (application.client_cert, &admission.certificate) {
        // RFC 9440, section 2.2: a byte sequence of RFC 8941.
        let value = format!(":{}:", STANDARD.encode(verified.certificate.der()));
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(CLIENT_CERT, value);
        }
    }
    let nameless = || Denial::because(Reason::AccountRefused, "the account has no name that the back end could be told");
    match (&application.delegation, &admission.account) {
        (Delegation::None, _) | (Delegation::Basic, _) => Ok(()),
        (Delegation::Password(password), Some(account)) => {
            if account.name.contains(':') || account.name.chars().any(char::is_control) {
                return Err(nameless());
            }
            headers.insert(header::AUTHORIZATION, Credentials::field(&account.name, password).ok_or_else(nameless)?);
            Ok(())
        }
        (Delegation::Header(name, called), Some(account)) => {
            let text = account.called(*called).filter(|text| !text.is_empty() && text.trim() == *text).ok_or_else(nameless)?;
            // Beyond ASCII, back ends disagree on what octets mean; a name must not mean somebody else.
            let value = text.is_ascii().then(|| HeaderValue::from_str(text).ok()).flatten().ok_or_else(nameless)?;
            headers.insert(name.clone(), value);
            Ok(())
        }
        (Delegation::Password(_) | Delegation::Header(..), None) => Err(nameless()),
    }
}
