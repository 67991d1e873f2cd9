//! DMAcc (since 10586): the management account, what the bootstrap of `w7 APPLICATION` becomes.

use crate::csp::{Csp, Format::*, NodeSpec, Scopes};

/// DMAcc, below `./SyncML`.
pub static DM_ACC: Csp = Csp {
    name: "DMAcc",
    base: &["SyncML", "DMAcc"],
    scopes: Scopes::Device,
    ignore_case: false,
    nodes: &[
        NodeSpec::interior("", "G"),
        NodeSpec::many("<Account>", "AGRD"),
        NodeSpec::leaf("<Account>/AppID", Chr, "AGR").one_of(&["w7"]),
        NodeSpec::leaf("<Account>/ServerID", Chr, "AGR"),
        NodeSpec::leaf("<Account>/Name", Chr, "AGR"),
        NodeSpec::leaf("<Account>/PrefConRef", Chr, "AGR"),
        NodeSpec::optional("<Account>/AppAddr", "AG"),
        NodeSpec::many("<Account>/AppAddr/<x>", "AG"),
        NodeSpec::leaf("<Account>/AppAddr/<x>/Addr", Chr, "AGR"),
        NodeSpec::leaf("<Account>/AppAddr/<x>/AddrType", Chr, "AGR").default("URI").one_of(&["URI", "IPv4"]),
        NodeSpec::optional("<Account>/AppAddr/<x>/Port", "AG"),
        NodeSpec::many("<Account>/AppAddr/<x>/Port/<x>", "AG"),
        NodeSpec::leaf("<Account>/AppAddr/<x>/Port/<x>/PortNbr", Chr, "AGR").range(0, 65535),
        NodeSpec::leaf("<Account>/AAuthPref", Chr, "AGR").one_of(&["BASIC", "DIGEST", ""]),
        NodeSpec::optional("<Account>/AppAuth", "AG"),
        NodeSpec::many("<Account>/AppAuth/<x>", "AGRD"),
        NodeSpec::leaf("<Account>/AppAuth/<x>/AAuthLevel", Chr, "AGR").one_of(&["CLCRED", "SRVCRED"]),
        NodeSpec::leaf("<Account>/AppAuth/<x>/AAuthType", Chr, "AGR").one_of(&["BASIC", "DIGEST"]),
        NodeSpec::leaf("<Account>/AppAuth/<x>/AAuthName", Chr, "AGR"),
        NodeSpec::leaf("<Account>/AppAuth/<x>/AAuthSecret", Chr, "AR"),
        NodeSpec::leaf("<Account>/AppAuth/<x>/AAuthData", Bin, "AR"),
        NodeSpec::optional("<Account>/Ext", "AG"),
        NodeSpec::optional("<Account>/Ext/Microsoft", "AG"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/Role", Int, "GR"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/ProtoVer", Chr, "AGR").one_of(&["1.1", "1.2"]),
        NodeSpec::leaf("<Account>/Ext/Microsoft/DefaultEncoding", Chr, "AGR")
            .default("application/vnd.syncml.dm+xml")
            .one_of(&["application/vnd.syncml.dm+xml", "application/vnd.syncml.dm+wbxml"]),
        NodeSpec::leaf("<Account>/Ext/Microsoft/UseHwDevID", Bool, "AGR").default("0"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/ConnRetryFreq", Int, "AGR").default("3"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/InitialBackOffTime", Int, "AGR").default("16000"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/MaxBackOffTime", Int, "AGR").default("86400000"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/BackCompatRetryDisabled", Bool, "AGR").default("0"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/UseNonceResync", Bool, "AGR").default("0"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/CRLCheck", Bool, "AGR"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/DisableOnRoaming", Bool, "AGR"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/SSLCLIENTCERTSEARCHCRITERIA", Chr, "AGR"),
        NodeSpec::leaf("<Account>/Ext/Microsoft/InitiateSession", Null, "AR").since(15063),
    ],
};
