//! Opens a PostgreSQL database, listens on it, and compares its clock with ours.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres, Transaction};

use super::error::Error;
use super::sqlite::explain_migration;
use super::{BUSY_MAX, look, wake};
use crate::clock::{Clock, instant_now};
use crate::crash::{self, Point};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The oldest release that its makers still mend.
const VERSION_MIN: u32 = 14;
const CONNECTIONS_MAX: u32 = 10;
/// How often the clocks are compared at a time; the quickest answer is the most exact.
const CLOCK_SAMPLES: u32 = 3;

/// A replica that stands still within a transaction loses it after this, so that another one is not held up by its locks for
/// longer than a lease. The library's own tests play on machines that stand still for longer, with nobody else there.
const STANDSTILL_MAX: &str = if cfg!(test) { "5min" } else { "5s" };

/// How long a server may take to answer a new connection, and a connection to be free.
const ANSWER_MAX: Duration = if cfg!(test) { Duration::from_mins(5) } else { BUSY_MAX };

#[derive(Clone, Debug)]
pub(super) struct Server {
    name: String,
    pool: PgPool,
}

impl Server {
    pub(super) async fn open(url: &str) -> Result<Self, Error> {
        let (name, options, mut conn) = Self::reach(url).await?;
        // The migrator takes an advisory lock: replicas that start together take turns.
        crash::at(Point::MigrationNext);
        MIGRATIONS.run_direct(None, &mut conn, false).await.map_err(|error| explain_migration(error, &MIGRATIONS))?;
        crash::at(Point::Migrated);
        conn.close().await?;
        Self::pooled(name, options).await
    }

    /// As the user of the URL, who need not be allowed to write.
    pub(super) async fn open_to_read(url: &str) -> Result<Self, Error> {
        let (name, options, mut conn) = Self::reach(url).await?;
        let applied: Vec<(i64,)> = sqlx::query_as(look::APPLIED).fetch_all(&mut conn).await.or_else(no_table)?;
        look::refuse_other_schema(&MIGRATIONS, &applied)?;
        conn.close().await?;
        Self::pooled(name, options.options([("default_transaction_read_only", "on")])).await
    }

    async fn reach(url: &str) -> Result<(String, PgConnectOptions, PgConnection), Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| match error {
                sqlx::Error::Configuration(why) => Error::BadUrl { why: why.to_string() },
                error => Error::BadUrl { why: error.to_string() },
            })?
            .application_name("firebell")
            .options([("idle_in_transaction_session_timeout", STANDSTILL_MAX)])
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let name = name(&options);
        let mut conn = connect(&name, &options).await?;
        refuse_old(&name, &mut conn).await?;
        Ok((name, options, conn))
    }

    async fn pooled(name: String, options: PgConnectOptions) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .min_connections(1)
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ANSWER_MAX)
            .connect_with(options)
            .await
            .map_err(|error| explain(&name, error))?;
        Ok(Self { name, pool })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn write(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    pub(super) async fn read(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    async fn begin(&self, statement: &'static str) -> Result<Transaction<'static, Postgres>, Error> {
        self.pool.begin_with(statement).await.map_err(|error| explain(&self.name, error))
    }

    pub(super) async fn listener(&self) -> Result<PgListener, Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(wake::CHANNEL).await?;
        Ok(listener)
    }

    /// Half of the round trip is taken for the way there; the error is at most that half.
    pub(super) async fn clock_offset(&self, clock: &Clock) -> Result<TimeDelta, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut best = None;
        for _ in 0..CLOCK_SAMPLES {
            let (before, started) = (clock.now(), instant_now());
            let theirs = server_time(&mut conn).await?;
            let trip = started.elapsed();
            let half = TimeDelta::from_std(trip / 2).unwrap_or_default();
            if best.is_none_or(|(quickest, _)| trip < quickest) {
                best = Some((trip, theirs - (before + half)));
            }
        }
        Ok(best.map_or_else(TimeDelta::zero, |(_, offset)| offset))
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await.map_err(|error| explain(&self.name, error))?;
        conn.ping().await.map_err(|error| explain(&self.name, error))
    }

    /// Gives the room of old row versions back for others to be written over. The server itself decides when.
    pub(super) async fn scrub(&self) -> Result<Option<String>, Error> {
        let mut conn = self.pool.acquire().await?;
        sqlx::raw_sql(
            "VACUUM history, incidents, substitutes, outbox, inbox, people, user_groups, captures, settings, said",
        )
        .execute(&mut *conn)
        .await?;
        Ok(None)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// No migrations where there is no table of them (undefined_table); any other failure stays one.
fn no_table(error: sqlx::Error) -> Result<Vec<(i64,)>, sqlx::Error> {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
        Some("42P01") => Ok(Vec::new()),
        _ => Err(error),
    }
}

/// `user@host:port/database`.
pub(super) fn name(options: &PgConnectOptions) -> String {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    format!("{}@{place}/{database}", options.get_username())
}

pub(super) async fn connect(name: &str, options: &PgConnectOptions) -> Result<PgConnection, Error> {
    match tokio::time::timeout(ANSWER_MAX, options.connect()).await {
        Ok(connected) => connected.map_err(|error| explain(name, error)),
        Err(_) => Err(Error::Unreachable { server: name.to_owned(), why: "no answer within 5 s".into() }),
    }
}

pub(super) async fn refuse_old(name: &str, conn: &mut PgConnection) -> Result<(), Error> {
    let (found, number): (String, i32) =
        sqlx::query_as("SELECT current_setting('server_version'), current_setting('server_version_num')::int")
            .fetch_one(conn)
            .await
            .map_err(|error| explain(name, error))?;
    if is_old(number) {
        return Err(Error::PostgresTooOld { server: name.to_owned(), found, needed: VERSION_MIN });
    }
    Ok(())
}

/// Whether a `server_version_num`, such as 150004 for 15.4, is below [`VERSION_MIN`].
fn is_old(version_number: i32) -> bool {
    u32::try_from(version_number / 10_000).unwrap_or(0) < VERSION_MIN
}

/// Says what a failure to connect means.
fn explain(name: &str, error: sqlx::Error) -> Error {
    let server = name.to_owned();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned);
    let why = error.as_database_error().map(|error| error.message().to_owned());
    match (code.as_deref(), why) {
        (Some("28P01" | "28000"), Some(why)) => Error::LoginRefused { server, why },
        (Some("3D000"), _) => {
            let database = name.rsplit('/').next().unwrap_or_default().to_owned();
            Error::NoSuchDatabase { server, database }
        }
        (Some(code), Some(why)) if code.starts_with("57P") || code.starts_with("53") => {
            Error::Unreachable { server, why }
        }
        _ => match error {
            sqlx::Error::Io(why) => Error::Unreachable { server, why: why.to_string() },
            sqlx::Error::Tls(why) => Error::Unreachable { server, why: why.to_string() },
            sqlx::Error::PoolTimedOut => Error::Unreachable { server, why: "no free connection within 5 s".into() },
            error => Error::from(error),
        },
    }
}

/// What the server's clock shows, to the microsecond.
pub(super) async fn server_time(conn: &mut PgConnection) -> Result<DateTime<Utc>, Error> {
    let (us,): (i64,) = sqlx::query_as("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .fetch_one(&mut *conn)
        .await?;
    super::tx::instant("clock", "server", us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_no_longer_mended_is_refused() {
        assert!(is_old(90_624) && is_old(130_020));
        assert!(!is_old(140_000) && !is_old(180_001));
    }

    #[test]
    fn the_name_of_a_server_shows_no_password() {
        let options = PgConnectOptions::from_str("postgres://ana:hunter2@db.example:5433/bell").expect("a URL");
        assert_eq!(name(&options), "ana@db.example:5433/bell");
    }
}
