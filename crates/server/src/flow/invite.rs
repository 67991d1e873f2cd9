//! Sealed links by which people fetch what is theirs: good once, and for a while. What is kept of them holds no link: who was invited to
//! what, and how it ended.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::{DeviceId, ProfileName, RequestId, TemplateName, UserName},
    invitation::{InvitationEnd, InvitationRecord},
    secret::SecretBytes,
    serial::SerialNumber,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::sealing;
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
    /// Its id, by which it is used up; no secret, because the link is sealed.
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
        Ok(Self {
            user,
            gift,
            sign_in,
            until: server.now() + life,
            by: by.to_owned(),
            nonce: RequestId::generate(server.now()).to_string(),
        })
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
        let record = match self.nonce.parse() {
            Ok(id) => server.store.load_invitation(id).await?,
            Err(_) => None,
        };
        let Some(record) = record else { return Ok(server.store.use_once(&self.mark(), self.until).await?) };
        let ended = InvitationRecord { ended: Some(InvitationEnd { at: server.now(), withdrawn_by: None }), ..record };
        Ok(server.store.end_invitation(&self.mark(), ended, None).await?)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.nonce
    }

    fn mark(&self) -> String {
        mark(&self.nonce)
    }
}

fn mark(id: &str) -> String {
    format!("invitation:{id}")
}

/// Withdraws an invitation: its link works no more.
///
/// # Errors
/// [`ServerError::NotFound`]; [`ServerError::Conflict`] for one that was used, withdrawn or ended before.
pub async fn withdraw(server: &Server, id: RequestId, by: &str) -> Result<InvitationRecord, ServerError> {
    let found = server.store.load_invitation(id).await?;
    let record = found.ok_or_else(|| ServerError::NotFound { what: "invitation", name: id.to_string() })?;
    let now = server.now();
    let over = |state: &str| ServerError::Conflict(format!("the invitation {id} is {state} already"));
    if record.state(now) != "open" {
        return Err(over(record.state(now)));
    }
    let audit = AuditEvent {
        object: Some(format!("user {}", record.user)),
        detail: Some(format!("invitation {id} to fetch {}", record.what)),
        ..server.event(AuditKind::InvitationWithdrawn, by)
    };
    let ended = InvitationRecord { ended: Some(InvitationEnd { at: now, withdrawn_by: Some(by.to_owned()) }), ..record };
    if server.store.end_invitation(&mark(&id.to_string()), ended.clone(), Some(audit)).await? {
        Ok(ended)
    } else {
        Err(over("used"))
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
    keep(server, &invitation).await?;
    Ok((invitation, link))
}

/// Keeps an invitation, and audits it, before anybody has it.
///
/// # Errors
/// Storage errors.
pub async fn keep(server: &Server, invitation: &Invitation) -> Result<(), ServerError> {
    let what = match &invitation.gift {
        Gift::Identity { template, .. } => format!("an identity of template {template}"),
        Gift::Certificate { serial, .. } => format!("certificate {serial}"),
    };
    let audit = AuditEvent {
        object: Some(format!("user {}", invitation.user)),
        detail: Some(format!("to fetch {what}, until {}; invitation {}", invitation.until, invitation.nonce)),
        ..server.event(AuditKind::Invited, &invitation.by)
    };
    let id = invitation.nonce.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))?;
    let Invitation { user, sign_in, until, by, .. } = invitation.clone();
    let record = InvitationRecord { id, user, what, sign_in, at: server.now(), until, by, ended: None };
    Ok(server.store.save_invitation(record, audit).await?)
}
