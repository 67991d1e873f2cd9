//! DevInfo and DevDetail: what a device says about itself.

use crate::csp::{Csp, Format::*, NodeSpec, Scopes};

/// DevInfo, sent by the device in its first message.
pub static DEV_INFO: Csp = Csp {
    name: "DevInfo",
    base: &["DevInfo"],
    scopes: Scopes::Device,
    ignore_case: false,
    nodes: &[
        NodeSpec::interior("", "G"),
        NodeSpec::leaf("DevId", Chr, "G"),
        NodeSpec::leaf("Man", Chr, "G"),
        NodeSpec::leaf("Mod", Chr, "G"),
        NodeSpec::leaf("DmV", Chr, "G"),
        NodeSpec::leaf("Lang", Chr, "G"),
        NodeSpec::interior("Ext", "G"),
        NodeSpec::leaf("Ext/ICCID", Chr, "G"),
    ],
};

/// DevDetail.
pub static DEV_DETAIL: Csp = Csp {
    name: "DevDetail",
    base: &["DevDetail"],
    scopes: Scopes::Device,
    ignore_case: false,
    nodes: &[
        NodeSpec::interior("", "G"),
        NodeSpec::leaf("SwV", Chr, "G"),
        NodeSpec::leaf("FwV", Chr, "G"),
        NodeSpec::leaf("HwV", Chr, "G"),
        NodeSpec::leaf("OEM", Chr, "G"),
        NodeSpec::leaf("DevTyp", Chr, "G"),
        NodeSpec::leaf("LrgObj", Bool, "G"),
        NodeSpec::interior("URI", "G"),
        NodeSpec::leaf("URI/MaxDepth", Int, "G").default("0"),
        NodeSpec::leaf("URI/MaxTotLen", Int, "G").default("0"),
        NodeSpec::leaf("URI/MaxSegLen", Int, "G").default("0"),
        NodeSpec::interior("Ext", "G"),
        NodeSpec::leaf("Ext/WLANMACAddress", Chr, "G"),
        NodeSpec::leaf("Ext/DeviceHardwareData", Chr, "G").since(15063),
        NodeSpec::interior("Ext/Microsoft", "G"),
        NodeSpec::leaf("Ext/Microsoft/MobileID", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/OSPlatform", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/ProcessorArchitecture", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/ProcessorType", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/LocalTime", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/Resolution", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/TotalRAM", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/TotalStorage", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/FreeStorage", Chr, "G"),
        NodeSpec::leaf("Ext/Microsoft/DeviceName", Chr, "GR"),
        NodeSpec::leaf("Ext/Microsoft/DNSComputerName", Chr, "GR"),
        NodeSpec::leaf("Ext/Microsoft/SMBIOSSerialNumber", Chr, "G").since(17763),
    ],
};
