//! The permission to issue one certificate.

use lanyard_model::{
    certificate::{CertificateContent, CertificateRecord},
    challenge::ChallengeId,
    id::{AuthorityName, DeviceId, ProfileName, RequestId, TemplateName, UserName},
    serial::SerialNumber,
};

/// The permission to issue one certificate with exactly this content. Only [`crate::decide`] and [`crate::service`] make one,
/// and the authority signs for nothing else (security.md, section 2, "issuance gate"; ndes-policy T4 and T5). It can be neither
/// copied nor written down, so it is used once.
///
/// ```compile_fail,E0451
/// # fn steal(content: lanyard_model::certificate::CertificateContent, id: lanyard_model::id::RequestId) {
/// let forged = lanyard_ra::grant::Grant {
///     content, template: None, profile: None, request: id, challenge: None, renews: None, user: None, device: None, from_pending: true,
/// };
/// # }
/// ```
///
/// ```compile_fail,E0624
/// # fn steal(content: lanyard_model::certificate::CertificateContent, id: lanyard_model::id::RequestId) {
/// let forged = lanyard_ra::grant::Grant::new(content, id);
/// # }
/// ```
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<lanyard_ra::grant::Grant>();
/// ```
#[derive(Debug)]
pub struct Grant {
    content: CertificateContent,
    template: Option<(TemplateName, u32)>,
    profile: Option<ProfileName>,
    request: RequestId,
    challenge: Option<ChallengeId>,
    renews: Option<Renewed>,
    user: Option<UserName>,
    device: Option<DeviceId>,
    from_pending: bool,
}

/// What a renewal follows.
#[derive(Debug)]
struct Renewed {
    issuer: AuthorityName,
    predecessor: SerialNumber,
    seen_successor: Option<SerialNumber>,
}

impl Grant {
    /// A grant for content and request, with nothing else known.
    pub(crate) const fn new(content: CertificateContent, request: RequestId) -> Self {
        Self {
            content,
            template: None,
            profile: None,
            request,
            challenge: None,
            renews: None,
            user: None,
            device: None,
            from_pending: false,
        }
    }

    /// Adds the template and profile it was given under.
    pub(crate) fn under(mut self, template: TemplateName, revision: u32, profile: ProfileName) -> Self {
        self.template = Some((template, revision));
        self.profile = Some(profile);
        self
    }

    /// Adds whom it is for.
    pub(crate) fn meant_for(mut self, user: Option<UserName>, device: Option<DeviceId>) -> Self {
        self.user = user;
        self.device = device;
        self
    }

    /// Adds the challenge it rests on, and whether that was consumed when the request was held.
    pub(crate) const fn by_challenge(mut self, challenge: ChallengeId, from_pending: bool) -> Self {
        self.challenge = Some(challenge);
        self.from_pending = from_pending;
        self
    }

    /// Adds the certificate it renews and the successor that one was seen to have.
    pub(crate) fn renewing(mut self, record: &CertificateRecord) -> Self {
        let (issuer, predecessor) = (record.issuer.clone(), record.serial.clone());
        self.renews = Some(Renewed { issuer, predecessor, seen_successor: record.successor.clone() });
        self
    }

    /// What the certificate contains.
    #[must_use]
    pub const fn content(&self) -> &CertificateContent {
        &self.content
    }

    /// Template and its revision; `None` for the authority's own service certificates.
    #[must_use]
    pub fn template(&self) -> Option<(&TemplateName, u32)> {
        self.template.as_ref().map(|(name, revision)| (name, *revision))
    }

    /// Profile; `None` for the authority's own service certificates.
    #[must_use]
    pub const fn profile(&self) -> Option<&ProfileName> {
        self.profile.as_ref()
    }

    /// The request it answers.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// The challenge it rests on. It is still to be consumed, unless the grant is [`from_pending`](Self::from_pending).
    #[must_use]
    pub const fn challenge(&self) -> Option<ChallengeId> {
        self.challenge
    }

    /// For renewals: the certificate renewed and the successor it was seen to have, both to be checked again by the store.
    #[must_use]
    pub fn renews(&self) -> Option<(&SerialNumber, Option<&SerialNumber>)> {
        self.renews.as_ref().map(|renewed| (&renewed.predecessor, renewed.seen_successor.as_ref()))
    }

    /// For renewals: the authority that issued the certificate renewed.
    #[must_use]
    pub fn renews_from(&self) -> Option<&AuthorityName> {
        self.renews.as_ref().map(|renewed| &renewed.issuer)
    }

    /// User it is for.
    #[must_use]
    pub const fn user(&self) -> Option<&UserName> {
        self.user.as_ref()
    }

    /// Device it is for.
    #[must_use]
    pub const fn device(&self) -> Option<&DeviceId> {
        self.device.as_ref()
    }

    /// Whether a person approved a held request, whose challenge was consumed when it was held.
    #[must_use]
    pub const fn from_pending(&self) -> bool {
        self.from_pending
    }
}
