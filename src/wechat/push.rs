//! A push as it arrives: its verification, its body in either format.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::query::required;
use super::signature::signs;
use super::{AesKey, OpenError, PushQuery, open, xml};
use crate::message::{Fields, Format, Mode};

/// How many fields a push may have, nested ones counted. WeChat's largest has some fifty; a body that has more than
/// this was made to waste our time.
pub(super) const MAX_FIELDS: usize = 4096;

/// The longest `echostr` that we send back; WeChat's has about twenty characters.
const MAX_ECHOSTR: usize = 256;

/// What an app shares with WeChat.
pub struct Credentials {
    /// The AppID.
    pub app_id: String,
    /// The Token.
    pub token: SecretString,
    /// The key; there in compat and safe mode.
    pub aes_key: Option<AesKey>,
    /// The mode below which no push is taken.
    pub mode: Mode,
}

/// Why a request is refused with 403. The sender is never told which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The query can't be read, or lacks a parameter.
    #[error("the query lacks {0}, or gives it twice")]
    Query(&'static str),
    /// `signature` or `msg_signature` is wrong.
    #[error("the signature is wrong: is `token` the one in WeChat's backend?")]
    Signature,
    /// The timestamp is too old or too far ahead.
    #[error("the timestamp is {0} s away from this machine's clock")]
    Stale(i64),
    /// A push below the configured mode.
    #[error("the push is not encrypted, but the configured mode is {0}")]
    Mode(Mode),
    /// The push is sealed, and the app has no key.
    #[error("the push is encrypted: set `encoding_aes_key`, and `mode` as it stands in WeChat's backend")]
    Key,
    /// The envelope can't be opened.
    #[error("the envelope can't be opened ({0}): is `encoding_aes_key` the one in WeChat's backend?")]
    Envelope(OpenError),
    /// The (timestamp, nonce) pair was used for a different message.
    #[error("its timestamp and nonce were already used for a different message")]
    Reused,
}

/// A verified push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A message or an event; it has a `MsgType` and a `FromUserName`.
    Push(Push),
    /// Well signed, but no message: neither XML nor JSON that we can read, or without `MsgType` or `FromUserName`.
    Unreadable {
        /// The body, opened if it was sealed.
        raw: Vec<u8>,
        /// Why, in words.
        error: String,
    },
}

/// A message or an event with its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// All fields.
    pub fields: Fields,
    /// The format it came in, which the answer must have.
    pub format: Format,
    /// Whether it came sealed; then the answer must be sealed.
    pub sealed: bool,
}

impl Refusal {
    /// Every word that [`Refusal::label`] gives.
    pub const LABELS: [&'static str; 7] =
        ["query", "signature", "stale", "mode", "key", "envelope", "reused"];

    /// A short stable word for metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Query(_) => "query",
            Self::Signature => "signature",
            Self::Stale(_) => "stale",
            Self::Mode(_) => "mode",
            Self::Key => "key",
            Self::Envelope(_) => "envelope",
            Self::Reused => "reused",
        }
    }
}

/// The check of the callback URL: gives the `echostr` to send back as it is.
///
/// The signature does not cover `echostr`. So that nobody who overheard one valid query can make us say something,
/// markup and anything longer than WeChat's own is refused.
pub fn check_url(credentials: &Credentials, query: &PushQuery<'_>) -> Result<String, Refusal> {
    query.signed(credentials.token.expose_secret())?;
    let echostr = required(&query.echostr, "echostr")?;
    let plain = |c: u8| c.is_ascii_graphic() && !b"<>&\"'`".contains(&c);
    if echostr.len() > MAX_ECHOSTR || !echostr.bytes().all(plain) {
        return Err(Refusal::Query("an echostr of plain characters"));
    }
    Ok(echostr.to_owned())
}

/// Verifies a push, opens it and reads its fields. `max_age` bounds how far its timestamp may be from `now`.
///
/// `signature` is checked first, so that no body of a stranger's is ever parsed. It does not cover the body, though:
/// in a sealed push `msg_signature` does that, and what stands beside `Encrypt` is not read at all.
pub fn open_push(
    credentials: &Credentials,
    query: &PushQuery<'_>,
    body: &[u8],
    now: Timestamp,
    max_age: Duration,
) -> Result<Opened, Refusal> {
    let token = credentials.token.expose_secret();
    let (timestamp, nonce) = query.signed(token)?;
    check_age(timestamp, now, max_age)?;

    if credentials.mode == Mode::Plain && !query.says_sealed() {
        return Ok(read(body, None));
    }
    let Some((encrypt, format)) = encrypt_of(body) else {
        return match credentials.mode {
            Mode::Plain => Ok(read(body, None)),
            mode => Err(Refusal::Mode(mode)),
        };
    };
    let msg_signature = required(&query.msg_signature, "msg_signature")?;
    if !signs([token, timestamp, nonce, &encrypt], msg_signature) {
        return Err(Refusal::Signature);
    }
    let key = credentials.aes_key.as_ref().ok_or(Refusal::Key)?;
    let clear = open(key, &credentials.app_id, &encrypt).map_err(Refusal::Envelope)?;
    Ok(read(&clear, Some(format)))
}

fn check_age(timestamp: &str, now: Timestamp, max_age: Duration) -> Result<(), Refusal> {
    let timestamp: i64 = timestamp
        .parse()
        .map_err(|_| Refusal::Query("a timestamp in seconds"))?;
    let age = now.as_second().saturating_sub(timestamp);
    if age.unsigned_abs() > max_age.as_secs() {
        return Err(Refusal::Stale(age));
    }
    Ok(())
}

/// Reads the clear text of a push. `sealed_in` is the format of the envelope that it came out of.
fn read(clear: &[u8], sealed_in: Option<Format>) -> Opened {
    let unreadable = |error| Opened::Unreadable {
        raw: clear.to_vec(),
        error,
    };
    let body = without_lead(clear);
    let Some(format) = format_of(body) else {
        return unreadable("neither XML nor JSON".to_owned());
    };
    let fields = match format {
        Format::Xml => xml::fields(body),
        Format::Json => json_fields(body),
    };
    match fields {
        Ok(fields) => {
            let push = Push {
                fields,
                format: sealed_in.unwrap_or(format),
                sealed: sealed_in.is_some(),
            };
            match push.lacks() {
                None => Opened::Push(push),
                Some(lacks) => unreadable(format!("it has no {lacks}")),
            }
        }
        Err(error) => unreadable(error),
    }
}

/// `Encrypt` and the format that it stands in. A body that can't be read has none: nothing vouches for it.
fn encrypt_of(body: &[u8]) -> Option<(Cow<'_, str>, Format)> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, rename = "Encrypt")]
        encrypt: Cow<'a, str>,
    }
    let body = without_lead(body);
    let format = format_of(body)?;
    let encrypt = match format {
        Format::Xml => xml::encrypt(body).ok()??,
        Format::Json => serde_json::from_slice::<Envelope<'_>>(body).ok()?.encrypt,
    };
    Some((encrypt, format))
}

fn json_fields(json: &[u8]) -> Result<Fields, String> {
    // `Fields` looks through its names at every insertion: harmless for any real push, a trap for one with 100,000.
    // Every member of an object has a colon.
    if json.iter().filter(|byte| **byte == b':').count() > MAX_FIELDS {
        return Err(format!("more than {MAX_FIELDS} fields"));
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

/// A body without byte order mark and leading white space.
fn without_lead(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii_start()
}

/// Whether one of these bytes is among them. The loop has no early exit and no branch, so it looks at many at a time.
pub(super) fn holds_any<const N: usize>(bytes: &[u8], marks: [u8; N]) -> bool {
    let found = bytes.iter().fold(0, |found, byte| {
        marks
            .iter()
            .fold(found, |found, mark| found | u8::from(byte == mark))
    });
    found != 0
}

/// Told from the first byte alone: the Content-Type of pushes is not documented, and not reliable.
fn format_of(body: &[u8]) -> Option<Format> {
    match body.first() {
        Some(b'<') => Some(Format::Xml),
        Some(b'{') => Some(Format::Json),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests;
