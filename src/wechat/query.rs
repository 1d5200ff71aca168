//! The query of a request from WeChat, and the signature in it.

use super::Refusal;
use super::signature::signs;

/// The query of a request from WeChat. A parameter that is given twice or as an array makes the query unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushQuery {
    /// `signature`
    pub signature: Option<String>,
    /// `timestamp`, as text
    pub timestamp: Option<String>,
    /// `nonce`, as text
    pub nonce: Option<String>,
    /// `echostr`, in the check of the URL only
    pub echostr: Option<String>,
    /// `encrypt_type`
    pub encrypt_type: Option<String>,
    /// `msg_signature`
    pub msg_signature: Option<String>,
}

impl PushQuery {
    /// Reads the raw query string (what stands after `?`). Parameters that are not WeChat's may be there and are
    /// ignored: the URL in WeChat's backend may have a query of its own.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (base, array) = match name.split_once('[') {
                Some((base, _)) => (base, true),
                None => (&*name, false),
            };
            let (name, slot) = match base {
                "signature" => ("signature", &mut read.signature),
                "timestamp" => ("timestamp", &mut read.timestamp),
                "nonce" => ("nonce", &mut read.nonce),
                "echostr" => ("echostr", &mut read.echostr),
                "encrypt_type" => ("encrypt_type", &mut read.encrypt_type),
                "msg_signature" => ("msg_signature", &mut read.msg_signature),
                _ => continue,
            };
            if array || slot.is_some() {
                return Err(Refusal::Query(name));
            }
            *slot = Some(value.into_owned());
        }
        Ok(read)
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

/// A parameter that must be there, and not empty.
pub(super) fn required<'a>(value: &'a Option<String>, name: &'static str) -> Result<&'a str, Refusal> {
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
    }
}
