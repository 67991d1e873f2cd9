//! Responses: what a server sends.

use super::{
    Action, Fault, Lifetime,
    namespace::{ADDRESSING, DIAGNOSTICS, RESPONSE_PREFIXES, SECURITY, SOAP},
    request::{body, envelope_header},
};
use crate::{
    error::MdmError,
    xml::{Element, Limits, read, write},
};

/// Header of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHeader {
    /// `a:Action`.
    pub action: Action,
    /// `a:RelatesTo`: the MessageID of the request; absent when it could not be read.
    pub relates_to: Option<String>,
    /// `ActivityId`, for finding the request in the log.
    pub activity: Option<Activity>,
    /// `o:Security/u:Timestamp`, in answers with a security token.
    pub timestamp: Option<Lifetime>,
}

/// The ActivityId header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// CorrelationId.
    pub correlation: String,
    /// The id itself.
    pub id: String,
}

/// A response that is no fault.
#[derive(Debug, Clone)]
pub struct Response {
    /// Its header.
    pub header: ResponseHeader,
    /// The one element of its body.
    pub body: Element,
}

/// What a server answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// What was asked for.
    Response(Response),
    /// A fault.
    Fault(Fault),
}

impl ResponseHeader {
    /// The header that answers a request.
    #[must_use]
    pub fn answering(action: Action, message_id: Option<&str>) -> Self {
        Self { action: action.response(), relates_to: message_id.map(str::to_owned), activity: None, timestamp: None }
    }

    /// A response with this header, in UTF-8.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`].
    pub fn encode(&self, body: Element) -> Result<String, MdmError> {
        let mut header = Element::new(SOAP, "Header")
            .child(Element::new(ADDRESSING, "Action").with_attribute(SOAP, "mustUnderstand", "1").with_text(self.action.uri()));
        if let Some(activity) = &self.activity {
            let correlation = activity.correlation.clone();
            header.push(Element::new(DIAGNOSTICS, "ActivityId").with("CorrelationId", correlation).with_text(&*activity.id));
        }
        if let Some(message_id) = &self.relates_to {
            header.push(Element::new(ADDRESSING, "RelatesTo").with_text(&**message_id));
        }
        if let Some(lifetime) = self.timestamp {
            let security = Element::new(SECURITY, "Security").with_attribute(SOAP, "mustUnderstand", "1");
            header.push(security.child(lifetime.encode()));
        }
        let envelope = Element::new(SOAP, "Envelope").child(header).child(Element::new(SOAP, "Body").child(body));
        write(&envelope, RESPONSE_PREFIXES, false)
    }
}

impl Answer {
    /// Reads the answer to a request of ours.
    ///
    /// # Errors
    /// [`MdmError::Action`], [`MdmError::Unrelated`] when it answers another request, and those of the structure.
    pub fn decode(octets: &[u8], action: Action, message_id: &str) -> Result<Self, MdmError> {
        let envelope = read(octets, &Limits::SOAP)?;
        let header = envelope_header(&envelope)?;
        let relates_to = header.find_text(ADDRESSING, "RelatesTo")?;
        let body = body(&envelope)?;
        if body.is(SOAP, "Fault") {
            // Whoever could not read the request has no MessageID to repeat.
            return match relates_to {
                Some(other) if other != message_id => Err(MdmError::Unrelated),
                _ => Fault::decode(body).map(Self::Fault),
            };
        }
        if relates_to.as_deref() != Some(message_id) {
            return Err(MdmError::Unrelated);
        }
        let found = header.require_text(ADDRESSING, "Action")?;
        if Action::from_uri(&found) != Some(action.response()) {
            return Err(MdmError::Action(found));
        }
        let activity = header.find(DIAGNOSTICS, "ActivityId")?.map(|activity| -> Result<_, MdmError> {
            let correlation = activity.attribute("", "CorrelationId").unwrap_or_default().to_owned();
            Ok(Activity { correlation, id: activity.simple_text()?.to_owned() })
        });
        let timestamp = match header.find(SECURITY, "Security")? {
            Some(security) => super::Security::decode(security)?.timestamp,
            None => None,
        };
        let header = ResponseHeader { action: action.response(), relates_to, activity: activity.transpose()?, timestamp };
        Ok(Self::Response(Response { header, body: body.clone() }))
    }
}
