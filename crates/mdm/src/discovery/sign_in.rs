//! The sign-in page of federated enrolment (MS-MDE2, section 3.2), as far as both sides must agree about it.
//!
//! The device opens the page with `appru` and `login_hint`; whatever happens there ends in a page whose form posts `wresult`, an opaque
//! token, to the address in `appru`, where the device catches it. It then stands base64-encoded in the security header.

use lanyard_model::secret::SecretText;

use crate::{
    error::MdmError,
    xml::{Element, Limits, read, write},
};

/// The scheme of the addresses at which Windows catches the token.
const APPRU_SCHEME: &str = "ms-app://";

/// The page to open: that of the discovery response, whose own query is kept, with the two parameters.
#[must_use]
pub fn authentication_url(service: &str, appru: &str, login_hint: &str) -> String {
    let (service, fragment) = service.split_once('#').map_or((service, None), |(before, after)| (before, Some(after)));
    let separator = if service.contains('?') { '&' } else { '?' };
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{service}{separator}appru={}&login_hint={}{fragment}", escape(appru), escape(login_hint))
}

/// Whether a token may be posted there. Any other scheme would send it to whoever made up the link.
#[must_use]
pub fn is_acceptable_appru(appru: &str) -> bool {
    let rest = appru.get(..APPRU_SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(APPRU_SCHEME));
    rest.is_some() && appru.len() > APPRU_SCHEME.len() && appru.chars().all(|c| c.is_ascii_graphic())
}

/// The last page: a form that posts the token by itself, with a button for whoever has no script.
///
/// # Errors
/// [`MdmError::Value`] when the token may not be posted there, [`MdmError::Unwritable`].
pub fn final_page(appru: &str, wresult: &SecretText) -> Result<SecretText, MdmError> {
    if !is_acceptable_appru(appru) {
        return Err(MdmError::Value { path: "appru".to_owned(), problem: "is no ms-app address", at: 0 });
    }
    let new = |name: &'static str| Element::new("", name);
    let token = new("input").with("type", "hidden").with("name", "wresult").with("value", wresult.expose());
    let button = new("input").with("type", "submit").with("value", "Continue");
    let form = new("form").with("method", "post").with("action", appru).child(token).child(button);
    let body = new("body").with("onload", "document.forms[0].submit()").child(form);
    let page = new("html").child(new("head").leaf("title", "Working")).child(body);
    Ok(SecretText::new(write(&page, &[], false)?))
}

/// The token of a last page that was written as XML, as ours is. The form must post to the address that the device gave.
///
/// # Errors
/// [`MdmError::Missing`], [`MdmError::Value`], and those of the XML.
pub fn decode_final_page(page: &[u8], appru: &str) -> Result<SecretText, MdmError> {
    let page = read(page, &Limits::SOAP)?;
    let body = page.require("", "body")?;
    let form = body.require("", "form")?;
    if form.attribute("", "action") != Some(appru) {
        return Err(form.wrong("posts elsewhere"));
    }
    let token = form.all("", "input").find(|input| input.attribute("", "name") == Some("wresult"));
    let token = token.and_then(|input| input.attribute("", "value")).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| MdmError::Missing { path: form.path("wresult"), at: form.at })?;
    Ok(SecretText::new(token.to_owned()))
}

/// Escapes everything but the unreserved characters of RFC 3986, section 2.3.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}
