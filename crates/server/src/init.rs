//! Creating an installation: directory, keys, authorities, templates, profiles, configuration.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use lanyard_ca::{
    authority::Authority,
    ceremony,
    keys::unseal::{Derivation, UnsealKey},
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    authority::{AuthorityRecord, AuthorityRole, SealedKey},
    id::{AuthorityName, KeyId},
    key::KeyKind,
    name::{DistinguishedName, NameAttribute, attribute_type},
    secret::{SecretBytes, SecretText},
    serial::SerialNumber,
    text::hex,
    time::Timestamp,
};
use lanyard_pki::{
    certificate::Certificate,
    crypto::{
        random::random,
        software::{SoftwareSigner, generate},
    },
    name,
};
use lanyard_ra::service::ServiceRole;
use lanyard_store::ports::Store;

use crate::{
    config::{Config, Crl, Limits, Listen, Proxies},
    database,
    error::ServerError,
    flow::service_certificate,
    installation::{Installation, create_dir, create_file},
    mdm::settings::MdmSettings,
    portal::settings::PortalSettings,
};

/// Id of the sealed master secret that challenge keys and other server secrets are derived from.
pub const MASTER_SECRET: &str = "master-secret";
/// Setting that holds the installation's identity.
pub const INSTANCE: &str = "instance";
/// Setting that holds salt and cost of the passphrase; absent when a key file is used.
pub const DERIVATION: &str = "unseal-derivation";

/// What to create.
pub struct Plan {
    /// Data directory; must not exist or be empty.
    pub dir: PathBuf,
    /// Organisation's name.
    pub organization: String,
    /// Kind of the CA keys.
    pub ca_key: KeyKind,
    /// Where the unseal key comes from.
    pub unseal: UnsealSource,
    /// Base address in certificates; from the plain HTTP address when absent.
    pub url: Option<String>,
    /// Plain HTTP address.
    pub http: SocketAddr,
    /// HTTPS address.
    pub https: SocketAddr,
    /// Address of HTTPS for managed devices.
    pub mdm: SocketAddr,
    /// Further names in the server certificate.
    pub tls_names: Vec<String>,
    /// Address of an empty database that several nodes will share; a file in the directory when absent.
    pub database: Option<SecretText>,
}

/// Where the unseal key comes from.
pub enum UnsealSource {
    /// A key file outside the data directory; made when it does not exist.
    File(PathBuf),
    /// A passphrase.
    Passphrase(SecretText),
}

/// What was created, for the person who did it.
#[derive(Debug)]
pub struct Created {
    /// Root certificate.
    pub root: Certificate,
    /// Issuing CA certificate.
    pub issuing: Certificate,
    /// The key file, if one was made.
    pub unseal_file: Option<PathBuf>,
    /// Configuration.
    pub config: Config,
}

/// Creates an installation. On failure the directory is left as far as it came, and says so; nothing that existed is overwritten.
///
/// # Errors
/// [`ServerError::Conflict`] when the directory is not empty; [`ServerError::File`], policy, key and storage errors.
pub async fn init(plan: Plan, now: Timestamp) -> Result<Created, ServerError> {
    check(&plan)?;
    let installation = Installation::at(&plan.dir);
    let config = config(&plan);
    // Read back what will be written: a bad value must not leave half an installation.
    Config::from_text(&config.to_commented_text(), &installation.config())?;
    if let Some(url) = &plan.database {
        database::check_empty(url).await?;
    }
    let (unseal, derivation, unseal_file) = unseal_key(&plan.unseal, &plan.dir).await?;
    create_dirs(&installation)?;
    create_file(&installation.config(), &config.to_commented_text())?;
    for (name, text) in lanyard_ra::template::builtin() {
        create_file(&installation.templates().join(name), text)?;
    }
    for (name, text) in lanyard_ra::profile::builtin() {
        create_file(&installation.profiles().join(name), text)?;
    }
    for (name, text) in crate::fleet::policy::builtin() {
        create_file(&installation.fleet().join(name), text)?;
    }
    if let Some(url) = &plan.database {
        database::remember(&installation, url)?;
    }
    let store = database::open(&installation).await?;
    let store = store.as_ref();
    let authorities = authorities(&plan, &config, store, &unseal, now).await?;
    let issuing = authorities.issuing.certificate().clone();
    for role in [ServiceRole::Registration, ServiceRole::TlsServer] {
        let order = service_certificate::Order {
            authority: &authorities.issuing,
            organization: &plan.organization,
            names: service_certificate::names(role, &config.tls_names)?,
            by: "init",
            now,
            lease: None,
        };
        service_certificate::issue(store, &unseal, role, order).await?;
    }
    if let Some(derivation) = derivation {
        store.save_setting(DERIVATION, derivation.to_text().into_bytes()).await?;
    }
    // Last: its presence says that everything before it is there.
    store.save_setting(INSTANCE, hex(&random::<16>()?).into_bytes()).await?;
    store.close().await;
    Ok(Created { root: authorities.root, issuing, unseal_file, config })
}

fn check(plan: &Plan) -> Result<(), ServerError> {
    plan.database.as_ref().map_or(Ok(()), database::check)?;
    name::check(&organization_name(&plan.organization, "")).map_err(|e| ServerError::Invalid(format!("--org: {e}")))?;
    let mut entries = match fs::read_dir(&plan.dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ServerError::File { action: "look into", path: plan.dir.clone(), source }),
    };
    if entries.next().is_some() {
        return Err(ServerError::Conflict(format!("{} exists and is not empty; choose another --dir", plan.dir.display())));
    }
    Ok(())
}

fn config(plan: &Plan) -> Config {
    let mut tls_names = vec!["dns:localhost".to_owned()];
    if !plan.https.ip().is_unspecified() {
        tls_names.push(format!("ip:{}", plan.https.ip()));
    }
    for name in &plan.tls_names {
        if !tls_names.contains(name) {
            tls_names.push(name.clone());
        }
    }
    Config {
        organization: plan.organization.clone(),
        url: plan.url.clone().unwrap_or_else(|| format!("http://{}", plan.http)).trim_end_matches('/').to_owned(),
        listen: Listen { http: plan.http, https: plan.https, mdm: Some(plan.mdm) },
        tls_names,
        crl: Crl::default(),
        limits: Limits::default(),
        proxies: Proxies::default(),
        ndes_profile: crate::config::default_profile(),
        ldap: None,
        mdm: Some(MdmSettings::default()),
        oidc: None,
        mail: None,
        portal: Some(PortalSettings::default()),
    }
}

async fn unseal_key(source: &UnsealSource, dir: &Path) -> Result<(UnsealKey, Option<Derivation>, Option<PathBuf>), ServerError> {
    match source {
        UnsealSource::Passphrase(passphrase) => {
            let derivation = Derivation::generate()?;
            let (passphrase, with) = (passphrase.clone(), derivation.clone());
            let key = tokio::task::spawn_blocking(move || UnsealKey::from_passphrase(&passphrase, &with)).await;
            let key = key.map_err(|_| ServerError::Conflict("deriving the unseal key was interrupted".into()))??;
            Ok((key, Some(derivation), None))
        }
        UnsealSource::File(path) => {
            if inside(path, dir) {
                let problem = "the key file lies inside the data directory: who steals one would have both; put it elsewhere";
                return Err(ServerError::Invalid(format!("--unseal-file {}: {problem}", path.display())));
            }
            if path.exists() {
                return Ok((UnsealKey::from_file(&crate::installation::read_secret(path)?)?, None, None));
            }
            let contents = UnsealKey::generate_file()?;
            create_file(path, contents.expose())?;
            Ok((UnsealKey::from_file(&contents)?, None, Some(path.clone())))
        }
    }
}

/// Whether a path lies inside a directory, whichever of both exists already.
fn inside(path: &Path, dir: &Path) -> bool {
    let absolute = |p: &Path| fs::canonicalize(p).or_else(|_| std::path::absolute(p)).unwrap_or_else(|_| p.to_owned());
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| absolute(Path::new(".")), absolute);
    parent.starts_with(absolute(dir))
}

fn create_dirs(installation: &Installation) -> Result<(), ServerError> {
    if !installation.dir().exists() {
        create_dir(installation.dir())?;
    }
    installation.check_modes()?;
    create_dir(&installation.templates())?;
    create_dir(&installation.profiles())?;
    create_dir(&installation.fleet())
}

struct Authorities {
    root: Certificate,
    issuing: Authority,
}

fn organization_name(organization: &str, suffix: &str) -> DistinguishedName {
    let attribute = |short: &str, value: String| attribute_type(short).map(|t| NameAttribute { oid: t.oid, value });
    let common_name = format!("{organization}{suffix}");
    DistinguishedName([attribute("CN", common_name), attribute("O", organization.to_owned())].into_iter().flatten().collect())
}

async fn authorities(
    plan: &Plan,
    config: &Config,
    store: &dyn Store,
    unseal: &UnsealKey,
    now: Timestamp,
) -> Result<Authorities, ServerError> {
    let (root_name, issuing_name) = (authority_name("root")?, authority_name("issuing")?);
    let kind = plan.ca_key;
    let keys = tokio::task::spawn_blocking(move || Ok::<_, ServerError>((generate(kind)?, generate(kind)?))).await;
    let (root_key, issuing_key) = keys.map_err(|_| ServerError::Conflict("making the keys was interrupted".into()))??;
    let serial = || Ok::<_, ServerError>(SerialNumber::from_random(random()?));

    let root_signer = SoftwareSigner::from_pkcs8(&root_key)?;
    let root_serial = serial()?;
    let root_certificate = ceremony::root(&organization_name(&plan.organization, " Root CA"), &root_signer, &root_serial, now)?;
    let urls = |name: &AuthorityName| (format!("{}/crl/{name}.crl", config.url), format!("{}/ca/{name}.cer", config.url));
    let (crl_url, certificate_url) = urls(&root_name);
    let root = Authority::new(root_name.clone(), root_certificate.clone(), Box::new(root_signer), crl_url, certificate_url)?;

    let issuing_signer = SoftwareSigner::from_pkcs8(&issuing_key)?;
    let issuing_serial = serial()?;
    let subject = organization_name(&plan.organization, " Issuing CA");
    let issuing_certificate = ceremony::issuing(&subject, &issuing_signer, &root, &issuing_serial, now)?;
    let (crl_url, certificate_url) = urls(&issuing_name);
    let issuing = Authority::new(issuing_name.clone(), issuing_certificate, Box::new(issuing_signer), crl_url, certificate_url)?;

    let mut sealed = vec![unseal.seal(key_id(MASTER_SECRET)?, &SecretBytes::new(random::<32>()?.to_vec()), now)?];
    let mut records = Vec::new();
    for (authority, role, key, serial) in
        [(&root, AuthorityRole::Root, &root_key, &root_serial), (&issuing, AuthorityRole::Issuing, &issuing_key, &issuing_serial)]
    {
        let (seal, record) = record(authority, role, key, serial, unseal, now)?;
        sealed.push(seal);
        records.push(record);
    }
    let audit = AuditEvent {
        at: now,
        kind: AuditKind::Initialized,
        actor: "init".into(),
        request: None,
        reason: None,
        object: Some(plan.organization.clone()),
        detail: Some(format!("root and issuing CA with keys {kind}")),
    };
    store.save_authority(sealed, records, None, audit).await?;
    Ok(Authorities { root: root_certificate, issuing })
}

fn record(
    authority: &Authority,
    role: AuthorityRole,
    key: &SecretBytes,
    serial: &SerialNumber,
    unseal: &UnsealKey,
    now: Timestamp,
) -> Result<(SealedKey, AuthorityRecord), ServerError> {
    let id = service_certificate::key_id(role, serial)?;
    let (not_before, not_after) = authority.validity();
    let certificate = authority.certificate().der().to_vec();
    let record = AuthorityRecord { name: authority.name().clone(), role, certificate, key: id.clone(), not_before, not_after };
    Ok((unseal.seal(id, key, now)?, record))
}

fn authority_name(text: &str) -> Result<AuthorityName, ServerError> {
    text.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))
}

/// A key id from a constant.
///
/// # Errors
/// Never in practice.
pub fn key_id(text: &str) -> Result<KeyId, ServerError> {
    text.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))
}
