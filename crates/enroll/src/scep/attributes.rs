//! Signed attributes of a pkiMessage (RFC 8894, section 3.2.1).

use std::fmt;

use lanyard_model::{oid::Oid, time::Timestamp};
use lanyard_pki::{
    cms::{sign::SignedAttribute, signed::SignerInfo},
    oids, time,
    tlv::{Reader, tag},
    write,
};

use super::error::ScepError;

/// messageType.
pub const MESSAGE_TYPE: Oid = Oid::new("2.16.840.1.113733.1.9.2");
/// pkiStatus.
pub const PKI_STATUS: Oid = Oid::new("2.16.840.1.113733.1.9.3");
/// failInfo.
pub const FAIL_INFO: Oid = Oid::new("2.16.840.1.113733.1.9.4");
/// senderNonce.
pub const SENDER_NONCE: Oid = Oid::new("2.16.840.1.113733.1.9.5");
/// recipientNonce.
pub const RECIPIENT_NONCE: Oid = Oid::new("2.16.840.1.113733.1.9.6");
/// transactionID.
pub const TRANSACTION_ID: Oid = Oid::new("2.16.840.1.113733.1.9.7");
/// failInfoText.
pub const FAIL_INFO_TEXT: Oid = Oid::new("1.3.6.1.5.5.7.24.1");
/// NDES puts an HRESULT here in its FAILURE replies.
pub const MS_ERROR_CODE: Oid = Oid::new("1.3.6.1.4.1.311.21.33");

/// Longest transactionID in characters.
pub const MAX_TRANSACTION_ID: usize = 255;
/// Longest nonce in octets.
pub const MAX_NONCE: usize = 64;

/// Message types that a server may be sent. Everything else is refused before any other branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// 19: first enrolment; some clients renew with it.
    PkcsReq,
    /// 17: renewal.
    RenewalReq,
    /// 20: asks for the outcome of a held request.
    CertPoll,
    /// 21: asks for a certificate by issuer and serial number. Only where the profile allows it.
    GetCert,
    /// 22: asks for the CRL that covers a certificate. Only where the profile allows it.
    GetCrl,
}

impl MessageType {
    /// The number, as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PkcsReq => "19",
            Self::RenewalReq => "17",
            Self::CertPoll => "20",
            Self::GetCert => "21",
            Self::GetCrl => "22",
        }
    }

    /// From the attribute's text, exactly.
    ///
    /// # Errors
    /// [`ScepError::MessageType`] for everything that is not in the list.
    pub fn from_text(text: &str) -> Result<Self, ScepError> {
        match text {
            "19" => Ok(Self::PkcsReq),
            "17" => Ok(Self::RenewalReq),
            "20" => Ok(Self::CertPoll),
            "21" => Ok(Self::GetCert),
            "22" => Ok(Self::GetCrl),
            other => Err(ScepError::MessageType(other.chars().take(32).collect())),
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PkcsReq => "PKCSReq",
            Self::RenewalReq => "RenewalReq",
            Self::CertPoll => "CertPoll",
            Self::GetCert => "GetCert",
            Self::GetCrl => "GetCRL",
        })
    }
}

/// pkiStatus (section 3.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PkiStatus {
    /// 0.
    Success,
    /// 2.
    Failure,
    /// 3.
    Pending,
}

impl PkiStatus {
    /// The number, as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "0",
            Self::Failure => "2",
            Self::Pending => "3",
        }
    }
}

/// failInfo (section 3.2.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailInfo {
    /// 0: unrecognised or unsupported algorithm.
    BadAlg,
    /// 1: integrity check failed.
    BadMessageCheck,
    /// 2: transaction not permitted or supported.
    BadRequest,
    /// 3: signingTime too far from the server's.
    BadTime,
    /// 4: no certificate matches.
    BadCertId,
}

impl FailInfo {
    /// The number, as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadAlg => "0",
            Self::BadMessageCheck => "1",
            Self::BadRequest => "2",
            Self::BadTime => "3",
            Self::BadCertId => "4",
        }
    }

    /// From the number.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::BadAlg, Self::BadMessageCheck, Self::BadRequest, Self::BadTime, Self::BadCertId]
            .into_iter()
            .find(|f| f.as_str() == text)
    }

    /// failInfoText: the same for every cause of one number, so that it tells no more than the number does.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::BadAlg => "algorithm not accepted",
            Self::BadMessageCheck => "message check failed",
            Self::BadRequest => "request not permitted",
            Self::BadTime => "clock",
            Self::BadCertId => "certificate not found",
        }
    }
}

impl fmt::Display for FailInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BadAlg => "badAlg",
            Self::BadMessageCheck => "badMessageCheck",
            Self::BadRequest => "badRequest",
            Self::BadTime => "badTime",
            Self::BadCertId => "badCertId",
        })
    }
}

/// Reads an attribute whose one value is a PrintableString.
///
/// # Errors
/// [`ScepError::Attribute`] for another type or several values.
pub fn printable(signer: &SignerInfo, oid: Oid, name: &'static str) -> Result<Option<String>, ScepError> {
    match signer.attribute(oid, name) {
        Ok(None) => Ok(None),
        Ok(Some((tag::PRINTABLE_STRING, octets))) => {
            let text = std::str::from_utf8(octets).ok().filter(|t| t.is_ascii());
            text.map(|t| Some(t.to_owned())).ok_or(ScepError::Attribute { name, problem: "is not ASCII text" })
        }
        Ok(Some(_)) => Err(ScepError::Attribute { name, problem: "is not a PrintableString" }),
        Err(_) => Err(ScepError::Attribute { name, problem: "has not exactly one value" }),
    }
}

/// Reads an attribute whose one value is an OCTET STRING of 1 to [`MAX_NONCE`] octets.
///
/// # Errors
/// [`ScepError::Attribute`].
pub fn nonce(signer: &SignerInfo, oid: Oid, name: &'static str) -> Result<Option<Vec<u8>>, ScepError> {
    match signer.attribute(oid, name) {
        Ok(None) => Ok(None),
        Ok(Some((tag::OCTET_STRING, octets))) if (1..=MAX_NONCE).contains(&octets.len()) => Ok(Some(octets.to_vec())),
        Ok(Some(_)) => Err(ScepError::Attribute { name, problem: "is not an OCTET STRING of 1 to 64 octets" }),
        Err(_) => Err(ScepError::Attribute { name, problem: "has not exactly one value" }),
    }
}

/// Reads signingTime (RFC 5652, section 11.3), if it is there.
///
/// # Errors
/// [`ScepError::Attribute`].
pub fn signing_time(signer: &SignerInfo) -> Result<Option<Timestamp>, ScepError> {
    const NAME: &str = "signingTime";
    let fault = ScepError::Attribute { name: NAME, problem: "is not a time" };
    match signer.attribute(oids::SIGNING_TIME, NAME) {
        Ok(None) => Ok(None),
        Ok(Some((tag, octets))) => {
            let der = write::element(tag, octets);
            let element = Reader::new(&der, NAME).any().map_err(|_| fault.clone())?;
            time::decode(&element, NAME).map(Some).map_err(|_| fault)
        }
        Err(_) => Err(ScepError::Attribute { name: NAME, problem: "has not exactly one value" }),
    }
}

/// An attribute of PrintableString text.
#[must_use]
pub fn printable_attribute(oid: Oid, text: &str) -> SignedAttribute {
    SignedAttribute { oid, value: write::printable_string(text) }
}

/// An attribute of octets.
#[must_use]
pub fn octets_attribute(oid: Oid, octets: &[u8]) -> SignedAttribute {
    SignedAttribute { oid, value: write::octet_string(octets) }
}
