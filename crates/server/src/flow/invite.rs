//! Sealed links by which people fetch what is theirs: good once, and for a while. Nothing is kept of them until they are used.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::{DeviceId, ProfileName, TemplateName, UserName},
    secret::SecretBytes,
    serial::SerialNumber,
    text::hex,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::{random::random, sealing};
use lanyard_ra::{decide::permitted, order::ChallengeOrder};
use serde::{Deserialize, Serialize};

use super::challenge::with_records;
use crate::{error::ServerError, state::Server};

const CONTEXT: &[u8] = b"lanyard-invitation-v1";
/// How long a link is good where nothing else is said.
pub const LIFE: Span = Span::from_days(3);
/// Longest life.
pub const LONGEST: Span = Span::from_days(30);

/// What a link is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gift {
    /// An identity whose key is made when the link is used.
    #[serde(rename_all = "kebab-case")]
    Identity {
        /// Template.
        template: TemplateName,
        /// Profile.
        profile: ProfileName,
        /// Device it is for.
        device: Option<DeviceId>,
    },
    /// A certificate that is there, without a key.
    #[serde(rename_all = "kebab-case")]
    Certificate {
        /// Serial number.
        serial: SerialNumber,
        /// `cer`, `pem` or `p7b`.
        form: super::send::Form,
    },
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Invitation {
    /// For whom.
    pub user: UserName,
    /// What.
    pub gift: Gift,
    /// Whether the user has to be signed in as well.
    pub sign_in: bool,
    /// Until when.
    pub until: Timestamp,
    /// Who invited, as audited.
    pub by: String,
    nonce: String,
}

impl Invitation {
    /// A new one.
    ///
    /// # Errors
    /// [`ServerError::Invalid`] for a life out of bounds.
    pub fn new(
        server: &Server,
        user: UserName,
        gift: Gift,
        life: Option<Span>,
        sign_in: bool,
        by: &str,
    ) -> Result<Self, ServerError> {
        let life = life.unwrap_or(LIFE);
        if !(Span::from_secs(300)..=LONGEST).contains(&life) {
            return Err(ServerError::Invalid(format!("ttl: an invitation is good for 5m to 30d, not {life}")));
        }
        Ok(Self { user, gift, sign_in, until: server.now() + life, by: by.to_owned(), nonce: hex(&random::<16>()?) })
    }

    /// The address to open.
    ///
    /// # Errors
    /// [`ServerError::Conflict`] where there is no portal; [`ServerError::Pki`].
    pub fn link(&self, server: &Server) -> Result<String, ServerError> {
        let portal = server.portal.as_ref();
        let portal =
            portal.ok_or_else(|| ServerError::Conflict("links lead to the portal, and it is off: add [portal]".into()))?;
        let plain = serde_json::to_vec(self).map_err(|e| ServerError::Conflict(e.to_string()))?;
        let sealed = sealing::seal(&server.portal_secret, CONTEXT, &SecretBytes::new(plain))?;
        Ok(format!("{}/portal/invitation/{}", portal.url()?, URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// From the last part of a link, if it is ours, in time and unused.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn open(server: &Server, text: &str) -> Result<Option<Self>, ServerError> {
        let opened = URL_SAFE_NO_PAD.decode(text).ok();
        let opened = opened.and_then(|sealed| sealing::open(&server.portal_secret, CONTEXT, &sealed).ok());
        let read = opened.and_then(|plain| serde_json::from_slice::<Self>(plain.expose()).ok());
        let Some(invitation) = read.filter(|invitation| server.now() < invitation.until) else { return Ok(None) };
        let used = server.store.load_count(&invitation.mark()).await?.is_some();
        Ok((!used).then_some(invitation))
    }

    /// Uses it up; `false` if it was used before, on whichever node.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn use_up(&self, server: &Server) -> Result<bool, ServerError> {
        Ok(server.store.use_once(&self.mark(), self.until).await?)
    }

    fn mark(&self) -> String {
        format!("invitation:{}", self.nonce)
    }
}

/// Invites somebody to fetch an identity; what the rules would refuse now is not invited to.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Policy`], [`ServerError::Invalid`], [`ServerError::Conflict`].
pub async fn to_identity(
    server: &Server,
    user: UserName,
    order: ChallengeOrder,
    device: Option<DeviceId>,
    (life, sign_in): (Option<Span>, bool),
    by: &str,
) -> Result<(Invitation, String), ServerError> {
    let order = with_records(server, order, Some(user.clone()), device.clone()).await?;
    permitted(&order, &server.policy(), lanyard_model::enroll::Protocol::Pfx)?;
    let gift = Gift::Identity { template: order.template, profile: order.profile, device };
    let invitation = Invitation::new(server, user, gift, life, sign_in, by)?;
    let link = invitation.link(server)?;
    audit(server, &invitation).await?;
    Ok((invitation, link))
}

/// Notes an invitation before anybody has it.
///
/// # Errors
/// Storage errors.
pub async fn audit(server: &Server, invitation: &Invitation) -> Result<(), ServerError> {
    let what = match &invitation.gift {
        Gift::Identity { template, .. } => format!("an identity of template {template}"),
        Gift::Certificate { serial, .. } => format!("certificate {serial}"),
    };
    let audit = AuditEvent {
        object: Some(format!("user {}", invitation.user)),
        detail: Some(format!("to fetch {what}, until {}", invitation.until)),
        ..server.event(AuditKind::Invited, &invitation.by)
    };
    Ok(server.store.append_audit(audit).await?)
}
