//! Where a device looks for its discovery service (MS-MDE2, section 3.1).

/// Path of the discovery service.
pub const DISCOVERY_PATH: &str = "/EnrollmentServer/Discovery.svc";

/// The URL for the domain of an e-mail address or UPN; nothing when there is no domain name in it, as in `DOMAIN\user`.
#[must_use]
pub fn discovery_url(address: &str) -> Option<String> {
    let (user, domain) = address.rsplit_once('@')?;
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = !user.is_empty() && domain.len() <= 230 && domain.contains('.') && domain.split('.').all(is_label);
    is_domain.then(|| format!("https://enterpriseenrollment.{}{DISCOVERY_PATH}", domain.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_made_of_the_domain_alone() {
        assert_eq!(
            discovery_url("Alex@Example.COM").unwrap(),
            "https://enterpriseenrollment.example.com/EnrollmentServer/Discovery.svc"
        );
        for wrong in
            ["alex", "CORP\\alex", "alex@", "@example.com", "alex@localhost", "a@ex ample.com", "a@b.c/d", "a@b..c", "a@b.c:1"]
        {
            assert_eq!(discovery_url(wrong), None, "{wrong}");
        }
    }
}
