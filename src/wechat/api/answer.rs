//! What WeChat's API answers, from bytes to a JSON object or an error; secrets are blotted out of every word of it.

use serde_json::{Map, Value};

use super::ApiError;

/// How much of an answer that is not WeChat's an error quotes, in characters.
const EXCERPT: usize = 200;

/// What may be quoted of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    /// All of it, except for the secrets that we sent.
    Excerpt,
    /// Nothing: it may hold a token that we don't know yet.
    Nothing,
}

/// The JSON object of a successful answer, and who gave it.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    host: &'a str,
    object: Map<String, Value>,
}

impl Answer<'_> {
    /// A text that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.object
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    /// A number, or a text that is one.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        integer(self.object.get(name))
    }

    /// The error that it is for an answer to lack what it is asked for.
    pub(super) fn without(&self, names: &str) -> ApiError {
        gateway(self.host, 200, format!("an answer without {names}"))
    }
}

/// `errcode` 0, or none at all, is success.
pub(super) fn read<'a>(
    host: &'a str,
    status: u16,
    body: &[u8],
    quote: Quote,
    secrets: &[&str],
) -> Result<Answer<'a>, ApiError> {
    let text = String::from_utf8_lossy(body);
    let object = (status == 200).then(|| parse(&text)).flatten();
    let Some(object) = object else {
        let excerpt = match quote {
            Quote::Excerpt => redact(&text, secrets).chars().take(EXCERPT).collect(),
            Quote::Nothing => format!("({} bytes, not shown: they may hold a token)", body.len()),
        };
        return Err(gateway(host, status, excerpt));
    };
    match integer(object.get("errcode")) {
        None | Some(0) => Ok(Answer { host, object }),
        Some(errcode) => Err(ApiError::Refused {
            errcode,
            errmsg: redact(
                object.get("errmsg").and_then(Value::as_str).unwrap_or_default(),
                secrets,
            ),
        }),
    }
}

pub(super) fn gateway(host: &str, status: u16, excerpt: String) -> ApiError {
    ApiError::Gateway {
        host: host.to_owned(),
        status,
        excerpt,
    }
}

fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Every secret in a text becomes `***`.
pub(super) fn redact(text: &str, secrets: &[&str]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

/// WeChat's answers can hold raw control characters (users' nicknames do), which JSON forbids.
fn parse(text: &str) -> Option<Map<String, Value>> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&text.replace(|c: char| c < ' ', " ")))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(body: &[u8]) -> Answer<'static> {
        read("h", 200, body, Quote::Excerpt, &[]).expect("success")
    }

    #[test]
    fn errcode_zero_and_no_errcode_are_success() {
        ok(br#"{"errcode":0,"errmsg":"ok"}"#);
        ok(br#"{"errcode":"0"}"#);
        let answer = ok(b"\xef\xbb\xbf {\"media_id\":\"M\",\"n\":7,\"t\":\"7\",\"e\":\"\"}\n");
        assert_eq!(answer.text("media_id"), Some("M"));
        assert_eq!((answer.text("e"), answer.text("n")), (None, None));
        assert_eq!(
            (answer.integer("n"), answer.integer("t"), answer.integer("e")),
            (Some(7), Some(7), None)
        );
        assert_eq!(ok(b"{\"a\":\"x\x01\xffy\"}").text("a"), Some("x \u{fffd}y"));
    }

    #[test]
    fn a_code_is_a_refusal_and_keeps_its_rid() {
        for body in [
            r#"{"errcode":40001,"errmsg":"invalid credential TOKEN rid: 66-1"}"#,
            r#"{"errcode":"40001","errmsg":"invalid credential TOKEN rid: 66-1"}"#,
        ] {
            let error = read("h", 200, body.as_bytes(), Quote::Excerpt, &["TOKEN", ""]).expect_err("refused");
            assert_eq!(
                error.to_string(),
                "errcode 40001: invalid credential *** rid: 66-1"
            );
        }
    }

    #[test]
    fn what_is_not_wechats_is_quoted_without_secrets() {
        let page = format!("<html>/cgi-bin/message?access_token=TOKEN {}", "营".repeat(300));
        for (status, body) in [
            (200, page.as_bytes()),
            (502, page.as_bytes()),
            (500, br#"{"errcode":0}"#),
            (200, b"[]"),
            (200, b""),
            (200, b"ok"),
        ] {
            let error = read("h", status, body, Quote::Excerpt, &["TOKEN"]).expect_err("no answer");
            assert!(!error.to_string().contains("TOKEN"), "{error}");
            let ApiError::Gateway {
                status: got, excerpt, ..
            } = error
            else {
                panic!("{error:?}");
            };
            assert_eq!(got, status);
            assert!(excerpt.chars().count() <= EXCERPT);
        }
        let error = read("h", 200, b"\"FRESH\"", Quote::Nothing, &[]).expect_err("no object");
        assert!(!error.to_string().contains("FRESH"), "{error}");
    }
}
