//! Starting and stopping the server.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, RwLock},
};

use lanyard_ca::keys::unseal::{Derivation, UnsealKey};
use lanyard_model::{audit::AuditKind, secret::SecretBytes, secret::SecretText, text::hex};
use lanyard_pki::crypto::{digest::hmac_sha256, random::random};
use lanyard_ra::challenge::ChallengeKeys;
use lanyard_store::ports::Store;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    api::access::Access,
    clock::Clock,
    config::Config,
    database,
    edge::{
        admin_socket,
        listen::{Acceptor, serve_tcp, serve_unix},
        router,
        throttle::Throttle,
        tls,
    },
    error::ServerError,
    flow::{audit_chain, nodes, notices::Outbox},
    init::{DERIVATION, INSTANCE, MASTER_SECRET, key_id},
    installation::{Installation, read_file, read_secret},
    jobs::{leadership::Leadership, outbox, runner},
    keyring::{CurrentKeyring, ISSUING, Keyring},
    ldap::Ldap,
    mail::Mailer,
    mdm::{
        Mdm,
        attempts::{PasswordGate, WRONG_PASSWORDS},
    },
    oidc::Oidc,
    policy_files,
    portal::Portal,
    state::Server,
    telemetry::Telemetry,
};

/// Where the unseal key comes from at the start.
pub enum Unseal {
    /// The contents of this key file.
    File(std::path::PathBuf),
    /// A passphrase.
    Passphrase(SecretText),
}

/// Listeners of one process, where they differ from the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listen {
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// HTTPS.
    pub https: Option<SocketAddr>,
    /// HTTPS for managed devices.
    pub mdm: Option<SocketAddr>,
}

/// A running server.
pub struct Running {
    /// Its parts.
    pub server: Arc<Server>,
    /// Address of plain HTTP, with the port that was really taken.
    pub http: SocketAddr,
    /// Address of HTTPS.
    pub https: SocketAddr,
    /// Address of HTTPS for managed devices, where management is on.
    pub mdm: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    owns_socket: bool,
}

/// Opens an installation without listening: configuration, store, keys and policy, all checked.
///
/// # Errors
/// Everything that keeps the server from starting.
pub async fn open(dir: &Path, unseal: Unseal, clock: Arc<dyn Clock>) -> Result<Arc<Server>, ServerError> {
    open_on(dir, unseal, clock, Listen::default()).await
}

/// [`open`] with other listeners than the configuration names.
///
/// # Errors
/// Everything that keeps the server from starting.
pub async fn open_on(dir: &Path, unseal: Unseal, clock: Arc<dyn Clock>, listen: Listen) -> Result<Arc<Server>, ServerError> {
    let installation = Installation::at(dir);
    installation.check_modes()?;
    let mut config = Config::from_text(&read_file(&installation.config())?, &installation.config())?;
    config.listen.http = listen.http.unwrap_or(config.listen.http);
    config.listen.https = listen.https.unwrap_or(config.listen.https);
    config.listen.mdm = listen.mdm.or(config.listen.mdm);
    let shared = database::is_shared(&installation);
    let store = database::open(&installation).await?;
    let now = clock.now();
    let unseal = unseal_key(store.as_ref(), unseal).await?;
    let instance = store.load_setting(INSTANCE).await?.and_then(|octets| String::from_utf8(octets).ok());
    let instance = instance.ok_or_else(|| {
        ServerError::Conflict(
            "the data directory is not complete; was `lanyard init` interrupted? Remove it and begin anew".into(),
        )
    })?;
    let master = store.load_key(&key_id(MASTER_SECRET)?).await?;
    let master = master.ok_or_else(|| ServerError::NotFound { what: "sealed key", name: MASTER_SECRET.into() })?;
    let master = unseal.open(&master)?;
    let derive = |label: &[u8]| SecretBytes::new(hmac_sha256(master.expose(), &[label]).to_vec());
    let rules = policy_files::load(&installation, instance, config.organization.clone())?;
    let ring = Keyring::open(store.as_ref(), &unseal, &config.url, now).await?;
    let rules = rules.issuing_from(ISSUING, ring.issuing());
    let ldap = config.ldap.as_ref().map(|settings| Ldap::new(settings, installation.dir())).transpose()?;
    let oidc = config.oidc.as_ref().map(|settings| Oidc::new(settings, installation.dir())).transpose()?;
    let mdm = config.mdm.as_ref().map(|settings| Mdm::new(settings, installation.dir())).transpose()?;
    if let Some(mdm) = &mdm {
        let fault = |problem| ServerError::Config { path: installation.config(), problem };
        mdm.check_against(&rules.policy).map_err(fault)?;
    }
    let mail = config.mail.as_ref().map(|settings| Mailer::new(settings, installation.dir())).transpose()?;
    let portal = config.portal.as_ref().map(Portal::new);
    let throttle = Throttle::new(&config.limits);
    let passwords = PasswordGate::new(config.mdm.as_ref().map_or(WRONG_PASSWORDS, |mdm| mdm.wrong_passwords));
    Ok(Arc::new(Server {
        installation,
        config,
        store,
        clock,
        keyring: CurrentKeyring::new(ring),
        unseal,
        challenge_keys: ChallengeKeys::derive(&master),
        rejection_secret: derive(b"lanyard-implicit-rejection-v1"),
        audit_secret: derive(b"lanyard-audit-head-v1"),
        token_secret: derive(b"lanyard-api-token-v1"),
        access: Access::default(),
        outbox: Outbox::new(derive(b"lanyard-notices-v1")),
        fleet_secret: derive(b"lanyard-fleet-v1"),
        portal_secret: derive(b"lanyard-portal-v1"),
        mdm,
        portal,
        mail,
        passwords,
        ldap,
        oidc,
        telemetry: Telemetry::default(),
        throttle,
        rules: RwLock::new(rules),
        started_at: now,
        leadership: Leadership::new(node_name()?, shared),
        mdm_refused: std::sync::Mutex::default(),
        crl_wanted: tokio::sync::Notify::new(),
    }))
}

/// A name for this process in log and lease: the host, and a number that does not recur.
fn node_name() -> Result<String, ServerError> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Ok(format!("{}-{}", host.trim(), hex(&random::<4>()?)))
}

async fn unseal_key(store: &dyn Store, unseal: Unseal) -> Result<UnsealKey, ServerError> {
    match unseal {
        Unseal::File(path) => Ok(UnsealKey::from_file(&read_secret(&path)?)?),
        Unseal::Passphrase(passphrase) => {
            let stored = store.load_setting(DERIVATION).await?.and_then(|octets| String::from_utf8(octets).ok());
            let stored = stored
                .ok_or_else(|| ServerError::Invalid("this installation is opened by a key file: give --unseal-file".into()))?;
            let derivation = Derivation::from_text(&stored)?;
            let key = tokio::task::spawn_blocking(move || UnsealKey::from_passphrase(&passphrase, &derivation)).await;
            Ok(key.map_err(|_| ServerError::Conflict("deriving the unseal key was interrupted".into()))??)
        }
    }
}

/// Starts the listeners and jobs. When this returns, connections are accepted.
///
/// # Errors
/// [`ServerError::Listen`], [`ServerError::Tls`], [`ServerError::Conflict`] when a server runs on the directory already.
pub async fn start(server: Arc<Server>) -> Result<Running, ServerError> {
    let admin = match admin_socket::open(&server.installation.admin_socket()).await {
        // A further node on the same directory: administrators call the first one.
        Err(ServerError::Conflict(_)) if server.leadership.is_shared() => {
            tracing::info!("another node of this directory has the administrator's socket");
            None
        }
        other => Some(other?),
    };
    let http = bind(server.config.listen.http)?;
    let https = bind(server.config.listen.https)?;
    let address = |l: &TcpListener| l.local_addr().map_err(|source| ServerError::Listen { address: "?".into(), source });
    let (http_address, https_address) = (address(&http)?, address(&https)?);
    let mdm = server.config.mdm.as_ref().and(server.config.listen.mdm).map(bind).transpose()?;
    let mdm_address = mdm.as_ref().map(address).transpose()?;
    if let (Some(mdm), Some(address)) = (&server.mdm, mdm_address) {
        mdm.listening(&server.config, https_address.port(), address.port());
    }
    if let Some(portal) = &server.portal {
        portal.listening(&server.config, https_address.port());
    }
    // After a long rest the server certificate may have ended; without one there is nothing to accept with.
    runner::lead_if_needed(&server).await?;
    let acceptor = acceptor(&server, tls::acceptor)?;
    let managed = acceptor_of_devices(&server)?;
    // The first CRLs exist before anybody can ask for them.
    if server.leadership.leads() {
        crate::flow::crl::refresh(&server).await?;
    }
    let started = server.event(AuditKind::Started, "server");
    server.store.append_audit(started).await?;
    nodes::say_and_warn(&server).await?;

    let (stop, stopping) = watch::channel(false);
    let public = router::public(Arc::clone(&server));
    let secure = router::secure(Arc::clone(&server));
    let administrator = router::administrator(Arc::clone(&server));
    let owns_socket = admin.is_some();
    let mut tasks = vec![
        tokio::spawn(serve_tcp("http", http, public, None, Arc::clone(&server), stopping.clone())),
        tokio::spawn(serve_tcp("https", https, secure, Some(acceptor), Arc::clone(&server), stopping.clone())),
    ];
    if let Some(mdm) = mdm {
        let router = router::managed(Arc::clone(&server));
        tasks.push(tokio::spawn(serve_tcp("mdm", mdm, router, Some(managed), Arc::clone(&server), stopping.clone())));
    }
    if let Some(admin) = admin {
        tasks.push(tokio::spawn(serve_unix(admin, administrator, server.config.limits.clone(), stopping.clone())));
    }
    tasks.push(tokio::spawn(outbox::run(Arc::clone(&server), stopping.clone())));
    tasks.push(tokio::spawn(runner::run(Arc::clone(&server), stopping)));
    tracing::info!(http = %http_address, https = %https_address, "serving");
    Ok(Running { server, http: http_address, https: https_address, mdm: mdm_address, stop, tasks, owns_socket })
}

/// Connections that may wait to be accepted, as far as the system allows: a burst of devices must not overflow the queue, because clients
/// beyond it believe to be connected and wait in vain.
const BACKLOG: u32 = 4096;

fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait for connections of the process before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| ServerError::Listen { address: address.to_string(), source })
}

/// Makes acceptors; what changes in the keyring, such as a renewed server certificate or a new authority, counts from the next connection on.
fn acceptor(
    server: &Arc<Server>,
    make: impl Fn(&Keyring) -> Result<TlsAcceptor, ServerError> + Send + Sync + 'static,
) -> Result<Acceptor, ServerError> {
    let ring = server.keyring.get();
    let first = make(&ring)?;
    let (server, current) = (Arc::clone(server), std::sync::Mutex::new((ring, first)));
    Ok(Arc::new(move || -> TlsAcceptor {
        let ring = server.keyring.get();
        let mut current = current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !Arc::ptr_eq(&current.0, &ring) {
            match make(&ring) {
                Ok(acceptor) => *current = (ring, acceptor),
                Err(error) => tracing::error!(%error, "the renewed keyring cannot be used for TLS"),
            }
        }
        current.1.clone()
    }))
}

fn acceptor_of_devices(server: &Arc<Server>) -> Result<Acceptor, ServerError> {
    let clock = Arc::clone(&server.clock);
    acceptor(server, move |ring| tls::acceptor_of_devices(ring, Arc::clone(&clock)))
}

impl Running {
    /// Stops: no new connections, open requests finish (10 seconds at most), the store is closed.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
        let stopped = self.server.event(AuditKind::Stopped, "server");
        if let Err(error) = self.server.store.append_audit(stopped).await {
            tracing::error!(%error, "the stop cannot be audited");
        }
        if self.server.leadership.leads()
            && let Err(error) = audit_chain::sign_head(&self.server).await
        {
            tracing::error!(%error, "the head of the audit log cannot be signed");
        }
        if self.server.leadership.is_shared()
            && let Err(error) = self.server.store.remove_node(self.server.leadership.node()).await
        {
            tracing::warn!(%error, "this node cannot sign off; it is listed for another day");
        }
        if let Err(error) = self.server.leadership.release(self.server.store.as_ref()).await {
            tracing::warn!(%error, "the lease cannot be given back; another node takes over after a while");
        }
        self.server.store.close().await;
        if self.owns_socket {
            let _ = std::fs::remove_file(self.server.installation.admin_socket());
        }
    }
}
