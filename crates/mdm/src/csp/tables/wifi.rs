//! WiFi (since 10586): wireless profiles. The name of a profile is its SSID.

use crate::csp::{Csp, Format::*, NodeSpec, Scopes};

/// WiFi, in both trees.
pub static WIFI: Csp = Csp {
    name: "WiFi",
    base: &["Vendor", "MSFT", "WiFi"],
    scopes: Scopes::Both,
    ignore_case: false,
    nodes: &[
        NodeSpec::interior("", "G"),
        NodeSpec::interior("Profile", "G"),
        NodeSpec::many("Profile/<SSID>", "AGRD"),
        NodeSpec::leaf("Profile/<SSID>/WlanXml", Chr, "AGRD"),
        NodeSpec::leaf("Profile/<SSID>/Proxy", Chr, "AGRD"),
        NodeSpec::leaf("Profile/<SSID>/ProxyPacUrl", Chr, "AGRD").since(14393),
        NodeSpec::leaf("Profile/<SSID>/ProxyWPAD", Bool, "AGRD").since(14393),
        NodeSpec::leaf("Profile/<SSID>/WiFiCost", Int, "AGRD").default("1").range(1, 3).since(17763),
        NodeSpec::leaf("Profile/<SSID>/ProfileSource", Int, "GR").default("0").range(0, 1).since(22621),
    ],
};
