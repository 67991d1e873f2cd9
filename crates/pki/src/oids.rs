//! Object identifiers of algorithms, attributes and extensions, named as their specifications name them.

use lanyard_model::oid::Oid;

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* pub const $name: Oid = Oid::new($text);)+
    };
}

oids! {
    /// id-encryptedData (RFC 5652).
    ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
    /// pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292).
    PBE_SHA1_3DES = "1.2.840.113549.1.12.1.3";
    /// pbeWithSHAAnd128BitRC2-CBC (RFC 7292).
    PBE_SHA1_RC2_128 = "1.2.840.113549.1.12.1.5";
    /// pbeWithSHAAnd40BitRC2-CBC (RFC 7292).
    PBE_SHA1_RC2_40 = "1.2.840.113549.1.12.1.6";
    /// friendlyName (RFC 2985).
    FRIENDLY_NAME = "1.2.840.113549.1.9.20";
    /// localKeyId (RFC 2985).
    LOCAL_KEY_ID = "1.2.840.113549.1.9.21";
    /// PBES2 (RFC 8018).
    PBES2 = "1.2.840.113549.1.5.13";
    /// PBKDF2 (RFC 8018).
    PBKDF2 = "1.2.840.113549.1.5.12";
    /// hmacWithSHA1 (RFC 8018).
    HMAC_SHA1 = "1.2.840.113549.2.7";
    /// hmacWithSHA256 (RFC 8018).
    HMAC_SHA256 = "1.2.840.113549.2.9";
    /// hmacWithSHA384 (RFC 8018).
    HMAC_SHA384 = "1.2.840.113549.2.10";
    /// hmacWithSHA512 (RFC 8018).
    HMAC_SHA512 = "1.2.840.113549.2.11";
    /// keyBag (RFC 7292).
    KEY_BAG = "1.2.840.113549.1.12.10.1.1";
    /// pkcs8ShroudedKeyBag (RFC 7292).
    SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2";
    /// certBag (RFC 7292).
    CERT_BAG = "1.2.840.113549.1.12.10.1.3";
    /// x509Certificate (RFC 2985).
    X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";
    /// rsaEncryption (RFC 8017).
    RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
    /// id-RSAES-OAEP (RFC 8017).
    RSAES_OAEP = "1.2.840.113549.1.1.7";
    /// id-mgf1 (RFC 8017).
    MGF1 = "1.2.840.113549.1.1.8";
    /// id-RSASSA-PSS (RFC 8017).
    RSASSA_PSS = "1.2.840.113549.1.1.10";
    /// sha1WithRSAEncryption.
    SHA1_WITH_RSA = "1.2.840.113549.1.1.5";
    /// sha256WithRSAEncryption.
    SHA256_WITH_RSA = "1.2.840.113549.1.1.11";
    /// sha384WithRSAEncryption.
    SHA384_WITH_RSA = "1.2.840.113549.1.1.12";
    /// sha512WithRSAEncryption.
    SHA512_WITH_RSA = "1.2.840.113549.1.1.13";
    /// id-ecPublicKey (RFC 5480).
    EC_PUBLIC_KEY = "1.2.840.10045.2.1";
    /// secp256r1.
    P256 = "1.2.840.10045.3.1.7";
    /// secp384r1.
    P384 = "1.3.132.0.34";
    /// secp521r1.
    P521 = "1.3.132.0.35";
    /// ecdsa-with-SHA256.
    ECDSA_SHA256 = "1.2.840.10045.4.3.2";
    /// ecdsa-with-SHA384.
    ECDSA_SHA384 = "1.2.840.10045.4.3.3";
    /// ecdsa-with-SHA512.
    ECDSA_SHA512 = "1.2.840.10045.4.3.4";
    /// id-Ed25519 (RFC 8410).
    ED25519 = "1.3.101.112";
    /// id-md5; named only to be refused by name.
    MD5 = "1.2.840.113549.2.5";
    /// id-sha1.
    SHA1 = "1.3.14.3.2.26";
    /// id-sha256.
    SHA256 = "2.16.840.1.101.3.4.2.1";
    /// id-sha384.
    SHA384 = "2.16.840.1.101.3.4.2.2";
    /// id-sha512.
    SHA512 = "2.16.840.1.101.3.4.2.3";
    /// AES-128-CBC.
    AES128_CBC = "2.16.840.1.101.3.4.1.2";
    /// AES-192-CBC.
    AES192_CBC = "2.16.840.1.101.3.4.1.22";
    /// AES-256-CBC.
    AES256_CBC = "2.16.840.1.101.3.4.1.42";
    /// DES-EDE3-CBC.
    DES_EDE3_CBC = "1.2.840.113549.3.7";
    /// DES-CBC.
    DES_CBC = "1.3.14.3.2.7";
    /// id-data (RFC 5652).
    DATA = "1.2.840.113549.1.7.1";
    /// id-signedData.
    SIGNED_DATA = "1.2.840.113549.1.7.2";
    /// id-envelopedData.
    ENVELOPED_DATA = "1.2.840.113549.1.7.3";
    /// contentType attribute.
    CONTENT_TYPE = "1.2.840.113549.1.9.3";
    /// messageDigest attribute.
    MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
    /// signingTime attribute.
    SIGNING_TIME = "1.2.840.113549.1.9.5";
    /// challengePassword attribute (RFC 2985).
    CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7";
    /// extensionRequest attribute (RFC 2985).
    EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
    /// VeriSign's historic extensionReq attribute, and Microsoft's certificate extensions attribute, mean the same.
    MS_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14";
    /// subjectKeyIdentifier.
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
    /// keyUsage.
    KEY_USAGE = "2.5.29.15";
    /// subjectAltName.
    SUBJECT_ALT_NAME = "2.5.29.17";
    /// basicConstraints.
    BASIC_CONSTRAINTS = "2.5.29.19";
    /// cRLNumber.
    CRL_NUMBER = "2.5.29.20";
    /// cRLReason.
    CRL_REASON = "2.5.29.21";
    /// cRLDistributionPoints.
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    /// authorityKeyIdentifier.
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
    /// extKeyUsage.
    EXTENDED_KEY_USAGE = "2.5.29.37";
    /// authorityInfoAccess.
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
    /// id-ad-caIssuers.
    CA_ISSUERS = "1.3.6.1.5.5.7.48.2";
    /// Microsoft's SID extension, never taken from a request.
    MS_SID = "1.3.6.1.4.1.311.25.2";
}
