//! The story for people: the decision stands last, where the eye is when the command ends.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::print::{plain, short};
use crate::cli::time::show;
use crate::message::{Answer, RuleSetVersion};
use crate::rules::RuleTrace;
use crate::story::{Logged, Quota, Story};

/// In one line; all of it stands in `--verbose`.
const WHY: usize = 100;
/// A reply's text.
const REPLY: usize = 500;

/// The story with what should be known about where it comes from, in the order of `--format json`.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    pub notes: &'a [String],
    #[serde(flatten)]
    pub story: &'a Story<'a>,
}

pub(super) fn tell(out: &mut impl Write, told: &Told<'_>, zone: &TimeZone, verbose: bool) -> io::Result<()> {
    let Told { notes, story } = told;
    for note in *notes {
        writeln!(out, "{}", plain(note))?;
    }
    if let Some(normal) = &story.normal_form {
        writeln!(out, "normal form: {}", plain(normal))?;
    }
    writeln!(out)?;
    let mut asked = true;
    for trace in &story.rules {
        if std::mem::replace(&mut asked, trace.asked) && !trace.asked {
            writeln!(out, "── {} ──", plain(trace.note.as_deref().unwrap_or_default()))?;
        }
        let is_near = story
            .nearest
            .iter()
            .any(|near| (&near.rule, &near.file, near.line) == (&trace.rule, &trace.file, trace.line));
        rule(out, trace, verbose || is_near || trace.matched && trace.asked)?;
    }
    decision(out, story, zone)?;
    if !story.nearest.is_empty() {
        writeln!(out, "\nnearest:")?;
    }
    for near in &story.nearest {
        writeln!(out, "  - {}", plain(&near.suggestion))?;
    }
    Ok(())
}

/// What should be known about a message of the log that these rules are asked about.
pub(super) fn notes(logged: &Logged, rules: &RuleSetVersion) -> Vec<String> {
    let reply = logged.reply.map(|id| {
        let message = id.message();
        format!("{id} is a reply; this is the message that it answers, {message}")
    });
    let by = logged.rule.as_ref().map(|rule| format!(" by {rule:?}"));
    let under = if logged.rule_set.as_ref() == Some(rules) {
        "the same rules"
    } else {
        "other rules than those on the disk (--as-logged asks those)"
    };
    let (status, by) = (&logged.status, by.unwrap_or_default());
    let said = format!("the log says: {status}{by}, under {under}");
    reply.into_iter().chain([said]).collect()
}

fn mark(held: bool) -> char {
    if held { '✓' } else { '✗' }
}

fn rule(out: &mut impl Write, trace: &RuleTrace, whole: bool) -> io::Result<()> {
    let (name, file) = (plain(trace.rule.as_str()), &trace.file);
    let priority = match trace.priority {
        0 => String::new(),
        priority => format!(", priority {priority}"),
    };
    let mark_ = mark(trace.matched);
    write!(out, "{mark_} {name}  ({file}:{}{priority})", trace.line)?;
    if let (false, Some(failed)) = (whole, trace.first_failed()) {
        let why = failed.to_string();
        return writeln!(out, "  {}", short(&plain(&why), WHY));
    }
    writeln!(out)?;
    if whole {
        for condition in &trace.conditions {
            let why = condition.to_string();
            writeln!(out, "    {} {}", mark(condition.held), plain(&why))?;
        }
        if let Some(note) = trace.note.as_ref().filter(|_| trace.asked) {
            writeln!(out, "    {}", plain(note))?;
        }
    }
    Ok(())
}

fn decision(out: &mut impl Write, story: &Story<'_>, zone: &TimeZone) -> io::Result<()> {
    let by = story
        .rule
        .as_ref()
        .map(|rule| format!(" by {}", plain(rule.as_str())))
        .unwrap_or_default();
    writeln!(out, "\n→ {}{by}", story.status.as_str())?;
    for sent in &story.replies {
        let text = sent.reply.summary();
        write!(out, "  {}: {}", sent.msg_type, short(&plain(&text), REPLY))?;
        let wait = sent.due.duration_since(story.at);
        if wait > SignedDuration::ZERO {
            let typing = if sent.typing { ", typing meanwhile" } else { "" };
            write!(out, "  (after {}s{typing})", wait.as_secs_f64())?;
        }
        if let Some(reason) = sent.dropped {
            write!(out, "  (would not be sent: {})", reason.explanation())?;
        }
        writeln!(out)?;
    }
    match &story.answer {
        Answer::Success => writeln!(out, "  answer to the push: success")?,
        Answer::Transfer(agent) => {
            let to = agent.as_deref().unwrap_or("whoever is there");
            writeln!(
                out,
                "  answer to the push: transfer_customer_service (handed to a person: {})",
                plain(to)
            )?;
        }
    }
    let after = &story.after;
    match (&after.state, after.state_changed) {
        (_, false) => {}
        (None, true) => writeln!(out, "  then: no dialog state")?,
        (Some(state), true) => {
            let until = show(state.until, zone);
            writeln!(out, "  then: dialog state {} until {until}", plain(&state.name))?;
        }
    }
    if let (Some(until), true) = (after.muted_until, after.mute_changed) {
        let until = show(until, zone);
        writeln!(out, "  then: muted; no rule answers this user until {until}")?;
    }
    for cooldown in &after.cooldowns {
        let (rule, until) = (plain(cooldown.rule.as_str()), show(cooldown.until, zone));
        let whom = if cooldown.per_app {
            "everybody"
        } else {
            "this user"
        };
        writeln!(out, "  then: cooldown of {rule} for {whom} until {until}")?;
    }
    if after.misses > 0 {
        writeln!(out, "  then: misses: {} in a row", after.misses)?;
    }
    writeln!(out, "  quota: {}", quota(&story.quota, story.at, zone))
}

/// `3 of 5 replies left until Wed 10:00; this uses 2`
fn quota(quota: &Quota, now: Timestamp, zone: &TimeZone) -> String {
    let Some(until) = quota.until else {
        return "WeChat takes no reply now: this push buys none, and no earlier one's time runs".to_owned();
    };
    let of = match quota.granted {
        Some(granted) if granted >= quota.left => format!(" of {granted}"),
        _ => String::new(),
    };
    let form = if until.duration_since(now) < SignedDuration::from_hours(1) {
        "%H:%M:%S"
    } else {
        "%a %H:%M"
    };
    let until = zone.to_datetime(until).strftime(form).to_string();
    let plural = if quota.left == 1 && of.is_empty() {
        "y"
    } else {
        "ies"
    };
    let mut told = format!("{}{of} repl{plural} left until {until}", quota.left);
    if quota.waiting > 0 {
        told += &format!(" ({} more to be sent)", quota.waiting);
    }
    if quota.reserve > 0 {
        told += &format!(", {} kept for a person", quota.reserve.min(quota.left));
    }
    format!("{told}; this uses {}", quota.used)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(granted: Option<u32>, left: u32, waiting: u32, minutes: Option<i64>, reserve: u32) -> String {
        let now: Timestamp = "2026-01-05T02:00:00Z".parse().expect("a time");
        let zone = TimeZone::get("Asia/Shanghai").expect("bundled");
        let figures = Quota {
            granted,
            left,
            waiting,
            until: minutes.map(|minutes| now + SignedDuration::from_mins(minutes)),
            reserve,
            used: 2,
            left_after: 0,
        };
        quota(&figures, now, &zone)
    }

    #[test]
    fn the_quota_is_one_sentence() {
        for (figures, expected) in [
            (
                told(Some(5), 3, 2, Some(48 * 60), 1),
                "3 of 5 replies left until Wed 10:00 (2 more to be sent), 1 kept for a person; this uses 2",
            ),
            (
                told(Some(2), 4, 0, Some(60), 0),
                "4 replies left until Mon 11:00; this uses 2",
            ),
            (
                told(None, 1, 0, Some(1), 0),
                "1 reply left until 10:01:00; this uses 2",
            ),
            (
                told(None, 0, 0, None, 1),
                "WeChat takes no reply now: this push buys none, and no earlier one's time runs",
            ),
        ] {
            assert_eq!(figures, expected);
        }
    }
}
