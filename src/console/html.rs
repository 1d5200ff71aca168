//! Templates → answers, and how times and numbers look on a page.

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use warp::reply::Response;

use super::problem::Problem;
use super::words::Lang;

/// A page or a part of one.
pub(super) fn html(template: &impl Template) -> Result<Response, Problem> {
    let text = template.render().map_err(|error| {
        tracing::error!(%error, "a page can't be drawn");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this page can't be drawn")
    })?;
    let mut response = Response::new(text.into());
    let value = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    Ok(response)
}

/// `303 See Other`: what a form's answer leads to.
pub(super) fn see_other(place: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let place = place.parse().unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, place);
    response
}

/// A place of ours to go on to, as a form names it; anything else would let others send our users away.
pub(super) fn own_place(place: &str) -> &str {
    // Browsers drop tabs and line ends from an address before they read it.
    let is_odd = |c: char| c == '\\' || c.is_control();
    let ours = place.starts_with('/') && !place.starts_with("//") && !place.contains(is_odd);
    if ours { place } else { "/" }
}

/// A text as one segment of an address.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// An address that goes on with a query.
pub(super) fn query(path: &str) -> form_urlencoded::Serializer<'static, String> {
    let address = format!("{path}?");
    let begin = address.len();
    form_urlencoded::Serializer::for_suffix(address, begin)
}

/// How times are shown: where, in which language, seen from when.
#[derive(Clone)]
pub(super) struct Watch {
    pub zone: TimeZone,
    pub now: Timestamp,
    pub lang: Lang,
}

impl Watch {
    /// `2026-01-05 10:00:00 CST`, for titles and exports.
    pub fn full(&self, time: &Timestamp) -> String {
        let zoned = time.to_zoned(self.zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// What a reader needs of a time: `10:00` today, `Mon 10:00` or `周一 10:00` within six days, `01-05 10:00` this year, else with
    /// the year.
    pub fn short(&self, time: &Timestamp) -> String {
        let then = time.to_zoned(self.zone.clone());
        let now = self.now.to_zoned(self.zone.clone());
        let days = now
            .date()
            .since(then.date())
            .map_or(i32::MAX, |span| span.get_days());
        if days == 0 {
            return then.strftime("%H:%M").to_string();
        }
        if (1..7).contains(&days) {
            let day = self.lang.weekday(then.weekday());
            return format!("{day} {}", then.strftime("%H:%M"));
        }
        let format = if then.year() == now.year() {
            "%m-%d %H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        then.strftime(format).to_string()
    }

    /// `10:00`
    pub fn minute(&self, time: &Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%H:%M").to_string()
    }

    /// The day, for headings between messages: `2026-01-05 Mon`.
    pub fn day(&self, time: &Timestamp) -> String {
        let then = time.to_zoned(self.zone.clone());
        format!("{} {}", then.date(), self.lang.weekday(then.weekday()))
    }

    /// How long ago or ahead, in the largest unit that fits: `3 min`, `31 h`, `5 d`.
    pub fn distance(&self, time: &Timestamp) -> String {
        let seconds = self.now.duration_until(*time).as_secs().unsigned_abs();
        let (number, unit) = match seconds {
            0..60 => (seconds, self.lang.words().frame.unit_seconds),
            60..3_600 => (seconds / 60, self.lang.words().frame.unit_minutes),
            3_600..172_800 => (seconds / 3_600, self.lang.words().frame.unit_hours),
            _ => (seconds / 86_400, self.lang.words().frame.unit_days),
        };
        format!("{number} {unit}")
    }
}

/// `12,345`
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1.2 GB`, in powers of 1,000.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"];
    let mut size = bytes as f64; // exact up to 9 PB
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && size < 99.95);
    format!("{size:.digits$} {}", units[unit])
}

/// `42.1%`; `–` of nothing.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    // Exact up to 2^53, and nobody has a log of that length.
    format!("{:.1}%", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_time_is_told_as_briefly_as_it_can() {
        let watch = Watch {
            zone: TimeZone::get("Asia/Shanghai").expect("a zone"),
            now: at("2026-03-05T10:00:00+08:00"),
            lang: Lang::En,
        };
        for (time, short) in [
            ("2026-03-05T00:00:00+08:00", "00:00"),
            ("2026-03-04T23:59:00+08:00", "Wed 23:59"),
            ("2026-02-27T10:00:00+08:00", "Fri 10:00"),
            ("2026-02-26T10:00:00+08:00", "02-26 10:00"),
            ("2025-12-31T10:00:00+08:00", "2025-12-31 10:00"),
            ("2026-03-06T10:00:00+08:00", "03-06 10:00"),
        ] {
            assert_eq!(watch.short(&at(time)), short);
        }
        assert_eq!(watch.distance(&at("2026-03-05T09:59:01+08:00")), "59 s");
        assert_eq!(watch.distance(&at("2026-03-06T17:00:00+08:00")), "31 h");
        assert_eq!(watch.distance(&at("2026-03-01T10:00:00+08:00")), "4 d");
    }

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(number(n), text);
        }
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 KB"),
            (99_949, "99.9 KB"),
            (123_456, "123 KB"),
            (999_600, "1.0 MB"),
            (1_234_567_890, "1.2 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn a_form_leads_nowhere_else() {
        for (place, led) in [
            ("/conversations?x=1", "/conversations?x=1"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/\n/evil.example", "/"),
            ("", "/"),
        ] {
            assert_eq!(own_place(place), led);
        }
    }
}
