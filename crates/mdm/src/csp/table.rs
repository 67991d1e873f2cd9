//! Finding the description of a node.

use super::{
    loc_uri::LocUri,
    node::{NodeSpec, Scopes},
    tables,
};

/// One configuration service provider.
#[derive(Debug)]
pub struct Csp {
    /// Its name.
    pub name: &'static str,
    /// Names from the root to its base.
    pub base: &'static [&'static str],
    /// In which trees it exists.
    pub scopes: Scopes,
    /// Names are compared without regard to case.
    pub ignore_case: bool,
    /// Its nodes; each one's parent is among them.
    pub nodes: &'static [NodeSpec],
}

/// What an address names.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// The provider.
    pub csp: &'static Csp,
    /// The node.
    pub node: &'static NodeSpec,
    /// What stands at the places of the names in angle brackets, in order.
    pub names: Vec<&'a str>,
}

static ALL: [&Csp; 11] = [
    &tables::CERTIFICATE_STORE,
    &tables::ROOT_CA_TRUSTED_CERTIFICATES,
    &tables::CLIENT_CERTIFICATE_INSTALL,
    &tables::DM_CLIENT,
    &tables::DM_ACC,
    &tables::ENTERPRISE_APP_MANAGEMENT,
    &tables::WIFI,
    &tables::VPN_V2,
    &tables::ACTIVE_SYNC,
    &tables::DEV_INFO,
    &tables::DEV_DETAIL,
];

/// Every provider.
#[must_use]
pub fn all() -> &'static [&'static Csp] {
    &ALL
}

/// The node an address names; nothing where no provider has such a node in that scope.
#[must_use]
pub fn find(uri: &LocUri) -> Option<Found<'_>> {
    all().iter().find_map(|csp| csp.find(uri))
}

impl Csp {
    /// The node an address names, if it is one of this provider's.
    #[must_use]
    pub fn find<'a>(&'static self, uri: &'a LocUri) -> Option<Found<'a>> {
        let names: Vec<&str> = uri.names().collect();
        let below = self.strip_base(&names)?;
        // A written name goes before one that stands for any.
        let (node, names) = self
            .nodes
            .iter()
            .filter(|node| node.scopes.unwrap_or(self.scopes).contains(uri.scope()))
            .filter_map(|node| matched(node.path, below, self.ignore_case).map(|names| (node, names)))
            .min_by_key(|(_, names)| names.len())?;
        Some(Found { csp: self, node, names })
    }

    /// The descriptions of the nodes directly below one.
    pub fn below(&'static self, node: &NodeSpec) -> impl Iterator<Item = &'static NodeSpec> {
        let path = node.path;
        self.nodes.iter().filter(move |child| parent_path(child.path) == Some(path))
    }

    fn strip_base<'n, 'a>(&self, names: &'n [&'a str]) -> Option<&'n [&'a str]> {
        let (base, below) = names.split_at_checked(self.base.len())?;
        let same = base
            .iter()
            .zip(self.base)
            .enumerate()
            .all(|(place, (a, b))| a == b || (self.ignore_case && place + 1 == self.base.len() && a.eq_ignore_ascii_case(b)));
        same.then_some(below)
    }
}

/// The path above; nothing for the base.
pub(super) fn parent_path(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((above, _)) => Some(above),
        None if path.is_empty() => None,
        None => Some(""),
    }
}

fn matched<'a>(pattern: &str, names: &[&'a str], ignore_case: bool) -> Option<Vec<&'a str>> {
    let mut rest = names.iter();
    let mut any = Vec::new();
    for want in pattern.split('/').filter(|want| !want.is_empty()) {
        let name = *rest.next()?;
        if want.starts_with('<') {
            if !fits(want, name) {
                return None;
            }
            any.push(name);
        } else if name != want && !(ignore_case && name.eq_ignore_ascii_case(want)) {
            return None;
        }
    }
    rest.next().is_none().then_some(any)
}

fn fits(want: &str, name: &str) -> bool {
    match want {
        "<SHA1>" => name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "<GUID>" => is_guid(name),
        _ => true,
    }
}

fn is_guid(name: &str) -> bool {
    let Some(inner) = name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return false };
    let groups: Vec<&str> = inner.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csp::{Access, Format, Scope};

    fn found(text: &str) -> Option<(&'static str, &'static str, Vec<String>)> {
        let uri = LocUri::parse(text).unwrap();
        find(&uri).map(|found| (found.csp.name, found.node.path, found.names.iter().map(|&name| name.to_owned()).collect()))
    }

    #[test]
    fn every_node_has_its_parent_in_the_table_and_stands_there_once() {
        for csp in all() {
            for (place, node) in csp.nodes.iter().enumerate() {
                if let Some(above) = parent_path(node.path) {
                    let parent = csp.nodes.iter().find(|parent| parent.path == above);
                    assert!(parent.is_some_and(|parent| parent.format == Format::Node), "{}: parent of {}", csp.name, node.path);
                }
                let twice = csp.nodes.iter().skip(place + 1).any(|other| other.path == node.path);
                assert!(!twice, "{}: {} twice", csp.name, node.path);
                if let Some(default) = node.default {
                    assert!(node.accepts(default), "{}: default of {}", csp.name, node.path);
                }
                let by_number = ["Recovery/InitiateRecovery", "/DownloadInstall"].iter().any(|end| node.path.ends_with(end));
                assert!(node.format == Format::Null || by_number || !node.access.allows(Access::EXEC), "{}", node.path);
            }
        }
    }

    #[test]
    fn the_products_spelling_is_kept() {
        let base = "./Device/Vendor/MSFT/CertificateStore/MY";
        for good in [
            "/WSTEP/CertThumprint",
            "/SCEP/x/Install/HashAlgrithm",
            "/SCEP/x/Install/CAThumbPrint",
            "/SCEP/x/Install/ValidPeriodUnit",
        ] {
            assert!(found(&format!("{base}{good}")).is_some(), "{good}");
        }
        for bad in ["/WSTEP/CertThumbprint", "/SCEP/x/Install/HashAlgorithm", "/SCEP/x/Install/CAThumbprint"] {
            assert!(found(&format!("{base}{bad}")).is_none(), "{bad}");
        }
        let scep = "./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/x/Install";
        for good in ["HashAlgorithm", "CAThumbprint", "ValidPeriodUnits"] {
            assert!(found(&format!("{scep}/{good}")).is_some(), "{good}");
        }
    }

    #[test]
    fn names_in_angle_brackets_are_told() {
        let (csp, path, names) = found("./Vendor/MSFT/DMClient/Provider/Example%20MDM/Poll/PollOnLogin").unwrap();
        assert_eq!((csp, path, names), ("DMClient", "Provider/<ProviderID>/Poll/PollOnLogin", vec!["Example MDM".to_owned()]));
        assert!(found("./Vendor/MSFT/RootCATrustedCertificates/Root/1234").is_none());
        assert!(found("./Vendor/MSFT/RootCATrustedCertificates/Root/81BCAF601DC9DFEC87317D590E7CF1E0FD4D49A1").is_some());
    }

    #[test]
    fn the_user_has_no_trusted_roots_and_the_device_no_mail() {
        assert!(found("./User/Vendor/MSFT/RootCATrustedCertificates/Root").is_none());
        assert!(found("./User/Vendor/MSFT/RootCATrustedCertificates/CA").is_some());
        assert!(found("./Device/Vendor/MSFT/ActiveSync").is_none());
        assert!(
            found("./User/Vendor/MSFT/ActiveSync/Accounts/%7B11111111-2222-4333-8444-555555555555%7D/Options/UseSSL").is_some()
        );
        assert!(found("./User/Vendor/MSFT/CertificateStore").is_none());
        assert!(Scopes::Both.contains(Scope::User));
    }

    #[test]
    fn only_root_ca_trusted_certificates_ignores_case() {
        assert!(found("./Vendor/MSFT/rootcatrustedcertificates/root").is_some());
        assert!(found("./Vendor/MSFT/certificatestore/root").is_none());
    }
}
