//! A wireless network with EAP-TLS (`WiFi/Profile`, WLANProfile v1).

use std::fmt::Write as _;

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

const WLAN: &str = "http://www.microsoft.com/networking/WLAN/profile/v1";
const ONE_X: &str = "http://www.microsoft.com/networking/OneX/v1";

/// Which security the network has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// WPA2-Enterprise with AES.
    Wpa2,
    /// WPA3-Enterprise with AES, as `WPA3ENT`.
    Wpa3,
}

/// A network. Root and client certificate must be there before it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WifiProfile {
    /// Whose certificate is used: the machine's or the user's.
    pub scope: Scope,
    /// Name of the network, at most 32 octets; the profile has the same name.
    pub ssid: String,
    /// Its security.
    pub security: Security,
    /// The network does not announce its name.
    pub hidden: bool,
    /// Connect without being asked.
    pub auto_connect: bool,
    /// Server and client certificates.
    pub eap: EapTls,
}

impl WifiProfile {
    /// The WLANProfile document.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`] when a name has a character that XML cannot have.
    pub fn wlan_xml(&self) -> Result<String, MdmError> {
        let mut hex = String::new();
        for byte in self.ssid.bytes() {
            let _ = write!(hex, "{byte:02X}");
        }
        let ssid = Element::new(WLAN, "SSID").leaf("hex", hex).leaf("name", self.ssid.as_str());
        let mut config = Element::new(WLAN, "SSIDConfig").child(ssid);
        if self.hidden {
            config = config.leaf("nonBroadcast", "true");
        }
        let authentication = match self.security {
            Security::Wpa2 => "WPA2",
            Security::Wpa3 => "WPA3ENT",
        };
        let encryption = Element::new(WLAN, "authEncryption")
            .leaf("authentication", authentication)
            .leaf("encryption", "AES")
            .leaf("useOneX", "true");
        let mode = match self.scope {
            Scope::Device => "machine",
            Scope::User => "user",
        };
        let one_x = Element::new(ONE_X, "OneX")
            .leaf("authMode", mode)
            .child(Element::new(ONE_X, "EAPConfig").child(self.eap.host_config()));
        let security = Element::new(WLAN, "security").child(encryption).child(one_x);
        let root = Element::new(WLAN, "WLANProfile")
            .leaf("name", self.ssid.as_str())
            .child(config)
            .leaf("connectionType", "ESS")
            .leaf("connectionMode", if self.auto_connect { "auto" } else { "manual" })
            .child(Element::new(WLAN, "MSM").child(security));
        xml::write(&root, &[("", WLAN)], false)
    }

    /// Installs it, over one of the same name if there is one. Windows may give the document back in other words, so that it is there has
    /// to do.
    ///
    /// # Errors
    /// As [`Self::wlan_xml`].
    pub fn install(&self) -> Result<Job, MdmError> {
        let leaf = node(self.scope, &self.ssid).child("WlanXml");
        let item = Item::value(&leaf, Format::Chr, self.wlan_xml()?);
        Ok(Job::change(self.scope, vec![add(item)], vec![expect(&leaf, Expect::Present)]).on_conflict(OnConflict::Switch))
    }
}

fn node(scope: Scope, ssid: &str) -> LocUri {
    LocUri::new(scope, &["Vendor", "MSFT", "WiFi", "Profile", ssid])
}

/// Removes a network.
#[must_use]
pub fn remove(scope: Scope, ssid: &str) -> Job {
    let node = node(scope, ssid);
    Job::change(scope, vec![delete(&node)], vec![expect(&node, Expect::Absent)])
}
