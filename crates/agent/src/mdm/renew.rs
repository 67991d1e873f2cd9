//! Renewing the identity of a joined device: by itself (ROBO), or with its user's password.

use std::sync::Arc;

use lanyard_mdm::{
    discovery::AuthPolicy,
    soap::{Action, Security, UsernameToken},
    wstep::{AdditionalContext, CertificateRequest, RequestSecurityToken, encode_renewal, sign_ent_dmid},
};
use lanyard_model::{key::KeyKind, secret::SecretText, time::Timestamp};

use super::{
    account::Account,
    exchange::{ask, uri},
    join::{DEVICE_TYPE, discover_with, document_of, identity, request_for},
};
use crate::{
    blocking::blocking,
    error::AgentError,
    http::HttpClient,
    key::DeviceKey,
    store::{DeviceStore, Identity, LocalId},
};

/// How a renewal is authenticated.
#[derive(Debug, Clone)]
pub enum RenewalProof {
    /// The old certificate in TLS.
    Automatic,
    /// The user's present password.
    Password(SecretText),
}

/// A renewed identity.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// The account with it.
    pub account: Account,
    /// The identity.
    pub identity: Identity,
    /// Its key.
    pub key: Arc<DeviceKey>,
}

/// An identity in use: certificate, chain, key.
pub struct InUse<'a> {
    /// The certificate and its chain.
    pub identity: &'a Identity,
    /// Its key.
    pub key: &'a DeviceKey,
}

/// Renews the identity in the store. The old one stays until a session with the new one has succeeded. A failure is noted in the account
/// with its HRESULT, and tried again after the pause that the server set.
///
/// # Errors
/// [`AgentError::NotJoined`]; [`AgentError::Expired`] for an automatic renewal of a certificate that has ended; [`AgentError::Fault`];
/// [`AgentError::Redirect`].
pub async fn renew(store: &DeviceStore, proof: RenewalProof, now: Timestamp) -> Result<Renewed, AgentError> {
    let account = store.joined()?;
    let old = store.identity(&account.identity)?;
    let key = store.identity_key(&account.identity)?;
    let mut noted = account.clone();
    noted.renewal.tried_at = Some(now);
    let renewed = obtain(&account, &InUse { identity: &old, key: &key }, proof, None, now).await;
    let store = store.clone();
    match renewed {
        Ok(renewed) => {
            let kept = renewed.clone();
            blocking(move || {
                store.install(&kept.identity, &kept.key)?;
                store.save_account(&kept.account)
            })
            .await?;
            Ok(renewed)
        }
        Err(error) => {
            noted.renewal.error = error.hresult();
            blocking(move || store.save_account(&noted)).await?;
            Err(error)
        }
    }
}

/// The same without a store, for a device that keeps its identity elsewhere. `new_key` is one made before.
///
/// # Errors
/// As [`renew`].
pub async fn obtain(
    account: &Account,
    old: &InUse<'_>,
    proof: RenewalProof,
    new_key: Option<Arc<DeviceKey>>,
    now: Timestamp,
) -> Result<Renewed, AgentError> {
    let (_, not_after) = old.identity.certificate.validity().map_err(AgentError::Own)?;
    if matches!(proof, RenewalProof::Automatic) && now > not_after {
        return Err(AgentError::Expired);
    }
    let roots = roots(account, old.identity);
    // Automatic renewals begin where the server said; a person's begin where they enrolled, which asks for no certificate in TLS.
    let (url, client) = match &proof {
        RenewalProof::Automatic => {
            let url = account.renewal.server_url.as_ref().unwrap_or(&account.discovery_url);
            (url, HttpClient::with_identity(&uri(url)?, roots.as_deref(), old.identity, old.key)?)
        }
        RenewalProof::Password(_) => {
            (&account.discovery_url, HttpClient::for_uri(&uri(&account.discovery_url)?, roots.as_deref())?)
        }
    };
    let policies = match proof {
        RenewalProof::Automatic => vec![AuthPolicy::OnPremise, AuthPolicy::Federated, AuthPolicy::Certificate],
        RenewalProof::Password(_) => vec![AuthPolicy::OnPremise],
    };
    let found = discover_with(&client, url, &account.user, policies).await?;
    let key = match new_key {
        Some(key) => key,
        None => DeviceKey::generate(KeyKind::Rsa(2048)).await?,
    };
    let request = request_for(&account.device_id, &key)?;
    let pkcs7 =
        encode_renewal(&request, old.key.signer(), &old.identity.certificate, now).map_err(AgentError::ManagementMessage)?;
    let (security, twice) = match proof {
        RenewalProof::Automatic => (Security::default(), false),
        RenewalProof::Password(password) => {
            let username = UsernameToken { username: account.user.clone(), password };
            (Security { username: Some(username), ..Security::default() }, true)
        }
    };
    let request = RequestSecurityToken {
        request: CertificateRequest::Renew { pkcs7, is_twice_encoded: twice },
        context: AdditionalContext {
            device_id: Some(account.device_id.clone()),
            device_type: Some(DEVICE_TYPE.to_owned()),
            ..AdditionalContext::default()
        },
    };
    let url = &found.enrollment_service_url;
    let body = ask(&client, "the renewal", url, (Action::RequestSecurityToken, security), request.encode()).await?;
    let document = document_of(&body)?;
    document.check_key(key.public_key()).map_err(AgentError::ManagementMessage)?;
    let mut account = account.clone();
    account.retiring = Some(std::mem::replace(&mut account.identity, LocalId::generate()?));
    account.renewal.tried_at = None;
    account.renewal.error = 0;
    account.renewed_at = Some(now);
    if let Some(id) = &account.ent_dmid {
        let signed = sign_ent_dmid(id, old.key.signer(), &old.identity.certificate, now);
        account.signed_ent_dmid = Some(signed.map_err(AgentError::ManagementMessage)?);
    }
    let mut identity = identity(&document, &account, &key, account.retiring.clone(), now)?;
    identity.about.owner = old.identity.about.owner;
    identity.about.name.clone_from(&old.identity.about.name);
    if identity.chain.is_empty() {
        // The document of a renewal need not bring the issuers again.
        identity.chain.clone_from(&old.identity.chain);
    }
    Ok(Renewed { account, identity, key })
}

/// What a server is believed under: the roots given at joining, and the one that the enrolment brought.
pub(crate) fn roots(account: &Account, identity: &Identity) -> Option<Vec<u8>> {
    let mut pem = account.tls_roots.clone().unwrap_or_default();
    if let Some(root) = identity.chain.last().filter(|root| root.is_self_issued()) {
        pem.push_str(&lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, root.der()));
    }
    Some(pem.into_bytes()).filter(|pem| !pem.is_empty())
}
