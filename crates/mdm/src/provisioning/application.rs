//! `APPLICATION` of type w7: the management account. Its parameters are in upper case, and case counts.

use lanyard_model::secret::SecretText;

use super::{SearchCriteria, tree::Characteristic};
use crate::{error::MdmError, soap::base64};

/// `APPLICATION`.
#[derive(Debug, Clone)]
pub struct Application {
    /// PROVIDER-ID: names the server, equal to the provider of DMClient, and the same for ever.
    pub provider_id: String,
    /// Everything else; absent in the document of a renewal.
    pub account: Option<Account>,
}

/// The account of an enrolment.
#[derive(Debug, Clone)]
pub struct Account {
    /// NAME: shown to the user.
    pub name: String,
    /// ADDR: URL of the management server.
    pub addr: String,
    /// CONNRETRYFREQ: tries per failed connection.
    pub conn_retry_freq: Option<u32>,
    /// INITIALBACKOFFTIME: first pause in milliseconds.
    pub initial_backoff_time: Option<u32>,
    /// MAXBACKOFFTIME: longest pause in milliseconds.
    pub max_backoff_time: Option<u32>,
    /// BACKCOMPATRETRYDISABLED: no tries with the older version of the protocol.
    pub back_compat_retry_disabled: bool,
    /// DEFAULTENCODING: encoding of the first package.
    pub default_encoding: Option<DefaultEncoding>,
    /// SSLCLIENTCERTSEARCHCRITERIA: which certificate to show in TLS.
    pub ssl_client_cert_search_criteria: Option<SearchCriteria>,
    /// ROLE: 8 operator, 32 enterprise.
    pub role: Option<u32>,
    /// PROTOVER: 1.1 or 1.2.
    pub proto_ver: Option<String>,
    /// TO-NAPID: connection of a phone.
    pub to_napid: Option<String>,
    /// USEHWDEVID: the hardware's id is the device's.
    pub use_hw_dev_id: bool,
    /// APPAUTH with AAUTHLEVEL CLIENT: how the server proves itself to the device (SRVCRED in DMAcc).
    pub server_credential: Option<AppAuth>,
    /// APPAUTH with AAUTHLEVEL APPSRV: how the device proves itself to the server (CLCRED in DMAcc).
    pub client_credential: Option<AppAuth>,
}

/// DEFAULTENCODING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultEncoding {
    /// `application/vnd.syncml.dm+xml`.
    Xml,
    /// `application/vnd.syncml.dm+wbxml`.
    Wbxml,
}

impl DefaultEncoding {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Xml => "application/vnd.syncml.dm+xml",
            Self::Wbxml => "application/vnd.syncml.dm+wbxml",
        }
    }
}

/// `APPAUTH`.
#[derive(Debug, Clone)]
pub struct AppAuth {
    /// AAUTHTYPE.
    pub auth_type: AuthType,
    /// AAUTHNAME; the server's has none.
    pub name: Option<String>,
    /// AAUTHSECRET.
    pub secret: SecretText,
    /// AAUTHDATA: the first nonce.
    pub nonce: Vec<u8>,
}

/// AAUTHTYPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    /// `DIGEST`: MD5 with a nonce.
    Digest,
    /// `BASIC`: in clear.
    Basic,
}

impl Application {
    pub(super) fn encode(&self) -> Characteristic {
        let mut node = Characteristic::new("APPLICATION");
        if self.account.is_some() {
            node = node.parm("APPID", "w7");
        }
        node = node.parm("PROVIDER-ID", &*self.provider_id);
        match &self.account {
            Some(account) => account.encode(node),
            None => node,
        }
    }

    pub(super) fn decode(node: &Characteristic) -> Result<Self, MdmError> {
        let provider_id = node.value("PROVIDER-ID").filter(|id| !id.is_empty());
        let provider_id = provider_id.ok_or(MdmError::Provisioning("the application has no PROVIDER-ID"))?.to_owned();
        let account = match node.value("APPID") {
            Some("w7") => Some(Account::decode(node)?),
            Some(_) => return Err(MdmError::Provisioning("the application is not w7")),
            None => None,
        };
        Ok(Self { provider_id, account })
    }
}

impl Account {
    fn encode(&self, node: Characteristic) -> Characteristic {
        let optional = |node: Characteristic, name, value: Option<String>| match value {
            Some(value) => node.parm(name, value),
            None => node,
        };
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        let mut node = node.parm("NAME", &*self.name).parm("ADDR", &*self.addr);
        node = optional(node, "CONNRETRYFREQ", number(self.conn_retry_freq));
        node = optional(node, "INITIALBACKOFFTIME", number(self.initial_backoff_time));
        node = optional(node, "MAXBACKOFFTIME", number(self.max_backoff_time));
        if self.back_compat_retry_disabled {
            node = node.flag("BACKCOMPATRETRYDISABLED");
        }
        node = optional(node, "DEFAULTENCODING", self.default_encoding.map(|one| one.media_type().to_owned()));
        let criteria = self.ssl_client_cert_search_criteria.as_ref().map(SearchCriteria::encode);
        node = optional(node, "SSLCLIENTCERTSEARCHCRITERIA", criteria);
        node = optional(node, "ROLE", number(self.role));
        node = optional(node, "PROTOVER", self.proto_ver.clone());
        node = optional(node, "TO-NAPID", self.to_napid.clone());
        if self.use_hw_dev_id {
            node = node.flag("USEHWDEVID");
        }
        for (level, credential) in [("CLIENT", &self.server_credential), ("APPSRV", &self.client_credential)] {
            if let Some(credential) = credential {
                node = node.child(credential.encode(level));
            }
        }
        node
    }

    fn decode(node: &Characteristic) -> Result<Self, MdmError> {
        let text = |name| node.value(name).map(str::to_owned);
        let addr = text("ADDR").or_else(|| node.find("APPADDR").and_then(|addr| addr.value("ADDR")).map(str::to_owned));
        let default_encoding = match node.value("DEFAULTENCODING") {
            None => None,
            Some("application/vnd.syncml.dm+xml") => Some(DefaultEncoding::Xml),
            Some("application/vnd.syncml.dm+wbxml") => Some(DefaultEncoding::Wbxml),
            Some(_) => return Err(MdmError::Provisioning("the encoding of the application is not known")),
        };
        let criteria = node
            .value("SSLCLIENTCERTSEARCHCRITERIA")
            .map(|text| SearchCriteria::decode(text).ok_or(MdmError::Provisioning("SSLCLIENTCERTSEARCHCRITERIA cannot be read")));
        let credential = |level: &str| {
            let mut found = node.children.iter().filter(|one| one.kind == "APPAUTH" && one.value("AAUTHLEVEL") == Some(level));
            match (found.next(), found.next()) {
                (one, None) => one.map(AppAuth::decode).transpose(),
                _ => Err(MdmError::Provisioning("the application has two credentials of the same level")),
            }
        };
        Ok(Self {
            name: text("NAME").unwrap_or_default(),
            addr: addr.ok_or(MdmError::Provisioning("the application has no ADDR"))?,
            conn_retry_freq: node.parsed("CONNRETRYFREQ")?,
            initial_backoff_time: node.parsed("INITIALBACKOFFTIME")?,
            max_backoff_time: node.parsed("MAXBACKOFFTIME")?,
            back_compat_retry_disabled: node.value("BACKCOMPATRETRYDISABLED").is_some(),
            default_encoding,
            ssl_client_cert_search_criteria: criteria.transpose()?,
            role: node.parsed("ROLE")?,
            proto_ver: text("PROTOVER"),
            to_napid: text("TO-NAPID"),
            use_hw_dev_id: node.value("USEHWDEVID").is_some(),
            server_credential: credential("CLIENT")?,
            client_credential: credential("APPSRV")?,
        })
    }
}

impl AppAuth {
    fn encode(&self, level: &'static str) -> Characteristic {
        let kind = match self.auth_type {
            AuthType::Digest => "DIGEST",
            AuthType::Basic => "BASIC",
        };
        let mut node = Characteristic::new("APPAUTH").parm("AAUTHLEVEL", level).parm("AAUTHTYPE", kind);
        if let Some(name) = &self.name {
            node = node.parm("AAUTHNAME", &**name);
        }
        node = node.parm("AAUTHSECRET", self.secret.expose());
        if self.nonce.is_empty() { node } else { node.parm("AAUTHDATA", base64::encode(&self.nonce)) }
    }

    fn decode(node: &Characteristic) -> Result<Self, MdmError> {
        let auth_type = match node.value("AAUTHTYPE") {
            Some("DIGEST") => AuthType::Digest,
            Some("BASIC") => AuthType::Basic,
            _ => return Err(MdmError::Provisioning("a credential is neither DIGEST nor BASIC")),
        };
        let nonce = base64::decode(node.value("AAUTHDATA").unwrap_or_default());
        Ok(Self {
            auth_type,
            name: node.value("AAUTHNAME").map(str::to_owned),
            secret: SecretText::new(node.value("AAUTHSECRET").unwrap_or_default().to_owned()),
            nonce: nonce.ok_or(MdmError::Provisioning("a nonce is no base64"))?,
        })
    }
}
