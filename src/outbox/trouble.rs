//! Why an attempt failed, as far as the verdict cares.

use crate::token::TokenError;
use crate::wechat::api::ApiError;
use crate::wechat::{ErrcodeClass, errcode};

/// What the failure lets us hope for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// WeChat does not have the reply, and it may work later.
    Passing,
    /// The same, but not before the next minute.
    RateLimited,
    /// The reply left, and no answer came: WeChat may have it.
    Unanswered,
    /// WeChat takes no more replies to this user for now.
    QuotaSpent,
    /// It will not work.
    Lasting,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What it lets us hope for.
    pub kind: Kind,
    /// WeChat's code, if it answered.
    pub errcode: Option<i64>,
    /// What happened, in words.
    pub words: String,
}

impl Trouble {
    /// Something on this side, which asking again won't mend.
    pub(super) fn lasting(words: String) -> Self {
        Self {
            kind: Kind::Lasting,
            errcode: None,
            words,
        }
    }

    /// Something on this side, which may pass.
    pub(super) fn passing(words: String) -> Self {
        Self {
            kind: Kind::Passing,
            errcode: None,
            words,
        }
    }

    /// The call that sends failed.
    pub(super) fn sending(error: &ApiError) -> Self {
        Self {
            kind: kind(error),
            errcode: code(error),
            words: words(error),
        }
    }

    /// The picture could not be uploaded, so the reply never left.
    pub(super) fn uploading(error: &ApiError) -> Self {
        let kind = match kind(error) {
            Kind::Unanswered => Kind::Passing,
            kind => kind,
        };
        Self {
            kind,
            errcode: code(error),
            words: format!("the picture could not be uploaded: {}", words(error)),
        }
    }

    /// There is no token, so the reply never left. Whatever the reason, an owner may mend it while the reply waits.
    pub(super) fn no_token(error: &TokenError) -> Self {
        Self {
            kind: Kind::Passing,
            errcode: error.errcode(),
            words: format!("no access token: {error}"),
        }
    }
}

/// What WeChat's code asks of us, if WeChat answered.
pub(super) fn class(error: &ApiError) -> Option<ErrcodeClass> {
    code(error).map(|code| errcode(code).0)
}

fn code(error: &ApiError) -> Option<i64> {
    match error {
        ApiError::Refused { errcode, .. } => Some(*errcode),
        _ => None,
    }
}

fn kind(error: &ApiError) -> Kind {
    match error {
        ApiError::Unreached { .. } | ApiError::Gateway { .. } => Kind::Passing,
        ApiError::Unanswered { .. } => Kind::Unanswered,
        error => match class(error) {
            // A token that was renewed and is refused again: back off, never loop.
            Some(ErrcodeClass::Token | ErrcodeClass::Busy) => Kind::Passing,
            Some(ErrcodeClass::RateLimit) => Kind::RateLimited,
            Some(ErrcodeClass::Quota) => Kind::QuotaSpent,
            Some(
                ErrcodeClass::DailyLimit
                | ErrcodeClass::Media
                | ErrcodeClass::Owner
                | ErrcodeClass::Permanent,
            )
            | None => Kind::Lasting,
        },
    }
}

fn words(error: &ApiError) -> String {
    match error {
        ApiError::Refused {
            errcode: code,
            errmsg,
        } => {
            format!("{} (errcode {code}: {errmsg})", errcode(*code).1)
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errcode: i64) -> ApiError {
        ApiError::Refused {
            errcode,
            errmsg: "some words rid: 6571-0a".to_owned(),
        }
    }

    fn host() -> String {
        "api.weixin.qq.com".to_owned()
    }

    #[test]
    fn each_code_lets_us_hope_for_something_else() {
        let kind = |code| Trouble::sending(&refused(code)).kind;
        assert_eq!(kind(-1), Kind::Passing);
        assert_eq!(kind(42001), Kind::Passing);
        assert_eq!(kind(45011), Kind::RateLimited);
        assert_eq!(kind(45015), Kind::QuotaSpent);
        assert_eq!(kind(45047), Kind::QuotaSpent);
        assert_eq!(kind(40007), Kind::Lasting);
        assert_eq!(kind(40003), Kind::Lasting);
        assert_eq!(kind(48001), Kind::Lasting);
        assert_eq!(kind(1_234_567), Kind::Lasting);
    }

    #[test]
    fn only_a_send_without_an_answer_is_uncertain() {
        let unanswered = ApiError::Unanswered {
            host: host(),
            cause: "timed out".to_owned(),
        };
        assert_eq!(Trouble::sending(&unanswered).kind, Kind::Unanswered);
        assert_eq!(Trouble::uploading(&unanswered).kind, Kind::Passing);
        let gateway = ApiError::Gateway {
            host: host(),
            status: 502,
            excerpt: "<html>".to_owned(),
        };
        assert_eq!(Trouble::sending(&gateway).kind, Kind::Passing);
        let unreached = ApiError::Unreached {
            host: host(),
            cause: "connection refused".to_owned(),
        };
        assert_eq!(Trouble::sending(&unreached).kind, Kind::Passing);
    }

    #[test]
    fn words_hold_the_meaning_the_code_and_the_rid() {
        let trouble = Trouble::sending(&refused(45047));
        assert_eq!(trouble.errcode, Some(45047));
        assert!(trouble.words.starts_with(errcode(45047).1), "{}", trouble.words);
        assert!(
            trouble
                .words
                .ends_with("(errcode 45047: some words rid: 6571-0a)"),
            "{}",
            trouble.words
        );
    }
}
