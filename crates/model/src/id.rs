//! Identifiers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an identifier of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {kind}: {expected}")]
pub struct IdError {
    /// What was expected to be named.
    pub kind: &'static str,
    /// The text that was given.
    pub text: String,
    /// What such an identifier looks like.
    pub expected: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier of something that came to be at `now`, with 74 random bits.
            #[must_use]
            pub fn generate(now: crate::time::Timestamp) -> Self {
                let ms = u64::try_from(now.0).unwrap_or(0);
                let ts = uuid::Timestamp::from_unix(uuid::NoContext, ms / 1000, u32::try_from(ms % 1000 * 1_000_000).unwrap_or(0));
                Self(Uuid::new_v7(ts))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError {
                    kind: $kind,
                    text: crate::text::printable(&text.chars().take(80).collect::<String>()),
                    expected: "a UUID such as 019a9f2e-5a10-7c3e-9d0a-0123456789ab",
                })
            }
        }
    };
}

uuid_id!(
    /// Names one enrolment request through client, decision, log and audit record: a UUID version 7 (RFC 9562).
    RequestId, "request id"
);
uuid_id!(
    /// Names one enrolment of a managed device: a UUID version 7 (RFC 9562).
    EnrollmentId, "enrolment id"
);
uuid_id!(
    /// Names something that a managed device is to be told: a UUID version 7 (RFC 9562).
    JobId, "job id"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
                let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
                if first && text.len() <= $max && text.chars().all(good) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError {
                        kind: $kind,
                        text: crate::text::printable(&text.chars().take(80).collect::<String>()),
                        expected: concat!("1 to ", $max, " ASCII letters, digits, - _ . @, beginning with a letter or digit"),
                    })
                }
            }
        }

        crate::serde_as_text!($name);
    };
}

text_id!(
    /// Names a certificate template.
    TemplateName, "template name", 64
);
text_id!(
    /// Names a registration profile (the last part of a SCEP URL).
    ProfileName, "profile name", 64
);
text_id!(
    /// Names a certification authority of this installation.
    AuthorityName, "authority name", 64
);
text_id!(
    /// Names a device in the record, such as an inventory number; never a name taken from a request.
    DeviceId, "device id", 128
);
text_id!(
    /// Names a user in the record: the login name.
    UserName, "user name", 128
);
text_id!(
    /// The public half of an API token.
    TokenId, "token id", 64
);
text_id!(
    /// Names a group of users and devices.
    GroupName, "group name", 128
);
text_id!(
    /// Names a sealed key in the store.
    KeyId, "key id", 128
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ids_refuse_what_could_be_a_path_or_markup() {
        for bad in ["", "../x", "a/b", "a b", "<a>", ".hidden", "a\n", &"a".repeat(65)] {
            assert!(bad.parse::<TemplateName>().is_err(), "{bad:?}");
        }
        assert!("device-client".parse::<TemplateName>().is_ok());
    }

    #[test]
    fn request_ids_sort_by_time() {
        let early = RequestId::generate(crate::time::Timestamp(1_000_000));
        let late = RequestId::generate(crate::time::Timestamp(1_000_001));
        assert!(early < late && early.to_string() < late.to_string());
    }
}
