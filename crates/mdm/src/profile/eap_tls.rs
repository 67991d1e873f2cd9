//! EAP-TLS as Windows configures it (EapHostConfig), for wireless networks and VPN.

use crate::xml::Element;

const EAP_HOST: &str = "http://www.microsoft.com/provisioning/EapHostConfig";
const EAP_COMMON: &str = "http://www.microsoft.com/provisioning/EapCommon";
const BASE_EAP: &str = "http://www.microsoft.com/provisioning/BaseEapConnectionPropertiesV1";
const EAP_TLS_1: &str = "http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV1";
const EAP_TLS_2: &str = "http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV2";
const EAP_TLS_3: &str = "http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV3";
/// Registered number of EAP-TLS (RFC 5216).
const EAP_TLS: &str = "13";

/// An extended key usage that the client certificate must have besides clientAuth.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Eku {
    /// Any name, unique in the profile.
    pub name: String,
    /// Object identifier.
    pub oid: String,
}

/// Which server is trusted and which certificate is shown to it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EapTls {
    /// Names of the servers, or patterns; at least one, or any server of the roots would do.
    pub server_names: Vec<String>,
    /// SHA-1 of the roots a server's certificate may chain to, 40 hexadecimal digits each.
    pub trusted_roots: Vec<String>,
    /// SHA-1 of the issuers of the client certificate, 40 hexadecimal digits each. Without any, Windows asks the user or guesses.
    pub issuers: Vec<String>,
    /// Further usages the client certificate must have.
    pub ekus: Vec<Eku>,
}

impl EapTls {
    /// `EapHostConfig`.
    #[must_use]
    pub fn host_config(&self) -> Element {
        let method = Element::new(EAP_HOST, "EapMethod")
            .child(leaf(EAP_COMMON, "Type", EAP_TLS))
            .child(leaf(EAP_COMMON, "VendorId", "0"))
            .child(leaf(EAP_COMMON, "VendorType", "0"))
            .child(leaf(EAP_COMMON, "AuthorId", "0"));
        let eap = Element::new(BASE_EAP, "Eap").child(leaf(BASE_EAP, "Type", EAP_TLS)).child(self.eap_type());
        Element::new(EAP_HOST, "EapHostConfig").child(method).child(Element::new(EAP_HOST, "Config").child(eap))
    }

    fn eap_type(&self) -> Element {
        let store = Element::new(EAP_TLS_1, "CertificateStore").leaf("SimpleCertSelection", "true");
        let mut validation = Element::new(EAP_TLS_1, "ServerValidation")
            .leaf("DisableUserPromptForServerValidation", "true")
            .leaf("ServerNames", self.server_names.join(";"));
        for root in &self.trusted_roots {
            validation = validation.leaf("TrustedRootCA", spaced(root));
        }
        Element::new(EAP_TLS_1, "EapType")
            .child(Element::new(EAP_TLS_1, "CredentialsSource").child(store))
            .child(validation)
            .leaf("DifferentUsername", "false")
            .child(leaf(EAP_TLS_2, "PerformServerValidation", "true"))
            .child(leaf(EAP_TLS_2, "AcceptServerName", "true"))
            .children_of(self.filter())
    }

    /// `TLSExtensions` with the filter, in the order the schema wants: issuers, names of usages, usages.
    fn filter(&self) -> Option<Element> {
        if self.issuers.is_empty() && self.ekus.is_empty() {
            return None;
        }
        let mut info = Element::new(EAP_TLS_3, "FilteringInfo");
        if !self.issuers.is_empty() {
            let mut list = Element::new(EAP_TLS_3, "CAHashList").with("Enabled", "true");
            for issuer in &self.issuers {
                list = list.leaf("IssuerHash", spaced(issuer));
            }
            info.push(list);
        }
        if !self.ekus.is_empty() {
            let mut map = Element::new(EAP_TLS_3, "EKUMapping");
            let mut wanted = Element::new(EAP_TLS_3, "EKUMapInList");
            for eku in &self.ekus {
                let name = eku.name.as_str();
                map.push(Element::new(EAP_TLS_3, "EKUMap").leaf("EKUName", name).leaf("EKUOID", eku.oid.as_str()));
                wanted = wanted.leaf("EKUName", name);
            }
            info.push(map);
            info.push(Element::new(EAP_TLS_3, "ClientAuthEKUList").with("Enabled", "true").child(wanted));
        }
        Some(Element::new(EAP_TLS_2, "TLSExtensions").child(info))
    }
}

fn leaf(namespace: &'static str, name: &'static str, text: &str) -> Element {
    Element::new(namespace, name).with_text(text)
}

/// `81 bc af …`: octets apart, lower case.
fn spaced(thumbprint: &str) -> String {
    let digits: Vec<char> = thumbprint.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase()).collect();
    digits.chunks(2).map(String::from_iter).collect::<Vec<_>>().join(" ")
}
