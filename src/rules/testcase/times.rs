//! `at` and `after`: when a message comes.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{self, Date, DateTime, Time};
use jiff::tz::TimeZone;
use toml::de::DeValue;

use crate::rules::codes;
use crate::rules::read::{Node, Reader, Table};

/// The day on which tests happen that name none: a Monday.
const DAY: Date = civil::date(2026, 1, 5);

const FORMS: &str = "write 2026-01-05T10:00:00+08:00 with its offset, or 2026-01-05T10:00:00 by the config's clock; \
                     \"22:30\" alone is that hour of Monday, 2026-01-05";

/// Ten years, so that no sum of times leaves the calendar.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// When a test happens that does not say.
pub(super) fn usual(zone: &TimeZone) -> Timestamp {
    local(DAY.at(10, 0, 0, 0), zone)
}

fn local(at: DateTime, zone: &TimeZone) -> Timestamp {
    at.to_zoned(zone.clone())
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

/// Reads `at`: a TOML time, or a text that says one.
pub(super) fn at(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Timestamp> {
    let text = match node.get_ref() {
        DeValue::Datetime(time) => time.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => return reader.wrong_type("at", node, "a date and time"),
    };
    let zone = &reader.scope.timezone;
    let time = parse(text.trim(), zone);
    if time.is_none() {
        let finding = reader.error(
            codes::TEST_TIME,
            node.span(),
            "`at` is no point in time",
            "can't be read",
        );
        finding.help = Some(FORMS.to_owned());
    }
    time
}

fn parse(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(hour) = text.parse::<Time>()
        && text.contains(':')
        && !text.contains('-')
    {
        return Some(local(DAY.to_datetime(hour), zone));
    }
    let time = text.parse::<DateTime>().ok()?;
    Some(local(time, zone))
}

/// When a step comes: `at` its own time, `after` the one before, or at the same moment.
pub(super) fn next(
    reader: &mut Reader<'_>,
    before: Timestamp,
    own: Option<Timestamp>,
    keys: &Table<'_>,
) -> Option<Timestamp> {
    let after = match keys.get("after") {
        Some(node) => Some(reader.duration("after", node, LONGEST)?),
        None => None,
    };
    match (own, after) {
        (Some(_), Some(_)) => {
            let span = keys.key_span("after").unwrap_or_default();
            reader.error(
                codes::TEST_CONFLICT,
                span,
                "a step has either `at` or `after`",
                "a second time",
            );
            None
        }
        (Some(at), None) if at < before => {
            let span = keys.get("at").map(Node::span).unwrap_or_default();
            let finding = reader.error(
                codes::TEST_TIME,
                span,
                "this step comes before the one before it",
                "back in time",
            );
            finding.help = Some("write steps in the order in which they happen".to_owned());
            None
        }
        (Some(at), None) => Some(at),
        (None, after) => Some(before.checked_add(after.unwrap_or_default()).unwrap_or(before)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_an_offset_or_is_meant_by_the_shops_clock() {
        let zone = TimeZone::get("Asia/Shanghai").expect("bundled");
        let parse = |text: &str| parse(text, &zone).map(|time| time.to_string());
        for (written, utc) in [
            ("2026-01-05T10:00:00+08:00", "2026-01-05T02:00:00Z"),
            ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z"),
            ("2026-01-05T10:00:00", "2026-01-05T02:00:00Z"),
            ("2026-01-05 10:00", "2026-01-05T02:00:00Z"),
            ("2026-01-06", "2026-01-05T16:00:00Z"),
            ("22:30", "2026-01-05T14:30:00Z"),
            ("22:30:00", "2026-01-05T14:30:00Z"),
        ] {
            assert_eq!(parse(written).as_deref(), Some(utc), "{written}");
        }
        for wrong in ["", "tomorrow", "25:00", "2026-13-01", "10"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(usual(&zone).to_string(), "2026-01-05T02:00:00Z");
    }
}
