//! Every reason for which a request is refused, with its stable code, what happened and what to do.
//!
//! Peers never see these: they get one uniform failure (ndes-policy T21). The log, the API and `lanyard request show` do.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal, $remedy:literal;)+) => {
        /// Why a request is refused, ordered by fault: the peer's message, the peer not allowed, a person's or another
        /// request's doing, ours.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Stable code, documented in `docs/errors.md`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What happened, in plain words.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }

            /// What to do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }
    };
}

reasons! {
    /// No challenge, or an empty one, where one is needed (ndes-policy T3).
    ChallengeMissing = "ra.challenge-missing", "The request carries no challenge.",
        "create a challenge with 'lanyard challenge create' and give it to the device";
    /// The text is none of ours.
    ChallengeMalformed = "ra.challenge-malformed", "The challenge is not in the form this server gives out.",
        "check that the whole challenge was copied, 88 characters beginning with LC1";
    /// No such record.
    ChallengeUnknown = "ra.challenge-unknown", "No challenge of this id is on record.",
        "check that the device asks the server that made the challenge, or create a new one";
    /// MAC, keyed hash or stored binding do not agree.
    ChallengeSignature = "ra.challenge-signature", "The challenge or its record was altered.",
        "create a new challenge; if the record was altered, find out who writes to the database";
    /// Made in the future.
    ChallengeNotYetValid = "ra.challenge-not-yet-valid", "The challenge was made at a time that has not come yet.",
        "check the clocks of the servers";
    /// Too late.
    ChallengeExpired = "ra.challenge-expired", "The challenge has expired.",
        "create a new challenge, with a longer --ttl if the device needs it";
    /// Used before, by the same key with another request.
    ChallengeUsed = "ra.challenge-used", "The challenge was used before.",
        "create a new challenge: each is good for one request";
    /// Used before, by another key. An incident.
    ChallengeOtherKey = "ra.challenge-other-key", "The challenge was used before, with another key: somebody else knows it.",
        "find out which of the two requests is the device's, revoke the other's certificate and create a new challenge";
    /// Made for another profile (ndes-policy T25).
    ChallengeOtherAudience = "ra.challenge-other-audience", "The challenge was made for another profile than the one addressed.",
        "use the URL of the profile the challenge was made for, or create one for this profile";
    /// Made by another installation.
    ChallengeOtherInstance = "ra.challenge-other-instance", "The challenge was made by another installation.",
        "create the challenge at this installation";
    /// No subject.
    SubjectMissing = "ra.subject-missing", "A subject name is missing.",
        "give the subject name, or complete the user or device record it is made from";
    /// Another subject.
    SubjectMismatch = "ra.subject-mismatch", "The subject name is not the one allowed.",
        "make the subject agree with the challenge and the template, attribute by attribute; case counts";
    /// No alternative names.
    SanMissing = "ra.san-missing", "The subject alternative names are missing.",
        "configure the client to ask for the alternative names of the challenge, or create a challenge without any";
    /// Other alternative names.
    SanMismatch = "ra.san-mismatch", "The subject alternative names are not the ones allowed.",
        "make the alternative names agree with the challenge and the template: the same set, nothing more";
    /// keyUsage asked for differs.
    KeyUsageMismatch = "ra.key-usage-mismatch", "The requested key usage is not the template's.",
        "ask for exactly the template's key usage, or for none";
    /// extKeyUsage asked for differs.
    EkuMismatch = "ra.eku-mismatch", "The requested extended key usage is not the template's.",
        "ask for exactly the template's extended key usage, or for none";
    /// Another kind of key.
    KeyTypeMismatch = "ra.key-type-mismatch", "The key is of another kind than allowed.",
        "make a key of the kind that the challenge and the template name";
    /// Another size of key.
    KeyLengthMismatch = "ra.key-length-mismatch", "The key has another size than allowed.",
        "make a key of exactly the size that the challenge names";
    /// An extension that only policy may put there (ndes-policy T11, T14).
    ExtensionNotAllowed = "ra.extension-not-allowed", "The request asks for a certificate extension that no request may ask for.",
        "configure the client to ask for subject alternative names and usages only";
    /// basicConstraints with cA TRUE.
    CaRequested = "ra.ca-requested", "The request asks for a certificate of a certification authority.",
        "configure the client to ask for an end-entity certificate";
    /// SHA-1 outside a legacy profile.
    WeakSignature = "ra.weak-signature", "The message is signed with an algorithm that the profile does not accept.",
        "configure the client to use SHA-256, or use a profile with legacy-algorithms for devices that cannot";
    /// A first enrolment signed by another key than the one to be certified.
    SignerKeyMismatch = "ra.signer-key-mismatch", "The message was signed by another key than the one to be certified.",
        "configure the client to sign a first enrolment with the new key";
    /// Signed with a certificate of another authority.
    SignerForeign = "ra.signer-foreign", "The message was signed with a certificate of another authority.",
        "remove the other certificate from the client's configuration and enrol with a challenge";

    /// No such profile.
    ProfileUnknown = "ra.profile-unknown", "There is no such profile.",
        "use a profile that 'lanyard profile list' shows";
    /// No such template.
    TemplateUnknown = "ra.template-unknown", "There is no such template.",
        "use a template that 'lanyard template list' shows";
    /// The template changed so that the permission no longer agrees with it.
    TemplateChanged = "ra.template-changed", "The template was changed and no longer allows what was permitted.",
        "create a new challenge under the template as it is now";
    /// The profile does not list the template.
    TemplateNotInProfile = "ra.template-not-in-profile", "The profile does not allow the template.",
        "add the template to the profile, or use another profile";
    /// The template may not be used by this protocol.
    ProtocolNotAllowed = "ra.protocol-not-allowed", "The template may not be used by this protocol.",
        "add the protocol to the template, or use another template";
    /// The user or device record changed so that its names no longer agree.
    RecordChanged = "ra.record-changed", "The user or device record was changed and no longer has the permitted names.",
        "create a new challenge with the names as they are now";
    /// The user is gone.
    UserUnknown = "ra.user-unknown", "The user is not on record.",
        "add the user, or create a challenge for another one";
    /// The user is disabled.
    UserDisabled = "ra.user-disabled", "The user is disabled.",
        "enable the user if that is right";
    /// The device is gone.
    DeviceUnknown = "ra.device-unknown", "The device is not on record.",
        "add the device, or create a challenge for another one";
    /// The device is somebody else's, or nobody's.
    DeviceOfAnother = "ra.device-of-another", "The device is not on record as this person's.",
        "correct the owner in the device record if that is right";
    /// People may not ask for this template themselves.
    PortalNotAllowed = "ra.portal-not-allowed", "People may not ask for this template themselves.",
        "list the template under 'portal' in the profile if they shall, or let an administrator order it";
    /// The device is blocked.
    DeviceBlocked = "ra.device-blocked", "The device is blocked.",
        "unblock the device with 'lanyard fleet unblock' if that is right";
    /// In none of the profile's groups.
    NotAssigned = "ra.not-assigned", "Neither the user nor the device is in a group that the profile is assigned to.",
        "add the user or device to one of the profile's groups with 'lanyard group set', or use another profile";
    /// The directory did not answer.
    DirectoryUnavailable = "ra.directory-unavailable", "The directory could not be asked about the user or device, so nothing was issued.",
        "get the directory to answer, and let the device ask again";

    /// The signer's certificate is not on record, or is not one that a request can renew.
    RenewalUnknownCertificate = "ra.renewal-unknown-certificate", "The certificate to be renewed is not on record.",
        "enrol again with a challenge";
    /// The signer's certificate has the serial number of one on record but is another.
    RenewalCertificateMismatch = "ra.renewal-certificate-mismatch", "The certificate to be renewed differs from the one on record.",
        "enrol again with a challenge, and find out where the other certificate comes from";
    /// Revoked.
    RenewalRevoked = "ra.renewal-revoked", "The certificate to be renewed is revoked.",
        "find out why it was revoked; enrol again with a challenge if that is right";
    /// Expired beyond the grace period.
    RenewalExpired = "ra.renewal-expired", "The certificate to be renewed has expired.",
        "enrol again with a challenge, or give the template a renewal-grace";
    /// The window is not open.
    RenewalTooEarly = "ra.renewal-too-early", "The certificate to be renewed is still good for long.",
        "renew within the template's renewal-window";
    /// Issued through another profile.
    RenewalOtherProfile = "ra.renewal-other-profile", "The certificate to be renewed was issued through another profile.",
        "renew at the URL at which the certificate was issued";
    /// SHA-1.
    RenewalWeakSignature = "ra.renewal-weak-signature", "The renewal is signed with a weak algorithm.",
        "configure the client to sign with SHA-256; profiles cannot allow less for renewals";
    /// Renewed or revoked while this request was being decided.
    RenewalChanged = "ra.renewal-changed", "The certificate was renewed or revoked by another request at the same time.",
        "send the renewal again";

    /// A static secret from outside its range of addresses.
    StaticSource = "ra.static-source", "The static secret came from an address from which it is not accepted.",
        "find out who knows the secret; change it, or add the address to 'from' of the module";
    /// As many certificates as a period may bring.
    StaticQuota = "ra.static-quota", "The static secret was used as often as its period allows.",
        "find out who uses it; raise 'quota' of the module, or give the device a challenge of its own";
    /// A policy module said no.
    ModuleDenied = "ra.module-denied", "A policy module refused the request.",
        "ask whoever runs the service that the module asks; its answer stands in the request's story";
    /// A policy module's service is at an address that is not allowed.
    ModuleAddress = "ra.module-address", "The service that a policy module asks is at an address that may not be connected to.",
        "correct the URL, or list the network in 'allow-addresses' of the module";
    /// A policy module's service was not reached.
    ModuleUnreachable = "ra.module-unreachable", "The service that a policy module asks could not be reached, so nothing was issued.",
        "get the service to answer, and let the device ask again";
    /// A policy module's service was too slow.
    ModuleTimeout = "ra.module-timeout", "The service that a policy module asks did not answer in time, so nothing was issued.",
        "get the service to answer sooner, or raise 'timeout' of the module, and let the device ask again";
    /// A policy module's service answered something else than yes or no.
    ModuleAnswer = "ra.module-answer", "The service that a policy module asks gave an answer that is not understood.",
        "correct the service; the request's story says what was odd";
    /// The CSR is gone, and the module needs it.
    ModuleNoCsr = "ra.module-no-csr", "A policy module needs the CSR as it was received, which is not kept.",
        "let the device enrol anew";
    /// A success could not be told, so the certificate was withdrawn (ndes-policy, section 3.2).
    ModuleNotify = "ra.module-notify", "The certificate was revoked before anybody got it, because a policy module could not be told of it.",
        "get the service to answer, and let the device enrol anew";

    /// A person said no.
    ApprovalDenied = "ra.approval-denied", "A person refused the request, or a person other than the requester would have to approve it.",
        "ask the person who decides";
    /// The approver and the user, or the maker of the challenge, are one.
    ApprovalOwn = "ra.approval-own", "Nobody approves a request that is for them, or whose challenge they made.",
        "have another person approve it";
    /// One of two.
    ApprovalSecond = "ra.approval-second", "The template needs the approval of two different people.",
        "have another person approve it too";
    /// An approval without a held request that spent its challenge.
    ApprovalUnfounded = "ra.approval-unfounded", "The approval does not belong to a request that was held.",
        "send the request again and approve it when it is pending";
    /// Held too long.
    ApprovalExpired = "ra.approval-expired", "The request was held longer than the profile allows.",
        "create a new challenge and approve the request sooner";
    /// The same transaction with another key. An incident.
    TransactionOtherKey = "ra.transaction-other-key", "The transaction was begun with another key: somebody else sends in its name.",
        "find out which of the two requests is the device's; start again with a new transaction and challenge";

    /// Time is not what it should be.
    Clock = "ra.clock", "The server's clock is behind what it must be.",
        "set the server's clock";
}

impl Reason {
    /// Whether an honest device does not get there, so that somebody should look.
    #[must_use]
    pub const fn is_incident(self) -> bool {
        matches!(self, Self::ChallengeOtherKey | Self::TransactionOtherKey)
    }

    /// Whether the claims of the request disagree with what was permitted. Such a request spends its challenge where the
    /// profile says so (ndes-policy, section 7, test 1).
    #[must_use]
    pub const fn is_mismatch(self) -> bool {
        matches!(
            self,
            Self::SubjectMissing
                | Self::SubjectMismatch
                | Self::SanMissing
                | Self::SanMismatch
                | Self::KeyUsageMismatch
                | Self::EkuMismatch
                | Self::KeyTypeMismatch
                | Self::KeyLengthMismatch
                | Self::ExtensionNotAllowed
                | Self::CaRequested
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// A reason with its particulars, on the way to becoming a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub reason: Reason,
    pub detail: String,
}

impl Refusal {
    /// With particulars; text from outside must have gone through [`lanyard_model::text::printable`].
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// With nothing to add to the reason's own sentence.
    pub fn plain(reason: Reason) -> Self {
        Self { reason, detail: reason.sentence().trim_end_matches('.').to_owned() }
    }
}
