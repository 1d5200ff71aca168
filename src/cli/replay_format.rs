//! How a replay's report is printed.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::print::{count, plain, short};
use super::replay::Limit;
use super::time::show;
use crate::message::Answer;
use crate::rehearsal::{Change, Difference, Example, Fate, Kind, Report, Texts};
use crate::rules::RuleSet;

/// Longer texts are cut for people.
const TEXT: usize = 60;
const REPLY: usize = 100;

/// How many other texts of a group people are shown.
const VARIANTS: usize = 3;

/// A report, and what it is a report of.
pub(super) struct Run<'a> {
    pub report: &'a Report,
    pub rules: (&'a RuleSet, &'a Path),
    pub against: Option<(&'a RuleSet, &'a Path)>,
    pub since: Timestamp,
    pub until: Timestamp,
    pub warm_up: Timestamp,
    pub limit: Option<Limit>,
    pub within: bool,
    pub zone: &'a TimeZone,
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::NewlyAnswered => "newly answered",
        Kind::NoLongerAnswered => "no longer answered",
        Kind::AnsweredDifferently => "answered differently",
        Kind::Quota => "cut by quota otherwise",
        Kind::Unnoticed => "unnoticed",
    }
}

pub(super) fn human(out: &mut impl Write, run: &Run<'_>, shown: usize) -> std::io::Result<()> {
    let Run { report, zone, .. } = run;
    let told =
        |(rules, path): (&RuleSet, &Path)| format!("{} in {}", count(rules.len(), "rule"), path.display());
    let baseline = run.against.map_or("what the log says".to_owned(), told);
    writeln!(out, "rules:    {}", told(run.rules))?;
    writeln!(out, "against:  {baseline}")?;
    let (since, until) = (show(run.since, zone), show(run.until, zone));
    write!(
        out,
        "messages: {} from {since} to {until}, after {} to warm up",
        report.messages, report.warm_up
    )?;
    match report.malformed {
        0 => writeln!(out)?,
        malformed => writeln!(out, "; {malformed} malformed left out")?,
    }
    if report.messages == 0 {
        return writeln!(out, "\nnothing to replay: the log has no message of that time");
    }
    writeln!(out)?;
    let different: u64 = Kind::ALL.into_iter().map(|kind| report.of(kind)).sum();
    let kinds = Kind::ALL.into_iter().map(|kind| (name(kind), report.of(kind)));
    let kinds = kinds.filter(|(_, number)| *number > 0);
    for (name, number) in kinds.chain([("the same", report.messages - different)]) {
        writeln!(out, "{name:<24}{number:>9}  {:>6}", share(number, report))?;
    }
    for change in &report.changes {
        tell(out, change, report, shown)?;
    }
    let changed = report.changed();
    write!(
        out,
        "\n{changed} of {} changed, {}",
        count_messages(report.messages),
        share(changed, report)
    )?;
    match run.limit {
        None => writeln!(out),
        Some(limit) if run.within => writeln!(out, "; {limit} may"),
        Some(limit) => writeln!(out, "; only {limit} may"),
    }
}

fn count_messages(number: u64) -> String {
    format!("{number} message{}", if number == 1 { "" } else { "s" })
}

fn share(number: u64, report: &Report) -> String {
    let share = number as f64 * 100.0 / report.messages as f64;
    if number > 0 && share < 0.1 {
        return "< 0.1%".to_owned();
    }
    format!("{share:.1}%")
}

fn tell(out: &mut impl Write, change: &Change, report: &Report, shown: usize) -> std::io::Result<()> {
    let (before, after) = (change.before.to_string(), change.after.to_string());
    writeln!(
        out,
        "\n{}: {} → {}  {} ({})",
        name(change.kind),
        plain(&before),
        plain(&after),
        change.count,
        share(change.count, report)
    )?;
    let mut fates = None;
    for group in change.groups.iter().take(shown) {
        let Some(first) = group.texts.first() else {
            continue;
        };
        write!(out, "  {}× {}", group.count, short(&plain(&first.text), TEXT))?;
        let others: Vec<_> = group
            .texts
            .iter()
            .skip(1)
            .map(|e| short(&plain(&e.text), TEXT).into_owned())
            .collect();
        if !others.is_empty() {
            write!(
                out,
                "  (also {}",
                others[..others.len().min(VARIANTS)].join(" | ")
            )?;
            match others.len().saturating_sub(VARIANTS) {
                0 => write!(out, ")")?,
                more => write!(out, " | {more} more)")?,
            }
        }
        writeln!(out, "  {}", first.id)?;
        // Said once for groups in a row that share it.
        if change.kind.is_change()
            && fates.replace((&first.before, &first.after)) != Some((&first.before, &first.after))
        {
            writeln!(out, "      before: {}", words(&first.before))?;
            writeln!(out, "      now:    {}", words(&first.after))?;
        }
    }
    let rest: u64 = change
        .groups
        .iter()
        .skip(shown)
        .map(|group| group.count)
        .sum::<u64>()
        + change.others;
    if rest > 0 {
        writeln!(out, "  and {} that said something else", count_messages(rest))?;
    }
    Ok(())
}

/// What the customer hears, on one line.
fn words(fate: &Fate) -> String {
    let mut words: Vec<String> = fate
        .replies
        .iter()
        .map(|reply| {
            let text = reply.reply.summary();
            let text = short(&plain(&text), REPLY).into_owned();
            let text = match reply.reply.msg_type() {
                "text" => text,
                kind => format!("[{kind}] {text}"),
            };
            if reply.dropped {
                format!("{text} (dropped: quota)")
            } else {
                text
            }
        })
        .collect();
    if let Answer::Transfer(agent) = &fate.answer {
        let to = agent.as_deref().unwrap_or("whoever is there");
        words.insert(0, format!("[handed to {}]", plain(to)));
    }
    if words.is_empty() {
        return format!("nothing ({})", fate.status.as_str());
    }
    words.join(" | ")
}

pub(super) fn json(out: &mut impl Write, run: &Run<'_>, shown: usize) -> anyhow::Result<()> {
    let report = run.report;
    let kinds: serde_json::Map<String, Value> = Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            Some((
                serde_json::to_value(kind).ok()?.as_str()?.to_owned(),
                report.of(kind).into(),
            ))
        })
        .collect();
    let changes: Vec<Value> = report
        .changes
        .iter()
        .map(|change| change_json(change, shown))
        .collect();
    let rule_set = |(rules, path): (&RuleSet, &Path)| json!({ "path": path, "version": rules.version(), "rules": rules.len() });
    let told = json!({
        "rules": rule_set(run.rules),
        "against": run.against.map_or_else(|| json!("log"), rule_set),
        "since": run.since,
        "until": run.until,
        "warm_up": { "since": run.warm_up, "messages": report.warm_up },
        "messages": report.messages,
        "malformed": report.malformed,
        "changed": report.changed(),
        "max_changed": run.limit.map(|limit| limit.to_string()),
        "within": run.within,
        "kinds": kinds,
        "changes": changes,
    });
    serde_json::to_writer_pretty(&mut *out, &told)?;
    writeln!(out)?;
    Ok(())
}

fn change_json(change: &Change, shown: usize) -> Value {
    let texts = |group: &Texts| -> Vec<Value> {
        let example = |example: &Example| {
            json!({ "text": example.text, "count": example.count, "id": example.id,
                    "before": fate_json(&example.before), "after": fate_json(&example.after) })
        };
        group.texts.iter().take(shown).map(example).collect()
    };
    let groups: Vec<Value> = change
        .groups
        .iter()
        .take(shown)
        .map(|group| json!({ "count": group.count, "distinct": group.texts.len(), "texts": texts(group) }))
        .collect();
    let rest = change.groups.iter().skip(shown).map(|group| group.count);
    json!({
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "count": change.count,
        "groups": groups,
        "others": rest.sum::<u64>() + change.others,
    })
}

/// One message that differs.
pub(super) fn line(out: &mut impl Write, difference: &Difference) -> anyhow::Result<()> {
    let Difference {
        inbound,
        kind,
        before,
        after,
    } = difference;
    let told = json!({
        "id": inbound.id,
        "time": inbound.received,
        "app": inbound.app,
        "openid": inbound.openid,
        "msg_type": inbound.msg_type,
        "event": inbound.event,
        "content": inbound.content,
        "kind": kind,
        "before": fate_json(before),
        "after": fate_json(after),
    });
    serde_json::to_writer(&mut *out, &told)?;
    writeln!(out)?;
    Ok(())
}

fn fate_json(fate: &Fate) -> Value {
    let replies: Vec<Value> = fate
        .replies
        .iter()
        .map(|reply| json!({ "msg_type": reply.reply.msg_type(), "reply": reply.reply, "dropped": reply.dropped }))
        .collect();
    json!({
        "status": fate.status,
        "rule": fate.rule,
        "observed": fate.observed,
        "answer": fate.answer,
        "replies": replies,
    })
}
