//! Which base URL to ask first, when WeChat's API has several.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// After so long, a base that was out of reach is tried again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// A base URL.
#[derive(Debug)]
pub(super) struct Base {
    url: reqwest::Url,
    /// What errors call it: its host, and its port if it is an unusual one.
    pub(super) host: String,
}

impl Base {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{text:?} begins with neither http:// nor https://"));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(format!("{text:?} has more than a host and a path"));
        }
        Ok(Self {
            host: host(&url),
            url,
        })
    }

    /// The address of a path of the API (`/cgi-bin/…`) with these parameters.
    pub(super) fn at(&self, path: &str, query: &[(&str, &str)]) -> reqwest::Url {
        let mut url = self.url.clone();
        match url.path().trim_end_matches('/') {
            "" => url.set_path(path),
            own => url.set_path(&format!("{own}{path}")),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// What errors call a URL: no path, no query, no password.
pub(super) fn host(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Remembers the base that worked, so that a dead first one costs one call a minute and not every call its
/// connection time-out.
#[derive(Debug)]
pub(super) struct Preference {
    index: AtomicUsize,
    /// When the first base is to be tried again: milliseconds since `start`.
    forgiven: AtomicU64,
    start: Instant,
}

impl Preference {
    pub(super) fn new() -> Self {
        Self {
            index: AtomicUsize::new(0),
            forgiven: AtomicU64::new(0),
            start: Instant::now(),
        }
    }

    /// The indexes of `count` bases in the order to try them.
    pub(super) fn order(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let first = self.first(self.start.elapsed());
        (0..count).map(move |step| (first + step) % count)
    }

    /// This base was reached, or is the next to be tried.
    pub(super) fn prefer(&self, index: usize) {
        self.prefer_at(index, self.start.elapsed());
    }

    fn first(&self, now: Duration) -> usize {
        let index = self.index.load(Ordering::Relaxed);
        if index == 0 {
            return 0;
        }
        let forgiven = self.forgiven.load(Ordering::Relaxed);
        // Of all calls that see the time has come, one goes and looks.
        let due = millis(now) >= forgiven;
        let next = millis(now + FORGIVEN_AFTER);
        let mine = due
            && self
                .forgiven
                .compare_exchange(forgiven, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine { 0 } else { index }
    }

    fn prefer_at(&self, index: usize, now: Duration) {
        if self.index.swap(index, Ordering::Relaxed) != index {
            self.forgiven
                .store(millis(now + FORGIVEN_AFTER), Ordering::Relaxed);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_that_worked_is_asked_first_for_a_minute() {
        let at = Duration::from_secs;
        let preference = Preference::new();
        assert_eq!(preference.first(at(0)), 0);
        preference.prefer_at(2, at(0));
        assert_eq!(preference.first(at(1)), 2);
        assert_eq!(preference.first(at(59)), 2);
        assert_eq!(
            preference.first(at(60)),
            0,
            "one call looks whether the first is back"
        );
        assert_eq!(preference.first(at(60)), 2, "the others don't wait for it");
        preference.prefer_at(2, at(63));
        assert_eq!(preference.first(at(119)), 2);
        assert_eq!(preference.first(at(120)), 0);
        preference.prefer_at(0, at(120));
        assert_eq!(preference.first(at(121)), 0);
    }

    #[test]
    fn every_base_has_its_turn() {
        let preference = Preference::new();
        assert_eq!(preference.order(3).collect::<Vec<_>>(), [0, 1, 2]);
        preference.prefer(1);
        assert_eq!(preference.order(3).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn a_base_is_a_host_and_maybe_a_path() {
        let at = |base: &str, query: &[(&str, &str)]| {
            Base::parse(base)
                .expect("fine")
                .at("/cgi-bin/token", query)
                .to_string()
        };
        for (base, expected) in [
            (
                "https://api.weixin.qq.com",
                "https://api.weixin.qq.com/cgi-bin/token",
            ),
            (
                "https://api.weixin.qq.com/",
                "https://api.weixin.qq.com/cgi-bin/token",
            ),
            ("http://relay:8080/wx/", "http://relay:8080/wx/cgi-bin/token"),
        ] {
            assert_eq!(at(base, &[]), expected);
        }
        assert_eq!(
            at("http://relay/wx", &[("a", "1&2"), ("b", "三")]),
            "http://relay/wx/cgi-bin/token?a=1%262&b=%E4%B8%89"
        );
        assert_eq!(
            Base::parse("https://api.weixin.qq.com/").expect("fine").host,
            "api.weixin.qq.com"
        );
        assert_eq!(
            Base::parse("http://127.0.0.1:8090").expect("fine").host,
            "127.0.0.1:8090"
        );
        for wrong in [
            "",
            "api.weixin.qq.com",
            "ftp://a",
            "https://a?b=c",
            "https://u:p@a",
        ] {
            assert!(Base::parse(wrong).is_err(), "{wrong}");
        }
    }
}
