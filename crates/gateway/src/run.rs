//! Starting, reloading and stopping.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use crate::{
    account::{attempts::Attempts, directory::DirectoryAccounts, file::FileAccounts, lanyard::LanyardAccounts, source::Source},
    certificate::trust::Trust,
    clock::Clock,
    config::{
        check,
        file::{self, Accounts, Config},
        read,
    },
    decide::publish::Published,
    edge::{listen, tls::Doors},
    error::GatewayError,
    files::{self, Stamp},
    proxy::application::{Application, seconds},
    state::{
        follow::follow,
        known::{Affected, State},
        live::Live,
        server::Server,
    },
    telemetry::Telemetry,
};

/// How often back ends are asked whether they are well, where a path for that is set.
const HEALTH: Duration = Duration::from_secs(5);

/// Lanyard's state, and the way to its server.
pub type Lanyard = (Arc<State>, Arc<Server>);

/// Everything that a configuration file leads to. Replaced as a whole.
#[derive(Debug)]
pub struct Rules {
    /// What is published where.
    pub published: Published,
    /// TLS.
    pub doors: Doors,
    /// Applications in the order of the file.
    pub applications: Vec<Arc<Application>>,
    /// Limits.
    pub limits: file::Limits,
    /// Files that were read and that others write.
    pub files: Vec<PathBuf>,
    /// How they were, before they were read.
    pub stamps: Vec<Stamp>,
    /// Those that ask back ends whether they are well; they end with these rules.
    watches: Watches,
}

#[derive(Debug, Default)]
struct Watches(Vec<JoinHandle<()>>);

impl Drop for Watches {
    fn drop(&mut self) {
        for watch in &self.0 {
            watch.abort();
        }
    }
}

/// The running gateway, shared by all its tasks.
#[derive(Debug)]
pub struct Gateway {
    /// Time.
    pub clock: Clock,
    /// What is remembered of passwords.
    pub attempts: Attempts,
    /// Counters.
    pub telemetry: Telemetry,
    /// What Lanyard's server has told, where one is configured.
    pub state: Option<Arc<State>>,
    /// Open connections.
    pub live: Arc<Live>,
    server: Option<Arc<Server>>,
    path: PathBuf,
    rules: RwLock<Arc<Rules>>,
}

impl Gateway {
    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn lanyard(&self) -> Option<Lanyard> {
        Some((Arc::clone(self.state.as_ref()?), Arc::clone(self.server.as_ref()?)))
    }

    /// The text for `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        self.telemetry.render(&self.rules(), self.state.as_deref())
    }

    /// Reads the configuration again. Open connections go on under the new rules; when something is wrong, the old ones stay in force. Listeners,
    /// `lockout` and `[server]` stay as they were at the start.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn reload(&self) -> Result<(), GatewayError> {
        let (config, folder) = load(&self.path)?;
        let mut rules = rules(&config, &folder, self.lanyard())?;
        rules.watch(&config);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        self.attempts.forget(|_| true);
        Ok(())
    }
}

impl Rules {
    fn watch(&mut self, config: &Config) {
        for (application, settings) in self.applications.iter().zip(&config.applications) {
            let Some(path) = &settings.health_path else { continue };
            for back_end in application.back_ends.list() {
                self.watches.0.push(tokio::spawn(Arc::clone(back_end).watch(path.clone(), HEALTH)));
            }
        }
    }
}

/// Reads a configuration file.
///
/// # Errors
/// [`GatewayError`].
pub fn load(path: &Path) -> Result<(Config, PathBuf), GatewayError> {
    let config = check::parse(&read::text(path)?)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((config, folder.to_owned()))
}

/// Reads everything that a configuration names.
///
/// # Errors
/// [`GatewayError`].
pub fn rules(config: &Config, folder: &Path, lanyard: Option<Lanyard>) -> Result<Rules, GatewayError> {
    let named = files::named(config, folder);
    let stamps = files::stamps(&named);
    let trusts = config.trusts.iter().map(|t| Trust::open(t, folder).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
    let accounts = config.accounts.iter().map(|a| source(a, folder, lanyard.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let mut published = Published::default();
    let mut applications = Vec::new();
    for settings in &config.applications {
        let application = Arc::new(Application::open(settings, folder, &trusts, &accounts)?);
        published.add(&application);
        applications.push(application);
    }
    let doors = Doors::open(&config.certificates, folder, &published)?;
    Ok(Rules { published, doors, applications, limits: config.limits.clone(), files: named, stamps, watches: Watches::default() })
}

fn source(settings: &Accounts, folder: &Path, lanyard: Option<&Lanyard>) -> Result<(String, Arc<Source>), GatewayError> {
    let source = match settings {
        Accounts::File(settings) => Source::File(FileAccounts::open(&read::path(folder, &settings.file))?),
        Accounts::Directory(settings) => Source::Directory(Box::new(DirectoryAccounts::open(settings, folder)?)),
        Accounts::Lanyard(_) => match lanyard {
            Some((state, server)) => Source::Lanyard(LanyardAccounts::new(Arc::clone(state), Arc::clone(server))),
            None => {
                return Err(GatewayError::Config(
                    "accounts of kind lanyard need [server], which is read at the start only".into(),
                ));
            }
        },
    };
    Ok((settings.name().to_owned(), Arc::new(source)))
}

/// The state and the way to the server, where one is configured.
///
/// # Errors
/// [`GatewayError`].
pub fn lanyard(config: &Config, folder: &Path) -> Result<Option<Lanyard>, GatewayError> {
    let Some(settings) = &config.server else { return Ok(None) };
    let state = State::new(seconds(settings.max_age));
    Ok(Some((Arc::new(state), Arc::new(Server::open(settings, folder)?))))
}

/// A started gateway.
#[derive(Debug)]
pub struct Running {
    /// Its parts.
    pub gateway: Arc<Gateway>,
    /// Addresses of HTTPS.
    pub https: Vec<SocketAddr>,
    /// Address of the redirection.
    pub redirect: Option<SocketAddr>,
    /// Address of the metrics.
    pub metrics: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    following: Option<JoinHandle<()>>,
    watching: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watching.abort();
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

impl Running {
    /// Stops in an orderly way.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
    }
}

/// Starts a gateway.
///
/// # Errors
/// [`GatewayError`].
pub async fn start(path: &Path, clock: Clock) -> Result<Running, GatewayError> {
    let (config, folder) = load(path)?;
    let lanyard = lanyard(&config, &folder)?;
    let mut rules = rules(&config, &folder, lanyard.clone())?;
    rules.watch(&config);
    let (state, server) = lanyard.unzip();
    let gateway = Arc::new(Gateway {
        clock,
        attempts: Attempts::new(&config.lockout)?,
        telemetry: Telemetry::default(),
        state,
        live: Arc::default(),
        server,
        path: path.to_owned(),
        rules: RwLock::new(Arc::new(rules)),
    });
    let (stop, stopped) = watch::channel(false);
    let following = gateway.lanyard().map(|(state, server)| {
        let (live, forgetting) = (Arc::clone(&gateway.live), Arc::clone(&gateway));
        // Whoever was disabled must not be believed because of a password that was right a moment ago.
        let forget = move |affected: &Affected| {
            if affected.everybody {
                forgetting.attempts.forget(|_| true)
            }
        };
        tokio::spawn(follow(server, state, live, forget))
    });
    let watching = tokio::spawn(files::watch(Arc::clone(&gateway)));
    let places = Arc::new(Semaphore::new(config.limits.connections));
    let (mut tasks, mut https) = (Vec::new(), Vec::new());
    for address in &config.listen {
        let (listener, address) = bind(*address).await?;
        https.push(address);
        tasks.push(tokio::spawn(listen::https(listener, Arc::clone(&gateway), Arc::clone(&places), stopped.clone())));
    }
    let mut redirect = None;
    if let Some(address) = config.redirect {
        let (listener, address) = bind(address).await?;
        let port = https.first().map_or(443, SocketAddr::port);
        redirect = Some(address);
        tasks.push(tokio::spawn(listen::redirect(listener, Arc::clone(&gateway), places, port, stopped.clone())));
    }
    let mut metrics = None;
    if let Some(address) = config.metrics {
        let (listener, address) = bind(address).await?;
        metrics = Some(address);
        tasks.push(tokio::spawn(listen::metrics(listener, Arc::clone(&gateway), stopped.clone())));
    }
    Ok(Running { gateway, https, redirect, metrics, stop, tasks, following, watching })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let fault = |e: std::io::Error| GatewayError::Listen { address: address.to_string(), problem: e.to_string() };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    Ok((listener, bound))
}
