//! What an enrolled device is given: certificates, its account, and when to ask for work or renew.

use lanyard_mdm::{
    provisioning::{
        Account, AppAuth, Application, AuthType, CertificateStore, ClientCertificate, DefaultEncoding, DmClient, Poll,
        PrivateKeyContainer, ProvisioningDocument, Renew, Schedule, SearchCriteria, Store,
    },
    syncml::cred,
};
use lanyard_model::{
    directory::User,
    fleet::{DmCredentials, Enrollment, EnrollmentForm, RenewSchedule},
    id::{AuthorityName, EnrollmentId},
    secret::{SecretBytes, SecretText},
    text::hex,
};
use lanyard_pki::{
    certificate::Certificate,
    crypto::{random::random, sealing},
};

use crate::{
    error::ServerError,
    mdm::{
        Mdm,
        settings::{SessionCredentials, minutes},
    },
    state::Server,
};

/// Version of the management protocol: errors come with their cause from 3.0 on.
const SYNC_VERSION: &str = "3.0";

/// Context under which the credentials of an enrolment are sealed with the fleet's secret.
#[must_use]
pub fn credentials_context(enrollment: EnrollmentId) -> Vec<u8> {
    format!("lanyard-dm-credentials-v1:{enrollment}").into_bytes()
}

/// Fresh credentials of a management account: what is stored, and what the device is given.
///
/// # Errors
/// [`ServerError::Pki`].
pub fn fresh_credentials(server: &Server, enrollment: EnrollmentId) -> Result<(DmCredentials, AppAuth), ServerError> {
    let name = enrollment.to_string();
    let secret = SecretText::new(hex(&random::<24>()?));
    let basic = server.config.mdm.as_ref().is_some_and(|mdm| mdm.session_credentials == SessionCredentials::Basic);
    let nonce = if basic { Vec::new() } else { random::<16>()?.to_vec() };
    let inner = SecretBytes::new(cred::inner(&name, secret.expose()).into_bytes());
    let inner = sealing::seal(&server.fleet_secret, &credentials_context(enrollment), &inner)?;
    let stored = DmCredentials { name: name.clone(), inner, nonce: nonce.clone(), basic };
    let auth_type = if basic { AuthType::Basic } else { AuthType::Digest };
    Ok((stored, AppAuth { auth_type, name: Some(name), secret, nonce }))
}

/// The document of an enrolment.
///
/// # Errors
/// [`ServerError::Conflict`] before the server listens; those of the random generator.
pub fn of_enrollment(
    server: &Server,
    mdm: &Mdm,
    enrollment: &Enrollment,
    user: &User,
    certificate: &Certificate,
    client_credential: AppAuth,
) -> Result<ProvisioningDocument, ServerError> {
    let addresses = mdm.addresses()?;
    let settings = &mdm.settings;
    let store = store(enrollment.form);
    let subject = certificate.subject()?.to_string();
    // Nobody proves himself with it: the server is known by TLS. Windows expects both directions.
    let server_credential = AppAuth {
        auth_type: AuthType::Digest,
        name: None,
        secret: SecretText::new(hex(&random::<24>()?)),
        nonce: random::<16>()?.to_vec(),
    };
    let account = Account {
        name: server.config.organization.clone(),
        addr: addresses.management(),
        conn_retry_freq: Some(6),
        initial_backoff_time: Some(30_000),
        max_backoff_time: Some(120_000),
        back_compat_retry_disabled: true,
        default_encoding: Some(DefaultEncoding::Xml),
        ssl_client_cert_search_criteria: Some(SearchCriteria { subject, store: Some(store) }),
        role: None,
        proto_ver: None,
        to_napid: None,
        use_hw_dev_id: false,
        server_credential: Some(server_credential),
        client_credential: Some(client_credential),
    };
    let poll = &settings.poll;
    let schedule = |retries, interval| Schedule { retries, interval: minutes(interval) };
    let dm_client = DmClient {
        provider_id: settings.provider_id.clone(),
        upn: user.upn.clone().or_else(|| user.email.clone()),
        ent_device_name: enrollment.client_info.name.clone(),
        ent_dmid: Some(enrollment.id.to_string()),
        sync_application_version: Some(SYNC_VERSION.to_owned()),
        poll: Some(Poll {
            first: schedule(poll.first_sessions, poll.first_interval),
            second: schedule(poll.second_sessions, poll.second_interval),
            remaining: schedule(0, poll.interval),
            poll_on_login: Some(true),
            all_users_poll_on_first_login: Some(true),
        }),
        ..DmClient::default()
    };
    Ok(ProvisioningDocument {
        certificate_store: certificates(server, mdm, enrollment, certificate)?,
        application: Application { provider_id: settings.provider_id.clone(), account: Some(account) },
        dm_client: Some(dm_client),
        others: Vec::new(),
    })
}

/// The document of a renewal: certificates, and of the application only its name.
///
/// # Errors
/// [`ServerError::Conflict`] before the server listens.
pub fn of_renewal(
    server: &Server,
    mdm: &Mdm,
    enrollment: &Enrollment,
    certificate: &Certificate,
) -> Result<ProvisioningDocument, ServerError> {
    Ok(ProvisioningDocument {
        certificate_store: certificates(server, mdm, enrollment, certificate)?,
        application: Application { provider_id: mdm.settings.provider_id.clone(), account: None },
        dm_client: None,
        others: Vec::new(),
    })
}

fn certificates(
    server: &Server,
    mdm: &Mdm,
    enrollment: &Enrollment,
    certificate: &Certificate,
) -> Result<CertificateStore, ServerError> {
    let ring = server.keyring.get();
    let issuer: Option<AuthorityName> = ring.issuer_of(certificate).map(|authority| authority.name().clone());
    let issuer = issuer.ok_or_else(|| ServerError::Conflict("a new certificate has no issuer of ours".into()))?;
    let (roots, intermediates) = ring.chain(&issuer).into_iter().cloned().partition(Certificate::is_self_issued);
    let RenewSchedule { period_days, retry_days, robo } = enrollment.schedule;
    Ok(CertificateStore {
        roots,
        intermediates,
        client: ClientCertificate {
            store: store(enrollment.form),
            certificate: certificate.clone(),
            container: PrivateKeyContainer::default(),
        },
        renew: Some(Renew {
            robo_support: robo,
            renew_period: period_days,
            retry_interval: retry_days,
            server_url: Some(mdm.addresses()?.renewal_discovery()),
        }),
    })
}

const fn store(form: EnrollmentForm) -> Store {
    match form {
        EnrollmentForm::User => Store::User,
        EnrollmentForm::Device => Store::System,
    }
}
