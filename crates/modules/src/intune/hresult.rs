//! Reasons as HRESULTs (ndes-policy, section 6): what an administrator of Intune sees.

/// E_FAIL: anything of ours.
const FAIL: u32 = 0x8000_4005;
/// E_INVALIDARG.
const INVALID_ARGUMENT: u32 = 0x8007_0057;
/// E_ACCESSDENIED.
const ACCESS_DENIED: u32 = 0x8007_0005;
/// CERTSRV_E_UNSUPPORTED_CERT_TYPE.
const TEMPLATE: u32 = 0x8009_4800;
/// CERTSRV_E_BAD_REQUESTSUBJECT.
const SUBJECT: u32 = 0x8009_4001;
/// CERTSRV_E_KEY_LENGTH.
const KEY_LENGTH: u32 = 0x8009_4811;

/// The HRESULT for a stable code, as the signed number that the protocol carries.
pub fn of(code: Option<&str>) -> i32 {
    let value = match code {
        Some("ra.subject-missing" | "ra.subject-mismatch" | "ra.san-missing" | "ra.san-mismatch") => SUBJECT,
        Some("ra.key-length-mismatch" | "ra.key-type-mismatch") => KEY_LENGTH,
        Some("ra.template-unknown" | "ra.template-changed" | "ra.template-not-in-profile" | "ra.protocol-not-allowed") => {
            TEMPLATE
        }
        Some(
            "ra.key-usage-mismatch"
            | "ra.eku-mismatch"
            | "ra.extension-not-allowed"
            | "ra.ca-requested"
            | "ra.weak-signature"
            | "ra.signer-key-mismatch",
        ) => INVALID_ARGUMENT,
        Some("ra.module-denied") => ACCESS_DENIED,
        Some("ra.clock") => FAIL,
        Some(code) if code.strip_prefix("ra.").is_some_and(|rest| !rest.starts_with("module")) => ACCESS_DENIED,
        _ => FAIL,
    };
    i32::from_ne_bytes(value.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_signed_numbers() {
        assert_eq!(of(Some("ra.eku-mismatch")), -2_147_024_809);
        assert_eq!(of(Some("ra.module-timeout")), -2_147_467_259);
        assert_eq!(of(None), -2_147_467_259);
        assert_eq!(of(Some("ra.challenge-used")), -2_147_024_891);
    }
}
