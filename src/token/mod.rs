//! The access token of each app: fetched before it is needed, one renewal at a time, kept in the database.
//!
//! What to do when is `policy`'s to say; `keeper` does it.

mod keeper;
mod policy;

pub use keeper::TokenKeeper;
#[cfg(test)]
pub(crate) use policy::advice;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::wechat::api::ApiError;

/// Where the token comes from (`access_token` in the config).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// `stable_token`.
    Stable,
    /// `token`.
    Classic,
    /// A central token server.
    Url(String),
}

/// A token, and which renewal it came from.
#[derive(Clone, Debug)]
pub struct Lent {
    /// The token.
    pub token: SecretString,
    /// When it was fetched; hand it back to [`TokenKeeper::renew`] when WeChat refuses it.
    pub fetched: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// Why there is no token. No variant's text holds a token or a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenError {
    /// The call failed, for a reason that may pass.
    #[error(transparent)]
    Call(ApiError),
    /// WeChat gives none until a person acts or time has passed.
    #[error("{advice} (errcode {errcode}: {errmsg})")]
    Refused {
        /// WeChat's code.
        errcode: i64,
        /// What it means here, and what to do.
        advice: String,
        /// WeChat's words, with `rid`.
        errmsg: String,
    },
    /// There is one, but WeChat refuses it, and asking for another is not allowed yet.
    #[error("WeChat refuses the present token, and {reason}")]
    Withheld {
        /// Why no other is asked for.
        reason: String,
    },
    /// Whoever asked could not wait any longer.
    #[error("the call that gives it takes too long")]
    Slow,
}

impl TokenError {
    /// WeChat's code, if it answered.
    #[must_use]
    pub fn errcode(&self) -> Option<i64> {
        match self {
            Self::Refused { errcode, .. } | Self::Call(ApiError::Refused { errcode, .. }) => Some(*errcode),
            Self::Call(_) | Self::Withheld { .. } | Self::Slow => None,
        }
    }
}
