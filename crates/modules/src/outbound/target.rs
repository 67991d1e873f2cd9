//! URLs that may be called.

use http::{Uri, uri::Scheme};
use lanyard_model::text::printable;

/// A URL taken apart: http or https, a host, no credentials and no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it is called by TLS.
    pub(super) tls: bool,
    /// Host name or address, without the brackets of IPv6.
    pub(super) host: String,
    /// Port.
    pub(super) port: u16,
    /// Host and port as in the URL, for the Host field.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let fault = |problem: &str| Err(format!("'{}' {problem}", printable(url)));
        let uri: Uri = match url.parse() {
            Ok(uri) => uri,
            Err(_) => return fault("is no URL"),
        };
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return fault("begins with neither https:// nor http://"),
        };
        let Some(authority) = uri.authority() else { return fault("has no host") };
        if authority.as_str().contains('@') {
            return fault("holds credentials; secrets belong in files");
        }
        if url.contains('#') {
            return fault("has a fragment");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return fault("has no host");
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned(), path })
    }

    /// The same service under a path below this one.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        Self { path: format!("{}/{path}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// Host, for messages.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is called by TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_more_than_a_place_in_them_are_refused() {
        for url in
            ["", "ftp://a/", "//a/", "/path", "https://", "https://u:p@a/", "https://a/#f", "file:///etc/passwd", "https://a b/"]
        {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        let target = Target::parse("https://[2001:db8::1]:8443/a/b?c=d").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("2001:db8::1", 8443, "/a/b?c=d"));
        assert_eq!(Target::parse("http://a").unwrap().below("x/y").path, "/x/y");
    }
}
