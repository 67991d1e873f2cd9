//! Private keys in the forms that files have them, brought into PKCS#8 (RFC 5958).

use lanyard_model::secret::SecretBytes;

use crate::{
    crypto::{
        cipher::{ContentCipher, decrypt},
        legacy::openssl_key,
    },
    error::PkiError,
    oids,
    tlv::{Reader, tag},
    write,
};

const WHAT: &str = "private key";

/// What a DER encoding is, as far as its first elements tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// PrivateKeyInfo or OneAsymmetricKey (RFC 5958).
    Pkcs8,
    /// RSAPrivateKey (RFC 8017, appendix A.1.2).
    Pkcs1,
    /// ECPrivateKey (RFC 5915).
    Sec1,
    /// EncryptedPrivateKeyInfo (RFC 5958, section 3).
    Encrypted,
}

impl Form {
    /// Recognises a key by its first elements.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let mut reader = Reader::sequence_of(der, WHAT).ok()?;
        match reader.peek()? {
            tag::SEQUENCE => {
                reader.sequence().ok()?.oid().ok()?;
                (reader.peek()? == tag::OCTET_STRING).then_some(Self::Encrypted)
            }
            tag::INTEGER => {
                reader.small().ok()?;
                match reader.peek()? {
                    tag::SEQUENCE => Some(Self::Pkcs8),
                    tag::INTEGER => Some(Self::Pkcs1),
                    tag::OCTET_STRING => Some(Self::Sec1),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Brings a key that is not encrypted into PKCS#8.
///
/// # Errors
/// [`PkiError::Malformed`]; [`PkiError::Unsupported`] for an EC key that does not name its curve.
pub fn to_pkcs8(form: Form, der: SecretBytes) -> Result<SecretBytes, PkiError> {
    let wrapped = |algorithm: Vec<u8>, key: &[u8]| {
        SecretBytes::new(write::sequence(&[write::integer(0), algorithm, write::octet_string(key)]))
    };
    match form {
        Form::Pkcs8 => Ok(der),
        Form::Pkcs1 => {
            let algorithm = write::sequence(&[write::oid(oids::RSA_ENCRYPTION), write::null()]);
            Ok(wrapped(algorithm, der.expose()))
        }
        Form::Sec1 => {
            let mut reader = Reader::sequence_of(der.expose(), "ECPrivateKey")?;
            reader.small()?;
            reader.expect(tag::OCTET_STRING)?;
            let curve = reader.optional(tag::context(0))?;
            let curve = curve.ok_or_else(|| PkiError::Unsupported { what: "EC key", value: "without a curve".into() })?;
            let algorithm = write::sequence(&[write::oid(oids::EC_PUBLIC_KEY), curve.contents.to_vec()]);
            Ok(wrapped(algorithm, der.expose()))
        }
        Form::Encrypted => Err(PkiError::Decrypt),
    }
}

/// Decrypts the body of an encrypted PEM block in the form of before PKCS#8 (`Proc-Type: 4,ENCRYPTED`); `info` is the value of its `DEK-Info`.
///
/// # Errors
/// [`PkiError::Unsupported`] for a cipher other than AES and 3DES in CBC mode; [`PkiError::Decrypt`].
pub fn open_old_pem(info: &str, body: &[u8], password: &[u8]) -> Result<SecretBytes, PkiError> {
    let (cipher, iv) = info.split_once(',').ok_or(PkiError::Decrypt)?;
    let cipher = match cipher.trim() {
        "AES-128-CBC" => ContentCipher::Aes128,
        "AES-192-CBC" => ContentCipher::Aes192,
        "AES-256-CBC" => ContentCipher::Aes256,
        "DES-EDE3-CBC" => ContentCipher::TripleDes,
        other => return Err(PkiError::Unsupported { what: "encryption of a key", value: other.escape_debug().to_string() }),
    };
    let iv = lanyard_model::text::unhex(iv.trim()).filter(|iv| iv.len() == cipher.iv_length()).ok_or(PkiError::Decrypt)?;
    // The first eight octets are the salt as well.
    let key = openssl_key(password, iv.get(..8).unwrap_or_default(), cipher.key_length());
    decrypt(cipher, &key, &iv, body)
}
