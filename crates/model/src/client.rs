//! Kinds of enrolment clients that are told apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A client whose habits are known. Recognised from what it sends, which anybody can imitate: it shapes answers and the story of a
/// request, and never decides who gets what.
///
/// STORED: in profiles and in the context of requests; the words do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// iOS, iPadOS, macOS.
    Apple,
    /// certmonger's scep-submit.
    Certmonger,
    /// Cisco IOS and IOS-XE.
    Cisco,
    /// Programs in Go: micromdm's scepclient, smallstep.
    Go,
    /// jscep and what is made of it, Android among them.
    Java,
    /// `lanyard device`.
    Lanyard,
    /// MikroTik RouterOS.
    Mikrotik,
    /// sscep.
    Sscep,
    /// strongSwan's `pki --scep`.
    Strongswan,
    /// Windows: the MDM client, Intune.
    Windows,
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 10] = [
        Self::Apple,
        Self::Certmonger,
        Self::Cisco,
        Self::Go,
        Self::Java,
        Self::Lanyard,
        Self::Mikrotik,
        Self::Sscep,
        Self::Strongswan,
        Self::Windows,
    ];

    /// The stored and printed word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apple => "apple",
            Self::Certmonger => "certmonger",
            Self::Cisco => "cisco",
            Self::Go => "go",
            Self::Java => "java",
            Self::Lanyard => "lanyard",
            Self::Mikrotik => "mikrotik",
            Self::Sscep => "sscep",
            Self::Strongswan => "strongswan",
            Self::Windows => "windows",
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
