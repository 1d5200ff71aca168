//! Lengths of time as people write them: `"90s"`, `"10m"`, `"2h"`, `"180d"`.

use std::time::Duration;

/// What the help of a finding says.
pub(super) const FORM: &str =
    "write a whole number and a unit: \"500ms\", \"90s\", \"10m\", \"2h\", \"180d\"";

/// Reads one; zero, signs, fractions and several units in one text are refused.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok().filter(|n| *n > 0)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Writes one as a person would: the largest unit that leaves no rest.
pub(super) fn words(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in ["500ms", "90s", "10m", "2h", "180d"] {
            assert_eq!(parse(text).map(words).as_deref(), Some(text));
        }
        assert_eq!(parse("60s").map(words).as_deref(), Some("1m"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "10",
            "m",
            "0s",
            "-1s",
            "1.5h",
            "1h30m",
            "10 m",
            "十分钟",
            "99999999999999999d",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
