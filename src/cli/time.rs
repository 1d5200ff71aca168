//! Points in time on the command line.

use anyhow::bail;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// What `--since` and its like take, for their help.
pub(super) const FORMS: &str = "2026-01-05, 2026-01-05T10:00, RFC 3339, or back from now: 90s, 10m, 2h, 7d";

/// Reads one of [`FORMS`], given to `option`; a date without a zone is meant in `zone`.
pub(super) fn parse(option: &str, text: &str, now: Timestamp, zone: &TimeZone) -> anyhow::Result<Timestamp> {
    if let Some(back) = crate::config::parse_duration(text) {
        return Ok(now.saturating_sub(back)?);
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    // A date alone also parses as a date-time, at midnight.
    if let Ok(civil) = text.parse::<DateTime>() {
        return Ok(civil.to_zoned(zone.clone())?.timestamp());
    }
    if let Ok(date) = text.parse::<Date>() {
        return Ok(date.to_zoned(zone.clone())?.timestamp());
    }
    bail!("{option}: {text:?} is no time; write {FORMS}")
}

/// A time as people read it in `zone`, to the second.
pub(super) fn show(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_four_forms() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().expect("a time");
        let zone = TimeZone::get("Asia/Shanghai").expect("a zone");
        let parse = |text: &str| {
            parse("--since", text, now, &zone)
                .map(|t| t.to_string())
                .map_err(|e| e.to_string())
        };
        assert_eq!(parse("2h").as_deref(), Ok("2026-01-05T08:00:00Z"));
        assert_eq!(parse("1d").as_deref(), Ok("2026-01-04T10:00:00Z"));
        assert_eq!(parse("2026-01-05").as_deref(), Ok("2026-01-04T16:00:00Z"));
        assert_eq!(parse("2026-01-05T10:30").as_deref(), Ok("2026-01-05T02:30:00Z"));
        assert_eq!(parse("2026-01-05 10:30").as_deref(), Ok("2026-01-05T02:30:00Z"));
        assert_eq!(
            parse("2026-01-05T10:30:00+01:00").as_deref(),
            Ok("2026-01-05T09:30:00Z")
        );
        insta::assert_snapshot!(
            parse("yesterday").expect_err("none"),
            @r#"--since: "yesterday" is no time; write 2026-01-05, 2026-01-05T10:00, RFC 3339, or back from now: 90s, 10m, 2h, 7d"#
        );
        assert_eq!(show(now, &zone), "2026-01-05 18:00:00");
    }
}
