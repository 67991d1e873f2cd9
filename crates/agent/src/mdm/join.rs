//! Joining: from a server's address and a user to an identity and a management account (MS-MDE2).

use http::Uri;
use lanyard_mdm::{
    discovery::{AuthPolicy, DISCOVERY_PATH, Discover, DiscoverResult, discovery_url},
    policy::{GetPolicies, GetPoliciesResponse},
    provisioning::ProvisioningDocument,
    soap::{Action, BinarySecurityToken, Security, UsernameToken, ValueType},
    version::Version,
    wstep::{AdditionalContext, CertificateRequest, EnrollmentType, RequestSecurityToken, RequestSecurityTokenResponse},
};
use lanyard_model::{
    key::KeyKind,
    name::{COMMON_NAME, DistinguishedName, NameAttribute},
    secret::{SecretBytes, SecretText},
    time::Timestamp,
};
use lanyard_pki::{
    certificate::Certificate,
    crypto::{digest::sha256, random::random},
    csr::encode::{CertificationRequestInfo, encode},
};

use serde::{Deserialize, Serialize};

use super::{
    account::Account,
    exchange::{ask, uri, uuid},
};
use crate::{
    blocking::blocking,
    error::AgentError,
    http::HttpClient,
    key::{DeviceKey, KeyPlace},
    scep::options::{Clock, fingerprint_text},
    store::{DeviceStore, Identity, IdentityAbout, LocalId, Owner, Status, files},
};

/// What this client says it is.
pub(crate) const DEVICE_TYPE: &str = "CIMClient_Windows";
pub(crate) const SYSTEM_VERSION: &str = "10.0.22631.4169";
const REQUEST_VERSION: &str = "5.0";
/// Windows 10/11 Enterprise.
const OS_EDITION: u32 = 4;
/// File of the store with what the device calls itself.
const NAMES: &str = "device.json";

/// How the user proves who they are.
#[derive(Debug, Clone)]
pub enum JoinCredential {
    /// With a password.
    Password(SecretText),
    /// With the token that the server's sign-in page gave out.
    Token(SecretText),
}

/// Where to join, who, and how.
#[derive(Clone)]
pub struct JoinOptions {
    /// `https://host[:port]`, or a whole discovery URL; without one the domain of the user's name tells.
    pub server: Option<String>,
    /// User: UPN, e-mail address or login name.
    pub user: String,
    /// Their proof.
    pub credential: JoinCredential,
    /// Whose identity it is to be.
    pub form: EnrollmentType,
    /// Name of the device.
    pub device_name: String,
    /// Roots for TLS, PEM; without, those of the operating system.
    pub tls_roots: Option<Vec<u8>>,
    /// A key made before (PKCS#8, DER), for measuring; `None` makes one.
    pub key: Option<SecretBytes>,
    /// The time.
    pub clock: Clock,
}

/// A device that has joined.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Its account.
    pub account: Account,
    /// Its identity.
    pub identity: Identity,
    /// Its key.
    pub key: std::sync::Arc<DeviceKey>,
    /// Certificates that it was told to trust: roots, then intermediates.
    pub trusted: Vec<Certificate>,
}

/// Joins. With a store, everything is kept there; nothing is when an error comes.
///
/// # Errors
/// [`AgentError::AlreadyJoined`], [`AgentError::Fault`] when the server refuses, and those of the exchanges.
pub async fn join(store: Option<&DeviceStore>, options: JoinOptions) -> Result<Joined, AgentError> {
    if let Some(store) = store
        && let Some(account) = store.account()?
    {
        return Err(AgentError::AlreadyJoined { server: account.server_url });
    }
    let discovery_url = options.discovery_url()?;
    let client = HttpClient::for_uri(&uri(&discovery_url)?, options.tls_roots.as_deref())?;
    let found = discover(&client, &discovery_url, &options).await?;
    let security = options.security(&found)?;
    let policies = match &found.enrollment_policy_service_url {
        Some(url) => {
            same_host(url, &found.enrollment_service_url)?;
            let ask = ask(&client, "GetPolicies", url, (Action::GetPolicies, security.clone()), GetPolicies::default().encode());
            Some(GetPoliciesResponse::decode(&ask.await?).map_err(AgentError::ManagementMessage)?)
        }
        None => None,
    };
    let key = match &options.key {
        Some(pkcs8) => DeviceKey::from_pkcs8(pkcs8.clone())?,
        None => DeviceKey::generate(KeyKind::Rsa(key_length(policies.as_ref()))).await?,
    };
    let device = OwnNames::of(store)?;
    let request = RequestSecurityToken {
        request: CertificateRequest::Issue(request_for(&device.id, &key)?),
        context: device.context(&options)?,
    };
    let url = &found.enrollment_service_url;
    let action = Action::RequestSecurityToken;
    let body = ask(&client, "RequestSecurityToken", url, (action, security), request.encode()).await?;
    let document = document_of(&body)?;
    document.check_key(key.public_key()).map_err(AgentError::ManagementMessage)?;
    let joined = apply(document, key, &options, device, discovery_url)?;
    if let Some(store) = store.cloned() {
        let joined = joined.clone();
        blocking(move || joined.keep(&store)).await?;
    }
    Ok(joined)
}

/// The provisioning document in the answer of the enrolment service.
pub(crate) fn document_of(body: &lanyard_mdm::xml::Element) -> Result<ProvisioningDocument, AgentError> {
    let response = RequestSecurityTokenResponse::decode(body).map_err(AgentError::ManagementMessage)?;
    ProvisioningDocument::decode(response.provisioning_document.expose()).map_err(AgentError::ManagementMessage)
}

/// The request that Windows makes: its subject says which device it is, and the server makes nothing of it.
pub(crate) fn request_for(device_id: &str, key: &DeviceKey) -> Result<Vec<u8>, AgentError> {
    let subject = DistinguishedName(vec![NameAttribute { oid: COMMON_NAME, value: device_id.to_owned() }]);
    encode(&CertificationRequestInfo { subject, ..Default::default() }, key.signer()).map_err(AgentError::Own)
}

/// Asks the discovery service, which must be there for a GET first.
pub(crate) async fn discover(client: &HttpClient, url: &str, options: &JoinOptions) -> Result<DiscoverResult, AgentError> {
    let probe = client.get("the discovery probe", &uri(url)?).await?;
    if (300..400).contains(&probe.status) {
        return Err(AgentError::Redirect { operation: "the discovery probe" });
    }
    if probe.status != 200 {
        return Err(AgentError::HttpStatus { operation: "the discovery probe", status: probe.status });
    }
    let offered = match options.credential {
        JoinCredential::Password(_) => vec![AuthPolicy::OnPremise, AuthPolicy::Federated],
        JoinCredential::Token(_) => vec![AuthPolicy::Federated],
    };
    discover_with(client, url, &options.user, offered).await
}

pub(crate) async fn discover_with(
    client: &HttpClient,
    url: &str,
    user: &str,
    auth_policies: Vec<AuthPolicy>,
) -> Result<DiscoverResult, AgentError> {
    let version = |text: &str| text.parse::<Version>().map_err(|_| AgentError::Provisioning("our own version is none"));
    let discover = Discover {
        email_address: user.to_owned(),
        request_version: version(REQUEST_VERSION)?,
        device_type: DEVICE_TYPE.to_owned(),
        application_version: Some(version(SYSTEM_VERSION)?),
        os_edition: Some(OS_EDITION),
        auth_policies,
    };
    let body = ask(client, "Discover", url, (Action::Discover, Security::default()), discover.encode()).await?;
    DiscoverResult::decode(&body).map_err(AgentError::ManagementMessage)
}

/// The services for policy and enrolment share a host.
fn same_host(policy: &str, enrollment: &str) -> Result<(), AgentError> {
    let host = |url: &str| uri(url).map(|uri: Uri| uri.host().map(str::to_ascii_lowercase));
    if host(policy)? == host(enrollment)? {
        Ok(())
    } else {
        Err(AgentError::Provisioning("the services for policy and enrolment have different hosts"))
    }
}

/// What the policy asks for, within what is made here.
fn key_length(policies: Option<&GetPoliciesResponse>) -> u16 {
    let asked = policies.and_then(|answer| answer.policies.first()).map_or(0, |policy| policy.minimal_key_length);
    match asked {
        0..=2048 => 2048,
        2049..=3072 => 3072,
        _ => 4096,
    }
}

impl JoinOptions {
    fn discovery_url(&self) -> Result<String, AgentError> {
        let Some(server) = &self.server else {
            let problem = "the user's name has no domain; give the server's address";
            return discovery_url(&self.user).ok_or_else(|| AgentError::Url { url: self.user.clone(), problem });
        };
        let given = uri(server)?;
        let bare = given.path().is_empty() || given.path() == "/";
        Ok(if bare { format!("{}{DISCOVERY_PATH}", server.trim_end_matches('/')) } else { server.clone() })
    }

    fn security(&self, found: &DiscoverResult) -> Result<Security, AgentError> {
        match (&found.auth_policy, &self.credential) {
            (AuthPolicy::OnPremise, JoinCredential::Password(password)) => {
                let username = UsernameToken { username: self.user.clone(), password: password.clone() };
                Ok(Security { username: Some(username), ..Security::default() })
            }
            (AuthPolicy::Federated, JoinCredential::Token(token)) => {
                let octets = SecretBytes::new(token.expose().as_bytes().to_vec());
                let token = BinarySecurityToken { id: None, value_type: ValueType::DeviceEnrollmentUserToken, octets };
                Ok(Security { token: Some(token), ..Security::default() })
            }
            (AuthPolicy::Federated, JoinCredential::Password(_)) => {
                Err(AgentError::SignIn { url: found.authentication_service_url.clone().unwrap_or_default() })
            }
            _ => Err(AgentError::Provisioning("the server wants another proof of the user than there is")),
        }
    }
}

/// What a device calls itself. It keeps its names when it leaves, so that a server knows it again.
#[derive(Serialize, Deserialize)]
struct OwnNames {
    id: String,
    hardware_id: String,
}

impl OwnNames {
    /// Those of the store, or new ones that are kept there.
    fn of(store: Option<&DeviceStore>) -> Result<Self, AgentError> {
        let Some(store) = store else { return Self::generate() };
        let path = store.path().join(NAMES);
        if let Some(octets) = files::read_optional(&path)? {
            return serde_json::from_slice(&octets).map_err(|error| AgentError::damaged(&path, error));
        }
        let names = Self::generate()?;
        let text = serde_json::to_vec_pretty(&names).map_err(|error| AgentError::damaged(&path, error))?;
        files::replace(&path, &text)?;
        Ok(names)
    }

    fn generate() -> Result<Self, AgentError> {
        let id = uuid()?.replace('-', "").to_ascii_uppercase();
        let hardware = sha256(&random::<32>().map_err(AgentError::Own)?);
        Ok(Self { id, hardware_id: hardware.iter().map(|octet| format!("{octet:02X}")).collect() })
    }

    fn context(&self, options: &JoinOptions) -> Result<AdditionalContext, AgentError> {
        let version = |text: &str| text.parse::<Version>().map_err(|_| AgentError::Provisioning("our own version is none"));
        Ok(AdditionalContext {
            ux_initiated: Some(true),
            hw_dev_id: Some(self.hardware_id.clone()),
            locale: Some("en-US".to_owned()),
            targeted_user_logged_in: Some(true),
            os_edition: Some(OS_EDITION),
            device_name: Some(options.device_name.clone()),
            device_id: Some(self.id.clone()),
            enrollment_type: Some(options.form),
            device_type: Some(DEVICE_TYPE.to_owned()),
            os_version: Some(version(SYSTEM_VERSION)?),
            application_version: Some(version(SYSTEM_VERSION)?),
            not_in_oobe: Some(true),
            request_version: Some(version(REQUEST_VERSION)?),
            ..AdditionalContext::default()
        })
    }
}

fn apply(
    document: ProvisioningDocument,
    key: std::sync::Arc<DeviceKey>,
    options: &JoinOptions,
    device: OwnNames,
    discovery_url: String,
) -> Result<Joined, AgentError> {
    let now = (options.clock)();
    let account = Account {
        discovery_url,
        user: options.user.clone(),
        device_id: device.id,
        hardware_id: device.hardware_id,
        device_name: options.device_name.clone(),
        tls_roots: options.tls_roots.as_ref().map(|roots| String::from_utf8_lossy(roots).into_owned()),
        joined_at: now,
        ..Account::of(&document)?
    };
    let identity = identity(&document, &account, &key, None, now)?;
    let store = document.certificate_store;
    let trusted = store.roots.into_iter().chain(store.intermediates).collect();
    Ok(Joined { account, identity, key, trusted })
}

/// The identity of a provisioning document, as the store keeps it.
pub(crate) fn identity(
    document: &ProvisioningDocument,
    account: &Account,
    key: &DeviceKey,
    predecessor: Option<LocalId>,
    now: Timestamp,
) -> Result<Identity, AgentError> {
    let certificate = document.certificate_store.client.certificate.clone();
    let (_, not_after) = certificate.validity().map_err(AgentError::Own)?;
    let offered: Vec<&Certificate> =
        document.certificate_store.intermediates.iter().chain(&document.certificate_store.roots).collect();
    let mut chain: Vec<Certificate> = Vec::new();
    let mut last = certificate.clone();
    while let Some(issuer) = offered.iter().find(|one| last.verify_issued_by(one).is_ok()) {
        if chain.len() > 8 || chain.iter().any(|one| one.der() == issuer.der()) {
            break;
        }
        last = (*issuer).clone();
        chain.push(last.clone());
    }
    let about = IdentityAbout {
        id: account.identity.clone(),
        status: Status::Current,
        url: account.server_url.clone(),
        profile: format!("management by {}", account.provider_id),
        ca_fingerprint: chain.last().map(|root| fingerprint_text(&root.fingerprint())).unwrap_or_default(),
        subject: certificate.subject().map(|name| name.to_string()).unwrap_or_default(),
        san: certificate.subject_alt_names().unwrap_or_default().iter().map(ToString::to_string).collect(),
        key: key.public_key().kind,
        transaction: String::new(),
        request_id: None,
        obtained_at: now,
        not_after,
        predecessor,
        exportable: false,
        place: KeyPlace::Software,
        owner: Owner::default(),
        name: None,
    };
    Ok(Identity { about, certificate, chain, tls_roots: account.tls_roots.as_ref().map(|text| text.clone().into_bytes()) })
}

impl Joined {
    /// Everything into the store; the account last, because it is what makes the device a joined one.
    fn keep(&self, store: &DeviceStore) -> Result<(), AgentError> {
        store.trust(&self.trusted)?;
        store.install(&self.identity, &self.key)?;
        store.save_account(&self.account)
    }
}
