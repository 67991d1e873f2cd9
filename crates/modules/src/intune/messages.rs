//! The messages of the validation service, field by field.

use lanyard_model::text::printable;
use serde::{Deserialize, Serialize};

/// api-version of the validation calls.
pub const API_VERSION: &str = "2018-02-20";
/// Who calls, as it appears in Intune's records.
pub const CALLER: &str = concat!("Lanyard/", env!("CARGO_PKG_VERSION"));
/// Most characters of errorDescription.
pub const MAX_DESCRIPTION: usize = 255;

/// Body of `ScepActions/validateRequest`.
#[derive(Debug, Serialize)]
pub struct ValidateRequest<'a> {
    /// The one member.
    pub request: Validation<'a>,
}

/// What is to be validated.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validation<'a> {
    /// The device's transactionID.
    pub transaction_id: &'a str,
    /// The CSR, base64.
    pub certificate_request: &'a str,
    /// Who calls.
    pub caller_info: &'a str,
}

/// Body of `ScepActions/successNotification`.
#[derive(Debug, Serialize)]
pub struct SuccessNotification<'a> {
    /// The one member.
    pub notification: Success<'a>,
}

/// A certificate that is about to be handed out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Success<'a> {
    /// As it was validated.
    pub transaction_id: &'a str,
    /// As it was validated.
    pub certificate_request: &'a str,
    /// SHA-1 of the certificate, as Windows names certificates.
    pub certificate_thumbprint: &'a str,
    /// Serial number in hexadecimal.
    pub certificate_serial_number: &'a str,
    /// Last second of validity, ISO 8601 in UTC.
    pub certificate_expiration_date_utc: &'a str,
    /// Name of the issuing authority's certificate.
    pub issuing_certificate_authority: &'a str,
    /// Who calls.
    pub caller_info: &'a str,
    /// How the certificate is found again when Intune asks for its revocation.
    pub ca_configuration: &'a str,
    /// The authority's name here.
    pub certificate_authority: &'a str,
}

/// Body of `ScepActions/failureNotification`.
#[derive(Debug, Serialize)]
pub struct FailureNotification<'a> {
    /// The one member.
    pub notification: Failure<'a>,
}

/// A request that got no certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure<'a> {
    /// As it was validated.
    pub transaction_id: &'a str,
    /// As it was validated.
    pub certificate_request: &'a str,
    /// Why, as a signed HRESULT.
    pub h_result: i32,
    /// Why, in at most 255 characters.
    pub error_description: &'a str,
    /// Who calls.
    pub caller_info: &'a str,
}

/// Answer of every call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    code: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl Verdict {
    /// Whether it is a yes: the word `Success`, exactly.
    ///
    /// # Errors
    /// The code and its description, safe to print. An unknown code is a no as well.
    pub fn into_result(self) -> Result<(), String> {
        if self.code == "Success" {
            return Ok(());
        }
        let text = format!("{}: {}", self.code, self.error_description.unwrap_or_default());
        Err(printable(&text.chars().take(MAX_DESCRIPTION).collect::<String>()))
    }
}
