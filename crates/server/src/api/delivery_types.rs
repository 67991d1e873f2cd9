//! JSON forms of what reaches people without a management server: files with keys, invitations, mail, exported policies, archived keys.

use serde::{Deserialize, Serialize};

use super::types::{Order, Request};

/// Invites somebody to fetch an identity.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Invite {
    /// User on record.
    pub user: String,
    /// Template.
    pub template: String,
    /// Profile; `default` when absent.
    pub profile: Option<String>,
    /// Device on record.
    pub device: Option<String>,
    /// How long the link is good.
    pub ttl: Option<String>,
    /// Whether the user has to be signed in at the portal as well.
    pub sign_in: bool,
    /// Whether the link goes by mail.
    pub mail: bool,
}

/// An invitation, as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Invitation {
    /// Id.
    pub id: String,
    /// Who was invited.
    pub user: String,
    /// What it is good for.
    pub what: String,
    /// `open`, `used`, `withdrawn` or `expired`.
    pub state: String,
    /// Whether the user has to be signed in at the portal as well.
    pub sign_in: bool,
    /// When it was made.
    pub at: String,
    /// Until when the link works.
    pub until: String,
    /// Who invited.
    pub by: String,
    /// When it was used or withdrawn.
    pub ended_at: Option<String>,
    /// Who withdrew it.
    pub withdrawn_by: Option<String>,
}

/// An invitation that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Invited {
    /// Its id.
    pub id: String,
    /// User.
    pub user: String,
    /// Until when the link is good.
    pub until: String,
    /// The link, where it did not go by mail.
    pub link: Option<String>,
    /// Where it went.
    pub sent_to: Option<String>,
}

/// Asks to send a certificate by mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SendCertificate {
    /// `cer`, `pem` or `p7b`.
    pub form: crate::flow::send::Form,
    /// Another address than that of the user.
    #[serde(default)]
    pub to: Option<String>,
    /// Send a link at once, not the file.
    #[serde(default)]
    pub link: bool,
}

/// What was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sent {
    /// Where to.
    pub to: String,
    /// Whether a link went instead of the file.
    pub as_link: bool,
}

/// Asks for a fleet policy in the form of a platform.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Export {
    /// `apple`, `linux` or `android`.
    pub platform: String,
    /// User on record.
    pub user: Option<String>,
    /// Device on record.
    pub device: Option<String>,
}

/// A signed file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exported {
    /// The file, base64.
    pub file: String,
}

/// Asks for archived keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AskRecovery {
    /// User.
    pub user: String,
    /// Why.
    pub reason: String,
}

/// A wish to have archived keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recovery {
    /// Id.
    pub id: String,
    /// Whose keys.
    pub user: String,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: String,
    /// Until when it may be carried out.
    pub until: String,
    /// Who agreed.
    pub approved_by: Option<String>,
    /// When the keys were given out.
    pub given_out_at: Option<String>,
}

/// In what form archived keys are wanted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CarryOut {
    /// Whether the file is to be read by old programs, which know 3DES only.
    pub old: bool,
}

/// Archived keys.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recovered {
    /// PKCS#12, base64.
    pub file: String,
    /// Keys in it.
    pub keys: usize,
    /// What opens it, shown this once.
    pub passphrase: String,
}

/// Orders an identity with its key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Pfx {
    /// Names and template.
    pub order: Order,
    /// Whether the file is to be read by old programs, which know 3DES only.
    pub old: bool,
    /// Whether the file goes to the user by mail; the passphrase comes back here.
    pub mail: bool,
}

/// An identity with its key, or why there is none.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PfxMade {
    /// The request.
    pub request: Request,
    /// PKCS#12, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Earlier keys in the file.
    #[serde(default)]
    pub history: usize,
    /// How it went by mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// What opens it, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// The certificate in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}
