//! The 32-bit results that a Windows device shows and reports when enrolment fails (MS-MDE2, section 2.2.9; `MDMRegistration.h`).

use std::fmt;

/// An HRESULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hresult(pub u32);

macro_rules! results {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)+) => {
        impl Hresult {
            $($(#[$doc])* pub const $name: Self = Self($value);)+

            /// Its name without `MENROLL_E_`, if it is one of enrolment.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }
    };
}

results! {
    /// The server could not read the request.
    DEVICE_MESSAGE_FORMAT_ERROR = 0x8018_0001,
    /// Credentials or token are wrong.
    DEVICE_AUTHENTICATION_ERROR = 0x8018_0002,
    /// The user is known but may not enrol.
    DEVICE_AUTHORIZATION_ERROR = 0x8018_0003,
    /// The server cannot issue a certificate.
    DEVICE_CERTIFICATEREQUEST_ERROR = 0x8018_0004,
    /// The service behind the server failed.
    DEVICE_CONFIGMGRSERVER_ERROR = 0x8018_0005,
    /// The server failed.
    DEVICE_INTERNALSERVICE_ERROR = 0x8018_0006,
    /// The server did not understand the security header.
    DEVICE_INVALIDSECURITY_ERROR = 0x8018_0007,
    /// Any other fault.
    DEVICE_UNKNOWN_ERROR = 0x8018_0008,
    /// Another enrolment is in progress.
    ENROLLMENT_IN_PROGRESS = 0x8018_0009,
    /// The device is enrolled already.
    DEVICE_ALREADY_ENROLLED = 0x8018_000A,
    /// The device is not enrolled.
    DEVICE_NOT_ENROLLED = 0x8018_000B,
    /// The discovery service's certificate is not valid at this time.
    DISCOVERY_SEC_CERT_DATE_INVALID = 0x8018_000D,
    /// A password is needed.
    PASSWORD_NEEDED = 0x8018_000E,
    /// The sign-in page failed.
    WAB_ERROR = 0x8018_000F,
    /// The server cannot be reached.
    CONNECTIVITY = 0x8018_0010,
    /// The server's certificate is not acceptable.
    INVALIDSSLCERT = 0x8018_0012,
    /// The user has too many devices.
    DEVICECAPREACHED = 0x8018_0013,
    /// This kind of device may not enrol.
    DEVICENOTSUPPORTED = 0x8018_0014,
    /// This kind of enrolment is not offered.
    NOTSUPPORTED = 0x8018_0015,
    /// The certificate cannot be renewed now.
    NOTELIGIBLETORENEW = 0x8018_0016,
    /// The service is being maintained.
    INMAINTENANCE = 0x8018_0017,
    /// The user has no licence.
    USERLICENSE = 0x8018_0018,
    /// The enrolment data is not acceptable.
    ENROLLMENTDATAINVALID = 0x8018_0019,
    /// Discovery was redirected to something insecure.
    INSECUREREDIRECT = 0x8018_001A,
    /// The platform is in the wrong state.
    PLATFORM_WRONG_STATE = 0x8018_001B,
    /// The platform's licence does not allow it.
    PLATFORM_LICENSE_ERROR = 0x8018_001C,
    /// The platform failed.
    PLATFORM_UNKNOWN_ERROR = 0x8018_001D,
    /// CertificateStore of the provisioning document failed.
    PROV_CSP_CERTSTORE = 0x8018_001E,
    /// APPLICATION of the provisioning document failed.
    PROV_CSP_W7 = 0x8018_001F,
    /// DMClient of the provisioning document failed.
    PROV_CSP_DMCLIENT = 0x8018_0020,
    /// PassportForWork of the provisioning document failed.
    PROV_CSP_PFW = 0x8018_0021,
    /// Another part of the provisioning document failed.
    PROV_CSP_MISC = 0x8018_0022,
    /// The provisioning document failed.
    PROV_UNKNOWN = 0x8018_0023,
    /// The certificate for TLS was not found.
    PROV_SSLCERTNOTFOUND = 0x8018_0024,
    /// Application management of the provisioning document failed.
    PROV_CSP_APPMGMT = 0x8018_0025,
    /// Management is blocked on the device.
    DEVICE_MANAGEMENT_BLOCKED = 0x8018_0026,
    /// A private key as the policy asks could not be made.
    CERTPOLICY_PRIVATEKEYCREATION_FAILED = 0x8018_0027,
    /// The certificate to authenticate with was not found.
    CERTAUTH_FAILED_TO_FIND_CERT = 0x8018_0028,
    /// The answer was empty.
    EMPTY_MESSAGE = 0x8018_0029,
    /// The user gave up.
    USER_CANCELLED = 0x8018_002A,
    /// Management is not configured.
    MDM_NOT_CONFIGURED = 0x8018_0031,
    /// The server told an error of its own.
    CUSTOMSERVERERROR = 0x8018_0032,
}

impl Hresult {
    /// The result that stands for an HTTP status (facility 25): 500 is `0x801901F4`.
    #[must_use]
    pub const fn of_http_status(status: u16) -> Self {
        Self(0x8019_0000 | status as u32)
    }
}

/// As Windows shows it: `0x80180002`.
impl fmt::Display for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}
