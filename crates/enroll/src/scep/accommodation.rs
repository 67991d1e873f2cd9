//! What was tolerated in a message, or done differently for the client that sent it.
//!
//! Each has a stable word for records and a clause for people.

use lanyard_pki::{
    certificate::{
        Certificate,
        oddity::{self, Oddity},
    },
    cms::signed::{SignedData, SignerInfo},
    signature::{Digest, SignatureAlgorithm},
};

/// One thing that was tolerated or done differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accommodation {
    /// HTTP/1.0 (Cisco IOS).
    Http10,
    /// HTTP/1.1 without a Host field (strongSwan).
    NoHost,
    /// A POST whose Content-Type is absent or empty (sscep, strongSwan).
    NoContentType,
    /// A PKIOperation by GET although POST is offered (Cisco IOS, certmonger).
    GetInsteadOfPost,
    /// Line ends in the base64 of a query (Cisco IOS, sscep, strongSwan).
    LinesInQuery,
    /// `+` or `/` unescaped in a query (Apple, jscep).
    RawBase64,
    /// A `+` that became a space on its way.
    SpaceInQuery,
    /// base64 without its padding.
    NoPadding,
    /// The URL-safe alphabet of base64.
    UrlSafeBase64,
    /// BER that is not DER: indefinite lengths, strings in chunks (Apple, Java, scepclient).
    Ber,
    /// Signed attributes in another order than DER's.
    UnsortedSignedAttributes,
    /// CSR attributes in another order than DER's (strongSwan).
    UnsortedCsrAttributes,
    /// Version 1 written out in the signer certificate (certmonger).
    SignerVersion1,
    /// A serial number of the signer certificate that is too long or not positive (certmonger).
    SignerSerial,
    /// GeneralizedTime before 2050 in the signer certificate (certmonger).
    SignerTime,
    /// A signer certificate valid for half a century or more (certmonger).
    SignerLife,
    /// A critical authorityKeyIdentifier in the signer certificate (Windows).
    SignerCriticalAki,
    /// A challengePassword in a PrintableString with characters that have no place in one (certmonger).
    ChallengeAlphabet,
    /// A senderNonce of another length than 16 octets.
    NonceLength,
    /// RSASSA-PSS as signature (strongSwan).
    Pss,
    /// RSAES-OAEP as key transport (Windows); the reply uses it too.
    Oaep,
    /// More recipients than ours (scepclient).
    SeveralRecipients,
    /// SHA-1 as digest, by a profile with legacy-algorithms.
    LegacyDigest,
    /// DES or 3DES as content encryption, by a profile with legacy-algorithms; the reply uses it too.
    LegacyCipher,
    /// A renewal sent as PKCSReq (certmonger, Cisco IOS, macOS, sscep).
    RenewalAsPkcsReq,
    /// The same message again, answered by its stored outcome (scepclient polls so).
    RepeatAsPoll,
    /// GetCACert without certificates whose key is not RSA (scepclient).
    RsaCertificatesOnly,
    /// GetCACert with the registration certificate alone.
    RegistrationCertificateOnly,
}

impl Accommodation {
    /// Every accommodation.
    pub const ALL: [Self; 28] = [
        Self::Http10,
        Self::NoHost,
        Self::NoContentType,
        Self::GetInsteadOfPost,
        Self::LinesInQuery,
        Self::RawBase64,
        Self::SpaceInQuery,
        Self::NoPadding,
        Self::UrlSafeBase64,
        Self::Ber,
        Self::UnsortedSignedAttributes,
        Self::UnsortedCsrAttributes,
        Self::SignerVersion1,
        Self::SignerSerial,
        Self::SignerTime,
        Self::SignerLife,
        Self::SignerCriticalAki,
        Self::ChallengeAlphabet,
        Self::NonceLength,
        Self::Pss,
        Self::Oaep,
        Self::SeveralRecipients,
        Self::LegacyDigest,
        Self::LegacyCipher,
        Self::RenewalAsPkcsReq,
        Self::RepeatAsPoll,
        Self::RsaCertificatesOnly,
        Self::RegistrationCertificateOnly,
    ];

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.words().0
    }

    /// The clause for people.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        self.words().1
    }

    /// From the stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == word)
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Http10 => ("http-1.0", "HTTP/1.0 was answered"),
            Self::NoHost => ("no-host", "a request without Host field was answered"),
            Self::NoContentType => ("no-content-type", "a message without media type was read"),
            Self::GetInsteadOfPost => ("get-instead-of-post", "the message was taken from a query although POST is offered"),
            Self::LinesInQuery => ("lines-in-query", "line ends in the query were dropped"),
            Self::RawBase64 => ("raw-base64", "unescaped + or / in the query was understood"),
            Self::SpaceInQuery => ("space-in-query", "a space in the query was read as +"),
            Self::NoPadding => ("no-padding", "base64 without padding was read"),
            Self::UrlSafeBase64 => ("url-safe-base64", "URL-safe base64 was read"),
            Self::Ber => ("ber", "BER that is not DER was read"),
            Self::UnsortedSignedAttributes => ("unsorted-signed-attributes", "signed attributes out of order were verified"),
            Self::UnsortedCsrAttributes => ("unsorted-csr-attributes", "CSR attributes out of order were verified"),
            Self::SignerVersion1 => ("signer-version-1", "a signer certificate with version 1 written out was read"),
            Self::SignerSerial => ("signer-serial", "a serial number that RFC 5280 does not allow was read"),
            Self::SignerTime => ("signer-time", "GeneralizedTime before 2050 was read"),
            Self::SignerLife => ("signer-life", "a signer certificate valid for half a century or more was read"),
            Self::SignerCriticalAki => ("signer-critical-aki", "a critical authorityKeyIdentifier was passed over"),
            Self::ChallengeAlphabet => ("challenge-alphabet", "a PrintableString with characters outside its alphabet was read"),
            Self::NonceLength => ("nonce-length", "a senderNonce of another length than 16 octets was echoed"),
            Self::Pss => ("pss", "a RSASSA-PSS signature was verified"),
            Self::Oaep => ("oaep", "the answer is wrapped with RSAES-OAEP, as the request was"),
            Self::SeveralRecipients => ("several-recipients", "our recipient was found among several"),
            Self::LegacyDigest => ("legacy-digest", "SHA-1 was accepted, as the profile allows"),
            Self::LegacyCipher => {
                ("legacy-cipher", "the answer is encrypted with DES or 3DES, as the request was and the profile allows")
            }
            Self::RenewalAsPkcsReq => ("renewal-as-pkcsreq", "a PKCSReq signed with our certificate was taken as a renewal"),
            Self::RepeatAsPoll => ("repeat-as-poll", "the same message again was answered with its stored outcome"),
            Self::RsaCertificatesOnly => ("rsa-certificates-only", "certificates with other keys than RSA were left out"),
            Self::RegistrationCertificateOnly => ("registration-certificate-only", "the registration certificate alone was sent"),
        }
    }
}

/// What is odd about the outer layer of a message and its signer certificate.
#[must_use]
pub fn of_message(signed: &SignedData, signer: &SignerInfo, certificate: Option<&Certificate>) -> Vec<Accommodation> {
    let mut found = Vec::new();
    let mut note = |odd: bool, what| {
        if odd {
            found.push(what);
        }
    };
    note(signed.is_ber, Accommodation::Ber);
    note(signer.is_unsorted, Accommodation::UnsortedSignedAttributes);
    note(matches!(signer.algorithm, SignatureAlgorithm::RsaPss(_)), Accommodation::Pss);
    note(signer.digest == Digest::Sha1, Accommodation::LegacyDigest);
    found.extend(certificate.map(oddity::oddities).unwrap_or_default().into_iter().map(of_signer));
    found
}

const fn of_signer(oddity: Oddity) -> Accommodation {
    match oddity {
        Oddity::Version1Written => Accommodation::SignerVersion1,
        Oddity::Serial => Accommodation::SignerSerial,
        Oddity::GeneralizedTime => Accommodation::SignerTime,
        Oddity::VeryLong => Accommodation::SignerLife,
        Oddity::CriticalAuthorityKeyIdentifier => Accommodation::SignerCriticalAki,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_its_own_and_reads_back() {
        for one in Accommodation::ALL {
            assert_eq!(Accommodation::from_word(one.as_str()), Some(one));
        }
    }
}
