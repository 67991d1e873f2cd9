//! What the device tells about itself.

use super::AuthPolicy;
use crate::{error::MdmError, soap::namespace::DISCOVERY, version::Version, xml::Element};

/// `Discover/request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discover {
    /// UPN, e-mail address or `DOMAIN\user`; empty when the device has none to offer.
    pub email_address: String,
    /// Version of the protocol that the device speaks.
    pub request_version: Version,
    /// `CIMClient_Windows` or `WindowsPhone`.
    pub device_type: String,
    /// Build of the system, as far as it could be read.
    pub application_version: Option<Version>,
    /// Edition of the system.
    pub os_edition: Option<u32>,
    /// What the device can do, without what is not known here. Very old clients send none.
    pub auth_policies: Vec<AuthPolicy>,
}

impl Discover {
    /// Reads the body of a request. Its children come in any order, and unknown ones are passed over.
    ///
    /// # Errors
    /// [`MdmError::Missing`], [`MdmError::Repeated`], [`MdmError::Value`].
    pub fn decode(body: &Element) -> Result<Self, MdmError> {
        // QUIRK(documentation of certificate authentication): the namespace ends in a slash; real clients send it without.
        let namespace = body.namespace();
        if body.local() != "Discover" || namespace.trim_end_matches('/') != DISCOVERY {
            return Err(body.wrong("is not Discover"));
        }
        let request = body.require(namespace, "request")?;
        let version = request.require(namespace, "RequestVersion")?;
        let mut auth_policies = Vec::new();
        if let Some(policies) = request.find(namespace, "AuthPolicies")? {
            for policy in policies.all(namespace, "AuthPolicy") {
                auth_policies.extend(AuthPolicy::from_name(policy.simple_text()?));
            }
            // QUIRK(documentation of certificate authentication): the one policy stands there as text without an element of its own.
            if policies.children().next().is_none() {
                auth_policies.extend(AuthPolicy::from_name(policies.simple_text()?));
            }
        }
        Ok(Self {
            email_address: request.find_text(namespace, "EmailAddress")?.unwrap_or_default(),
            request_version: version.simple_text()?.parse().map_err(|_| version.wrong("is no version"))?,
            device_type: request.find_text(namespace, "DeviceType")?.unwrap_or_default(),
            application_version: request.find_text(namespace, "ApplicationVersion")?.and_then(|text| text.parse().ok()),
            os_edition: request.find_text(namespace, "OSEdition")?.and_then(|text| text.parse().ok()),
            auth_policies,
        })
    }

    /// The body of a request.
    #[must_use]
    pub fn encode(&self) -> Element {
        let mut request = Element::new(DISCOVERY, "request")
            .leaf("EmailAddress", &*self.email_address)
            .leaf("RequestVersion", self.request_version.to_string())
            .leaf("DeviceType", &*self.device_type);
        if let Some(version) = &self.application_version {
            request = request.leaf("ApplicationVersion", version.to_string());
        }
        if let Some(edition) = self.os_edition {
            request = request.leaf("OSEdition", edition.to_string());
        }
        let policies = Element::new(DISCOVERY, "AuthPolicies");
        let policies = self.auth_policies.iter().fold(policies, |policies, policy| policies.leaf("AuthPolicy", policy.name()));
        Element::new(DISCOVERY, "Discover").child(request.child(policies))
    }
}
