//! Requests: what a device sends.

use lanyard_model::secret::SecretText;

use super::{
    Action, Fault, Security,
    namespace::{ADDRESSING, DIAGNOSTICS, REQUEST_PREFIXES, SECURITY, SOAP},
};
use crate::{
    error::MdmError,
    xml::{Element, Limits, read, write},
};

const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// Longest MessageID that is believed and echoed.
const MAX_MESSAGE_ID: usize = 256;

/// Header of a request.
#[derive(Debug, Clone)]
pub struct RequestHeader {
    /// `a:Action`.
    pub action: Action,
    /// `a:MessageID`, to be echoed in RelatesTo.
    pub message_id: String,
    /// `a:To`, the service as the client knows it: case and port vary, so it is never compared.
    pub to: String,
    /// `wsse:Security`.
    pub security: Security,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its header.
    pub header: RequestHeader,
    envelope: Element,
}

/// A request that cannot be understood, and what its fault needs.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// Why.
    pub error: MdmError,
    /// MessageID, if the request could be read that far.
    pub message_id: Option<String>,
}

impl From<MdmError> for Rejected {
    fn from(error: MdmError) -> Self {
        Self { error, message_id: None }
    }
}

impl Rejected {
    /// The fault that tells it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::new(self.error.subcode(), self.error.reason())
    }
}

impl Request {
    /// Reads a request that must be of one action.
    ///
    /// # Errors
    /// [`MdmError::Action`] when it is of another one, [`MdmError::MustUnderstand`] for an unknown header that may not be ignored,
    /// [`MdmError::Security`], and those of the structure.
    pub fn decode(octets: &[u8], expected: Action) -> Result<Self, Rejected> {
        let envelope = read(octets, &Limits::SOAP)?;
        let header = envelope_header(&envelope)?;
        let message_id = header.find_text(ADDRESSING, "MessageID")?.filter(|id| id.len() <= MAX_MESSAGE_ID);
        let header = decode_header(header, message_id.clone(), expected);
        let header = header.and_then(|header| body(&envelope).map(|_| header));
        match header {
            Ok(header) => Ok(Self { header, envelope }),
            Err(error) => Err(Rejected { error, message_id }),
        }
    }

    /// The one element of its body.
    ///
    /// # Errors
    /// None after [`Request::decode`].
    pub fn body(&self) -> Result<&Element, MdmError> {
        body(&self.envelope)
    }

    /// The whole envelope, of which a signature covers parts.
    #[must_use]
    pub const fn envelope(&self) -> &Element {
        &self.envelope
    }
}

impl RequestHeader {
    /// A request with this header, in UTF-8. It carries the password, and is as secret.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`].
    pub fn encode(&self, body: Element) -> Result<SecretText, MdmError> {
        Ok(SecretText::new(write(&self.envelope(body)?, REQUEST_PREFIXES, false)?))
    }

    /// The envelope, before it is written.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`].
    pub(super) fn envelope(&self, body: Element) -> Result<Element, MdmError> {
        let understood =
            |name, text: &str| Element::new(ADDRESSING, name).with_attribute(SOAP, "mustUnderstand", "1").with_text(text);
        let mut header = Element::new(SOAP, "Header")
            .child(understood("Action", self.action.uri()))
            .child(Element::new(ADDRESSING, "MessageID").with_text(&*self.message_id))
            .child(Element::new(ADDRESSING, "ReplyTo").leaf("Address", ANONYMOUS))
            .child(understood("To", &self.to));
        if let Some(security) = self.security.encode()? {
            header.push(security);
        }
        Ok(Element::new(SOAP, "Envelope").child(header).child(Element::new(SOAP, "Body").child(body)))
    }
}

/// The header of an envelope.
pub(super) fn envelope_header(envelope: &Element) -> Result<&Element, MdmError> {
    if !envelope.is(SOAP, "Envelope") {
        return Err(envelope.wrong("is not the envelope of a SOAP 1.2 message"));
    }
    envelope.require(SOAP, "Header")
}

/// The one element of the body.
pub(super) fn body(envelope: &Element) -> Result<&Element, MdmError> {
    let body = envelope.require(SOAP, "Body")?;
    let mut children = body.children();
    match (children.next(), children.next()) {
        (Some(child), None) => Ok(child),
        (None, _) => Err(MdmError::Missing { path: "Body/*".into(), at: body.at }),
        (Some(_), Some(second)) => Err(MdmError::Repeated { path: "Body/*".into(), at: second.at }),
    }
}

fn decode_header(header: &Element, message_id: Option<String>, expected: Action) -> Result<RequestHeader, MdmError> {
    let action = header.require_text(ADDRESSING, "Action")?;
    if Action::from_uri(&action) != Some(expected) {
        return Err(MdmError::Action(action));
    }
    for child in header.children() {
        let known = match child.namespace() {
            ADDRESSING => matches!(child.local(), "Action" | "MessageID" | "ReplyTo" | "To" | "From" | "FaultTo" | "RelatesTo"),
            SECURITY => child.local() == "Security",
            DIAGNOSTICS => true,
            _ => false,
        };
        if !known && matches!(child.attribute(SOAP, "mustUnderstand"), Some("1" | "true")) {
            return Err(MdmError::MustUnderstand(child.local().to_owned()));
        }
    }
    // Answers go back on the same connection and nowhere else.
    if let Some(reply_to) = header.find(ADDRESSING, "ReplyTo")?
        && reply_to.require_text(ADDRESSING, "Address")? != ANONYMOUS
    {
        return Err(reply_to.wrong("asks to be answered elsewhere"));
    }
    Ok(RequestHeader {
        action: expected,
        message_id: message_id.ok_or_else(|| MdmError::Missing { path: header.path("MessageID"), at: header.at })?,
        to: header.find_text(ADDRESSING, "To")?.unwrap_or_default(),
        security: header.find(SECURITY, "Security")?.map(Security::decode).transpose()?.unwrap_or_default(),
    })
}
