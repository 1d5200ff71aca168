//! How `wxreply stats` shows its figures to people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::tz::TimeZone;

use super::print::{count, plain, short};
use super::stats::{Group, Inbound, Page, Rule};
use super::time::show;

/// Longer texts are cut.
const TEXT: usize = 60;

/// So many keywords of a rule are shown, those with the most hits.
const WORDS: usize = 8;

pub(super) fn human(out: &mut impl Write, page: &Page, zone: &TimeZone, terminal: bool) -> io::Result<()> {
    for note in &page.notes {
        writeln!(out, "{}", plain(note))?;
    }
    let app = page
        .app
        .as_ref()
        .map(|app| format!(", app {app}"))
        .unwrap_or_default();
    writeln!(out, "since {}{app}\n", show(page.since, zone))?;
    let rate = match page.match_rate {
        Some(rate) => format!("{:.1} %", rate * 100.0),
        None => "–".to_owned(),
    };
    let replies = &page.replies;
    let mut totals = table(terminal);
    totals.add_row([
        "messages".to_owned(),
        page.messages.total.to_string(),
        inbound(&page.messages),
    ]);
    totals.add_row([
        "events".to_owned(),
        page.events.total.to_string(),
        inbound(&page.events),
    ]);
    totals.add_row([
        "replies".to_owned(),
        replies.total.to_string(),
        parts(&[
            ("sent", replies.sent),
            ("queued", replies.queued),
            ("failed", replies.failed),
            ("dropped", replies.dropped),
            ("uncertain", replies.uncertain),
        ]),
    ]);
    totals.add_row(["match rate".to_owned(), rate, "of messages".to_owned()]);
    right(&mut totals, 1);
    writeln!(out, "{}", totals.trim_fmt())?;
    rules(out, page, zone, terminal)?;
    unanswered(out, page, zone, terminal)?;
    if page.failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nReplies that did not reach their customers:\n")?;
    let mut failures = table(terminal);
    failures.set_header(["count", "status", "why, the last time"]);
    for failure in &page.failures {
        let why = match (&failure.error, failure.errcode) {
            (Some(error), _) => plain(error).into_owned(),
            (None, Some(code)) => format!("errcode {code}"),
            (None, None) => String::new(),
        };
        let last = show(failure.last, zone);
        failures.add_row([
            failure.count.to_string(),
            failure.status.clone(),
            format!("{why}\n{last}"),
        ]);
    }
    right(&mut failures, 0);
    writeln!(out, "{}", failures.trim_fmt())
}

fn rules(out: &mut impl Write, page: &Page, zone: &TimeZone, terminal: bool) -> io::Result<()> {
    if !page.rules.is_empty() {
        let of = if page.rules.iter().any(|rule| !rule.keywords.is_empty()) {
            format!(
                "; keywords of {} since {}",
                count(page.answered.messages, "message"),
                show(page.answered.since, zone)
            )
        } else {
            String::new()
        };
        writeln!(out, "\nRules, by their hits{of}:\n")?;
        let mut table = table(terminal);
        table.set_header(["hits", "rule", "keywords", "last"]);
        // Rules of several apps may have one name.
        let apps = page.rules.iter().any(|rule| rule.app != page.rules[0].app);
        for rule in &page.rules {
            let name = short(&plain(rule.rule.as_str()), TEXT).into_owned();
            table.add_row([
                hits(rule),
                if apps {
                    format!("{}/{name}", plain(rule.app.as_str()))
                } else {
                    name
                },
                words(rule),
                rule.last.map(|last| show(last, zone)).unwrap_or_default(),
            ]);
        }
        right(&mut table, 0);
        writeln!(out, "{}", table.trim_fmt())?;
    }
    if !page.never_hit.is_empty() {
        let names: Vec<_> = page.never_hit.iter().map(|name| plain(name.as_str())).collect();
        writeln!(
            out,
            "\n{} without a hit since then: {}",
            count(names.len(), "rule"),
            names.join(", ")
        )?;
    }
    Ok(())
}

fn unanswered(out: &mut impl Write, page: &Page, zone: &TimeZone, terminal: bool) -> io::Result<()> {
    let unanswered = &page.unanswered;
    if unanswered.groups.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nWhat no rule answered, of {} since {}:\n",
        count(unanswered.sample.messages, "message"),
        show(unanswered.sample.since, zone)
    )?;
    let mut table = table(terminal);
    table.set_header(["count", "text", "much the same", "last"]);
    for group in &unanswered.groups {
        table.add_row([
            group.count.to_string(),
            short(&plain(&group.text), TEXT).into_owned(),
            alike(group),
            show(group.last, zone),
        ]);
    }
    right(&mut table, 0);
    writeln!(out, "{}", table.trim_fmt())
}

fn table(terminal: bool) -> Table {
    let mut table = Table::new();
    if !terminal {
        table.force_no_tty();
    }
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// Figures stand one under another.
fn right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn inbound(taken: &Inbound) -> String {
    parts(&[
        ("matched", taken.matched),
        ("unmatched", taken.unmatched),
        ("cooldown", taken.cooldown),
        ("muted", taken.muted),
        ("malformed", taken.malformed),
    ])
}

/// `matched 3, unmatched 1`: those that there are.
fn parts(all: &[(&str, u64)]) -> String {
    let some = all.iter().filter(|(_, count)| *count > 0);
    let some: Vec<String> = some.map(|(name, count)| format!("{name} {count}")).collect();
    some.join(", ")
}

fn hits(rule: &Rule) -> String {
    let more = [(rule.silent, "silent"), (rule.observed, "watched")];
    let more: Vec<String> = more
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match (rule.hits, more.as_slice()) {
        (0, [_, ..]) => more.join(", "),
        (hits, []) => hits.to_string(),
        (hits, _) => format!("{hits}, {}", more.join(", ")),
    }
}

fn words(rule: &Rule) -> String {
    let mut words: Vec<_> = rule.keywords.iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.hits));
    let more = words.len().saturating_sub(WORDS);
    let mut shown: Vec<String> = words
        .iter()
        .take(WORDS)
        .map(|word| format!("{} {}", short(&plain(&word.word), TEXT), word.hits))
        .collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

fn alike(group: &Group) -> String {
    let mut shown: Vec<String> = group
        .others
        .iter()
        .map(|text| short(&plain(text), TEXT).into_owned())
        .collect();
    let more = group.texts.saturating_sub(1 + shown.len());
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}
