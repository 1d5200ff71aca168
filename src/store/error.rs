//! What can go wrong with a database, and whether it goes wrong for everybody.

use std::sync::Arc;

/// Why the database can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(pub String);

/// Why a statement failed. Cheap to clone: all who wait for one commit are given its error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The driver's words.
    #[error(transparent)]
    Sqlx(Arc<sqlx::Error>),
    /// The words of whoever speaks to the writing connection without the driver.
    #[error(transparent)]
    Direct(Arc<rusqlite::Error>),
    /// A row that makes no sense.
    #[error("{table}.{column} of row {row} makes no sense: {error}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong with it.
        error: String,
    },
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
}

// SQLite's result codes (sqlite.org/rescode.html).
const ERROR: i32 = 1;
const CORRUPT: i32 = 11;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const NOTADB: i32 = 26;

/// The low byte is the primary code.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<i32> {
    let code: Option<i32> = error.code().and_then(|code| code.parse().ok());
    code.map(|code| code & 0xff)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed => Self::Closed,
            error => Self::Sqlx(Arc::new(error)),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Direct(Arc::new(error))
    }
}

impl StoreError {
    /// Whether a database's file is not what it should be, so that only a new one helps: a corrupt page, a file of another
    /// kind, a table that is not there.
    pub(super) fn is_broken_file(&self) -> bool {
        let Self::Sqlx(error) = self else {
            return false;
        };
        let Some(error) = error.as_database_error() else {
            return false;
        };
        match primary_code(error) {
            Some(CORRUPT | NOTADB) => true,
            // A word for many things, most of which pass.
            Some(ERROR) => error.message().starts_with("no such table"),
            _ => false,
        }
    }

    /// Whether the fault lies with the database and not with what was asked of it: then asking for less does not
    /// help, and the connection is better opened again.
    pub(super) fn is_everyones(&self) -> bool {
        // What one request can bring about by itself.
        let its_own = |code| matches!(code, Some(ERROR | TOOBIG | CONSTRAINT | MISMATCH));
        match self {
            Self::Closed => true,
            Self::Corrupt { .. } => false,
            Self::Direct(error) => match &**error {
                rusqlite::Error::SqliteFailure(error, _) => !its_own(Some(error.extended_code & 0xff)),
                _ => false,
            },
            Self::Sqlx(error) => match &**error {
                sqlx::Error::Database(error) => !its_own(primary_code(&**error)),
                sqlx::Error::Encode(_)
                | sqlx::Error::Decode(_)
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::RowNotFound => false,
                _ => true,
            },
        }
    }
}
