//! Judging: whether to try a reply at all, and what becomes of it after an attempt. Pure.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::friendly::SpanPrinter;

use super::schedule::{backoff, next_minute};
use super::trouble::{Kind, Trouble};
use super::{OnUncertain, OutboxConfig};
use crate::clock::after;
use crate::message::{Delivery, DropReason, Outcome};

/// The last attempt is made this long before the reply is too old, so that it is not too old when its turn comes.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What an attempt came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What becomes of the reply.
    pub outcome: Outcome,
    /// Whether WeChat said that it takes no more replies to this user.
    pub quota_spent: bool,
}

/// Why a claimed reply is not even tried, if so.
pub(super) fn before(delivery: &Delivery, now: Timestamp, config: &OutboxConfig) -> Option<Outcome> {
    // At most one repeat in all, whatever it was that left the earlier attempts open.
    let repeats = match config.on_uncertain {
        OnUncertain::Resend => 1,
        OnUncertain::Hold => 0,
    };
    if delivery.uncertain > repeats {
        return Some(Outcome::Uncertain {
            error: format!(
                "WeChat may or may not have it: {}",
                delivery
                    .last_error
                    .as_deref()
                    .unwrap_or("wxreply ended while it was being sent")
            ),
        });
    }
    if delivery.expires.is_some_and(|end| now >= end) {
        return Some(honest(delivery, Outcome::Dropped(DropReason::WindowOver)));
    }
    if now >= after(delivery.planned, config.max_age) {
        let reason = delivery
            .last_error
            .as_deref()
            .unwrap_or("its turn did not come sooner");
        return Some(honest(delivery, too_late(delivery, config, None, reason)));
    }
    None
}

/// What becomes of a reply that was tried. `jitter` is in 0..1.
pub(super) fn verdict(
    attempt: Result<(), Trouble>,
    delivery: &Delivery,
    now: Timestamp,
    config: &OutboxConfig,
    jitter: f64,
) -> Verdict {
    let Err(trouble) = attempt else {
        return Verdict {
            outcome: Outcome::Sent,
            quota_spent: false,
        };
    };
    let soon = || after(now, backoff(delivery.attempts, jitter));
    let quota_spent = trouble.kind == Kind::QuotaSpent;
    let outcome = match trouble.kind {
        Kind::Passing => retry(soon(), false, trouble, delivery, now, config),
        Kind::RateLimited => retry(next_minute(now, jitter), false, trouble, delivery, now, config),
        Kind::Unanswered if config.on_uncertain == OnUncertain::Resend && delivery.uncertain == 0 => {
            retry(soon(), true, trouble, delivery, now, config)
        }
        Kind::Unanswered => Outcome::Uncertain {
            error: format!("WeChat may or may not have it: {}", trouble.words),
        },
        Kind::QuotaSpent | Kind::Lasting => honest(
            delivery,
            Outcome::Failed {
                errcode: trouble.errcode,
                error: trouble.words,
            },
        ),
    };
    Verdict { outcome, quota_spent }
}

fn retry(
    due: Timestamp,
    uncertain: bool,
    trouble: Trouble,
    delivery: &Delivery,
    now: Timestamp,
    config: &OutboxConfig,
) -> Outcome {
    let too_old = after(delivery.planned, config.max_age);
    let end = delivery.expires.map_or(too_old, |closes| closes.min(too_old));
    let margin = LAST_CALL.min(config.max_age / 10);
    let last = end.checked_sub(margin).unwrap_or(Timestamp::MIN);
    if now < last {
        return Outcome::Retry {
            due: due.min(last),
            uncertain,
            errcode: trouble.errcode,
            error: trouble.words,
        };
    }
    if uncertain {
        return Outcome::Uncertain {
            error: format!(
                "WeChat may or may not have it, and no time is left to send it again: {}",
                trouble.words
            ),
        };
    }
    honest(
        delivery,
        too_late(delivery, config, trouble.errcode, &trouble.words),
    )
}

/// The reply could not be delivered while it was worth delivering.
fn too_late(delivery: &Delivery, config: &OutboxConfig, errcode: Option<i64>, reason: &str) -> Outcome {
    let too_old = after(delivery.planned, config.max_age);
    let error = match delivery.expires {
        Some(closes) if closes < too_old => {
            format!("could not be delivered before WeChat's time for replies to this user ended: {reason}")
        }
        _ => {
            let limit = SpanPrinter::new().unsigned_duration_to_string(&config.max_age);
            format!("could not be delivered within {limit}: {reason}")
        }
    };
    Outcome::Failed { errcode, error }
}

/// Once an attempt went unanswered, a reply ends as sent or as uncertain: to say "failed" would be to say that the
/// customer does not have it, and `resend --failed` would send it a third time.
fn honest(delivery: &Delivery, outcome: Outcome) -> Outcome {
    if delivery.uncertain == 0 {
        return outcome;
    }
    let last = match outcome {
        Outcome::Failed { error, .. } => error,
        Outcome::Dropped(reason) => reason.explanation().to_owned(),
        open => return open,
    };
    Outcome::Uncertain {
        error: format!(
            "an earlier attempt went unanswered, so WeChat may or may not have it; the last one: {last}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::message::{MessageId, Reply};

    const MINUTE: Duration = Duration::from_secs(60);

    fn config() -> OutboxConfig {
        OutboxConfig {
            max_age: 15 * MINUTE,
            on_uncertain: OnUncertain::Resend,
            concurrency: 64,
            gap: Duration::from_millis(100),
            media_root: PathBuf::new(),
            reserve: 0,
            webhook: None,
            webhook_concurrency: 8,
        }
    }

    fn hold() -> OutboxConfig {
        OutboxConfig {
            on_uncertain: OnUncertain::Hold,
            ..config()
        }
    }

    fn start() -> Timestamp {
        "2026-01-05T10:00:00Z".parse().expect("a time")
    }

    fn delivery() -> Delivery {
        Delivery {
            id: MessageId::new(1_767_607_200, 1).reply(1),
            app: "shop".into(),
            openid: "ann".into(),
            reply: Reply::Text("hello".to_owned()),
            planned: start(),
            attempts: 1,
            uncertain: 0,
            last_error: None,
            expires: None,
        }
    }

    fn trouble(kind: Kind) -> Trouble {
        Trouble {
            kind,
            errcode: Some(7),
            words: "WeChat is out of sorts".to_owned(),
        }
    }

    fn judge(kind: Kind, delivery: &Delivery, now: Timestamp, config: &OutboxConfig) -> Outcome {
        verdict(Err(trouble(kind)), delivery, now, config, 0.0).outcome
    }

    fn text(outcome: &Outcome) -> &str {
        match outcome {
            Outcome::Retry { error, .. } | Outcome::Failed { error, .. } | Outcome::Uncertain { error } => {
                error
            }
            Outcome::Sent | Outcome::Dropped(_) => "",
        }
    }

    #[test]
    fn what_wechat_took_is_sent() {
        let sent = verdict(Ok(()), &delivery(), start(), &config(), 0.5);
        assert_eq!(sent.outcome, Outcome::Sent);
        assert!(!sent.quota_spent);
        let repeated = Delivery {
            uncertain: 1,
            ..delivery()
        };
        assert_eq!(
            verdict(Ok(()), &repeated, start(), &config(), 0.5).outcome,
            Outcome::Sent
        );
    }

    #[test]
    fn passing_trouble_backs_off_further_each_time() {
        for (attempts, pause) in [(1, 1), (3, 4), (20, 60)] {
            let delivery = Delivery {
                attempts,
                ..delivery()
            };
            assert_eq!(
                judge(Kind::Passing, &delivery, start(), &config()),
                Outcome::Retry {
                    due: after(start(), Duration::from_secs(pause)),
                    uncertain: false,
                    errcode: Some(7),
                    error: "WeChat is out of sorts".to_owned(),
                }
            );
        }
    }

    #[test]
    fn a_rate_limit_waits_for_the_next_minute() {
        let now = after(start(), Duration::from_secs(42));
        let Outcome::Retry { due, .. } = judge(Kind::RateLimited, &delivery(), now, &config()) else {
            panic!("no retry")
        };
        assert_eq!(due, after(start(), MINUTE));
    }

    #[test]
    fn the_last_attempt_is_made_just_before_the_reply_is_too_old() {
        let tired = Delivery {
            attempts: 20,
            ..delivery()
        };
        let late = after(start(), 15 * MINUTE - Duration::from_secs(20));
        let Outcome::Retry { due, .. } = judge(Kind::Passing, &tired, late, &config()) else {
            panic!("no retry")
        };
        assert_eq!(due, after(start(), 15 * MINUTE - LAST_CALL));
        assert_eq!(before(&tired, due, &config()), None, "that attempt is made");
        assert_eq!(
            judge(Kind::Passing, &tired, due, &config()),
            Outcome::Failed {
                errcode: Some(7),
                error: "could not be delivered within 15m: WeChat is out of sorts".to_owned()
            }
        );
    }

    #[test]
    fn no_retry_is_due_before_now() {
        let short = OutboxConfig {
            max_age: Duration::from_secs(5),
            ..config()
        };
        for millis in 0..5_100 {
            let now = after(start(), Duration::from_millis(millis));
            if let Outcome::Retry { due, .. } = judge(Kind::Passing, &delivery(), now, &short) {
                assert!(due > now && due < after(start(), short.max_age), "at {millis} ms");
            } else {
                assert!(millis >= 4_500, "gave up after {millis} ms");
            }
        }
    }

    #[test]
    fn a_reply_that_is_too_old_is_not_tried() {
        let end = after(start(), 15 * MINUTE);
        assert_eq!(before(&delivery(), start(), &config()), None);
        let failed = before(&delivery(), end, &config()).expect("not tried");
        assert_eq!(
            text(&failed),
            "could not be delivered within 15m: its turn did not come sooner"
        );
        let tried = Delivery {
            last_error: Some("api.weixin.qq.com did not answer".to_owned()),
            ..delivery()
        };
        let failed = before(&tried, end, &config()).expect("not tried");
        assert_eq!(
            text(&failed),
            "could not be delivered within 15m: api.weixin.qq.com did not answer"
        );
    }

    #[test]
    fn a_closed_window_spares_the_call() {
        let closing = Delivery {
            expires: Some(after(start(), MINUTE)),
            ..delivery()
        };
        let nearly = after(start(), Duration::from_secs(59));
        assert_eq!(before(&closing, nearly, &config()), None);
        assert_eq!(
            before(&closing, after(start(), MINUTE), &config()),
            Some(Outcome::Dropped(DropReason::WindowOver))
        );
    }

    #[test]
    fn a_closing_window_ends_the_retries() {
        let closing = Delivery {
            expires: Some(after(start(), MINUTE)),
            attempts: 20,
            ..delivery()
        };
        let Outcome::Retry { due, .. } = judge(Kind::Passing, &closing, start(), &config()) else {
            panic!("no retry")
        };
        assert_eq!(due, after(start(), MINUTE - LAST_CALL));
        let failed = judge(Kind::Passing, &closing, due, &config());
        assert!(
            text(&failed).contains("time for replies to this user ended: WeChat is out of sorts"),
            "{failed:?}"
        );
    }

    #[test]
    fn an_unanswered_send_is_repeated_once() {
        let first = judge(Kind::Unanswered, &delivery(), start(), &config());
        assert!(
            matches!(first, Outcome::Retry { uncertain: true, .. }),
            "{first:?}"
        );
        let again = Delivery {
            attempts: 2,
            uncertain: 1,
            ..delivery()
        };
        assert_eq!(before(&again, start(), &config()), None, "the repeat is made");
        let second = judge(Kind::Unanswered, &again, start(), &config());
        assert!(matches!(second, Outcome::Uncertain { .. }), "{second:?}");
        let crashed = Delivery {
            uncertain: 2,
            ..again
        };
        let third = before(&crashed, start(), &config());
        assert!(matches!(third, Some(Outcome::Uncertain { .. })), "{third:?}");
    }

    #[test]
    fn hold_leaves_the_unanswered_to_a_person() {
        let unanswered = judge(Kind::Unanswered, &delivery(), start(), &hold());
        assert!(matches!(unanswered, Outcome::Uncertain { .. }), "{unanswered:?}");
        let crashed = Delivery {
            uncertain: 1,
            ..delivery()
        };
        let after_crash = before(&crashed, start(), &hold()).expect("not tried");
        assert_eq!(
            text(&after_crash),
            "WeChat may or may not have it: wxreply ended while it was being sent"
        );
        assert_eq!(before(&delivery(), start(), &hold()), None);
    }

    #[test]
    fn an_unanswered_send_that_can_not_be_repeated_in_time_is_uncertain() {
        let late = after(start(), 15 * MINUTE);
        let outcome = judge(Kind::Unanswered, &delivery(), late, &config());
        assert!(matches!(outcome, Outcome::Uncertain { .. }), "{outcome:?}");
    }

    #[test]
    fn what_once_went_unanswered_never_ends_as_failed() {
        let open = Delivery {
            uncertain: 1,
            expires: Some(after(start(), 2 * MINUTE)),
            ..delivery()
        };
        let outcomes = [
            judge(Kind::Lasting, &open, start(), &config()),
            judge(Kind::QuotaSpent, &open, start(), &config()),
            judge(Kind::Passing, &open, after(start(), 2 * MINUTE), &config()),
            before(&open, after(start(), 2 * MINUTE), &config()).expect("not tried"),
            before(
                &Delivery {
                    expires: None,
                    ..open.clone()
                },
                after(start(), 15 * MINUTE),
                &config(),
            )
            .expect("not tried"),
        ];
        for outcome in outcomes {
            assert!(matches!(outcome, Outcome::Uncertain { .. }), "{outcome:?}");
        }
        let again = judge(Kind::Passing, &open, start(), &config());
        assert!(
            matches!(again, Outcome::Retry { uncertain: false, .. }),
            "this attempt never left: {again:?}"
        );
    }

    #[test]
    fn refusals_fail_at_once_and_a_spent_quota_is_told() {
        let refused = verdict(Err(trouble(Kind::Lasting)), &delivery(), start(), &config(), 0.0);
        assert_eq!(
            refused,
            Verdict {
                outcome: Outcome::Failed {
                    errcode: Some(7),
                    error: "WeChat is out of sorts".to_owned()
                },
                quota_spent: false
            }
        );
        let spent = verdict(
            Err(trouble(Kind::QuotaSpent)),
            &delivery(),
            start(),
            &config(),
            0.0,
        );
        assert!(matches!(spent.outcome, Outcome::Failed { errcode: Some(7), .. }));
        assert!(spent.quota_spent);
    }
}
