//! Between columns and types. What a column can't mean is an error that names it.

use std::fmt::Display;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::StoreError;

/// Whatever has read a row: the driver, or who does without.
pub(super) trait Columns {
    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError>;
    fn text(&self, column: usize) -> Result<Option<String>, StoreError>;
}

impl Columns for SqliteRow {
    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(column)?)
    }
}

impl Columns for rusqlite::Row<'_> {
    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.get(column)?)
    }

    fn text(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.get(column)?)
    }
}

/// Reads a row's columns from left to right.
pub(super) struct Cells<'r, R = SqliteRow> {
    row: &'r R,
    next: usize,
}

impl<'r, R: Columns> Cells<'r, R> {
    pub(super) fn of(row: &'r R) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn integer(&mut self) -> Result<Option<i64>, StoreError> {
        let column = self.pass();
        self.row.integer(column)
    }

    pub(super) fn text(&mut self) -> Result<Option<String>, StoreError> {
        let column = self.pass();
        self.row.text(column)
    }

    pub(super) fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    fn pass(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }
}

impl<'r> Cells<'r> {
    pub(super) fn next<T: Decode<'r, Sqlite> + Type<Sqlite>>(&mut self) -> Result<T, StoreError> {
        let column = self.pass();
        Ok(self.row.try_get(column)?)
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
