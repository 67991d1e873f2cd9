//! `RequestSecurityTokenResponseCollection`.

use lanyard_model::secret::{SecretBytes, SecretText};

use super::request::TOKEN_TYPE;
use crate::{
    error::MdmError,
    soap::{
        base64,
        namespace::{BASE64_BINARY, SECURITY, TRUST, WSTEP},
    },
    xml::Element,
};

const PROVISION_DOC: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentProvisionDoc";

/// The one response of the collection.
#[derive(Debug, Clone)]
pub struct RequestSecurityTokenResponse {
    /// The provisioning document, as text. It has the secrets of the management account in it.
    pub provisioning_document: SecretBytes,
    /// Text about the outcome; empty in practice.
    pub disposition_message: String,
    /// Number of the request at the server; Windows MDM has no use for it.
    pub request_id: String,
}

impl RequestSecurityTokenResponse {
    /// A response with this document.
    #[must_use]
    pub fn new(provisioning_document: &SecretText) -> Self {
        Self {
            provisioning_document: SecretBytes::new(provisioning_document.expose().as_bytes().to_vec()),
            disposition_message: String::new(),
            request_id: "0".to_owned(),
        }
    }

    /// Reads the body of a response.
    ///
    /// # Errors
    /// [`MdmError::Missing`], [`MdmError::Repeated`], [`MdmError::Value`].
    pub fn decode(body: &Element) -> Result<Self, MdmError> {
        if !body.is(TRUST, "RequestSecurityTokenResponseCollection") {
            return Err(body.wrong("is not RequestSecurityTokenResponseCollection"));
        }
        let response = body.require(TRUST, "RequestSecurityTokenResponse")?;
        let token = response.require(TRUST, "RequestedSecurityToken")?.require(SECURITY, "BinarySecurityToken")?;
        // QUIRK(documentation): one sample lacks the version within the URI.
        if !token.attribute("", "ValueType").unwrap_or_default().ends_with("/DeviceEnrollmentProvisionDoc") {
            return Err(token.wrong("is not DeviceEnrollmentProvisionDoc"));
        }
        Ok(Self {
            provisioning_document: base64::decode(token.simple_text()?)
                .map(SecretBytes::new)
                .ok_or_else(|| token.wrong("is no base64"))?,
            disposition_message: response.find_text(WSTEP, "DispositionMessage")?.unwrap_or_default(),
            request_id: response.find_text(WSTEP, "RequestID")?.unwrap_or_default(),
        })
    }

    /// The body of a response.
    #[must_use]
    pub fn encode(&self) -> Element {
        let token = Element::new(SECURITY, "BinarySecurityToken")
            .with("ValueType", PROVISION_DOC)
            .with("EncodingType", BASE64_BINARY)
            .with_text(base64::encode(self.provisioning_document.expose()));
        let response = Element::new(TRUST, "RequestSecurityTokenResponse")
            .leaf("TokenType", TOKEN_TYPE)
            .child(Element::new(WSTEP, "DispositionMessage").with_text(&*self.disposition_message))
            .child(Element::new(TRUST, "RequestedSecurityToken").child(token))
            .child(Element::new(WSTEP, "RequestID").with_text(&*self.request_id));
        Element::new(TRUST, "RequestSecurityTokenResponseCollection").child(response)
    }
}
