//! Times and lengths of time as programs and forms write them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::console::problem::Problem;

/// The longest that the bot may be paused by hand.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// A moment: RFC 3339, or as a form's field has it (`2026-01-05T10:00`), then in `zone`.
pub(in crate::console) fn moment(
    name: &str,
    text: Option<&str>,
    zone: &TimeZone,
) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if let Ok(time) = text.parse() {
        return Ok(Some(time));
    }
    let local = text.parse::<DateTime>().ok();
    let time = local.and_then(|local| local.to_zoned(zone.clone()).ok());
    match time {
        Some(time) => Ok(Some(time.timestamp())),
        None => {
            let detail = format!(
                "`{name}` is no time: write 2026-01-05T10:00:00+08:00, or without the zone for the console's own"
            );
            Err(Problem::unprocessable(detail))
        }
    }
}

/// A length of time, as `90s`, `30m`, `2h`, `1d`; at most 30 days.
pub(in crate::console) fn length(name: &str, text: &str) -> Result<Duration, Problem> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok();
    let length = number
        .zip(seconds)
        .and_then(|(number, seconds)| number.checked_mul(seconds))
        .map(Duration::from_secs);
    match length {
        Some(length) if (Duration::from_secs(1)..=LONGEST).contains(&length) => Ok(length),
        _ => {
            let detail =
                format!("`{name}` is a number and a unit, such as \"90s\", \"30m\", \"2h\"; at most \"30d\"");
            Err(Problem::unprocessable(detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_one_of_the_console() {
        let zone = TimeZone::get("Asia/Shanghai").expect("bundled");
        let read = |text| {
            moment("since", Some(text), &zone)
                .ok()
                .flatten()
                .map(|t| t.to_string())
        };
        assert_eq!(read("2026-01-05T10:00").as_deref(), Some("2026-01-05T02:00:00Z"));
        assert_eq!(
            read("2026-01-05T10:00:00Z").as_deref(),
            Some("2026-01-05T10:00:00Z")
        );
        assert_eq!(read(""), None);
        assert!(moment("since", Some("yesterday"), &zone).is_err());
    }

    #[test]
    fn a_length_has_a_unit_and_bounds() {
        assert_eq!(length("for", "30m").ok(), Some(Duration::from_mins(30)));
        assert_eq!(length("for", "30d").ok(), Some(LONGEST));
        for text in [
            "",
            "30",
            "m",
            "0s",
            "31d",
            "-1m",
            "1.5h",
            "30分",
            "99999999999999999999s",
            "3m3s",
        ] {
            assert!(length("for", text).is_err(), "{text}");
        }
    }
}
