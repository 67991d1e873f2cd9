//! One connection to the server, with the statements it has prepared.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_postgres::{Client as Inner, Config, Statement, config::SslMode};

use super::{
    statement::{fault, rows},
    tls::Tls,
};
use crate::sql::{
    connection::Done,
    value::{Row, Value},
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// A lost connection is noticed by the system after about this long.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Settings of every session: a commit is durable before it is told, a statement in another node's way does not wait for ever.
const SETTINGS: &str = "SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write'); SET lock_timeout TO '20s'; SET idle_in_transaction_session_timeout TO '60s'; \
    SET client_min_messages TO warning; SET default_transaction_isolation TO 'read committed'";

/// Where and how to connect.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Tls,
}

impl Address {
    /// Reads a URL, or key-value pairs, as libpq does. `sslrootcert` names the file with the certificates to trust; with it TLS is
    /// demanded.
    pub(super) fn parse(url: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (url, roots) = without_roots(url);
        let mut config: Config = url.parse()?;
        config.connect_timeout(CONNECT).keepalives_idle(KEEPALIVE).application_name("lanyard");
        // A replica may lag behind: a challenge that was used would look unused there.
        config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        if roots.is_some() {
            config.ssl_mode(SslMode::Require);
        } else if config.get_ssl_mode() == SslMode::Prefer {
            // Nothing says whom to trust: TLS that anybody could end would only look safe.
            config.ssl_mode(SslMode::Disable);
        }
        Ok(Self { config, tls: Tls::new(roots.as_deref())? })
    }
}

/// Takes `sslrootcert` out of the URL's query, since the driver does not know it.
fn without_roots(url: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut roots = None;
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.strip_prefix("sslrootcert=") {
            Some(path) => roots = Some(path.to_owned()),
            None => kept.push(pair),
        }
    }
    let url = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    (url, roots)
}

/// A prepared statement and the names of its columns.
#[derive(Clone)]
pub(super) struct Prepared {
    statement: Statement,
    columns: Arc<[String]>,
}

/// A connection. Calls made at the same time travel together.
pub(super) struct Client {
    pub(super) inner: Inner,
    prepared: Mutex<HashMap<&'static str, Prepared>>,
}

impl Client {
    /// Connects.
    pub(super) async fn connect(address: &Address) -> Result<Self, tokio_postgres::Error> {
        let (inner, connection) = address.config.connect(address.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "a connection to the database server ended");
            }
        });
        inner.batch_execute(SETTINGS).await?;
        Ok(Self { inner, prepared: Mutex::new(HashMap::new()) })
    }

    pub(super) async fn prepare(&self, sql: &'static str) -> Result<Prepared, tokio_postgres::Error> {
        if let Some(known) = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return Ok(known.clone());
        }
        let statement = self.inner.prepare(sql).await?;
        let columns = statement.columns().iter().map(|c| c.name().to_owned()).collect();
        let prepared = Prepared { statement, columns };
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, prepared.clone());
        Ok(prepared)
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) async fn execute(&self, sql: &'static str, args: &[Value]) -> Done<u64> {
        let prepared = self.prepare(sql).await.map_err(fault)?;
        self.inner.execute_raw(&prepared.statement, args).await.map_err(fault)
    }

    /// Runs a statement and returns its rows.
    pub(super) async fn fetch(&self, sql: &'static str, args: &[Value]) -> Done<Vec<Row>> {
        let prepared = self.prepare(sql).await.map_err(fault)?;
        let args: Vec<_> = args.iter().map(|value| value as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
        let found = self.inner.query(&prepared.statement, &args).await.map_err(fault)?;
        rows(&prepared.columns, &found).map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_roots_is_taken_out_of_the_url() {
        for (url, rest, roots) in [
            ("postgres://u@h/d", "postgres://u@h/d", None),
            ("postgres://u@h/d?sslrootcert=/a.pem", "postgres://u@h/d", Some("/a.pem")),
            ("postgres://u@h/d?connect_timeout=3&sslrootcert=/a.pem", "postgres://u@h/d?connect_timeout=3", Some("/a.pem")),
        ] {
            assert_eq!(without_roots(url), (rest.to_owned(), roots.map(str::to_owned)), "{url}");
        }
    }
}
