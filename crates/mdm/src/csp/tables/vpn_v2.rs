//! VPNv2 (since 10240): VPN profiles, the parts that concern certificates.

use crate::csp::{Csp, Format::*, NodeSpec, Scopes};

/// VPNv2, in both trees.
pub static VPN_V2: Csp = Csp {
    name: "VPNv2",
    base: &["Vendor", "MSFT", "VPNv2"],
    scopes: Scopes::Both,
    ignore_case: false,
    nodes: &[
        NodeSpec::interior("", "G"),
        NodeSpec::many("<Name>", "AGRD"),
        NodeSpec::leaf("<Name>/ProfileXML", Chr, "AGRD"),
        NodeSpec::optional("<Name>/NativeProfile", "AGRD"),
        NodeSpec::leaf("<Name>/NativeProfile/Servers", Chr, "AGRD"),
        NodeSpec::leaf("<Name>/NativeProfile/NativeProtocolType", Chr, "AGRD").one_of(&[
            "PPTP",
            "L2TP",
            "IKEv2",
            "Automatic",
            "SSTP",
            "ProtocolList",
        ]),
        NodeSpec::optional("<Name>/NativeProfile/Authentication", "AGRD"),
        NodeSpec::leaf("<Name>/NativeProfile/Authentication/UserMethod", Chr, "AGRD").one_of(&["EAP", "MSChapv2"]),
        NodeSpec::leaf("<Name>/NativeProfile/Authentication/MachineMethod", Chr, "AGRD").one_of(&["Certificate"]),
        NodeSpec::optional("<Name>/NativeProfile/Authentication/Eap", "AGRD"),
        NodeSpec::leaf("<Name>/NativeProfile/Authentication/Eap/Configuration", Chr, "AGRD"),
        NodeSpec::leaf("<Name>/NativeProfile/Authentication/Eap/Type", Int, "AGRD"),
        NodeSpec::optional("<Name>/NativeProfile/Authentication/Certificate", "AGRD"),
        NodeSpec::leaf("<Name>/NativeProfile/Authentication/Certificate/Issuer", Chr, "AGRD"),
        NodeSpec::leaf("<Name>/NativeProfile/Authentication/Certificate/Eku", Chr, "AGRD"),
        NodeSpec::optional("<Name>/DeviceCompliance", "AGRD").since(14393),
        NodeSpec::leaf("<Name>/DeviceCompliance/Enabled", Bool, "AGRD").since(14393),
        NodeSpec::optional("<Name>/DeviceCompliance/Sso", "AGRD").since(14393),
        NodeSpec::leaf("<Name>/DeviceCompliance/Sso/Enabled", Bool, "AGRD").since(14393),
        NodeSpec::leaf("<Name>/DeviceCompliance/Sso/IssuerHash", Chr, "AGRD").since(14393),
        NodeSpec::leaf("<Name>/DeviceCompliance/Sso/Eku", Chr, "AGRD").since(14393),
    ],
};
