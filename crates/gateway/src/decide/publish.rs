//! Which application a request is for.
//!
//! Paths are compared as back ends may understand them: percent-decoded, without case, repeated slashes as one. What they might understand
//! in another way than this does, such as `..` or an encoded slash, is refused.

use std::{collections::HashMap, sync::Arc};

use super::denial::{Denial, Reason};
use crate::proxy::application::Application;

/// Longest path that is looked at.
const MAX_PATH: usize = 16 * 1024;

/// Everything that is published.
#[derive(Debug, Default)]
pub struct Published {
    hosts: HashMap<String, Host>,
    /// Hosts below a name: `example.org` for `*.example.org`.
    below: HashMap<String, Host>,
}

/// What one host publishes.
#[derive(Debug, Default)]
pub struct Host {
    /// Longest path first.
    paths: Vec<(String, Arc<Application>)>,
    /// Whether a certificate counts for any of it.
    pub wants_certificate: bool,
}

impl Published {
    /// Adds an application.
    pub fn add(&mut self, application: &Arc<Application>) {
        for host in &application.hosts {
            let entry = match host.strip_prefix("*.") {
                Some(name) => self.below.entry(name.to_owned()).or_default(),
                None => self.hosts.entry(host.clone()).or_default(),
            };
            entry.wants_certificate |= application.mode.wants_certificate();
            for path in &application.paths {
                entry.paths.push((path.trim_end_matches('/').to_ascii_lowercase(), Arc::clone(application)));
            }
            entry.paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        }
    }

    /// What a host publishes, by its canonical name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name).or_else(|| self.below.get(name.split_once('.')?.1))
    }

    /// All names, as they stand in the file, with what each publishes.
    pub fn names(&self) -> impl Iterator<Item = (String, &Host)> {
        let below = self.below.iter().map(|(name, host)| (format!("*.{name}"), host));
        self.hosts.iter().map(|(name, host)| (name.clone(), host)).chain(below)
    }
}

impl Host {
    /// The application of a path.
    ///
    /// # Errors
    /// [`Reason::Malformed`], [`Reason::NotPublished`].
    pub fn application(&self, path: &str) -> Result<&Arc<Application>, Denial> {
        let plain = plain(path)?;
        let below = |prefix: &str| plain.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let found = self.paths.iter().find(|(prefix, _)| below(prefix));
        found.map(|(_, application)| application).ok_or(Denial::of(Reason::NotPublished))
    }

    /// Every application of the host.
    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.paths.iter().map(|(_, application)| application)
    }
}

/// A host name as it is compared: lower case, without port and trailing dot.
#[must_use]
pub fn canonical(host: &str) -> String {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    without_port.strip_suffix('.').unwrap_or(without_port).to_ascii_lowercase()
}

/// A path as it is compared.
fn plain(path: &str) -> Result<String, Denial> {
    let refuse = |why: &str| Denial::because(Reason::Malformed, why);
    if !path.starts_with('/') || path.len() > MAX_PATH {
        return Err(refuse("the path is not absolute, or too long"));
    }
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let mut octets = path.bytes();
    while let Some(octet) = octets.next() {
        let octet = if octet == b'%' {
            let digit = |d: Option<u8>| d.and_then(|d| char::from(d).to_digit(16)).and_then(|d| u8::try_from(d).ok());
            match (digit(octets.next()), digit(octets.next())) {
                (Some(high), Some(low)) => match high << 4 | low {
                    b'/' | b'\\' | b'%' | 0..=0x1f | 0x7f => {
                        return Err(refuse("the path has an encoded slash, percent or control character"));
                    }
                    decoded => decoded,
                },
                _ => return Err(refuse("the path has a percent sign that encodes nothing")),
            }
        } else {
            octet
        };
        if octet == b'\\' {
            return Err(refuse("the path has a backslash"));
        }
        if octet == b'/' && out.last() == Some(&b'/') {
            continue;
        }
        out.push(octet.to_ascii_lowercase());
    }
    // `..;x` is `..` for servlet containers.
    let dots = |segment: &[u8]| matches!(segment.split(|b| *b == b';').next(), Some(b"." | b".."));
    if out.split(|b| *b == b'/').any(dots) {
        return Err(refuse("the path goes up"));
    }
    Ok(String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_case_port_and_final_dot() {
        for same in ["mail.example.org", "MAIL.example.org:443", "mail.example.org.", "Mail.Example.Org.:8443"] {
            assert_eq!(canonical(same), "mail.example.org");
        }
        assert_eq!(canonical("[::1]:443"), "[::1]");
    }

    #[test]
    fn paths_mean_what_a_back_end_may_take_them_for() {
        for (path, meant) in [("/OWA/x", "/owa/x"), ("//owa///x", "/owa/x"), ("/o%57a", "/owa"), ("/a;b/c", "/a;b/c")] {
            assert_eq!(plain(path).unwrap(), meant);
        }
        for odd in [
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%zz",
            "/a%2",
            "*",
            "",
            "/a/..;x/b",
            "/%252e",
        ] {
            assert!(plain(odd).is_err(), "{odd}");
        }
    }
}
