//! GetCACaps (RFC 8894, section 3.5.2).

/// What a server can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is one keyword of the protocol.
pub struct Capabilities {
    /// AES-128-CBC.
    pub aes: bool,
    /// 3DES-CBC.
    pub des3: bool,
    /// GetNextCACert.
    pub get_next_ca_cert: bool,
    /// PKIOperation by POST.
    pub post_pki_operation: bool,
    /// RenewalReq.
    pub renewal: bool,
    /// SHA-1.
    pub sha1: bool,
    /// SHA-256.
    pub sha256: bool,
    /// SHA-384.
    pub sha384: bool,
    /// SHA-512.
    pub sha512: bool,
    /// AES, POST, SHA-256 and everything mandatory.
    pub scep_standard: bool,
}

impl Capabilities {
    /// What this server offers in a profile.
    #[must_use]
    pub const fn offered(legacy: bool, next_ca: bool) -> Self {
        Self {
            aes: true,
            des3: legacy,
            get_next_ca_cert: next_ca,
            post_pki_operation: true,
            renewal: true,
            sha1: legacy,
            sha256: true,
            // QUIRK(strongSwan 5.9.8): believes in AES and SHA-256 only where SHA-384 is offered too.
            sha384: true,
            sha512: true,
            scep_standard: true,
        }
    }

    const fn keywords(self) -> [(&'static str, bool); 10] {
        [
            ("AES", self.aes),
            ("POSTPKIOperation", self.post_pki_operation),
            ("Renewal", self.renewal),
            ("SHA-256", self.sha256),
            ("SHA-384", self.sha384),
            ("SHA-512", self.sha512),
            ("SCEPStandard", self.scep_standard),
            ("GetNextCACert", self.get_next_ca_cert),
            ("DES3", self.des3),
            ("SHA-1", self.sha1),
        ]
    }

    /// The answer's body: one keyword a line, no empty line (strongSwan takes one for every capability at once).
    #[must_use]
    pub fn encode(self) -> String {
        let offered: Vec<&str> = self.keywords().into_iter().filter(|(_, on)| *on).map(|(word, _)| word).collect();
        offered.join("\n")
    }

    /// Reads an answer: CRLF or LF, any case, unknown keywords ignored. At most 1024 octets count.
    #[must_use]
    pub fn decode(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body.get(..1024).unwrap_or(body)).to_ascii_lowercase();
        let has = |word: &str| text.lines().any(|line| line.trim() == word);
        Self {
            aes: has("aes"),
            des3: has("des3"),
            get_next_ca_cert: has("getnextcacert"),
            post_pki_operation: has("postpkioperation"),
            renewal: has("renewal"),
            sha1: has("sha-1"),
            sha256: has("sha-256"),
            sha384: has("sha-384"),
            sha512: has("sha-512"),
            scep_standard: has("scepstandard"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8894_3_5_2_answers_read_back_whatever_line_ends_and_case() {
        let offered = Capabilities::offered(false, false);
        assert_eq!(Capabilities::decode(offered.encode().as_bytes()), offered);
        assert_eq!(Capabilities::decode(offered.encode().replace('\n', "\r\n").to_lowercase().as_bytes()), offered);
        assert!(!offered.encode().contains("\n\n") && offered.encode().len() < 1024);
    }

    #[test]
    fn rfc8894_3_5_2_unknown_keywords_and_pages_of_html_mean_nothing() {
        assert_eq!(Capabilities::decode(b"<html>AES SHA-256</html>\nX-Future"), Capabilities::default());
        assert_eq!(Capabilities::decode(&[0xff; 5000]), Capabilities::default());
    }
}
