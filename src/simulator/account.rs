//! An account as WeChat knows it, and the names that WeChat gives its users.

use std::fmt;

use rand::{Rng, RngExt};

use crate::message::{AppKind, Format, Mode, OpenId};

/// An account as WeChat knows it.
#[derive(Clone)]
pub struct Account {
    /// Its kind, which decides the quotas.
    pub kind: AppKind,
    /// AppID.
    pub app_id: String,
    /// AppSecret.
    pub app_secret: String,
    /// Token.
    pub token: String,
    /// EncodingAESKey.
    pub encoding_aes_key: String,
    /// The mode that pushes come in.
    pub mode: Mode,
    /// The format that pushes come in.
    pub format: Format,
}

impl Account {
    /// The original id (`gh_…`) that stands in `ToUserName`; made from the AppID, so that it stays the same.
    #[must_use]
    pub fn original_id(&self) -> String {
        // FNV-1a: any hash will do, if it is the same on every machine.
        let hash = self.app_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("gh_{:012x}", hash >> 16)
    }
}

/// `wxreply push` is given a real account's secrets, so they are not printed.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("kind", &self.kind)
            .field("app_id", &self.app_id)
            .field("mode", &self.mode)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// A new openid: 28 characters that begin with `o`, as WeChat's do.
pub(super) fn new_openid(random: &mut impl Rng) -> OpenId {
    format!("o{}", letters(27, random)).into()
}

/// Random letters and digits.
pub(super) fn letters(count: usize, random: &mut impl Rng) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..count)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openid_looks_like_wechats() {
        let openid = new_openid(&mut rand::rng());
        assert_eq!(openid.as_str().len(), 28);
        assert!(openid.as_str().starts_with('o'));
    }
}
