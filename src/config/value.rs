//! The kinds of values: each reads one TOML value, or says what is wrong with it.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::codes;
use super::section::{Problem, closest, wrong_type};

pub(super) fn string(key: &str, value: &DeValue<'_>) -> Result<String, Problem> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| wrong_type(key, "a text in quotes", value))
}

pub(super) fn boolean(key: &str, value: &DeValue<'_>) -> Result<bool, Problem> {
    value
        .as_bool()
        .ok_or_else(|| wrong_type(key, "true or false", value))
}

/// A text that says something.
pub(super) fn filled(key: &str, value: &DeValue<'_>) -> Result<String, Problem> {
    let text = string(key, value)?;
    if text.trim().is_empty() {
        return Err(Problem::new(codes::MISSING, format!("`{key}` is empty")).label("fill this in"));
    }
    Ok(text)
}

pub(super) fn address(key: &str, value: &DeValue<'_>) -> Result<SocketAddr, Problem> {
    let text = string(key, value)?;
    text.parse().map_err(|_| {
        Problem::new(codes::ADDRESS, format!("`{key}` is no address to listen at"))
            .label("an IP address and a port are expected")
            .help("write it like \"0.0.0.0:8080\" (all interfaces) or \"127.0.0.1:8080\" (this machine only)")
    })
}

pub(super) fn duration(key: &str, value: &DeValue<'_>) -> Result<Duration, Problem> {
    let text = string(key, value)?;
    parse_duration(&text).ok_or_else(|| {
        Problem::new(codes::DURATION, format!("`{key}` is no duration"))
            .help("write a whole number and its unit: \"500ms\", \"90s\", \"10m\", \"2h\" or \"180d\"")
    })
}

/// A duration of at least `least`.
pub(super) fn duration_from(least: Duration) -> impl Fn(&str, &DeValue<'_>) -> Result<Duration, Problem> {
    move |key, value| match duration(key, value)? {
        given if given < least => Err(Problem::new(
            codes::RANGE,
            format!("`{key}` must be at least {least:?}"),
        )),
        given => Ok(given),
    }
}

/// `"500ms"`, `"90s"`, `"10m"`, `"2h"`, `"180d"`: a whole number and one unit.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    // 10,000 years: far enough, and safe to add to any time.
    number
        .checked_mul(seconds)
        .filter(|s| *s <= 10_000 * 366 * 24 * 60 * 60)
        .map(Duration::from_secs)
}

/// A whole number within `range`.
pub(super) fn integer(
    range: std::ops::RangeInclusive<u64>,
) -> impl Fn(&str, &DeValue<'_>) -> Result<u64, Problem> {
    move |key, value| {
        let integer = value
            .as_integer()
            .ok_or_else(|| wrong_type(key, "a whole number", value))?;
        u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|n| range.contains(n))
            .ok_or_else(|| out_of_range(key, &range))
    }
}

/// A number of bytes within `range`: an integer, or a text like `"512KiB"`, `"1MiB"`.
pub(super) fn bytes(
    range: std::ops::RangeInclusive<u64>,
) -> impl Fn(&str, &DeValue<'_>) -> Result<u64, Problem> {
    move |key, value| {
        let Some(text) = value.as_str() else {
            return integer(range.clone())(key, value);
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => 0,
        };
        number
            .parse::<u64>()
            .ok()
            .filter(|_| factor > 0)
            .and_then(|n| n.checked_mul(factor))
            .ok_or_else(|| {
                Problem::new(codes::RANGE, format!("`{key}` is no size"))
                    .help("write a number of bytes, or a text like \"512KiB\" or \"1MiB\"")
            })
            .and_then(|n| {
                if range.contains(&n) {
                    Ok(n)
                } else {
                    Err(out_of_range(key, &range))
                }
            })
    }
}

fn out_of_range(key: &str, range: &std::ops::RangeInclusive<u64>) -> Problem {
    Problem::new(
        codes::RANGE,
        format!("`{key}` must be from {} to {}", range.start(), range.end()),
    )
}

pub(super) fn zone(key: &str, value: &DeValue<'_>) -> Result<TimeZone, Problem> {
    let text = string(key, value)?;
    TimeZone::get(&text).map_err(|_| {
        Problem::new(codes::ZONE, format!("`{key}` is no time zone"))
            .label("the tz database has no such name")
            .help("write it like \"Asia/Shanghai\", \"Asia/Hong_Kong\" or \"UTC\"")
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&str, &DeValue<'_>) -> Result<T, Problem> {
    move |key, value| {
        let text = string(key, value)?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meant);
        }
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let problem = Problem::new(codes::CHOICE, format!("`{key}` can't be {text:?}"));
        Err(match closest(&text, &names) {
            Some(meant) => problem.help(format!("did you mean {meant:?}?")),
            None => problem.help(format!("write \"{}\"", names.join("\" or \""))),
        })
    }
}

/// A web address to which a path can be added: without a query or a fragment.
pub(super) fn plain_url(key: &str, value: &DeValue<'_>) -> Result<String, Problem> {
    let url = url(key, value)?;
    if url.contains(['?', '#']) {
        return Err(Problem::new(codes::URL, format!("`{key}` can't hold a query")));
    }
    Ok(url)
}

/// A web address, its trailing slashes dropped. No user can be read into it.
pub(super) fn url(key: &str, value: &DeValue<'_>) -> Result<String, Problem> {
    let text = string(key, value)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) || host.contains('@') {
        return Err(Problem::new(codes::URL, format!("`{key}` is no web address"))
            .help("write it like \"https://api.weixin.qq.com\""));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(parse_duration("2h"), Some(Duration::from_secs(7200)));
        assert_eq!(parse_duration("180d"), Some(Duration::from_secs(180 * 86_400)));
        for wrong in [
            "",
            "10",
            "m",
            "-1s",
            "1.5h",
            "10 m",
            "1h30m",
            "99999999999d",
            "１h",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong:?}");
        }
    }
}
