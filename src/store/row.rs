//! Between columns and types. What a column can't mean is an error that names it.

use std::fmt::Display;

use jiff::Timestamp;
use rusqlite::types::FromSql;
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::StoreError;

/// Reads a row's columns from left to right.
pub(super) struct Cells<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl<'r> Cells<'r> {
    pub(super) fn of(row: &'r SqliteRow) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn next<T: Decode<'r, Sqlite> + Type<Sqlite>>(&mut self) -> Result<T, StoreError> {
        let value = self.row.try_get(self.next)?;
        self.next += 1;
        Ok(value)
    }
}

/// A row's columns from left to right, whoever has read it.
pub(super) trait Columns {
    fn integer(&mut self) -> Result<Option<i64>, StoreError>;
    fn text(&mut self) -> Result<Option<String>, StoreError>;
    fn skip(&mut self, columns: usize);
}

impl Columns for Cells<'_> {
    fn integer(&mut self) -> Result<Option<i64>, StoreError> {
        self.next()
    }

    fn text(&mut self) -> Result<Option<String>, StoreError> {
        self.next()
    }

    fn skip(&mut self, columns: usize) {
        self.next += columns;
    }
}

/// A row that was read without the driver.
pub(super) struct DirectCells<'r> {
    row: &'r rusqlite::Row<'r>,
    next: usize,
}

impl<'r> DirectCells<'r> {
    pub(super) fn of(row: &'r rusqlite::Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    fn value<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let value = self.row.get(self.next)?;
        self.next += 1;
        Ok(value)
    }
}

impl Columns for DirectCells<'_> {
    fn integer(&mut self) -> Result<Option<i64>, StoreError> {
        self.value()
    }

    fn text(&mut self) -> Result<Option<String>, StoreError> {
        self.value()
    }

    fn skip(&mut self, columns: usize) {
        self.next += columns;
    }
}

/// Where a value stands, for the error that says it makes no sense.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) table: &'static str,
    pub(super) row: &'a dyn Display,
}

impl At<'_> {
    pub(super) fn corrupt(self, column: &'static str, error: impl Display) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            row: self.row.to_string(),
            error: error.to_string(),
        }
    }

    pub(super) fn time(self, column: &'static str, millis: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(millis).map_err(|error| self.corrupt(column, error))
    }

    pub(super) fn json<T: DeserializeOwned>(self, column: &'static str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| self.corrupt(column, error))
    }

    /// A word that stands for one of a few values.
    pub(super) fn word<'a, T: Deserialize<'a>>(
        self,
        column: &'static str,
        word: &'a str,
    ) -> Result<T, StoreError> {
        T::deserialize(StrDeserializer::<serde::de::value::Error>::new(word))
            .map_err(|error| self.corrupt(column, error))
    }

    /// A value that is always there.
    pub(super) fn some<T>(self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column, "it is null"))
    }

    pub(super) fn count(self, column: &'static str, number: i64) -> Result<u32, StoreError> {
        u32::try_from(number).map_err(|error| self.corrupt(column, error))
    }
}

/// A value as the database keeps what has no type of its own there.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()).into())
}

/// The first millisecond that is not before `time`: a bound on a column of milliseconds that means the same as a
/// bound on the exact time.
pub(super) fn ceil_millis(time: Timestamp) -> i64 {
    let nanos = time.as_nanosecond();
    i64::try_from(-(-nanos).div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_rounded_up() {
        for (nanos, millis) in [
            (0, 0),
            (1, 1),
            (999_999, 1),
            (1_000_000, 1),
            (1_000_001, 2),
            (-1, 0),
            (-1_000_001, -1),
        ] {
            let time = Timestamp::from_nanosecond(nanos).expect("in range");
            assert_eq!(ceil_millis(time), millis, "{nanos} ns");
        }
    }
}
