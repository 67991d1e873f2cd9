//! Opening a database on a server: settings, version, schema.

use tokio_postgres::Client as Inner;

use super::{
    client::{Address, Client},
    readers::Readers,
    session::Session,
    statement::{Described, refused},
};
use crate::{
    error::StoreError,
    migrations::{self, Applied, Migration},
    ports::Result,
    sql::{
        connection::Connection,
        database::{Database, Readers as AnyReaders},
    },
};

/// Earlier servers lack `pg_xact_status` on 64-bit numbers.
const NEEDED: i32 = 130_000;

const READERS: usize = 3;

/// Processes that start together bring the schema up to date one after the other. The number means nothing.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7214011953)";

/// The schema, oldest first.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "first", sql: include_str!("../../migrations/postgres/0001_first.sql") },
    Migration { version: 2, name: "people", sql: include_str!("../../migrations/postgres/0002_people.sql") },
    Migration { version: 3, name: "fewer-indices", sql: include_str!("../../migrations/postgres/0003_fewer_indices.sql") },
    Migration { version: 4, name: "fleet", sql: include_str!("../../migrations/postgres/0004_fleet.sql") },
    Migration {
        version: 5,
        name: "enrollments of a device",
        sql: include_str!("../../migrations/postgres/0005_enrollments_of_device.sql"),
    },
    Migration { version: 6, name: "notices", sql: include_str!("../../migrations/postgres/0006_notices.sql") },
    Migration { version: 7, name: "counts", sql: include_str!("../../migrations/postgres/0007_counts.sql") },
    Migration { version: 8, name: "nodes", sql: include_str!("../../migrations/postgres/0008_nodes.sql") },
    Migration { version: 9, name: "delivery", sql: include_str!("../../migrations/postgres/0009_delivery.sql") },
    Migration { version: 10, name: "invitations", sql: include_str!("../../migrations/postgres/0010_invitations.sql") },
];

/// Opens the database at a URL (`postgres://user@host/database`, or key-value pairs as libpq reads them; `sslrootcert` names the
/// file with the certificates to trust and demands TLS) and brings its schema up to date. The database must exist.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// [`StoreError::Open`], [`StoreError::Migrate`].
pub async fn open(url: &str) -> Result<Database> {
    let address = prepare(url).await?.0;
    Ok(Database::start(
        Connection::Postgres(Box::new(Session::new(address.clone()))),
        AnyReaders::Postgres(Box::new(Readers::new(address, READERS))),
    ))
}

/// A connection of its own to a database whose schema is up to date.
pub(crate) async fn connect(url: &str) -> Result<Inner> {
    Ok(prepare(url).await?.1.inner)
}

/// Connects, checks the version and brings the schema up to date.
async fn prepare(url: &str) -> Result<(Address, Client)> {
    let shown = without_password(url);
    let cannot = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open { path: shown.clone(), source };
    let address = Address::parse(url).map_err(cannot)?;
    let mut client = Client::connect(&address).await.map_err(|error| {
        if refused(&error) {
            tracing::error!("the database server refused user or password");
        }
        cannot(Described::from(error).into())
    })?;
    check_version(&client.inner).await.map_err(cannot)?;
    migrate(&mut client.inner).await?;
    Ok((address, client))
}

/// The address without what nobody else may know.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "the database server".to_owned() };
    let rest = rest.split('?').next().unwrap_or_default();
    match rest.rsplit_once('@') {
        None => format!("{scheme}://{rest}"),
        Some((login, place)) => format!("{scheme}://{}@{place}", login.split(':').next().unwrap_or_default()),
    }
}

async fn check_version(client: &Inner) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let row = client.query_one("SELECT CAST(current_setting('server_version_num') AS INTEGER)", &[]).await?;
    let found: i32 = row.try_get(0)?;
    if found >= NEEDED { Ok(()) } else { Err(format!("PostgreSQL {} is too old, at least 13 is needed", found / 10_000).into()) }
}

/// Brings the schema up to date, all of it or nothing.
async fn migrate(client: &mut Inner) -> Result<()> {
    let failed = |source: tokio_postgres::Error| StoreError::Migrate { source: Described::from(source).into() };
    let transaction = client.transaction().await.map_err(failed)?;
    transaction.batch_execute(LOCK).await.map_err(failed)?;
    transaction.batch_execute(migrations::table!("BYTEA")).await.map_err(failed)?;
    let rows = transaction.query(migrations::LIST, &[]).await.map_err(failed)?;
    let applied = rows.iter().map(|row| Ok(Applied { version: row.try_get(0)?, digest: row.try_get(1)? }));
    let applied = applied.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    for migration in migrations::missing(MIGRATIONS, &applied)? {
        transaction.batch_execute(migration.sql).await.map_err(failed)?;
        let digest = migration.digest();
        transaction
            .execute(migrations::RECORD, &[&migration.version, &migration.name, &digest.as_slice()])
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://u:secret@h:5432/d?sslmode=require", "postgres://u@h:5432/d"),
            ("postgres://u:a@b@h/d", "postgres://u@h/d"),
            ("postgres://h/d", "postgres://h/d"),
            ("host=h password=secret", "the database server"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
