//! Grants for the authority's own service certificates. They follow fixed profiles and never come from a request
//! (revocation.md, section 3.2, last row; ndes-policy T14).

use lanyard_model::{
    certificate::CertificateContent,
    id::{AuthorityName, RequestId},
    key::PublicKey,
    name::{COMMON_NAME, DistinguishedName, NameAttribute, attribute_type},
    san::{SanKind, SubjectAltName},
    template::Usages,
    time::{Span, Timestamp},
    usage::{ExtendedKeyUsages, KeyUsage, KeyUsages, SERVER_AUTH},
};

use crate::{error::RaError, grant::Grant};

const BACKDATE: Span = Span::from_secs(3600);
const REGISTRATION_LIFETIME: Span = Span::from_days(730);
const TLS_LIFETIME: Span = Span::from_days(90);
const REGISTRATION: &str = " Registration";

/// What a service certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceRole {
    /// Signs and decrypts SCEP messages (RFC 8894, section 3.5.1): RSA, digitalSignature and keyEncipherment, two years.
    Registration,
    /// HTTPS server: digitalSignature, serverAuth, 90 days.
    TlsServer,
}

/// Grants a service certificate. `names` are the DNS names and addresses of an HTTPS server, and empty otherwise.
///
/// # Errors
/// [`RaError::ServiceInvalid`] when the key or the names do not suit the role.
pub fn grant(
    role: ServiceRole,
    issuer: AuthorityName,
    organization: &str,
    key: PublicKey,
    names: Vec<SubjectAltName>,
    request: RequestId,
    now: Timestamp,
) -> Result<Grant, RaError> {
    suits(role, &key, &names)?;
    let (key_usage, extended_key_usage, lifetime) = match role {
        ServiceRole::Registration => {
            let usages = KeyUsages::from([KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]);
            (usages, ExtendedKeyUsages::new(), REGISTRATION_LIFETIME)
        }
        ServiceRole::TlsServer => {
            (KeyUsages::from([KeyUsage::DigitalSignature]), ExtendedKeyUsages::from([SERVER_AUTH]), TLS_LIFETIME)
        }
    };
    let subject = subject(role, organization, &names);
    lanyard_pki::name::check(&subject)
        .map_err(|error| invalid("organization", error.to_string(), "choose an organization of 1 to 64 characters"))?;
    let not_before = now.truncated() - BACKDATE;
    let content = CertificateContent {
        issuer,
        subject,
        san: names,
        usages: Usages { key_usage, extended_key_usage },
        key,
        not_before,
        not_after: not_before + lifetime - Span::from_secs(1),
    };
    Ok(Grant::new(content, request))
}

fn invalid(key: &str, problem: impl Into<String>, fix: &str) -> RaError {
    RaError::ServiceInvalid { key: key.to_owned(), problem: problem.into(), fix: fix.to_owned() }
}

fn suits(role: ServiceRole, key: &PublicKey, names: &[SubjectAltName]) -> Result<(), RaError> {
    match role {
        ServiceRole::Registration if !key.kind.is_rsa() => {
            let problem = format!("a registration certificate decrypts, which a key of kind {} cannot", key.kind);
            Err(invalid("key", problem, "make an RSA key"))
        }
        ServiceRole::Registration if !names.is_empty() => {
            Err(invalid("names", "a registration certificate has no alternative names", "leave them out"))
        }
        ServiceRole::TlsServer if names.is_empty() => {
            Err(invalid("names", "a server certificate without names is of no use", "give the host name of --url"))
        }
        ServiceRole::TlsServer => {
            let odd = names.iter().find(|name| !matches!(name.kind(), Some(SanKind::Dns | SanKind::Ip)));
            match odd {
                Some(name) => {
                    Err(invalid("names", format!("'{name}' cannot name a server"), "give DNS names and addresses only"))
                }
                None => Ok(()),
            }
        }
        ServiceRole::Registration => Ok(()),
    }
}

fn subject(role: ServiceRole, organization: &str, names: &[SubjectAltName]) -> DistinguishedName {
    // commonName has room for 64 characters (RFC 5280, appendix A.1).
    let common_name = match role {
        ServiceRole::Registration => {
            let room = 64usize.saturating_sub(REGISTRATION.len());
            let start: String = organization.chars().take(room).collect();
            Some(format!("{}{REGISTRATION}", start.trim_end()))
        }
        ServiceRole::TlsServer => names.first().map(SubjectAltName::value).filter(|name| name.len() <= 64),
    };
    let common_name = common_name.map(|value| NameAttribute { oid: COMMON_NAME, value });
    let organization = attribute_type("O").map(|known| NameAttribute { oid: known.oid, value: organization.to_owned() });
    DistinguishedName(common_name.into_iter().chain(organization).collect())
}
