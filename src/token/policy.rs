//! When to renew, when to force it, how long to leave WeChat alone. Pure.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::TokenError;
use crate::clock::{after, left};
use crate::wechat::api::ApiError;
use crate::wechat::errcode;

/// From here on `stable_token` gives the next token while the present one goes on being taken (stable_token: 平台会提前5分钟更新).
const LAST_MINUTES: Duration = Duration::from_secs(300);

/// A token is not asked for more often than this ahead of need, however short it lives.
const SHORTEST: Duration = Duration::from_secs(60);

/// Renewals ahead of need are spread over this time, so that apps and daemons don't ask all at once.
const SPREAD: Duration = Duration::from_secs(30);

/// A token is not lent out when it would expire on the way: this much of its end is cut off, or a tenth of its life.
const ON_THE_WAY: Duration = Duration::from_secs(60);

/// Forced renewals of a stable token must be this far apart (stable_token).
const FORCE_APART: Duration = Duration::from_secs(30);

/// … and there may be so many a day (stable_token).
const FORCED_A_DAY: usize = 20;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When WeChat refuses a token and gives no other, or gave one a moment ago, it is not asked again before this.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// How long an answer that only a person can change is taken to stand, so that each reply does not ask again.
const OWNER_PAUSE: Duration = Duration::from_secs(60);

/// How long a failure that may pass is shared by all who ask.
const PASSING_PAUSE: Duration = Duration::from_secs(1);

/// Whether a token that was asked for at `asked` may still be lent out.
pub(super) fn usable(asked: Timestamp, expires: Timestamp, now: Timestamp) -> bool {
    let life = left(asked, expires);
    let cut = ON_THE_WAY.min(life / 10);
    after(now, cut) < expires
}

/// When to ask for the next token. `jitter` is in 0..1.
pub(super) fn renew_at(asked: Timestamp, expires: Timestamp, jitter: f64) -> Timestamp {
    let ahead = expires.checked_sub(LAST_MINUTES).unwrap_or(asked);
    let at = ahead.max(after(asked, SHORTEST));
    after(at, SPREAD.mul_f64(jitter.clamp(0.0, 1.0)))
}

/// From when on a renewal may be forced, after those that were.
pub(super) fn force_from(forced: &[Timestamp]) -> Timestamp {
    let apart = forced.iter().max().map(|last| after(*last, FORCE_APART));
    let mut newest_first = forced.to_vec();
    newest_first.sort_unstable_by(|a, b| b.cmp(a));
    let a_day = newest_first
        .get(FORCED_A_DAY - 1)
        .map(|oldest| after(*oldest, DAY));
    apart.max(a_day).unwrap_or(Timestamp::MIN)
}

/// The record of forced renewals with one more, and without those that count no longer.
pub(super) fn forced_again(forced: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
    let counts = |at: &Timestamp| after(*at, DAY) > now;
    let mut record: Vec<_> = forced.iter().copied().filter(counts).collect();
    record.push(now);
    record
}

/// Whether to ask again at once, within the same renewal: whatever a person need not act upon. Asking twice does no
/// harm, and every reply waits for the answer.
pub(super) fn worth_repeating(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::Unreached { .. }
            | ApiError::Unanswered { .. }
            | ApiError::Gateway { .. }
            | ApiError::Refused { errcode: -1, .. }
    )
}

/// How long nobody asks after this failure.
pub(super) fn pause_after(error: &TokenError) -> Duration {
    match error {
        TokenError::Call(_) | TokenError::Slow => PASSING_PAUSE,
        TokenError::Refused { .. } => OWNER_PAUSE,
        TokenError::Withheld { .. } => REFUSED_PAUSE,
    }
}

/// What an answer of a token endpoint means, where some codes mean other things than elsewhere (getAccessToken,
/// getStableAccessToken: 错误码), and what to do about it; `None` when it may pass by itself in a moment.
pub(crate) fn advice(code: i64, errmsg: &str) -> Option<String> {
    let advice = match code {
        -1 => return None,
        40001 => "the AppSecret is wrong; copy it again from WeChat's backend",
        40164 | 61004 => {
            let caller = refused_ip(errmsg).map_or("this machine".to_owned(), |ip| ip.to_string());
            return Some(format!(
                "WeChat takes no calls from {caller}; add it to the IP allow-list (IP白名单) in WeChat's backend"
            ));
        }
        45009 | 45011 => "too many calls for tokens; does another program ask for tokens of this app?",
        _ => errcode(code).1,
    };
    Some(advice.to_owned())
}

/// The caller's address in WeChat's words `invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist`.
fn refused_ip(errmsg: &str) -> Option<IpAddr> {
    errmsg
        .split(|c: char| c.is_whitespace() || c == ',')
        .find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        let start: Timestamp = "2026-01-05T10:00:00Z".parse().expect("a time");
        after(start, Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_is_renewed_in_its_last_five_minutes() {
        assert_eq!(renew_at(at(0), at(7200), 0.0), at(6900));
        assert_eq!(renew_at(at(0), at(7200), 1.0), at(6930));
    }

    #[test]
    fn a_token_that_ends_soon_is_asked_for_once_a_minute() {
        assert_eq!(
            renew_at(at(0), at(345), 0.0),
            at(60),
            "WeChat's own example: 345 s left"
        );
        assert_eq!(renew_at(at(0), at(200), 0.0), at(60));
        assert_eq!(renew_at(at(0), at(5), 0.0), at(60));
    }

    #[test]
    fn a_token_is_not_lent_out_at_its_very_end() {
        assert!(usable(at(0), at(7200), at(7139)));
        assert!(!usable(at(0), at(7200), at(7140)));
        assert!(usable(at(0), at(20), at(17)), "a short life is used, too");
        assert!(!usable(at(0), at(20), at(18)));
        assert!(!usable(at(0), at(7200), at(9000)));
    }

    #[test]
    fn force_waits_thirty_seconds() {
        assert_eq!(force_from(&[]), Timestamp::MIN);
        assert_eq!(force_from(&[at(100), at(40)]), at(130));
    }

    #[test]
    fn force_is_allowed_twenty_times_a_day() {
        let hourly: Vec<_> = (0..20).map(|hour| at(hour * 3600)).collect();
        assert_eq!(force_from(&hourly[..19]), at(18 * 3600 + 30));
        assert_eq!(force_from(&hourly), at(24 * 3600), "when the first is a day old");
        let now = at(24 * 3600);
        let record = forced_again(&hourly, now);
        assert_eq!(record.len(), 20, "the first counts no longer");
        assert_eq!(record.last(), Some(&now));
        assert_eq!(force_from(&record), at(25 * 3600));
    }

    #[test]
    fn only_what_may_pass_is_repeated() {
        let refused = |errcode| ApiError::Refused {
            errcode,
            errmsg: String::new(),
        };
        assert!(worth_repeating(&refused(-1)));
        assert!(!worth_repeating(&refused(40125)));
        assert!(!worth_repeating(&refused(45011)));
        assert!(worth_repeating(&ApiError::Unanswered {
            host: String::new(),
            cause: String::new()
        }));
    }

    #[test]
    fn the_owner_is_told_which_address_to_allow() {
        let told = advice(
            40164,
            "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 6571",
        );
        assert!(told.expect("advice").contains("from 203.0.113.7;"));
        let v6 = advice(40164, "invalid ip 2001:db8::7, not in whitelist");
        assert!(v6.expect("advice").contains("from 2001:db8::7;"));
        let none = advice(40164, "not in whitelist");
        assert!(none.expect("advice").contains("from this machine;"));
    }

    #[test]
    fn busy_alone_needs_no_advice() {
        assert_eq!(advice(-1, "system error"), None);
        assert!(advice(40001, "").expect("advice").contains("AppSecret"));
        assert_eq!(advice(40243, "").as_deref(), Some(errcode(40243).1));
    }
}
