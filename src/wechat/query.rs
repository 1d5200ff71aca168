//! The query of a request from WeChat, and the signature in it.

use std::borrow::Cow;

use super::Refusal;
use super::push::holds_any;
use super::signature::signs;

/// The query of a request from WeChat, borrowed from it wherever nothing in it is escaped. A parameter that is given
/// twice or as an array makes the query unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushQuery<'q> {
    /// `signature`
    pub signature: Option<Cow<'q, str>>,
    /// `timestamp`, as text
    pub timestamp: Option<Cow<'q, str>>,
    /// `nonce`, as text
    pub nonce: Option<Cow<'q, str>>,
    /// `echostr`, in the check of the URL only
    pub echostr: Option<Cow<'q, str>>,
    /// `encrypt_type`
    pub encrypt_type: Option<Cow<'q, str>>,
    /// `msg_signature`
    pub msg_signature: Option<Cow<'q, str>>,
}

impl<'q> PushQuery<'q> {
    /// Reads the raw query string (what stands after `?`). Parameters that are not WeChat's may be there and are
    /// ignored: the URL in WeChat's backend may have a query of its own.
    pub fn parse(query: &'q str) -> Result<Self, Refusal> {
        let mut read = Self::default();
        // In the query of a push nothing is escaped, and to decode it all the same is dear.
        if holds_any(query.as_bytes(), [b'%', b'+']) {
            for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                read.add(&name, value)?;
            }
        } else {
            for pair in query.split('&') {
                let (name, value) = cut(pair, b'=').unwrap_or((pair, ""));
                read.add(name, value.into())?;
            }
        }
        Ok(read)
    }

    /// Takes a parameter in, if it is one of WeChat's.
    fn add(&mut self, name: &str, value: Cow<'q, str>) -> Result<(), Refusal> {
        let (base, array) = match cut(name, b'[') {
            Some((base, _)) => (base, true),
            None => (name, false),
        };
        let (name, slot) = match base {
            "signature" => ("signature", &mut self.signature),
            "timestamp" => ("timestamp", &mut self.timestamp),
            "nonce" => ("nonce", &mut self.nonce),
            "echostr" => ("echostr", &mut self.echostr),
            "encrypt_type" => ("encrypt_type", &mut self.encrypt_type),
            "msg_signature" => ("msg_signature", &mut self.msg_signature),
            _ => return Ok(()),
        };
        if array || slot.is_some() {
            return Err(Refusal::Query(name));
        }
        *slot = Some(value);
        Ok(())
    }

    /// `timestamp` and `nonce`, once `signature` proves that whoever sent them knows the token.
    pub(super) fn signed(&self, token: &str) -> Result<(&str, &str), Refusal> {
        let signature = required(&self.signature, "signature")?;
        let timestamp = required(&self.timestamp, "timestamp")?;
        let nonce = required(&self.nonce, "nonce")?;
        if signs([token, timestamp, nonce], signature) {
            Ok((timestamp, nonce))
        } else {
            Err(Refusal::Signature)
        }
    }

    /// Whether it claims that the body is sealed.
    pub(super) fn says_sealed(&self) -> bool {
        self.msg_signature.is_some() || self.encrypt_type.as_deref() == Some("aes")
    }
}

/// What stands before and behind the first such ASCII character. Names are so short that `split_once`, which searches in
/// words, is slower.
fn cut(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == mark)?;
    Some((&text[..at], &text[at + 1..]))
}

/// A parameter that must be there, and not empty.
pub(super) fn required<'a>(value: &'a Option<Cow<'_, str>>, name: &'static str) -> Result<&'a str, Refusal> {
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(Refusal::Query(name)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_is_read_with_care() {
        let query =
            PushQuery::parse("a=1&a=2&openid=o&signature=s%2B&timestamp=1&nonce=n+m&encrypt_type=aes")
                .expect("fine");
        assert_eq!(query.signature.as_deref(), Some("s+"));
        assert_eq!(query.nonce.as_deref(), Some("n m"));
        assert_eq!(query.msg_signature, None);
        for (text, name) in [
            ("signature=a&signature=a", "signature"),
            ("nonce=&nonce=1", "nonce"),
            ("timestamp[]=1", "timestamp"),
            ("timestamp%5B0%5D=1", "timestamp"),
            ("msg_signature=a&msg_signature[x]=b", "msg_signature"),
            ("echostr=1&echostr=2", "echostr"),
        ] {
            assert_eq!(PushQuery::parse(text), Err(Refusal::Query(name)), "{text}");
        }
        assert_eq!(PushQuery::parse(""), Ok(PushQuery::default()));
    }

    proptest! {
        #[test]
        fn no_query_panics(text in "(signature|nonce|timestamp|=|&|%|\\[|\\]|\\PC){0,12}") {
            let _ = PushQuery::parse(&text);
        }

        #[test]
        fn what_is_not_escaped_is_read_as_if_it_were(text in "(signature|nonce|timestamp|=|&|\\[|\\]|[a-z0-9é]){0,12}") {
            let escaped = format!("{text}&%2B=");
            prop_assert_eq!(PushQuery::parse(&text), PushQuery::parse(&escaped));
        }
    }
}
