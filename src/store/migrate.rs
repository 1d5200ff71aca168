//! The tables of this version: made, brought up to date, or found to be another version's.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use super::OpenError;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Makes the database if need be, and brings its tables up to date.
pub(super) async fn migrate(path: &Path, options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let fault = |what: &str, error: &dyn std::fmt::Display| {
        OpenError(format!("the database {} {what}: {error}", path.display()))
    };
    create(path).map_err(|error| fault("can't be made", &error))?;
    let options = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        // Closing flushes all at once; a migration that is lost with the power is done again.
        .synchronous(SqliteSynchronous::Normal);
    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| fault("can't be opened", &error))?;
    MIGRATIONS.run(&mut conn).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::VersionMissing(_) | sqlx::migrate::MigrateError::VersionMismatch(_) => {
            fault(
                "was made by another version of wxreply; run that or a newer one",
                &error,
            )
        }
        error => fault("can't be brought up to date", &error),
    })?;
    conn.close()
        .await
        .map_err(|error| fault("can't be closed", &error))
}

/// Makes the file unless it is there.
pub(super) fn create(path: &Path) -> std::io::Result<()> {
    match create_private(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes a new, empty file that only its owner can read: it will hold customers' messages and access tokens. SQLite
/// gives its side files the same rights.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop)
}

/// Whether a file has the very tables that these migrations make.
pub(super) async fn is_migrated(
    options: &SqliteConnectOptions,
    migrations: &Migrator,
) -> Result<bool, sqlx::Error> {
    let mut conn = SqliteConnection::connect_with(&options.clone().read_only(true)).await?;
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
            .fetch_all(&mut conn)
            .await?;
    conn.close().await?;
    Ok(applied
        .iter()
        .map(|(version, checksum)| (*version, &checksum[..]))
        .eq(migrations.iter().map(|own| (own.version, &own.checksum[..]))))
}

/// Sees to it that a command and the daemon mean the same tables.
pub(super) async fn compare(path: &Path, options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let path = path.display();
    if !matches!(std::fs::metadata(options.get_filename()), Ok(file) if file.is_file()) {
        return Err(OpenError(format!(
            "there is no database at {path}; `wxreply serve` makes it when it first starts"
        )));
    }
    let same = is_migrated(options, &MIGRATIONS).await.map_err(|error| {
        OpenError(format!(
            "the database {path} can't be read; is it wxreply's? ({error})"
        ))
    })?;
    if same {
        Ok(())
    } else {
        Err(OpenError(format!(
            "the database {path} belongs to another version of wxreply than this one ({}); run the same version as \
             the daemon, or restart the daemon with this one",
            env!("CARGO_PKG_VERSION")
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sqlx::{AssertSqlSafe, Executor};

    use super::super::queue::unsent;
    use super::*;
    use crate::clock::SystemClock;
    use crate::metrics::Metrics;
    use crate::store::testing::Bench;
    use crate::store::{Access, Store};

    #[test]
    fn every_migration_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|file| file.expect("readable").path())
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).expect("readable"))
            })
            .collect();
        files.sort();
        let compiled: Vec<(String, String)> = MIGRATIONS
            .iter()
            .map(|own| {
                let name = format!("{:04}_{}.sql", own.version, own.description.replace(' ', "_"));
                (name, own.sql.as_str().to_owned())
            })
            .collect();
        assert_eq!(files, compiled);
    }

    #[tokio::test]
    async fn the_database_is_safe_against_a_power_cut_and_strict() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        let mut raw = bench.raw().await;
        let mode: String = sqlx::query_scalar("pragma journal_mode")
            .fetch_one(&mut raw)
            .await
            .expect("read");
        assert_eq!(mode, "wal");
        let loose: Vec<String> = sqlx::query_scalar(
            "select name from pragma_table_list where type = 'table' and schema = 'main' and strict = 0 \
             and name not like 'sqlite_%' and name <> '_sqlx_migrations'",
        )
        .fetch_all(&mut raw)
        .await
        .expect("read");
        assert_eq!(loose, Vec::<String>::new());
        let wrong = sqlx::query("update messages set status = 'sent' where direction = 'in'")
            .execute(&mut raw)
            .await;
        assert!(wrong.is_err(), "an inbound row can't be `sent`");
    }

    #[tokio::test]
    async fn conditions_in_other_words_hold_for_the_rows_that_are_there_and_for_new_ones() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let mut conn = SqliteConnection::connect(&url).await.expect("opens");
        let row = |id: i64, direction: &str, status: &str| {
            AssertSqlSafe(format!(
                "insert into messages (id, app, openid, direction, time, msg_type, fields, status, dedup_key, due, queued_at, turn) \
                 values ({id}, 'shop', 'oAnn', '{direction}', 7, 'text', '{{}}', '{status}', 'k', 1, 1, 1)"
            ))
        };
        let (before, after): (Vec<_>, Vec<_>) = MIGRATIONS.iter().partition(|own| own.version < 8);
        for migration in before {
            sqlx::raw_sql(migration.sql.clone())
                .execute(&mut conn)
                .await
                .expect("migrates");
        }
        for (id, status) in [(2, "failed"), (3, "sent"), (4, "dropped"), (5, "uncertain")] {
            conn.execute(row(id, "out", status)).await.expect("inserted");
        }
        let mut transaction = conn.begin().await.expect("begun");
        for migration in after {
            let done = sqlx::raw_sql(migration.sql.clone())
                .execute(&mut *transaction)
                .await;
            done.expect("migrates");
        }
        transaction.commit().await.expect("committed");

        let sound: String = sqlx::query_scalar("pragma integrity_check")
            .fetch_one(&mut conn)
            .await
            .expect("read");
        assert_eq!(sound, "ok");
        let listed: Vec<i64> = sqlx::query_scalar(concat!(
            "select id from messages where ",
            unsent!(),
            " order by id"
        ))
        .fetch_all(&mut conn)
        .await
        .expect("read");
        assert_eq!(listed, [2, 4, 5]);
        let statuses = [
            ("in", ["matched", "unmatched", "cooldown", "muted", "malformed"]),
            ("out", ["queued", "sent", "failed", "dropped", "uncertain"]),
        ];
        let mut id = 10;
        for (direction, fit) in statuses {
            for status in statuses
                .iter()
                .flat_map(|(_, statuses)| statuses)
                .chain(&["nonsense"])
            {
                id += 1;
                let inserted = conn.execute(row(id, direction, status)).await;
                assert_eq!(inserted.is_ok(), fit.contains(status), "{direction} {status}");
            }
        }
        for direction in ["IN", "sideways", ""] {
            assert!(
                conn.execute(row(1, direction, "matched")).await.is_err(),
                "{direction}"
            );
        }
        for (direction, needed) in [("in", &["dedup_key"][..]), ("out", &["due", "queued_at", "turn"])] {
            for column in ["dedup_key", "due", "queued_at", "turn"] {
                let emptied =
                    format!("update or fail messages set {column} = null where direction = '{direction}'");
                let emptied = conn.execute(AssertSqlSafe(emptied)).await;
                assert_eq!(emptied.is_err(), needed.contains(&column), "{direction} {column}");
            }
        }
        let schema: String = sqlx::query_scalar("select sql from sqlite_schema where name = 'messages'")
            .fetch_one(&mut conn)
            .await
            .expect("read");
        assert!(!schema.contains("case") && !schema.contains(" in ("), "{schema}");
    }

    #[tokio::test]
    async fn another_versions_database_is_refused() {
        let bench = Bench::new().await;
        let mut raw = bench.raw().await;
        sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             values (9999, 'of the future', true, x'00', 0)",
        )
        .execute(&mut raw)
        .await
        .expect("written");
        let open = async |access| {
            let opened = Store::open(
                &bench.url(),
                access,
                Arc::new(SystemClock),
                Arc::new(Metrics::new()),
            )
            .await;
            opened.map(drop).map_err(|error| error.to_string())
        };
        let error = open(Access::Command).await.expect_err("newer");
        assert!(error.contains("belongs to another version of wxreply"), "{error}");
        let error = open(Access::Daemon).await.expect_err("newer");
        assert!(
            error.contains("was made by another version of wxreply"),
            "{error}"
        );
    }
}
