//! The operations and their action URIs.

/// Content-Type of requests, responses and faults.
pub const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

/// What a message asks or answers (`a:Action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// MS-MDE2, section 3.1.
    Discover,
    /// Its answer.
    DiscoverResponse,
    /// MS-XCEP, section 3.1.4.1.
    GetPolicies,
    /// Its answer.
    GetPoliciesResponse,
    /// MS-WSTEP, section 3.1.4.1, to issue and to renew.
    RequestSecurityToken,
    /// Its answer.
    RequestSecurityTokenResponseCollection,
}

impl Action {
    const ALL: [Self; 6] = [
        Self::Discover,
        Self::DiscoverResponse,
        Self::GetPolicies,
        Self::GetPoliciesResponse,
        Self::RequestSecurityToken,
        Self::RequestSecurityTokenResponseCollection,
    ];

    /// Its URI.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Discover => "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/Discover",
            Self::DiscoverResponse => {
                "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/DiscoverResponse"
            }
            Self::GetPolicies => "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPolicies",
            Self::GetPoliciesResponse => {
                "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPoliciesResponse"
            }
            Self::RequestSecurityToken => "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RST/wstep",
            Self::RequestSecurityTokenResponseCollection => {
                "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RSTRC/wstep"
            }
        }
    }

    /// The action of a URI.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.uri() == uri)
    }

    /// The action of the answer; that of an answer is itself.
    #[must_use]
    pub const fn response(self) -> Self {
        match self {
            Self::Discover | Self::DiscoverResponse => Self::DiscoverResponse,
            Self::GetPolicies | Self::GetPoliciesResponse => Self::GetPoliciesResponse,
            Self::RequestSecurityToken | Self::RequestSecurityTokenResponseCollection => {
                Self::RequestSecurityTokenResponseCollection
            }
        }
    }
}
