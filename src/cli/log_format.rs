//! The forms in which rows of the log are printed.

use std::io::{BufWriter, Write};

use clap::ValueEnum;
use comfy_table::{Cell, ContentArrangement, Table, presets};
use jiff::tz::TimeZone;

use super::print::{plain, short};
use super::time::show;
use crate::message::{Direction, Entry};
use crate::spreadsheet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people, as wide as the terminal
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
    /// For spreadsheets: UTF-8 with a byte-order mark
    Csv,
}

/// Longer texts are cut in a table; the other formats have them whole.
const TABLE_TEXT: usize = 200;

/// Writes rows in one form.
pub(super) struct Writer<W: Write> {
    form: Form<W>,
    zone: TimeZone,
}

enum Form<W: Write> {
    /// A table is laid out as a whole, when all rows are there.
    Table(Box<Table>, W),
    /// The same, row by row, for rows that keep coming.
    Lines(W),
    Json {
        out: BufWriter<W>,
        empty: bool,
    },
    Jsonl(BufWriter<W>),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Writer<W> {
    /// `follow`: rows keep coming, so that each must be printed at once. `terminal`: a table is as wide as that is.
    pub fn new(
        format: Format,
        follow: bool,
        zone: TimeZone,
        terminal: bool,
        mut out: W,
    ) -> anyhow::Result<Self> {
        let form = match format {
            Format::Table if follow => Form::Lines(out),
            Format::Table => {
                let mut table = Table::new();
                if !terminal {
                    table.force_no_tty();
                }
                table
                    .load_style(presets::NOTHING)
                    .set_content_arrangement(ContentArrangement::Dynamic)
                    .set_header(["id", "time", "app", "", "openid", "message", "rule", "status"]);
                Form::Table(Box::new(table), out)
            }
            Format::Json => Form::Json {
                out: BufWriter::new(out),
                empty: true,
            },
            Format::Jsonl => Form::Jsonl(BufWriter::new(out)),
            Format::Csv => {
                out.write_all(spreadsheet::BYTE_ORDER_MARK.as_bytes())?;
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(spreadsheet::COLUMNS)?;
                Form::Csv(Box::new(csv))
            }
        };
        Ok(Self { form, zone })
    }

    /// Writes rows; all but a table are out when it returns.
    pub fn write(&mut self, entries: &[Entry]) -> anyhow::Result<()> {
        match &mut self.form {
            Form::Table(table, _) => {
                for entry in entries {
                    table.add_row(cells(entry, &self.zone).map(Cell::new));
                }
            }
            Form::Lines(out) => {
                for entry in entries {
                    writeln!(out, "{}", cells(entry, &self.zone).join("  "))?;
                }
                out.flush()?;
            }
            Form::Json { out, empty } => {
                for entry in entries {
                    out.write_all(if std::mem::take(empty) { b"[\n" } else { b",\n" })?;
                    serde_json::to_writer(&mut *out, entry)?;
                }
                out.flush()?;
            }
            Form::Jsonl(out) => {
                for entry in entries {
                    serde_json::to_writer(&mut *out, entry)?;
                    out.write_all(b"\n")?;
                }
                out.flush()?;
            }
            Form::Csv(csv) => {
                for entry in entries {
                    csv.write_record(spreadsheet::record(entry)?)?;
                }
                csv.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what belongs after the last row.
    pub fn finish(self) -> anyhow::Result<()> {
        match self.form {
            Form::Table(table, mut out) if table.is_empty() => writeln!(out, "no such messages")?,
            Form::Table(table, mut out) => writeln!(out, "{}", table.trim_fmt())?,
            Form::Json { mut out, empty } => {
                out.write_all(if empty { b"[]\n" } else { b"\n]\n" })?;
                out.flush()?;
            }
            Form::Lines(_) | Form::Jsonl(_) | Form::Csv(_) => {}
        }
        Ok(())
    }
}

/// A row for people.
fn cells(entry: &Entry, zone: &TimeZone) -> [String; 8] {
    let kind = match &entry.event {
        Some(event) => Some(format!("[{}]", plain(event))),
        None if entry.msg_type == "text" || entry.msg_type.is_empty() => None,
        None => Some(format!("[{}]", plain(&entry.msg_type))),
    };
    let content = entry
        .content
        .as_deref()
        .map(|text| short(&plain(text), TABLE_TEXT).into_owned());
    let message: Vec<_> = kind.into_iter().chain(content).collect();
    let status = match &entry.error {
        Some(error) => format!("{}: {}", entry.status, plain(error)),
        None => entry.status.clone(),
    };
    let way = match entry.direction {
        Direction::In => "→",
        Direction::Out => "←",
    };
    [
        entry.id.to_string(),
        show(entry.time, zone),
        entry.app.to_string(),
        way.to_owned(),
        plain(entry.openid.as_str()).into_owned(),
        message.join(" "),
        entry
            .rule
            .as_ref()
            .map(|rule| plain(rule.as_str()).into_owned())
            .unwrap_or_default(),
        status,
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::message::{Fields, MessageId};

    pub(in crate::cli) fn entry() -> Entry {
        Entry {
            id: MessageId::new(1_780_000_000, 7),
            time: "2026-01-05T10:00:00Z".parse().expect("a time"),
            app: "shop".into(),
            direction: Direction::In,
            openid: "oCustomer".into(),
            msg_type: "text".to_owned(),
            event: None,
            content: Some("=1+1\n几点开门？".to_owned()),
            fields: [("MsgType", "text")].into_iter().collect::<Fields>(),
            rule: Some("营业时间".into()),
            rule_set: Some("abc".into()),
            status: "matched".to_owned(),
            reply_to: None,
            attempts: 0,
            errcode: None,
            error: None,
            author: None,
        }
    }

    fn reply() -> Entry {
        Entry {
            id: entry().id.reply(1),
            direction: Direction::Out,
            content: Some("9:00–21:00".to_owned()),
            status: "failed".to_owned(),
            reply_to: Some(entry().id),
            attempts: 1,
            errcode: Some(45047),
            error: Some("errcode 45047".to_owned()),
            ..entry()
        }
    }

    fn written(format: Format, follow: bool, rows: &[Entry]) -> String {
        let mut out = Vec::new();
        let mut writer = Writer::new(format, follow, TimeZone::UTC, false, &mut out).expect("a writer");
        writer.write(rows).expect("written");
        writer.finish().expect("finished");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_format() {
        let rows = [entry(), reply()];
        insta::assert_snapshot!(written(Format::Table, false, &rows), @"
        id             time                 app      openid     message          rule      status
        0c1k20000003g  2026-01-05 10:00:00  shop  →  oCustomer  =1+1⏎几点开门？  营业时间  matched
        0c1k20000003h  2026-01-05 10:00:00  shop  ←  oCustomer  9:00–21:00       营业时间  failed: errcode 45047
        ");
        insta::assert_snapshot!(written(Format::Table, true, &rows), @"
        0c1k20000003g  2026-01-05 10:00:00  shop  →  oCustomer  =1+1⏎几点开门？  营业时间  matched
        0c1k20000003h  2026-01-05 10:00:00  shop  ←  oCustomer  9:00–21:00  营业时间  failed: errcode 45047
        ");
        insta::assert_snapshot!(written(Format::Jsonl, false, &rows), @r#"
        {"id":"0c1k20000003g","time":"2026-01-05T10:00:00Z","app":"shop","direction":"in","openid":"oCustomer","msg_type":"text","event":null,"content":"=1+1\n几点开门？","fields":{"MsgType":"text"},"rule":"营业时间","rule_set":"abc","status":"matched","reply_to":null,"attempts":0,"errcode":null,"error":null}
        {"id":"0c1k20000003h","time":"2026-01-05T10:00:00Z","app":"shop","direction":"out","openid":"oCustomer","msg_type":"text","event":null,"content":"9:00–21:00","fields":{"MsgType":"text"},"rule":"营业时间","rule_set":"abc","status":"failed","reply_to":"0c1k20000003g","attempts":1,"errcode":45047,"error":"errcode 45047"}
        "#);
        insta::assert_snapshot!(written(Format::Csv, false, &rows), @r#"
        ﻿id,time,app,direction,openid,msg_type,event,content,fields,rule,rule_set,status,reply_to,attempts,errcode,error,author
        0c1k20000003g,2026-01-05T10:00:00Z,shop,in,oCustomer,text,,"'=1+1
        几点开门？","{""MsgType"":""text""}",营业时间,abc,matched,,0,,,
        0c1k20000003h,2026-01-05T10:00:00Z,shop,out,oCustomer,text,,9:00–21:00,"{""MsgType"":""text""}",营业时间,abc,failed,0c1k20000003g,1,45047,errcode 45047,
        "#);
    }

    #[test]
    fn a_json_array_is_one_however_many_rows_there_are() {
        for rows in [vec![], vec![entry()], vec![entry(), reply()]] {
            let array: Vec<Entry> =
                serde_json::from_str(&written(Format::Json, false, &rows)).expect("an array");
            assert_eq!(array, rows);
        }
    }
}
