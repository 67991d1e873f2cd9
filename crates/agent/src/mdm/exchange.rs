//! One question to one of the enrolment services, and its answer.

use bytes::Bytes;
use http::Uri;
use lanyard_mdm::{
    soap::{Action, Answer, CONTENT_TYPE, RequestHeader, Security},
    xml::Element,
};
use lanyard_pki::crypto::random::random;

use crate::{error::AgentError, http::HttpClient};

/// Asks a service and returns the body of its answer.
///
/// # Errors
/// [`AgentError::Fault`] when it refuses; [`AgentError::Redirect`]; [`AgentError::ManagementMessage`] when the answer is none.
pub(crate) async fn ask(
    client: &HttpClient,
    operation: &'static str,
    url: &str,
    (action, security): (Action, Security),
    body: Element,
) -> Result<Element, AgentError> {
    let header = RequestHeader { action, message_id: message_id()?, to: url.to_owned(), security };
    let message = header.encode(body).map_err(AgentError::ManagementMessage)?;
    send(client, operation, url, &header, Bytes::copy_from_slice(message.expose().as_bytes())).await
}

/// Sends a message that is written already.
pub(crate) async fn send(
    client: &HttpClient,
    operation: &'static str,
    url: &str,
    header: &RequestHeader,
    message: Bytes,
) -> Result<Element, AgentError> {
    let answer = client.post(operation, &uri(url)?, CONTENT_TYPE, message).await?;
    match answer.status {
        // Faults come with 500, and from some servers with 200.
        200 | 400 | 500 => {}
        301 | 302 | 303 | 307 | 308 => return Err(AgentError::Redirect { operation }),
        status => return Err(AgentError::HttpStatus { operation, status }),
    }
    match Answer::decode(&answer.body, header.action, &header.message_id) {
        Ok(Answer::Response(response)) if answer.status == 200 => Ok(response.body),
        Ok(Answer::Response(_)) => Err(AgentError::HttpStatus { operation, status: answer.status }),
        Ok(Answer::Fault(fault)) => Err(AgentError::Fault { operation, fault: Box::new(fault) }),
        // What is behind a status other than 200 may be anybody's page.
        Err(_) if answer.status != 200 => Err(AgentError::HttpStatus { operation, status: answer.status }),
        Err(error) => Err(AgentError::ManagementMessage(error)),
    }
}

pub(crate) fn uri(url: &str) -> Result<Uri, AgentError> {
    let refuse = |problem| AgentError::Url { url: lanyard_model::text::printable(url), problem };
    let uri: Uri = url.parse().map_err(|_| refuse("it is not a URL"))?;
    if uri.scheme_str() != Some("https") || uri.host().is_none() {
        return Err(refuse("device management is spoken over https only"));
    }
    Ok(uri)
}

/// `urn:uuid:` and a UUID of version 4.
fn message_id() -> Result<String, AgentError> {
    Ok(format!("urn:uuid:{}", uuid()?))
}

/// A UUID of version 4.
pub(crate) fn uuid() -> Result<String, AgentError> {
    let mut octets = random::<16>().map_err(AgentError::Own)?;
    for (place, keep, set) in [(6, 0x0f, 0x40), (8, 0x3f, 0x80)] {
        if let Some(octet) = octets.get_mut(place) {
            *octet = *octet & keep | set;
        }
    }
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok(format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}
