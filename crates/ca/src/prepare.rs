//! Building the bytes to be signed from a grant.

use lanyard_model::{
    certificate::{CertificateContent, CertificateRecord},
    id::{DeviceId, ProfileName, RequestId, TemplateName, UserName},
    serial::SerialNumber,
    time::Timestamp,
};
use lanyard_pki::{
    certificate::encode::TbsCertificate,
    extension::{
        Extension, encode_authority_key_identifier, encode_ca_issuers, encode_crl_distribution_points, encode_extended_key_usage,
        encode_key_usage,
    },
    general_name, name, oids,
    signature::SignatureAlgorithm,
    spki, write,
};
use lanyard_ra::grant::Grant;

use crate::{authority::Authority, error::CaError};

/// Bytes to be signed, with what they must say. Made only by [`prepare`]; cannot be copied. To sign, they must pass
/// [`Prepared::lint`] first, so unlinted bytes cannot be signed:
///
/// ```compile_fail
/// fn sign_unlinted(prepared: lanyard_ca::prepare::Prepared, authority: &lanyard_ca::authority::Authority) {
///     let _ = prepared.sign(authority);
/// }
/// ```
pub struct Prepared {
    pub(crate) tbs: Vec<u8>,
    pub(crate) serial: SerialNumber,
    pub(crate) content: CertificateContent,
    pub(crate) algorithm: SignatureAlgorithm,
    request: RequestId,
    template: Option<(TemplateName, u32)>,
    profile: Option<ProfileName>,
    user: Option<UserName>,
    device: Option<DeviceId>,
    predecessor: Option<SerialNumber>,
}

/// Builds a certificate from a grant under a serial number. notAfter never exceeds the authority's own.
///
/// # Errors
/// [`CaError::OtherAuthority`], [`CaError::AuthorityEnded`], [`CaError::Crypto`].
pub fn prepare(authority: &Authority, grant: &Grant, serial: SerialNumber, now: Timestamp) -> Result<Prepared, CaError> {
    let mut content = grant.content().clone();
    if content.issuer != *authority.name() {
        return Err(CaError::OtherAuthority { wanted: content.issuer.to_string(), found: authority.name().to_string() });
    }
    let (first, last) = authority.validity();
    if !(first..=last).contains(&now) {
        return Err(CaError::AuthorityEnded(authority.name().to_string()));
    }
    content.not_before = content.not_before.max(first);
    content.not_after = content.not_after.min(last);
    let subject_key_identifier =
        spki::key_identifier(&content.key.spki).map_err(|source| CaError::Crypto { action: "read the public key", source })?;
    let extensions = extensions(authority, &content, &subject_key_identifier);
    let algorithm = SignatureAlgorithm::natural(authority.signer().public_key().kind);
    let tbs = TbsCertificate {
        serial: &serial,
        algorithm,
        issuer: authority.certificate().subject_der(),
        not_before: content.not_before,
        not_after: content.not_after,
        subject: &name::encode(&content.subject),
        spki: &content.key.spki,
        extensions: &extensions,
    }
    .encode();
    Ok(Prepared {
        tbs,
        serial,
        content,
        algorithm,
        request: grant.request(),
        template: grant.template().map(|(name, revision)| (name.clone(), revision)),
        profile: grant.profile().cloned(),
        user: grant.user().cloned(),
        device: grant.device().cloned(),
        predecessor: grant.renews().map(|(serial, _)| serial.clone()),
    })
}

fn extensions(authority: &Authority, content: &CertificateContent, subject_key_identifier: &[u8]) -> Vec<Extension> {
    let mut extensions = vec![
        Extension::plain(oids::AUTHORITY_KEY_IDENTIFIER, encode_authority_key_identifier(authority.key_identifier())),
        Extension::plain(oids::SUBJECT_KEY_IDENTIFIER, write::octet_string(subject_key_identifier)),
        Extension::critical(oids::KEY_USAGE, encode_key_usage(&content.usages.key_usage)),
    ];
    if !content.usages.extended_key_usage.is_empty() {
        let value = encode_extended_key_usage(&content.usages.extended_key_usage);
        extensions.push(Extension::plain(oids::EXTENDED_KEY_USAGE, value));
    }
    if !content.san.is_empty() {
        let value = general_name::encode(&content.san);
        // RFC 5280, section 4.2.1.6: critical when there is no other name.
        extensions.push(Extension { oid: oids::SUBJECT_ALT_NAME, critical: content.subject.is_empty(), value });
    }
    extensions.push(Extension::plain(oids::CRL_DISTRIBUTION_POINTS, encode_crl_distribution_points(authority.crl_url())));
    extensions.push(Extension::plain(oids::AUTHORITY_INFO_ACCESS, encode_ca_issuers(authority.certificate_url())));
    extensions
}

impl Prepared {
    /// The exact bytes to be signed.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The serial number.
    #[must_use]
    pub const fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// The intent as it is stored before signing.
    #[must_use]
    pub fn intent(&self, created_at: Timestamp) -> CertificateRecord {
        CertificateRecord {
            issuer: self.content.issuer.clone(),
            serial: self.serial.clone(),
            request: self.request,
            template: self.template.clone(),
            profile: self.profile.clone(),
            subject: self.content.subject.clone(),
            san: self.content.san.clone(),
            user: self.user.clone(),
            device: self.device.clone(),
            not_before: self.content.not_before,
            not_after: self.content.not_after,
            key_digest: self.content.key.digest,
            created_at,
            tbs: self.tbs.clone(),
            der: None,
            revocation: None,
            predecessor: self.predecessor.clone(),
            successor: None,
        }
    }
}
