//! A request on its way to a handler: taken apart, its asker known.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::access::Who;
use super::problem::Problem;
use super::words::Lang;
use crate::receiver::Peer;

/// What is known before the body is read.
pub(super) struct Head {
    pub method: Method,
    pub path: String,
    /// As it came.
    pub query: String,
    pub headers: HeaderMap,
    /// Who asks, as far as addresses tell.
    pub from: Option<IpAddr>,
}

/// Who asks: the peer, or whom a proxy beside us names. `is_proxied` when people reach us through one.
pub(super) fn origin(peer: Option<Peer>, headers: &HeaderMap, is_proxied: bool) -> Option<IpAddr> {
    let peer = peer.map(|peer| peer.0.ip())?;
    if !is_proxied || !peer.is_loopback() {
        return Some(peer);
    }
    // What stands before the last entry, whoever asks may have written.
    let named = headers.get_all("x-forwarded-for").iter().next_back();
    let named = named.and_then(|value| value.to_str().ok()?.rsplit(',').next());
    Some(named.and_then(|named| address(named.trim())).unwrap_or(peer))
}

/// An address as proxies write it: with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    let text_alone = text.trim_start_matches('[').trim_end_matches(']');
    text_alone.parse().or_else(|_| with_port()).ok()
}

impl Head {
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all(http::header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether nothing is changed by it.
    pub fn is_safe(&self) -> bool {
        self.method.is_safe()
    }

    pub fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }

    /// Path and query.
    pub fn address(&self) -> String {
        match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }
}

/// What a handler is given.
pub(super) struct Request {
    pub head: Head,
    /// What stands in the places of `{…}` in the route's path, in order.
    pub params: Vec<String>,
    pub body: Bytes,
    pub who: Who,
    pub lang: Lang,
    /// How often the log had changed when the request came.
    pub news: u64,
}

impl Request {
    /// The `n`-th parameter of the path. What can't be one names nothing that there is: 404.
    pub fn param<T: FromStr>(&self, n: usize) -> Result<T, Problem> {
        let param = self.params.get(n).and_then(|param| param.parse().ok());
        param.ok_or_else(Problem::not_found)
    }

    /// The query's parameters.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_urlencoded::from_str(&self.head.query)
            .map_err(|error| Problem::bad_request(format!("the query can't be read: {error}")))
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.is_type("application/json") {
            return Err(Problem::unsupported_media_type("application/json"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Problem::bad_request(format!("the body can't be read: {error}")))
    }

    /// The body as the fields of a form.
    pub fn form<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.is_type("application/x-www-form-urlencoded") {
            return Err(Problem::unsupported_media_type(
                "application/x-www-form-urlencoded",
            ));
        }
        serde_urlencoded::from_bytes(&self.body)
            .map_err(|error| Problem::bad_request(format!("the form can't be read: {error}")))
    }

    fn is_type(&self, wanted: &str) -> bool {
        let given = self.head.header(http::header::CONTENT_TYPE).unwrap_or_default();
        let given = given.split(';').next().unwrap_or_default();
        given.trim().eq_ignore_ascii_case(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        for value in ["a=1; wxreply=two=2", "b=3"] {
            headers.append(http::header::COOKIE, value.parse().expect("a value"));
        }
        let head = Head {
            method: Method::GET,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            from: None,
        };
        assert_eq!(head.cookie("a"), Some("1"));
        assert_eq!(head.cookie("wxreply"), Some("two=2"));
        assert_eq!(head.cookie("b"), Some("3"));
        assert_eq!(head.cookie("wx"), None);
    }
    #[test]
    fn a_proxy_beside_us_says_who_asks() {
        let peer = |text: &str| Some(Peer(text.parse().expect("an address")));
        let mut headers = HeaderMap::new();
        for value in ["10.0.0.9", "198.51.100.7, 192.0.2.1"] {
            headers.append("x-forwarded-for", value.parse().expect("a value"));
        }
        let told = |peer, headers: &HeaderMap, is_proxied| {
            origin(peer, headers, is_proxied).map(|address| address.to_string())
        };
        let proxy = peer("127.0.0.1:5000");
        assert_eq!(told(proxy, &headers, true).as_deref(), Some("192.0.2.1"));
        assert_eq!(told(proxy, &headers, false).as_deref(), Some("127.0.0.1"));
        assert_eq!(
            told(peer("192.0.2.8:5000"), &headers, true).as_deref(),
            Some("192.0.2.8")
        );
        assert_eq!(told(None, &headers, true), None);
        for (value, named) in [
            ("192.0.2.1:80", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("unknown", "127.0.0.1"),
            ("", "127.0.0.1"),
        ] {
            headers.insert("x-forwarded-for", value.parse().expect("a value"));
            assert_eq!(told(proxy, &headers, true).as_deref(), Some(named), "{value}");
        }
    }
}
