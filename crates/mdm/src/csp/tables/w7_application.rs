//! w7 APPLICATION: the account as the provisioning document writes it, and the DMAcc node each parameter becomes.
//!
//! Names are upper case and case-sensitive. It exists in provisioning documents only, never in a session.

/// One `parm` of the characteristic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parm {
    /// Characteristics below `APPLICATION`, joined with `/`; empty for `APPLICATION` itself.
    pub characteristic: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The node below the account (`./SyncML/DMAcc/<account>`) that it becomes. `<x>` in an `AppAuth` path is `CLCRED` or `SRVCRED`.
    pub node: Option<&'static str>,
    /// Must be given.
    pub required: bool,
    /// Its value when it is not given.
    pub default: Option<&'static str>,
    /// It has no value: being there means yes.
    pub flag: bool,
}

const fn parm(characteristic: &'static str, name: &'static str, node: &'static str) -> Parm {
    Parm { characteristic, name, node: Some(node), required: false, default: None, flag: false }
}

impl Parm {
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn flag(mut self) -> Self {
        self.flag = true;
        self
    }

    const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }
}

/// Every parameter. `INIT` is not supported for device management and therefore missing.
pub const PARMS: &[Parm] = &[
    parm("", "APPID", "AppID").required(),
    parm("", "PROVIDER-ID", "ServerID").required(),
    parm("", "NAME", "Name"),
    parm("", "TO-NAPID", "PrefConRef"),
    parm("", "ADDR", "AppAddr/1/Addr"),
    parm("", "CONNRETRYFREQ", "Ext/Microsoft/ConnRetryFreq").default("3"),
    parm("", "INITIALBACKOFFTIME", "Ext/Microsoft/InitialBackOffTime").default("16000"),
    parm("", "MAXBACKOFFTIME", "Ext/Microsoft/MaxBackOffTime").default("86400000"),
    parm("", "BACKCOMPATRETRYDISABLED", "Ext/Microsoft/BackCompatRetryDisabled").flag(),
    parm("", "DEFAULTENCODING", "Ext/Microsoft/DefaultEncoding").default("application/vnd.syncml.dm+xml"),
    parm("", "PROTOVER", "Ext/Microsoft/ProtoVer"),
    parm("", "USEHWDEVID", "Ext/Microsoft/UseHwDevID").flag(),
    parm("", "ROLE", "Ext/Microsoft/Role"),
    parm("", "SSLCLIENTCERTSEARCHCRITERIA", "Ext/Microsoft/SSLCLIENTCERTSEARCHCRITERIA"),
    parm("APPADDR", "ADDR", "AppAddr/1/Addr"),
    parm("APPADDR", "ADDRTYPE", "AppAddr/1/AddrType").default("URI"),
    parm("APPADDR/PORT", "PORTNBR", "AppAddr/1/Port/1/PortNbr"),
    parm("APPAUTH", "AAUTHLEVEL", "AppAuth/<x>/AAuthLevel").required(),
    parm("APPAUTH", "AAUTHTYPE", "AppAuth/<x>/AAuthType"),
    parm("APPAUTH", "AAUTHNAME", "AppAuth/<x>/AAuthName"),
    parm("APPAUTH", "AAUTHSECRET", "AppAuth/<x>/AAuthSecret"),
    parm("APPAUTH", "AAUTHDATA", "AppAuth/<x>/AAuthData"),
];

/// The name of the `AppAuth` node for an `AAUTHLEVEL`: the sides swap names, `APPSRV` (the client proves itself to the server) is `CLCRED`
/// and `CLIENT` (the server proves itself to the client) is `SRVCRED`.
#[must_use]
pub fn app_auth_node(aauthlevel: &str) -> Option<&'static str> {
    match aauthlevel {
        "APPSRV" => Some("CLCRED"),
        "CLIENT" => Some("SRVCRED"),
        _ => None,
    }
}

/// The parameter of this name in this characteristic.
#[must_use]
pub fn find(characteristic: &str, name: &str) -> Option<&'static Parm> {
    PARMS.iter().find(|parm| parm.characteristic == characteristic && parm.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csp::{self, LocUri};

    #[test]
    fn every_parameter_becomes_a_node_that_exists() {
        for parm in PARMS {
            let mut names = vec!["SyncML", "DMAcc", "account"];
            names.extend(parm.node.unwrap().split('/').map(|name| if name == "<x>" { "CLCRED" } else { name }));
            let uri = LocUri::device(&names);
            let node = csp::find(&uri).unwrap_or_else(|| panic!("{uri}")).node;
            assert!(parm.default.is_none_or(|value| node.accepts(value)), "{}", parm.name);
        }
        assert_eq!(app_auth_node("APPSRV"), Some("CLCRED"));
        assert!(find("", "ADDR").is_some() && find("", "addr").is_none() && find("", "INIT").is_none());
    }
}
