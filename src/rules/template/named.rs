//! The names that a blank can be filled in by: what each means is settled when the rules are loaded, and its value
//! is written straight into the text.

use std::fmt::{self, Write};

use jiff::civil::DateTime;

use super::context::{FIXED, Known, NOW, Sources, field};
use super::plain;
use crate::message::Value as Field;
use crate::rules::condition::time::{DAYS, weekday};

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Named {
    OpenId,
    Rule,
    /// `now`, or a part of it.
    Now(Option<&'static str>),
    /// A variable of the app.
    App(Box<str>),
    /// A field of the push: the names on the way to it.
    Field(Box<[Box<str>]>),
    /// A group by its name.
    Group(Box<str>),
    /// A group by its number.
    Numbered(usize),
}

impl Named {
    /// What `text`, all that stands between `{{` and `}}`, stands for; none if it is no name, or no name that has a value of
    /// its own. `paths` are the names that the engine looks up for the template, so that it decides what is a name:
    /// `true` is none, and `user.openid | upper` is not among them.
    pub(super) fn read(text: &str, paths: &[String], known: &Known<'_>) -> Option<Self> {
        let groups = known.captures.iter().map(|c| c.pattern.capture_names().len());
        if let Some(number) = (0..groups.sum()).find(|number| text == format!("match[{number}]")) {
            return Some(Self::Numbered(number));
        }
        if !paths.iter().any(|path| path == text) {
            return None;
        }
        let mut names = text.split('.');
        let (name, rest) = (names.next()?, names.collect::<Vec<_>>());
        let is_group = |name: &str| known.groups().contains(name);
        Some(match (name, &rest[..]) {
            ("user", ["openid"]) => Self::OpenId,
            ("rule", []) => Self::Rule,
            ("now", []) => Self::Now(None),
            ("now", [part]) => Self::Now(Some(NOW.into_iter().find(|known| known == part)?)),
            ("app", [var]) => Self::App((*var).into()),
            ("msg", [_, ..]) => Self::Field(rest.into_iter().map(Into::into).collect()),
            ("match", []) => Self::Numbered(0),
            ("match", [group]) if is_group(group) => Self::Group((*group).into()),
            (group, []) if !FIXED.contains(&group) && is_group(group) => Self::Group(group.into()),
            _ => return None,
        })
    }
}

impl Sources<'_> {
    /// Writes the value that a name has for this message; nothing if it has none.
    pub(super) fn write(&self, named: &Named, out: &mut String) -> fmt::Result {
        let inbound = self.moment.inbound;
        match named {
            Named::OpenId => plain::write(inbound.openid.as_str(), out),
            Named::Rule => out.write_str(self.rule.as_str()),
            Named::Now(part) => now(self.moment.local(), *part, out),
            Named::App(var) => out.write_str(self.vars.and_then(|vars| vars.text(var)).unwrap_or_default()),
            Named::Field(path) => {
                let (last, tables) = path.split_last().ok_or(fmt::Error)?;
                let table =
                    tables
                        .iter()
                        .try_fold(&inbound.fields, |fields, name| match fields.get(name)? {
                            Field::Table(fields) => Some(fields),
                            Field::Text(_) | Field::List(_) => None,
                        });
                match table.and_then(|fields| fields.get(last)) {
                    None => Ok(()),
                    Some(Field::Text(text)) => plain::write(text, out),
                    Some(other) => plain::write(&field(other).to_string(), out),
                }
            }
            Named::Group(name) => plain::write(self.groups().named(name).unwrap_or_default(), out),
            Named::Numbered(number) => plain::write(self.groups().numbered(*number).unwrap_or_default(), out),
        }
    }
}

fn now(now: DateTime, part: Option<&str>, out: &mut String) -> fmt::Result {
    match part {
        Some("date") => write!(out, "{}", now.date()),
        Some("time") => write!(out, "{}", now.strftime("%H:%M")),
        Some("year") => write!(out, "{}", now.year()),
        Some("month") => write!(out, "{}", now.month()),
        Some("day") => write!(out, "{}", now.day()),
        Some("hour") => write!(out, "{}", now.hour()),
        Some("minute") => write!(out, "{}", now.minute()),
        Some("weekday") => out.write_str(DAYS[weekday(now.date())]),
        _ => write!(out, "{}", now.strftime("%Y-%m-%d %H:%M")),
    }
}
