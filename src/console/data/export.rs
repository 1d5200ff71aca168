//! The log as a file, written while it is read: no more than a page of it is in memory.

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use crate::message::Entry;
use crate::spreadsheet;
use crate::store::{Filter, Store, StoreError};

/// Rows that are read at once.
const ROWS: usize = 500;

/// Pages that are ready before somebody takes them.
const AHEAD: usize = 1;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum Format {
    /// For spreadsheets: UTF-8 with a byte-order mark.
    Csv,
    /// One JSON object a line, as `wxreply log --format jsonl` has it.
    Jsonl,
}

/// The form of an export.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct FormatQuery {
    /// The form.
    #[param(inline)]
    pub format: Format,
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub(in crate::console) enum ExportError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row can't be written in this form.
    #[error("a row can't be written: {0}")]
    Row(String),
}

/// All rows that the filter lets through, the newest first, in pieces. Reading ends when nobody takes them.
pub(in crate::console) fn export(
    store: Store,
    filter: Filter,
    format: Format,
) -> mpsc::Receiver<Result<Bytes, ExportError>> {
    let (pieces, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let mut cursor = None;
        let mut first = true;
        loop {
            let page = store.search(&filter, cursor.as_ref(), ROWS).await;
            let written = page.map_err(ExportError::from).and_then(|page| {
                cursor = page.next;
                write(&page.entries, format, std::mem::take(&mut first))
            });
            let failed = written.is_err();
            // A page without rows has nothing to send, but whoever left is noticed all the same.
            let empty = written.as_ref().is_ok_and(Vec::is_empty);
            let left = match empty {
                true => pieces.is_closed(),
                false => pieces.send(written.map(Bytes::from)).await.is_err(),
            };
            if left || failed || cursor.is_none() {
                return;
            }
        }
    });
    receiver
}

/// Writes a page; the first begins the file.
fn write(entries: &[Entry], format: Format, first: bool) -> Result<Vec<u8>, ExportError> {
    let mut out = Vec::new();
    let row = |error: &dyn std::fmt::Display| ExportError::Row(error.to_string());
    match format {
        Format::Jsonl => {
            for entry in entries {
                serde_json::to_writer(&mut out, entry).map_err(|error| row(&error))?;
                out.push(b'\n');
            }
        }
        Format::Csv => {
            if first {
                out.extend_from_slice(spreadsheet::BYTE_ORDER_MARK.as_bytes());
            }
            let mut csv = csv::Writer::from_writer(out);
            if first {
                csv.write_record(spreadsheet::COLUMNS)
                    .map_err(|error| row(&error))?;
            }
            for entry in entries {
                let record = spreadsheet::record(entry).map_err(|error| row(&error))?;
                csv.write_record(record).map_err(|error| row(&error))?;
            }
            out = csv.into_inner().map_err(|error| row(&error))?;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Direction, Fields};

    fn entry(content: &str) -> Entry {
        Entry {
            id: crate::message::MessageId::new(1_732_250_000, 7),
            time: "2026-01-05T02:00:00Z".parse().expect("a time"),
            app: "shop".into(),
            direction: Direction::In,
            openid: "oAlice".into(),
            msg_type: "text".to_owned(),
            event: None,
            content: Some(content.to_owned()),
            fields: Fields::new(),
            rule: Some("价格".into()),
            rule_set: None,
            status: "matched".to_owned(),
            reply_to: None,
            attempts: 0,
            errcode: Some(-1),
            error: None,
            author: None,
        }
    }

    #[test]
    fn a_file_begins_once() {
        let first = write(&[entry("一,\"二\"")], Format::Csv, true).expect("writable");
        let text = String::from_utf8(first).expect("UTF-8");
        assert!(text.starts_with("\u{feff}id,time,app,"), "{text}");
        assert!(text.contains("\"一,\"\"二\"\"\""), "{text}");
        let second = write(&[entry("三")], Format::Csv, false).expect("writable");
        assert_eq!(String::from_utf8(second).expect("UTF-8").lines().count(), 1);
        let lines = write(&[entry("a\nb"), entry("c")], Format::Jsonl, true).expect("writable");
        let lines = String::from_utf8(lines).expect("UTF-8");
        let rows: Vec<Entry> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(rows, [entry("a\nb"), entry("c")]);
    }
}
