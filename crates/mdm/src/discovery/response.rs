//! Where and how the device may enrol.

use super::AuthPolicy;
use crate::{error::MdmError, soap::namespace::DISCOVERY, version::Version, xml::Element};

/// `DiscoverResponse/DiscoverResult`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoverResult {
    /// The one the server chose; one of those the client offered.
    pub auth_policy: AuthPolicy,
    /// Version of the protocol that the server speaks.
    pub enrollment_version: Option<Version>,
    /// URL of GetPolicies. Without it the client does not ask, and uses RSA 2048 with SHA-1.
    pub enrollment_policy_service_url: Option<String>,
    /// URL of RequestSecurityToken.
    pub enrollment_service_url: String,
    /// URL of the sign-in page: required for [`AuthPolicy::Federated`], passed over otherwise.
    pub authentication_service_url: Option<String>,
}

impl DiscoverResult {
    /// Reads the body of a response. Addresses must be `https`, as Windows asks.
    ///
    /// # Errors
    /// [`MdmError::Missing`], [`MdmError::Repeated`], [`MdmError::Value`].
    pub fn decode(body: &Element) -> Result<Self, MdmError> {
        if !body.is(DISCOVERY, "DiscoverResponse") {
            return Err(body.wrong("is not DiscoverResponse"));
        }
        let result = body.require(DISCOVERY, "DiscoverResult")?;
        let url = |name| -> Result<Option<String>, MdmError> {
            let url = result.find_text(DISCOVERY, name)?;
            match &url {
                Some(url) if !is_https(url) => Err(result.require(DISCOVERY, name)?.wrong("is no https URL")),
                _ => Ok(url),
            }
        };
        let missing = |name: &str| MdmError::Missing { path: result.path(name), at: result.at };
        let policy = result.require(DISCOVERY, "AuthPolicy")?;
        let policy = AuthPolicy::from_name(policy.simple_text()?).ok_or_else(|| policy.wrong("is not known"))?;
        let authentication_service_url = url("AuthenticationServiceUrl")?;
        if policy == AuthPolicy::Federated && authentication_service_url.is_none() {
            return Err(missing("AuthenticationServiceUrl"));
        }
        Ok(Self {
            auth_policy: policy,
            enrollment_version: result.find_text(DISCOVERY, "EnrollmentVersion")?.and_then(|text| text.parse().ok()),
            enrollment_policy_service_url: url("EnrollmentPolicyServiceUrl")?,
            enrollment_service_url: url("EnrollmentServiceUrl")?.ok_or_else(|| missing("EnrollmentServiceUrl"))?,
            authentication_service_url,
        })
    }

    /// The body of a response.
    #[must_use]
    pub fn encode(&self) -> Element {
        let mut result = Element::new(DISCOVERY, "DiscoverResult").leaf("AuthPolicy", self.auth_policy.name());
        if let Some(version) = &self.enrollment_version {
            result = result.leaf("EnrollmentVersion", version.to_string());
        }
        if let Some(url) = &self.enrollment_policy_service_url {
            result = result.leaf("EnrollmentPolicyServiceUrl", &**url);
        }
        result = result.leaf("EnrollmentServiceUrl", &*self.enrollment_service_url);
        if let Some(url) = &self.authentication_service_url {
            result = result.leaf("AuthenticationServiceUrl", &**url);
        }
        Element::new(DISCOVERY, "DiscoverResponse").child(result)
    }
}

fn is_https(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case("https") && !rest.is_empty())
}
