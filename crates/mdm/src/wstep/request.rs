//! `wst:RequestSecurityToken`.

use super::AdditionalContext;
use crate::{
    error::MdmError,
    soap::{
        base64,
        namespace::{AUTHORIZATION, BASE64_BINARY, SECURITY, TRUST},
    },
    xml::Element,
};

pub(super) const TOKEN_TYPE: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken";
const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue";
const RENEW: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Renew";
const PKCS10: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS10";
const PKCS7: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7";
/// First octet of every DER SEQUENCE. Base64 of a SEQUENCE begins with "M" instead, so one look tells how often it was encoded.
const SEQUENCE: u8 = 0x30;

/// A request for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSecurityToken {
    /// The request proper.
    pub request: CertificateRequest,
    /// What the device tells about itself.
    pub context: AdditionalContext,
}

/// RequestType and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRequest {
    /// A first certificate: PKCS#10, DER.
    Issue(Vec<u8>),
    /// Another one in place of the one that signed it.
    Renew {
        /// SignedData around a PKCS#10, DER; see [`super::UnverifiedRenewal`].
        pkcs7: Vec<u8>,
        /// Whether base64 was applied twice, as a manual renewal does and an automatic one does not. It is no proof of either.
        is_twice_encoded: bool,
    },
}

impl RequestSecurityToken {
    /// Reads the body of a request. The token is that of the body: the header may have one too.
    ///
    /// # Errors
    /// [`MdmError::Missing`], [`MdmError::Repeated`], [`MdmError::Value`].
    pub fn decode(body: &Element) -> Result<Self, MdmError> {
        if !body.is(TRUST, "RequestSecurityToken") {
            return Err(body.wrong("is not RequestSecurityToken"));
        }
        let token_type = body.require(TRUST, "TokenType")?;
        if token_type.simple_text()? != TOKEN_TYPE {
            return Err(token_type.wrong("is not DeviceEnrollmentToken"));
        }
        let request_type = body.require(TRUST, "RequestType")?;
        let token = body.require(SECURITY, "BinarySecurityToken")?;
        let value_type = token.attribute("", "ValueType").unwrap_or_default();
        let octets = base64::decode(token.simple_text()?).ok_or_else(|| token.wrong("is no base64"))?;
        let request = match request_type.simple_text()? {
            ISSUE if value_type == PKCS10 => CertificateRequest::Issue(octets),
            // QUIRK(documentation of renewal): the fragment stands at the namespace of the security header.
            RENEW if value_type == PKCS7 || value_type.strip_prefix(SECURITY) == Some("#PKCS7") => {
                let is_twice_encoded = octets.first() != Some(&SEQUENCE);
                let pkcs7 = if is_twice_encoded {
                    base64::decode(octets).ok_or_else(|| token.wrong("is neither PKCS#7 nor base64 of it"))?
                } else {
                    octets
                };
                CertificateRequest::Renew { pkcs7, is_twice_encoded }
            }
            ISSUE | RENEW => return Err(token.wrong("has a ValueType that does not belong to the RequestType")),
            _ => return Err(request_type.wrong("is neither Issue nor Renew")),
        };
        let context = body.find(AUTHORIZATION, "AdditionalContext")?;
        let context = context.map(AdditionalContext::decode).transpose()?.unwrap_or_default();
        Ok(Self { request, context })
    }

    /// The body of a request.
    #[must_use]
    pub fn encode(&self) -> Element {
        let (request_type, value_type, text) = match &self.request {
            CertificateRequest::Issue(pkcs10) => (ISSUE, PKCS10, base64::encode(pkcs10)),
            CertificateRequest::Renew { pkcs7, is_twice_encoded: false } => (RENEW, PKCS7, base64::encode(pkcs7)),
            CertificateRequest::Renew { pkcs7, is_twice_encoded: true } => (RENEW, PKCS7, base64::encode(base64::encode(pkcs7))),
        };
        let token = Element::new(SECURITY, "BinarySecurityToken")
            .with("ValueType", value_type)
            .with("EncodingType", BASE64_BINARY)
            .with_text(text);
        Element::new(TRUST, "RequestSecurityToken")
            .leaf("TokenType", TOKEN_TYPE)
            .leaf("RequestType", request_type)
            .child(token)
            .child(self.context.encode())
    }
}
