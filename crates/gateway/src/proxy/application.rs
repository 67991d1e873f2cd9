//! A published application, with everything it needs at hand.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use lanyard_model::{secret::SecretText, time::Span};

use super::{headers::fold, upstream::BackEnds};
use crate::{
    account::source::Source,
    activesync::device::Devices,
    certificate::trust::Trust,
    config::{
        file::{self, AccountName, Kind, Mapping, Mode, Passwords, Stale},
        read,
    },
    error::GatewayError,
};

/// How long an ActiveSync request may be held: 59 minutes and some.
const HELD: Duration = Duration::from_secs(3700);
/// How long the answer of anything else may take to begin.
const ANSWER: Duration = Duration::from_secs(60);

/// How the back end learns who it is.
#[derive(Debug)]
pub enum Delegation {
    /// It does not.
    None,
    /// The client's name and password go on.
    Basic,
    /// The account's name with this password.
    Password(SecretText),
    /// The account's name in a field.
    Header(HeaderName, AccountName),
}

/// One of `[[application]]`.
#[derive(Debug)]
pub struct Application {
    /// Name.
    pub name: String,
    /// Canonical host names.
    pub hosts: Vec<String>,
    /// Published paths.
    pub paths: Vec<String>,
    /// Kind.
    pub kind: Kind,
    /// Who is let in.
    pub mode: Mode,
    /// The question for a password.
    pub challenge: HeaderValue,
    /// Whose certificates count.
    pub trusts: Vec<Arc<Trust>>,
    /// Accounts and their name.
    pub accounts: Option<(String, Arc<Source>)>,
    /// Ways from a certificate to an account.
    pub mapping: Vec<Mapping>,
    /// Who checks passwords.
    pub passwords: Passwords,
    /// What is done with stale state.
    pub stale: Stale,
    /// Back ends.
    pub back_ends: BackEnds,
    /// Path at the back end, without a slash at the end.
    pub back_end_path: Option<String>,
    /// Whether the published host goes on.
    pub keep_host: bool,
    /// How the back end learns who it is.
    pub delegation: Delegation,
    /// Rules for ActiveSync devices.
    pub devices: Devices,
    /// Whether the certificate goes on.
    pub client_cert: bool,
    /// Fields that only the gateway may set, folded.
    pub reserved: HashSet<String>,
    /// Largest body of a request, in octets.
    pub max_body: u64,
    /// Time until an answer begins.
    pub answer_timeout: Duration,
    /// Time without an octet of a body.
    pub idle_timeout: Duration,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Application {
    /// Reads its files and puts together what it needs.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn open(
        settings: &file::Application,
        folder: &Path,
        trusts: &[Arc<Trust>],
        accounts: &[(String, Arc<Source>)],
    ) -> Result<Self, GatewayError> {
        let fault = |problem: &str| GatewayError::Config(format!("application {}: {problem}", settings.name));
        let delegation = match &settings.delegation {
            file::Delegation::None => Delegation::None,
            file::Delegation::Basic => Delegation::Basic,
            file::Delegation::Password { password_file } => {
                Delegation::Password(read::secret(&read::path(folder, password_file))?)
            }
            file::Delegation::Header { header, value } => {
                let name = HeaderName::from_bytes(header.as_bytes()).map_err(|_| fault("the header has no good name"))?;
                Delegation::Header(name, *value)
            }
        };
        let mut reserved: HashSet<String> = settings.reserved_headers.iter().map(|name| fold(name)).collect();
        if let Delegation::Header(name, _) = &delegation {
            reserved.insert(fold(name.as_str()));
        }
        let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", settings.realm);
        let held = if settings.kind == Kind::Activesync { HELD } else { ANSWER };
        Ok(Self {
            name: settings.name.clone(),
            hosts: settings.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            paths: settings.paths.clone(),
            kind: settings.kind,
            mode: settings.mode,
            challenge: HeaderValue::from_str(&challenge).map_err(|_| fault("the realm cannot be sent"))?,
            trusts: trusts.iter().filter(|t| settings.trust.contains(&t.name)).map(Arc::clone).collect(),
            accounts: accounts.iter().find(|(name, _)| settings.accounts.as_ref() == Some(name)).cloned(),
            mapping: settings.mapping.clone(),
            passwords: settings.passwords,
            stale: settings.stale,
            back_ends: BackEnds::open(settings, folder)?,
            back_end_path: settings.back_end_path.as_ref().map(|path| path.trim_end_matches('/').to_owned()),
            keep_host: settings.keep_host,
            delegation,
            devices: Devices::open(
                &settings.devices,
                settings.other_devices,
                settings.bindings_file.as_ref().map(|file| read::path(folder, file)),
            )?,
            client_cert: settings.client_cert,
            reserved,
            max_body: settings.max_body,
            answer_timeout: settings.answer_timeout.map_or(held, seconds),
            idle_timeout: seconds(settings.idle_timeout),
            counts: Mutex::default(),
        })
    }

    /// Counts a request by what became of it.
    pub fn count(&self, code: &'static str) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// What became of requests.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The path and query at the back end. `None` when the published path cannot be told apart in it.
    #[must_use]
    pub fn target(&self, path: &str, query: Option<&str>) -> Option<String> {
        let path = match &self.back_end_path {
            None => path.to_owned(),
            Some(other) => {
                let rest = self.paths.iter().filter_map(|published| {
                    let published = published.trim_end_matches('/');
                    let (head, rest) = path.split_at_checked(published.len())?;
                    (head.eq_ignore_ascii_case(published) && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
                });
                let target = format!("{other}{}", rest.min_by_key(|rest| rest.len())?);
                if target.is_empty() { "/".to_owned() } else { target }
            }
        };
        Some(match query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        })
    }

    /// An address of the back end as the client can reach it: its origin and the published host at the back end become the published one, its
    /// path the published path. `None` leaves it as it is.
    #[must_use]
    pub fn outside(&self, value: &HeaderValue, host: &str, port: Option<&str>, origin: &str) -> Option<HeaderValue> {
        let text = value.to_str().ok()?;
        let here = format!("http://{host}");
        let rest = [origin, here.as_str()].into_iter().find_map(|inside| {
            let (head, rest) = text.split_at_checked(inside.len())?;
            let rest = head.eq_ignore_ascii_case(inside).then_some(rest)?;
            // The port of a host is not part of a path.
            let rest = if inside == origin { rest } else { rest.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()) };
            (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
        });
        let (rest, whole) = match rest {
            Some(rest) => (rest, true),
            None if text.starts_with('/') && !text.starts_with("//") => (text, false),
            None => return None,
        };
        let published = self.paths.first().map(|path| path.trim_end_matches('/'));
        let path = match (&self.back_end_path, published) {
            (Some(inside), Some(published)) => match rest.strip_prefix(inside.as_str()) {
                Some(below) if below.is_empty() || below.starts_with(['/', '?', '#']) => format!("{published}{below}"),
                _ => rest.to_owned(),
            },
            _ => rest.to_owned(),
        };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        HeaderValue::from_str(&if whole { format!("https://{host}{port}{path}") } else { path }).ok()
    }
}

/// A span for timers.
#[must_use]
pub fn seconds(span: Span) -> Duration {
    Duration::from_secs(u64::try_from(span.secs()).unwrap_or_default())
}
