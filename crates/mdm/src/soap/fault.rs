//! Faults (MS-MDE2, section 2.2.9): the only thing a device learns of a refusal.

use super::{
    Action, ResponseHeader,
    namespace::{DISPATCHER, SOAP, WSTEP, XML, XMLNS},
};
use crate::{error::MdmError, hresult::Hresult, xml::Element};

/// HTTP status of every fault. Sent with 200, a fault has been reported as the error "HTTP status 200" during renewals.
pub const HTTP_STATUS_OF_FAULTS: u16 = 500;

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub subcode: Subcode,
    /// Text for people, in English.
    pub reason: String,
    /// A reason that Windows 10 and later know by name.
    pub detail: Option<DeviceEnrollmentServiceError>,
}

/// `s:Code/s:Subcode/s:Value`, which the device turns into an HRESULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subcode {
    /// The request cannot be read.
    MessageFormat,
    /// Credentials or token are wrong.
    Authentication,
    /// The user is known but may not.
    Authorization,
    /// No certificate can be issued.
    CertificateRequest,
    /// A service behind the server failed.
    EnrollmentServer,
    /// The server failed.
    InternalServiceFault,
    /// The security header cannot be understood.
    InvalidSecurity,
    /// The service has no such action.
    ActionMismatch,
    /// The service is not available.
    EndpointUnavailable,
    /// Another one; never sent.
    Unknown,
}

impl Subcode {
    const ALL: [Self; 9] = [
        Self::MessageFormat,
        Self::Authentication,
        Self::Authorization,
        Self::CertificateRequest,
        Self::EnrollmentServer,
        Self::InternalServiceFault,
        Self::InvalidSecurity,
        Self::ActionMismatch,
        Self::EndpointUnavailable,
    ];

    /// Local part of its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageFormat => "MessageFormat",
            Self::Authentication => "Authentication",
            Self::Authorization => "Authorization",
            Self::CertificateRequest => "CertificateRequest",
            Self::EnrollmentServer => "EnrollmentServer",
            Self::InternalServiceFault => "InternalServiceFault",
            Self::InvalidSecurity => "InvalidSecurity",
            Self::ActionMismatch => "ActionMismatch",
            Self::EndpointUnavailable => "EndpointUnavailable",
            Self::Unknown => "Unknown",
        }
    }

    /// What the device makes of it.
    #[must_use]
    pub const fn hresult(self) -> Hresult {
        match self {
            Self::MessageFormat => Hresult::DEVICE_MESSAGE_FORMAT_ERROR,
            Self::Authentication => Hresult::DEVICE_AUTHENTICATION_ERROR,
            Self::Authorization => Hresult::DEVICE_AUTHORIZATION_ERROR,
            Self::CertificateRequest => Hresult::DEVICE_CERTIFICATEREQUEST_ERROR,
            Self::EnrollmentServer => Hresult::DEVICE_CONFIGMGRSERVER_ERROR,
            Self::InternalServiceFault => Hresult::DEVICE_INTERNALSERVICE_ERROR,
            Self::InvalidSecurity => Hresult::DEVICE_INVALIDSECURITY_ERROR,
            Self::ActionMismatch | Self::EndpointUnavailable | Self::Unknown => Hresult::DEVICE_UNKNOWN_ERROR,
        }
    }

    /// Those of the dispatcher have its prefix and namespace.
    const fn is_of_dispatcher(self) -> bool {
        matches!(self, Self::InternalServiceFault | Self::InvalidSecurity | Self::ActionMismatch | Self::EndpointUnavailable)
    }

    /// Servers do not agree on prefixes and case, so only the name counts.
    fn from_value(value: &str) -> Self {
        let name = value.rsplit(':').next().unwrap_or(value);
        Self::ALL.into_iter().find(|subcode| subcode.name().eq_ignore_ascii_case(name)).unwrap_or(Self::Unknown)
    }
}

/// `s:Detail/DeviceEnrollmentServiceError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceEnrollmentServiceError {
    /// The reason.
    pub error_type: ErrorType,
    /// Text for people.
    pub message: String,
    /// Shown to the user, to be told to the help desk; the id of the request in the log.
    pub trace_id: String,
}

/// `ErrorType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// The user has too many devices.
    DeviceCapReached,
    /// This platform or version may not enrol.
    DeviceNotSupported,
    /// This kind of enrolment is not offered.
    NotSupported,
    /// The certificate cannot be renewed, or not now.
    NotEligibleToRenew,
    /// The service is being maintained.
    InMaintenance,
    /// The user has no licence.
    UserLicense,
    /// The enrolment data is not acceptable.
    InvalidEnrollmentData,
    /// An error of the server's own; later builds of Windows only.
    CustomServerError,
}

impl ErrorType {
    const ALL: [Self; 8] = [
        Self::DeviceCapReached,
        Self::DeviceNotSupported,
        Self::NotSupported,
        Self::NotEligibleToRenew,
        Self::InMaintenance,
        Self::UserLicense,
        Self::InvalidEnrollmentData,
        Self::CustomServerError,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeviceCapReached => "DeviceCapReached",
            Self::DeviceNotSupported => "DeviceNotSupported",
            Self::NotSupported => "NotSupported",
            Self::NotEligibleToRenew => "NotEligibleToRenew",
            Self::InMaintenance => "InMaintenance",
            Self::UserLicense => "UserLicense",
            Self::InvalidEnrollmentData => "InvalidEnrollmentData",
            Self::CustomServerError => "CustomServerError",
        }
    }

    /// What the device makes of it.
    #[must_use]
    pub const fn hresult(self) -> Hresult {
        match self {
            Self::DeviceCapReached => Hresult::DEVICECAPREACHED,
            Self::DeviceNotSupported => Hresult::DEVICENOTSUPPORTED,
            Self::NotSupported => Hresult::NOTSUPPORTED,
            Self::NotEligibleToRenew => Hresult::NOTELIGIBLETORENEW,
            Self::InMaintenance => Hresult::INMAINTENANCE,
            Self::UserLicense => Hresult::USERLICENSE,
            Self::InvalidEnrollmentData => Hresult::ENROLLMENTDATAINVALID,
            Self::CustomServerError => Hresult::CUSTOMSERVERERROR,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }
}

impl Fault {
    /// A fault without detail.
    #[must_use]
    pub fn new(subcode: Subcode, reason: impl Into<String>) -> Self {
        Self { subcode, reason: reason.into(), detail: None }
    }

    /// With a reason that Windows 10 and later know by name; the text is that of the fault.
    #[must_use]
    pub fn with_detail(mut self, error_type: ErrorType, trace_id: impl Into<String>) -> Self {
        self.detail = Some(DeviceEnrollmentServiceError { error_type, message: self.reason.clone(), trace_id: trace_id.into() });
        self
    }

    /// What the device makes of it: the detail counts before the subcode.
    #[must_use]
    pub fn hresult(&self) -> Hresult {
        self.detail.as_ref().map_or_else(|| self.subcode.hresult(), |detail| detail.error_type.hresult())
    }

    /// The whole message, in UTF-8; sent with [`HTTP_STATUS_OF_FAULTS`]. `action` is that of the request.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`].
    pub fn encode(&self, action: Action, message_id: Option<&str>) -> Result<String, MdmError> {
        self.encode_with(&ResponseHeader::answering(action, message_id))
    }

    /// The same under a header of one's own.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`].
    pub fn encode_with(&self, header: &ResponseHeader) -> Result<String, MdmError> {
        let prefix = if self.subcode.is_of_dispatcher() { "a" } else { "s" };
        let mut value = Element::new(SOAP, "Value").with_text(format!("{prefix}:{}", self.subcode.name()));
        if self.subcode.is_of_dispatcher() {
            value = value.with_attribute(XMLNS, "a", DISPATCHER);
        }
        let code = Element::new(SOAP, "Code").leaf("Value", "s:Receiver").child(Element::new(SOAP, "Subcode").child(value));
        let text = Element::new(SOAP, "Text").with_attribute(XML, "lang", "en-US").with_text(&*self.reason);
        let mut fault = Element::new(SOAP, "Fault").child(code).child(Element::new(SOAP, "Reason").child(text));
        if let Some(detail) = &self.detail {
            let error = Element::new(WSTEP, "DeviceEnrollmentServiceError")
                .leaf("ErrorType", detail.error_type.name())
                .leaf("Message", &*detail.message)
                .leaf("TraceId", &*detail.trace_id);
            fault.push(Element::new(SOAP, "Detail").child(error));
        }
        header.encode(fault)
    }

    /// Reads the `s:Fault` of an answer. An unknown ErrorType leaves the detail out, as an older client would.
    pub(super) fn decode(fault: &Element) -> Result<Self, MdmError> {
        let subcode = match fault.require(SOAP, "Code")?.find(SOAP, "Subcode")? {
            Some(subcode) => Subcode::from_value(&subcode.require_text(SOAP, "Value")?),
            None => Subcode::Unknown,
        };
        // The text may come in several languages; the first will do.
        let text = fault.find(SOAP, "Reason")?.and_then(|reason| reason.all(SOAP, "Text").next());
        let reason = text.map(Element::simple_text).transpose()?.unwrap_or_default().to_owned();
        let error = match fault.find(SOAP, "Detail")? {
            Some(detail) => detail.find(WSTEP, "DeviceEnrollmentServiceError")?,
            None => None,
        };
        let detail = match error {
            Some(error) => ErrorType::from_name(&error.find_text(WSTEP, "ErrorType")?.unwrap_or_default()).map(|error_type| {
                Ok::<_, MdmError>(DeviceEnrollmentServiceError {
                    error_type,
                    message: error.find_text(WSTEP, "Message")?.unwrap_or_default(),
                    trace_id: error.find_text(WSTEP, "TraceId")?.unwrap_or_default(),
                })
            }),
            None => None,
        };
        Ok(Self { subcode, reason, detail: detail.transpose()? })
    }
}
