//! Statements over many rows.
//!
//! A statement stays prepared as long as its text stays the same. Row counts are therefore powers of two: a handful
//! of texts serves groups of every size.

use std::sync::{Arc, OnceLock};

use sqlx::AssertSqlSafe;

/// The most rows of one statement.
const MAX_ROWS: usize = 64;
const SIZES: usize = MAX_ROWS.ilog2() as usize + 1;

/// A statement whose `values` list has any number of rows.
pub(super) struct Rows {
    head: &'static str,
    row: &'static str,
    tail: &'static str,
    texts: [OnceLock<Arc<str>>; SIZES],
}

impl Rows {
    /// `head`, then rows that look like `row`, each of its `?` one bound value, then `tail`, which binds none.
    pub(super) const fn new(head: &'static str, row: &'static str, tail: &'static str) -> Self {
        Self {
            head,
            row,
            tail,
            texts: [const { OnceLock::new() }; SIZES],
        }
    }

    /// The text for `count` rows, a power of two up to [`MAX_ROWS`].
    pub(super) fn text(&self, count: usize) -> AssertSqlSafe<Arc<str>> {
        debug_assert!(count.is_power_of_two() && count <= MAX_ROWS);
        let text = self.texts[count.ilog2() as usize].get_or_init(|| {
            // Values have no number: the driver looks up each number's name by walking a list of all, and with a thousand of
            // them that took a third of a commit.
            let mut text = self.head.to_owned();
            for row in 0..count {
                text.push_str(if row == 0 { " " } else { ", " });
                text.push_str(self.row);
            }
            text.push(' ');
            text.push_str(self.tail);
            text.into()
        });
        // Safe: made of string literals.
        AssertSqlSafe(Arc::clone(text))
    }
}

/// Cuts `rows` into pieces filled up to a power of two by repeating their last row: for statements that don't mind
/// seeing a row twice.
pub(super) fn padded<T>(rows: &[T]) -> impl Iterator<Item = (usize, impl Iterator<Item = &T>)> {
    rows.chunks(MAX_ROWS).map(|chunk| {
        let len = chunk.len().next_power_of_two();
        let last = std::iter::repeat(&chunk[chunk.len() - 1]); // a chunk is never empty
        (len, chunk.iter().chain(last).take(len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_as_many_rows_as_asked_for() {
        static ROWS: Rows = Rows::new(
            "insert into t (a, b) values",
            "(?, cast(? as bigint))",
            "returning a",
        );
        let AssertSqlSafe(text) = ROWS.text(2);
        assert_eq!(
            &*text,
            "insert into t (a, b) values (?, cast(? as bigint)), (?, cast(? as bigint)) returning a"
        );
    }

    #[test]
    fn every_row_is_in_one_piece_and_in_order() {
        for n in [0, 1, 2, 3, 63, 64, 65, 127, 128, 200] {
            let rows: Vec<usize> = (0..n).collect();
            let mut seen: Vec<usize> = padded(&rows).flat_map(|(_, rows)| rows).copied().collect();
            seen.dedup();
            assert_eq!(seen, rows);
            assert!(padded(&rows).all(|(len, rows)| len == rows.count() && len.is_power_of_two()));
        }
    }
}
