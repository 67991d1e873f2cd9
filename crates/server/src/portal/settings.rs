//! Section `[portal]` of the configuration.

use serde::{Deserialize, Serialize};

/// The people's page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PortalSettings {
    /// Address at which browsers reach the HTTPS listener, without a slash at the end, such as `https://pki.example.org`; stands in links
    /// that are sent by mail. Absent: the first of `tls-names` that is not this machine's own, and the port of `listen.https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl PortalSettings {
    /// The section as `init` writes it.
    #[must_use]
    pub fn to_commented_text(&self) -> String {
        let url =
            self.url.as_ref().map_or_else(|| "# url = \"https://pki.example.org\"".to_owned(), |url| format!("url = \"{url}\""));
        format!(
            r#"# The page where people help themselves: https://…/portal. Without this section it is off. What people may ask for there is in the
# profiles, under 'portal'.
[portal]
# Address at which browsers reach the listener above; stands in links that are sent by mail. Left out: the first of tls-names that is
# not localhost, and the port of listen.https.
{url}

"#
        )
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let sound = |url: &String| {
            url.strip_prefix("https://").is_some_and(|host| !host.is_empty() && !host.contains('/'))
                && url.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'"' | b'<' | b'>' | b'\''))
        };
        match self.url.as_ref().filter(|url| !sound(url)) {
            Some(url) => Err(format!("portal.url = \"{}\" must be https:// and a host, and nothing more", url.escape_debug())),
            None => Ok(()),
        }
    }
}
