//! Credentials of a session (OMA DM Security 1.2.1, section 5.3) and the account's name.
//!
//! MD5 is what the protocol has; it is no security boundary. TLS with a client certificate is.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use lanyard_pki::crypto::digest::{constant_time_eq, sha256};
use md5::{Digest as _, Md5};

use super::message::{Chal, Cred, Meta};

/// `Type` of MD5 credentials.
pub const AUTH_MD5: &str = "syncml:auth-md5";
/// `Type` of Basic credentials.
pub const AUTH_BASIC: &str = "syncml:auth-basic";

/// QUIRK(Windows): account data such as `nonce`, which is base64 without padding and with bits left over, is decoded all the same.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the server keeps of a secret: `base64(MD5(user ":" secret))`. Whoever has it can answer challenges.
#[must_use]
pub fn inner(user: &str, secret: &str) -> String {
    let mut md5 = Md5::new();
    md5.update(user);
    md5.update(b":");
    md5.update(secret);
    STANDARD.encode(md5.finalize())
}

/// `base64(MD5(inner ":" nonce))`, with the nonce decoded.
#[must_use]
pub fn digest(inner: &str, nonce: &[u8]) -> String {
    let mut md5 = Md5::new();
    md5.update(inner);
    md5.update(b":");
    md5.update(nonce);
    STANDARD.encode(md5.finalize())
}

/// Decodes a nonce that came from a peer, padded or not. Nonces are always sent with padding.
#[must_use]
pub fn read_nonce(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('=');
    // Six bits that are left over make no octet.
    let whole = if text.len() % 4 == 1 { text.get(..text.len() - 1)? } else { text };
    LENIENT.decode(whole).ok()
}

/// A nonce as it is sent.
#[must_use]
pub fn write_nonce(nonce: &[u8]) -> String {
    STANDARD.encode(nonce)
}

/// Whether the credentials are the digest over this nonce.
#[must_use]
pub fn is_digest(cred: &Cred, inner: &str, nonce: &[u8]) -> bool {
    cred.meta.kind.as_deref() == Some(AUTH_MD5) && constant_time_eq(cred.data.trim().as_bytes(), digest(inner, nonce).as_bytes())
}

/// Whether the credentials are the user's name and the secret behind `inner`.
#[must_use]
pub fn is_basic(cred: &Cred, user: &str, wanted: &str) -> bool {
    if cred.meta.kind.as_deref() != Some(AUTH_BASIC) {
        return false;
    }
    let Ok(decoded) = STANDARD.decode(cred.data.trim()) else { return false };
    let Ok(text) = String::from_utf8(decoded) else { return false };
    match text.split_once(':') {
        Some((name, secret)) => name == user && constant_time_eq(inner(name, secret).as_bytes(), wanted.as_bytes()),
        None => false,
    }
}

fn b64(kind: &str) -> Meta {
    Meta { format: Some("b64".to_owned()), kind: Some(kind.to_owned()), ..Meta::default() }
}

/// MD5 credentials.
#[must_use]
pub fn md5_cred(inner: &str, nonce: &[u8]) -> Cred {
    Cred { meta: b64(AUTH_MD5), data: digest(inner, nonce) }
}

/// Basic credentials.
#[must_use]
pub fn basic_cred(user: &str, secret: &str) -> Cred {
    Cred { meta: b64(AUTH_BASIC), data: STANDARD.encode(format!("{user}:{secret}")) }
}

/// Asks for MD5 credentials over a nonce, or hands out the nonce of the next session.
#[must_use]
pub fn md5_chal(nonce: &[u8]) -> Chal {
    Chal { meta: Meta { next_nonce: Some(write_nonce(nonce)), ..b64(AUTH_MD5) } }
}

/// Asks for Basic credentials.
#[must_use]
pub fn basic_chal() -> Chal {
    Chal { meta: b64(AUTH_BASIC) }
}

/// Name of the account below `./SyncML/DMAcc` that a bootstrap with this PROVIDER-ID makes.
#[must_use]
pub fn account_node(provider_id: &str) -> String {
    use std::fmt::Write as _;
    let octets: Vec<u8> = provider_id.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut name = "0x0000800c".to_owned();
    for byte in sha256(&octets) {
        let _ = write!(name, "{byte:02X}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_vectors() {
        for (user, secret, nonce, want_inner, want) in [
            ("Bruce2", "OhBehave", "Tm9uY2U=", Some("PtEdr8lBQ45IbT1bZIkrOQ=="), "Zz6EivR3yeaaENcRN6lpAQ=="),
            (
                "A0B1C2D3E4F5061728394A5B6C7D8E9F",
                "example-client-secret",
                "In0rlNG43VL69peLZ6W04w==",
                Some("daoayTabY3GOgR1mxbmarg=="),
                "Ao9bYcPXaxWoflL+AaZqlg==",
            ),
            (
                "A0B1C2D3E4F5061728394A5B6C7D8E9F",
                "example-client-secret",
                "O99t2LOY/9ztxzHWpXC6OA==",
                None,
                "xgzj6LOisgqf5OLSQ92Xaw==",
            ),
            ("dummy", "dummy", "nonce", None, "EVEkoFZcVgPM+ESnu9IC0g=="),
        ] {
            let inner = inner(user, secret);
            assert!(want_inner.is_none_or(|want| want == inner));
            let nonce = read_nonce(nonce).unwrap();
            assert_eq!(digest(&inner, &nonce), want);
            assert!(is_digest(&md5_cred(&inner, &nonce), &inner, &nonce));
            assert!(!is_digest(&md5_cred(&inner, &nonce), &inner, b"other"));
        }
        assert_eq!(read_nonce("nonce").unwrap(), [0x9E, 0x89, 0xDC]);
        assert_eq!(read_nonce("n*nce"), None);
    }

    #[test]
    fn basic_is_checked_against_the_same_stored_value() {
        let stored = inner("alex", "secret:with:colons");
        assert!(is_basic(&basic_cred("alex", "secret:with:colons"), "alex", &stored));
        assert!(!is_basic(&basic_cred("alex", "other"), "alex", &stored));
        assert!(!is_basic(&basic_cred("sam", "secret:with:colons"), "alex", &stored));
        assert!(!is_basic(&md5_cred(&stored, b"n"), "alex", &stored));
    }

    #[test]
    fn account_nodes() {
        assert_eq!(account_node("Fleet"), "0x0000800cABF8CA7D87C0FA21BB21B896AE2C8468CA07710326415228ACF2392EA1327077");
        assert_eq!(account_node("ExampleMDM"), "0x0000800cD7F80B8B769E8BD439F36F4F307661D0C9558C124F2EEB7FFAC1444F4F5BA197");
    }
}
