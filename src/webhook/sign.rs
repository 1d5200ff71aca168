//! The signature, as the Standard Webhooks specification has it: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// A secret that begins so is base64 behind it; libraries for receivers write it this way.
const PREFIX: &str = "whsec_";

/// A shorter key could be guessed.
const SHORTEST: usize = 16;

/// Signs questions.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key([redacted])")
    }
}

/// A secret that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too short.
    #[error("has fewer than {SHORTEST} bytes, so that it could be guessed")]
    Short,
    /// `whsec_`, but no base64 behind it.
    #[error("begins with \"{PREFIX}\", but what follows is no base64")]
    NoBase64,
}

impl Key {
    /// The key that a secret stands for: the bytes behind `whsec_`, else the bytes of the text itself.
    pub fn new(secret: &SecretString) -> Result<Self, KeyError> {
        let text = secret.expose_secret();
        let decoded;
        let bytes = match text.strip_prefix(PREFIX) {
            Some(base64) => {
                decoded = STANDARD.decode(base64).map_err(|_| KeyError::NoBase64)?;
                &decoded[..]
            }
            None => text.as_bytes(),
        };
        if bytes.len() < SHORTEST {
            return Err(KeyError::Short);
        }
        // HMAC takes keys of any length.
        Hmac::new_from_slice(bytes).map(Self).map_err(|_| KeyError::Short)
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{}.", at.as_second()).as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of docs/webhook.md; both signatures were made with Python's `hmac`.
    const ID: &str = "0c5gfr5w00001";
    const TIMESTAMP: i64 = 1_790_000_000;
    const BODY: &str = r#"{"id":"0c5gfr5w00000","content":"订单 123"}"#;
    const VECTORS: [(&str, &str); 2] = [
        (
            "whsec_bm90IGEgc2VjcmV0OiBpdCBpcyBpbiB0aGUgZG9jcw==",
            "v1,YjWm+atWkzvdTty4bBbirI2v9Aho65WkvoNTq8kwO0o=",
        ),
        (
            "any text of 16 bytes or more will do",
            "v1,jjpSH/6fh7iyNtcXsvjcpPRCYOceoRRM1KsSC277KDM=",
        ),
    ];

    #[test]
    fn the_documented_vector() {
        let at = Timestamp::from_second(TIMESTAMP).expect("a time");
        for docs in [
            include_str!("../../docs/webhook.md"),
            include_str!("../../docs/webhook.zh-CN.md"),
        ] {
            for (secret, signature) in VECTORS {
                let key = Key::new(&secret.into()).expect("a key");
                assert_eq!(key.sign(ID, at, BODY.as_bytes()), signature);
                for part in [ID, &TIMESTAMP.to_string(), BODY, secret, signature] {
                    assert!(docs.contains(part), "the page lacks {part}");
                }
            }
        }
    }

    #[test]
    fn everything_is_signed() {
        let key = Key::new(&VECTORS[0].0.into()).expect("a key");
        let at = |second| Timestamp::from_second(second).expect("a time");
        let signature = key.sign("a", at(1), b"x");
        for other in [
            key.sign("b", at(1), b"x"),
            key.sign("a", at(2), b"x"),
            key.sign("a", at(1), b"y"),
        ] {
            assert_ne!(signature, other);
        }
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        let error = |text: &str| Key::new(&text.into()).expect_err("refused");
        assert_eq!(error("shop"), KeyError::Short);
        assert_eq!(error("whsec_c2hvcA=="), KeyError::Short);
        assert_eq!(error("whsec_%%%%"), KeyError::NoBase64);
        let key = Key::new(&"0123456789abcdef".into()).expect("long enough");
        assert_eq!(format!("{key:?}"), "Key([redacted])");
    }
}
