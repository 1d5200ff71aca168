//! `time`: hours, days, dates and a calendar, on the shop's clock. All parts that are written must hold.
//!
//! Hours end before the second time (`"09:00-18:00"` holds at 17:59, not at 18:00) and may cross midnight; then the
//! day and the date are those on which they began: `{ hours = "22:00-02:00", days = "fri" }` holds on Saturday at 1.
//!
//! A calendar's closed days are no days at all; its make-up days count as if they were among `days`.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, date};
use toml::de::DeValue;

use super::{Demand, Key, Moment, OnFacts};
use crate::rules::calendar::Calendar;
use crate::rules::codes;
use crate::rules::read::{Node, Reader, Text};

pub(super) const KEY: Key = Key {
    name: "time",
    read: |reader, node, draft| {
        if let Some(time) = read(reader, node) {
            draft.on_facts.push(Box::new(time));
        }
    },
};

/// The days as rules and templates call them, Monday first.
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const MIDNIGHT: u16 = 24 * 60;

/// A compiled `time`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    /// Minutes of the day, the second excluded; the second is the smaller one when midnight lies between.
    hours: Vec<(u16, u16)>,
    /// One bit a day, Monday lowest; 0 for any.
    days: u8,
    /// Both included; empty for any.
    dates: Vec<(Date, Date)>,
    calendar: Option<Arc<Calendar>>,
    not: bool,
    /// What stands in the file.
    written: String,
}

impl Time {
    fn contains(&self, at: DateTime) -> bool {
        let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or_default();
        if self.hours.is_empty() {
            return self.day(at.date());
        }
        self.hours.iter().any(|&(from, to)| {
            if from < to {
                (from..to).contains(&minute) && self.day(at.date())
            } else {
                (minute >= from && self.day(at.date()))
                    || (minute < to && at.date().yesterday().is_ok_and(|date| self.day(date)))
            }
        })
    }

    /// Whether it holds at a time on the shop's clock.
    pub(crate) fn holds_at(&self, at: DateTime) -> bool {
        self.contains(at) != self.not
    }

    /// Whether it holds at no time, though it names some.
    pub(crate) fn never(&self) -> bool {
        if self.hours.is_empty() && self.days == 0 && self.dates.is_empty() {
            return false;
        }
        let mut cuts = Cuts::default();
        self.cut(&mut cuts);
        !cuts.moments().into_iter().any(|at| self.holds_at(at))
    }

    /// Adds the places at which it may change its mind.
    pub(crate) fn cut(&self, cuts: &mut Cuts) {
        // Every part that decides stands here: one that is forgotten would make proofs about time wrong.
        let Self {
            hours,
            days,
            dates,
            calendar,
            not: _,
            written: _,
        } = self;
        for (from, to) in hours {
            cuts.minutes.extend([*from, *to % MIDNIGHT]);
        }
        let holidays = calendar.iter().flat_map(|calendar| calendar.days());
        cuts.daily |= *days != 0 || !dates.is_empty() || calendar.is_some();
        for (first, last) in dates.iter().chain(holidays) {
            // A night that crosses midnight asks for the day before: hence two days at each end.
            let days = [Ok(*first), first.tomorrow(), last.tomorrow()];
            let after = last.tomorrow().and_then(Date::tomorrow);
            cuts.dates.extend(days.into_iter().chain([after]).flatten());
        }
    }

    fn day(&self, date: Date) -> bool {
        let calendar = self.calendar.as_deref();
        if calendar.is_some_and(|calendar| calendar.closes(date)) {
            return false;
        }
        let made_up = || calendar.is_some_and(|calendar| calendar.opens(date));
        (self.days == 0 || self.days & (1 << weekday(date)) != 0 || made_up())
            && (self.dates.is_empty()
                || self
                    .dates
                    .iter()
                    .any(|(first, last)| (first..=last).contains(&&date)))
    }

    /// The day that a moment belongs to: after midnight, the day before if its hours still run.
    fn day_of(&self, at: DateTime) -> Date {
        let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or_default();
        let night = self.hours.iter().any(|&(from, to)| from > to && minute < to);
        match at.date().yesterday() {
            Ok(yesterday) if night => yesterday,
            _ => at.date(),
        }
    }

    /// What the calendar has to say about a moment.
    fn remark(&self, at: DateTime) -> String {
        let Some(calendar) = &self.calendar else {
            return String::new();
        };
        let day = self.day_of(at);
        let word = if calendar.closes(day) {
            "closed"
        } else if calendar.opens(day) {
            "open"
        } else {
            return String::new();
        };
        let night = if day == at.date() {
            String::new()
        } else {
            format!("; the night of {day}")
        };
        format!("{night}, {word} in calendar {}", calendar.name)
    }
}

/// The day's place in [`DAYS`].
pub(crate) fn weekday(date: Date) -> usize {
    usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default()
}

/// Where conditions on time may change their minds. Between two neighbouring minutes nothing changes, and between two
/// neighbouring dates nothing but the day of the week.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    minutes: BTreeSet<u16>,
    dates: BTreeSet<Date>,
    /// The day counts, not only the hour.
    daily: bool,
}

impl Cuts {
    /// Times of which each condition that was cut holds at one, if it ever holds; so do all their combinations.
    pub(crate) fn moments(&self) -> Vec<DateTime> {
        // A week like any other; without dates it stands for all.
        let some_week = date(2026, 1, 5);
        let mut days = BTreeSet::from([some_week]);
        if self.daily {
            let first = self.dates.first();
            let before = first.and_then(|first| first.checked_sub(7.days()).ok());
            for start in self.dates.iter().copied().chain(before).chain([some_week]) {
                days.extend(start.series(1.day()).take(7));
            }
        }
        let mut minutes = self.minutes.clone();
        minutes.insert(if minutes.is_empty() { 10 * 60 } else { 0 });
        let moment = |day: &Date, minute: u16| {
            let part = |number| i8::try_from(number).unwrap_or_default();
            day.at(part(minute / 60), part(minute % 60), 0, 0)
        };
        days.iter()
            .flat_map(|day| minutes.iter().map(|minute| moment(day, *minute)))
            .collect()
    }
}

impl OnFacts for Time {
    fn asks(&self) -> String {
        format!("time: {}", self.written)
    }

    fn holds(&self, moment: &Moment<'_>) -> bool {
        self.holds_at(moment.local())
    }

    fn explain(&self, moment: &Moment<'_>) -> String {
        let local = moment.local();
        format!(
            "time: {}; it is {} {}{}",
            self.written,
            DAYS[weekday(local.date())],
            local.strftime("%Y-%m-%d %H:%M"),
            self.remark(local)
        )
    }

    fn demand(&self) -> Option<Demand<'_>> {
        Some(Demand::Time(self))
    }
}

fn read(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Time> {
    let table = reader.table("when.time", node, &["hours", "days", "dates", "calendar", "not"])?;
    let mut time = Time::default();
    let mut words = Vec::new();
    if let Some(node) = table.get("hours") {
        for text in reader.texts("when.time.hours", node) {
            match hours(&text.text) {
                Some(hours) => {
                    time.hours.push(hours);
                    words.push(text.text);
                }
                None => refuse(
                    reader,
                    &text,
                    "hours",
                    "write \"09:00-18:00\"; \"22:00-02:00\" crosses midnight, and a day ends at 24:00",
                ),
            }
        }
    }
    if let Some(node) = table.get("days") {
        for text in reader.texts("when.time.days", node) {
            match days(&text.text) {
                Some(days) => {
                    time.days |= days;
                    words.push(text.text);
                }
                None => refuse(
                    reader,
                    &text,
                    "days",
                    "write \"mon-fri\", \"sat,sun\" or \"mon-wed,fri\"; the days are mon, tue, wed, thu, fri, sat, sun",
                ),
            }
        }
    }
    if let Some(node) = table.get("dates") {
        for node in reader.one_or_many("when.time.dates", node) {
            if let Some(text) = date_text(reader, "when.time.dates", node) {
                match dates(&text.text) {
                    Some(dates) => {
                        time.dates.push(dates);
                        words.push(text.text);
                    }
                    None => refuse(
                        reader,
                        &text,
                        "dates",
                        "write \"2026-10-01\" or \"2026-10-01..2026-10-07\", the last day included",
                    ),
                }
            }
        }
    }
    if let Some(node) = table.get("calendar") {
        time.calendar = calendar(reader, node);
        words.extend(
            time.calendar
                .iter()
                .map(|calendar| format!("calendar {}", calendar.name)),
        );
    }
    if let Some(node) = table.get("not") {
        time.not = reader.boolean("when.time.not", node)?;
        words.extend(time.not.then(|| "not".to_owned()));
    }
    time.written = words.join(" ");
    let says_something = ["hours", "days", "dates", "calendar"]
        .iter()
        .any(|key| table.get(key).is_some());
    if !says_something {
        reader.error(
            codes::MISSING_KEY,
            node.span(),
            "`when.time` names no time",
            "needs `hours`, `days`, `dates` or `calendar`",
        );
    }
    Some(time)
}

/// A date may also be written as TOML has it, without quotes.
pub(crate) fn date_text(reader: &mut Reader<'_>, what: &str, node: &Node<'_>) -> Option<Text> {
    match node.get_ref() {
        DeValue::Datetime(date) => Some(Text {
            text: date.to_string(),
            span: node.span(),
        }),
        _ => reader.nonempty(what, node),
    }
}

/// The calendar of this name; no complaint when it may stand in a part of a file that can't be read.
fn calendar(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Arc<Calendar>> {
    let name = reader.nonempty("when.time.calendar", node)?;
    let found = reader.lists.calendars.get(&name.text);
    if found.is_none() && !reader.lists.incomplete() {
        let help = reader.lists.calendars.help(&name.text);
        reader
            .error(
                codes::UNKNOWN_CALENDAR,
                name.span,
                format!("there is no calendar `{}`", name.text),
                "no such calendar",
            )
            .help = Some(help);
    }
    found
}

fn refuse(reader: &mut Reader<'_>, text: &Text, what: &str, help: &str) {
    reader
        .error(
            codes::BAD_TIME,
            text.span.clone(),
            format!("`when.time.{what}` can't be read"),
            "not understood",
        )
        .help = Some(help.to_owned());
}

fn hours(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from.trim())?, minute(to.trim())?);
    (from != to && from != MIDNIGHT).then_some((from, to))
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        (digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
    (minute < 60 && hour * 60 + minute <= MIDNIGHT).then_some(hour * 60 + minute)
}

fn days(text: &str) -> Option<u8> {
    let day = |text: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(text.trim()));
    text.split(',').try_fold(0, |days, part| {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        // "sat-mon" goes round the end of the week.
        let length = (last + DAYS.len() - first) % DAYS.len();
        Some((0..=length).fold(days, |days, i| days | 1 << ((first + i) % DAYS.len())))
    })
}

/// One date or a range of dates, both included.
pub(crate) fn dates(text: &str) -> Option<(Date, Date)> {
    let date = |text: &str| {
        let text = text.trim();
        (text.len() == "2026-10-01".len())
            .then(|| text.parse().ok())
            .flatten()
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (date(first)?, date(last)?),
        None => (date(text)?, date(text)?),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hours_: &[&str], days_: &str, dates_: &[&str]) -> Time {
        Time {
            hours: hours_.iter().map(|text| hours(text).expect("hours")).collect(),
            days: if days_.is_empty() {
                0
            } else {
                days(days_).expect("days")
            },
            dates: dates_.iter().map(|text| dates(text).expect("dates")).collect(),
            ..Time::default()
        }
    }

    fn at(text: &str) -> DateTime {
        text.parse().expect("a time")
    }

    #[test]
    fn hours_begin_at_the_first_minute_and_end_before_the_last() {
        let open = time(&["09:00-12:00", "13:30-24:00"], "", &[]);
        for (clock, expected) in [
            ("08:59:59", false),
            ("09:00:00", true),
            ("11:59:59", true),
            ("12:00:00", false),
            ("13:30:00", true),
            ("23:59:59", true),
            ("00:00:00", false),
        ] {
            assert_eq!(
                open.contains(at(&format!("2026-01-05T{clock}"))),
                expected,
                "{clock}"
            );
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_began() {
        let night = time(&["22:00-02:00"], "fri", &[]);
        for (clock, expected) in [
            ("2026-01-09T21:59", false), // Friday
            ("2026-01-09T22:00", true),
            ("2026-01-10T01:59", true), // Saturday
            ("2026-01-10T02:00", false),
            ("2026-01-10T22:30", false),
            ("2026-01-09T01:00", false), // Thursday's night
        ] {
            assert_eq!(night.contains(at(clock)), expected, "{clock}");
        }
        let new_year = time(&["22:00-02:00"], "", &["2026-12-31"]);
        assert!(new_year.contains(at("2027-01-01T01:00")));
        assert!(!new_year.contains(at("2026-12-31T01:00")));
    }

    #[test]
    fn days_may_be_ranges_lists_and_go_round_the_week() {
        assert_eq!(days("mon-fri"), Some(0b001_1111));
        assert_eq!(days("mon-fri, sun"), Some(0b101_1111));
        assert_eq!(days("Sat-Mon"), Some(0b110_0001));
        assert_eq!(days("wed"), Some(0b000_0100));
        for wrong in ["", "monday", "mon-", "mon,,tue", "周一"] {
            assert_eq!(days(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_last_date_is_included() {
        let week = time(&[], "", &["2026-10-01..2026-10-07"]);
        assert!(!week.contains(at("2026-09-30T23:59")));
        assert!(week.contains(at("2026-10-01T00:00")));
        assert!(week.contains(at("2026-10-07T23:59")));
        assert!(!week.contains(at("2026-10-08T00:00")));
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            "",
            "9-18",
            "09:00",
            "09:00-09:00",
            "24:00-02:00",
            "09:60-10:00",
            "09:00-24:01",
            "+9:00-10:00",
        ] {
            assert_eq!(hours(wrong), None, "{wrong:?}");
        }
        for wrong in [
            "",
            "2026-13-01",
            "2026-10-07..2026-10-01",
            "2026-10-01T10:00",
            "10-01",
            "2026-02-30",
        ] {
            assert_eq!(dates(wrong), None, "{wrong:?}");
        }
    }
}
