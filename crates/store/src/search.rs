//! Free-text search over certificates: what is searched, and how a search text becomes a pattern.

use lanyard_model::certificate::CertificateRecord;

/// The text in which a certificate is found: subject, names, user, device and template in lower case, one a line, so that
/// no search text matches across two of them.
pub(crate) fn haystack(certificate: &CertificateRecord) -> String {
    let mut lines = vec![certificate.subject.to_string()];
    lines.extend(certificate.san.iter().map(ToString::to_string));
    lines.extend(certificate.user.iter().map(ToString::to_string));
    lines.extend(certificate.device.iter().map(ToString::to_string));
    lines.extend(certificate.template.iter().map(|(name, _)| name.to_string()));
    lines.join("\n").to_lowercase()
}

/// A `LIKE` pattern (escape character `\`) for texts that contain `needle`.
pub(crate) fn pattern(needle: &str) -> String {
    let mut pattern = String::with_capacity(needle.len() + 2);
    pattern.push('%');
    for c in needle.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_its_characters_literally() {
        assert_eq!(pattern(r"50%_\X"), r"%50\%\_\\x%");
    }
}
