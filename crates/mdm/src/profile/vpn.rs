//! A VPN with EAP-TLS or a machine certificate (`VPNv2`, ProfileXML).

use super::{
    eap_tls::EapTls,
    job::{Expect, Job, OnConflict, add, delete, expect},
};
use crate::{
    csp::{Format, LocUri, Scope},
    error::MdmError,
    syncml::Item,
    xml::{self, Element},
};

/// The protocol of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tunnel {
    /// IKEv2.
    Ikev2,
    /// SSTP, by EAP only.
    Sstp,
    /// Whichever works.
    Automatic,
}

/// How the client proves itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VpnAuthentication {
    /// The user, by EAP-TLS.
    Eap(EapTls),
    /// The machine, by its certificate; IKEv2 only.
    MachineCertificate,
}

/// A VPN profile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VpnProfile {
    /// Whose profile.
    pub scope: Scope,
    /// Name, shown to the user.
    pub name: String,
    /// Host names of the servers.
    pub servers: Vec<String>,
    /// Protocol.
    pub tunnel: Tunnel,
    /// Proof.
    pub authentication: VpnAuthentication,
    /// Always on.
    pub always_on: bool,
    /// Domains whose names are asked through the tunnel and which mark the inner network.
    pub trusted_networks: Vec<String>,
}

impl VpnProfile {
    /// The ProfileXML document; it has no namespace.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`] when a name has a character that XML cannot have.
    pub fn profile_xml(&self) -> Result<String, MdmError> {
        let tunnel = match (&self.authentication, self.tunnel) {
            (VpnAuthentication::MachineCertificate, _) | (_, Tunnel::Ikev2) => "IKEv2",
            (_, Tunnel::Sstp) => "SSTP",
            (_, Tunnel::Automatic) => "Automatic",
        };
        let authentication = Element::new("", "Authentication");
        let authentication = match &self.authentication {
            VpnAuthentication::MachineCertificate => authentication.leaf("MachineMethod", "Certificate"),
            VpnAuthentication::Eap(eap) => authentication
                .leaf("UserMethod", "Eap")
                .child(Element::new("", "Eap").child(Element::new("", "Configuration").child(eap.host_config()))),
        };
        let native = Element::new("", "NativeProfile")
            .leaf("Servers", self.servers.join(";"))
            .leaf("NativeProtocolType", tunnel)
            .child(authentication)
            .leaf("RoutingPolicyType", "SplitTunnel");
        let mut root = Element::new("", "VPNProfile").leaf("AlwaysOn", self.always_on.to_string());
        if !self.trusted_networks.is_empty() {
            root = root.leaf("TrustedNetworkDetection", self.trusted_networks.join(","));
        }
        xml::write(&root.child(native), &[], false)
    }

    /// Installs it, over one of the same name if there is one.
    ///
    /// # Errors
    /// As [`Self::profile_xml`].
    pub fn install(&self) -> Result<Job, MdmError> {
        let leaf = node(self.scope, &self.name).child("ProfileXML");
        let item = Item::value(&leaf, Format::Chr, self.profile_xml()?);
        Ok(Job::change(self.scope, vec![add(item)], vec![expect(&leaf, Expect::Present)]).on_conflict(OnConflict::Switch))
    }
}

fn node(scope: Scope, name: &str) -> LocUri {
    LocUri::new(scope, &["Vendor", "MSFT", "VPNv2", name])
}

/// Removes a VPN profile.
#[must_use]
pub fn remove(scope: Scope, name: &str) -> Job {
    let node = node(scope, name);
    Job::change(scope, vec![delete(&node)], vec![expect(&node, Expect::Absent)])
}
