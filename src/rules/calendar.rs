//! `[calendar.NAME]`: the days on which a shop is closed though the week says otherwise, and those on which it works
//! though the week says it doesn't (调休). Written once, named by `when.time`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;
use toml::de::DeValue;

use super::codes;
use super::condition::time::{date_text, dates};
use super::read::{Node, Reader, Text, nearest};
use crate::diagnostic::{Diagnostic, Source, Span};

/// A calendar that ends sooner than this is worth a warning: holidays are announced once a year, weeks ahead.
const NOTICE_DAYS: i32 = 30;

/// Both included.
pub(super) type Range = (Date, Date);

/// One calendar.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) name: String,
    closed: Vec<Range>,
    open: Vec<Range>,
}

impl Calendar {
    /// Whether the shop is closed on this day.
    pub(super) fn closes(&self, date: Date) -> bool {
        includes(&self.closed, date)
    }

    /// Whether this day is worked whatever day of the week it is.
    pub(super) fn opens(&self, date: Date) -> bool {
        includes(&self.open, date)
    }

    /// All the days that it speaks of, as ranges, both ends included.
    pub(super) fn days(&self) -> impl Iterator<Item = &Range> {
        self.closed.iter().chain(&self.open)
    }

    /// The last day that it speaks of.
    fn last(&self) -> Option<Date> {
        self.days().map(|(_, last)| *last).max()
    }
}

fn includes(ranges: &[Range], date: Date) -> bool {
    ranges.iter().any(|(first, last)| (first..=last).contains(&&date))
}

/// The calendars of all files.
#[derive(Debug, Default)]
pub(super) struct Calendars(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    calendar: Arc<Calendar>,
    source: Source,
    /// Where its name stands.
    name: Span,
    /// Whether a rule asks it.
    used: Cell<bool>,
}

impl Calendars {
    /// Takes in one file's `[calendar.…]`.
    pub(super) fn add(&mut self, reader: &mut Reader<'_>, node: &Node<'_>) {
        let DeValue::Table(table) = node.get_ref() else {
            reader.wrong_type::<()>("calendar", node, "a table: `[calendar.NAME]`");
            return;
        };
        for (key, value) in table {
            let name = key.get_ref().to_string();
            if matches!(name.as_str(), "closed" | "open") && !matches!(value.get_ref(), DeValue::Table(_)) {
                reader
                    .error(
                        codes::UNKNOWN_KEY,
                        key.span(),
                        "this calendar has no name",
                        "which calendar's?",
                    )
                    .help = Some("write `[calendar.NAME]` above it, with a name of your own".to_owned());
                continue;
            }
            if let Some(first) = self.0.get(&name) {
                let finding =
                    Diagnostic::error(codes::DUPLICATE_NAME, format!("there are two calendars `{name}`"))
                        .at(reader.source, key.span(), "again here")
                        .see(&first.source, first.name.clone(), "first here")
                        .help(
                            "a calendar is written once, in any file: put the dates together, or rename one",
                        );
                reader.note(finding);
                continue;
            }
            let calendar = Arc::new(read(reader, &name, value));
            let entry = Entry {
                calendar,
                source: reader.source.clone(),
                name: key.span(),
                used: Cell::new(false),
            };
            self.0.insert(name, entry);
        }
    }

    /// The calendar that a rule names.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Calendar>> {
        let entry = self.0.get(name)?;
        entry.used.set(true);
        Some(Arc::clone(&entry.calendar))
    }

    /// What to say of a name that no calendar has.
    pub(super) fn help(&self, name: &str) -> String {
        match nearest(name, self.0.keys().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write `[calendar.{name}]` with its `closed` days in any rule file"),
        }
    }

    /// Warns of calendars that rules ask and that soon have no more to say.
    pub(super) fn about_to_end(&self, today: Option<Date>, findings: &mut Vec<Diagnostic>) {
        let Some(today) = today else { return };
        let soon = today.saturating_add(NOTICE_DAYS.days());
        for (name, entry) in &self.0 {
            let Some(last) = entry.calendar.last().filter(|last| *last < soon) else {
                continue;
            };
            if !entry.used.get() {
                continue;
            }
            let (message, label) = if last < today {
                (
                    format!("the calendar `{name}` ended on {last}"),
                    "every day is an ordinary one by now",
                )
            } else {
                (
                    format!("the calendar `{name}` ends on {last}"),
                    "every day after that is an ordinary one",
                )
            };
            findings.push(
                Diagnostic::warning(codes::CALENDAR_ENDS, message)
                    .at(&entry.source, entry.name.clone(), label)
                    .help("add next year's holidays and make-up days; in China the State Council announces them in November"),
            );
        }
    }
}

fn read(reader: &mut Reader<'_>, name: &str, node: &Node<'_>) -> Calendar {
    let what = format!("calendar.{name}");
    let mut calendar = Calendar {
        name: name.to_owned(),
        ..Calendar::default()
    };
    let Some(table) = reader.table(&what, node, &["closed", "open"]) else {
        return calendar;
    };
    if table.get("closed").is_none() && table.get("open").is_none() {
        // An unknown key was complained about already.
        if matches!(node.get_ref(), DeValue::Table(table) if table.is_empty()) {
            reader
                .error(
                    codes::MISSING_KEY,
                    node.span(),
                    format!("the calendar `{name}` names no day"),
                    "needs `closed` or `open`",
                )
                .help = Some("write `closed = [\"2026-10-01..2026-10-07\"]`".to_owned());
        }
        return calendar;
    }
    let mut days = |key: &str| -> Vec<(Range, Span)> {
        let Some(node) = table.get(key) else {
            return Vec::new();
        };
        let what = format!("{what}.{key}");
        let mut days = Vec::new();
        for node in reader.one_or_many(&what, node) {
            if let Some(text) = date_text(reader, &what, node) {
                match dates(&text.text) {
                    Some(range) => days.push((range, text.span)),
                    None => refuse(reader, &what, &text),
                }
            }
        }
        days
    };
    let (closed, open) = (days("closed"), days("open"));
    for ((first, last), span) in &open {
        let clash = closed.iter().find(|((from, to), _)| from <= last && first <= to);
        if let Some((range, other)) = clash {
            let day = range.0.max(*first);
            let finding = Diagnostic::error(
                codes::CALENDAR_CLASH,
                format!("the calendar `{name}` says of {day} both that it is open and that it is closed"),
            )
            .at(reader.source, span.clone(), "open here")
            .see(reader.source, other.clone(), "closed here")
            .help("take the day out of one of them; a range may be written as two");
            reader.note(finding);
        }
    }
    calendar.closed = closed.into_iter().map(|(range, _)| range).collect();
    calendar.open = open.into_iter().map(|(range, _)| range).collect();
    calendar
}

fn refuse(reader: &mut Reader<'_>, what: &str, text: &Text) {
    let turned = text
        .text
        .split_once("..")
        .and_then(|(first, last)| dates(&format!("{}..{}", last.trim(), first.trim())));
    let (message, label, help) = match turned {
        Some((first, last)) => (
            format!("`{what}` has a range that ends before it begins"),
            "turned round",
            format!("write \"{first}..{last}\""),
        ),
        None => (
            format!("`{what}` can't be read"),
            "not understood",
            "write \"2026-10-01\" or \"2026-10-01..2026-10-07\", the last day included".to_owned(),
        ),
    };
    reader
        .error(codes::BAD_TIME, text.span.clone(), message, label)
        .help = Some(help);
}
