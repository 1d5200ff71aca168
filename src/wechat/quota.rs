//! How many replies a user's action buys, and for how long: WeChat's table, as data.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::after;
use crate::message::{AppKind, DropReason, Ledger};

/// What one action of a user buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Replies.
    pub replies: u32,
    /// The time in which they must be sent.
    pub window: Duration,
}

const TWO_DAYS: Duration = Duration::from_hours(48);
const ONE_MINUTE: Duration = Duration::from_mins(1);

/// What a message of any kind buys.
const MESSAGE: Grant = Grant {
    replies: 5,
    window: TWO_DAYS,
};

/// What an event buys; events that are not listed buy nothing. Sources: for mini programs the page
/// `customer-message/send`; for Official Accounts the rules in force since 2023-06-12.
const EVENTS: &[(AppKind, &str, Grant)] = &[
    (AppKind::MiniProgram, "user_enter_tempsession", within_a_minute(2)),
    (AppKind::OfficialAccount, "subscribe", within_a_minute(3)),
    (AppKind::OfficialAccount, "scan", within_a_minute(3)),
    (AppKind::OfficialAccount, "click", within_a_minute(3)),
    (AppKind::OfficialAccount, "scancode_push", within_a_minute(3)),
    (AppKind::OfficialAccount, "scancode_waitmsg", within_a_minute(3)),
];

const fn within_a_minute(replies: u32) -> Grant {
    Grant {
        replies,
        window: ONE_MINUTE,
    }
}

/// What a push of this `MsgType` and `Event` buys, if anything.
///
/// A `MsgType` that we don't know counts as a message: should WeChat see that otherwise, it refuses the reply, which
/// costs one call; the other way round a customer would get no answer.
#[must_use]
pub fn grant(kind: AppKind, msg_type: &str, event: Option<&str>) -> Option<Grant> {
    if msg_type.is_empty() {
        return None;
    }
    if !msg_type.eq_ignore_ascii_case("event") {
        return Some(MESSAGE);
    }
    let event = event?;
    EVENTS
        .iter()
        .find(|(of, name, _)| *of == kind && name.eq_ignore_ascii_case(event))
        .map(|(_, _, grant)| *grant)
}

impl Ledger {
    /// The ledger after the user's action at `at`: WeChat's count and its end each become the larger of what there is
    /// and what the action buys; amounts don't add up. Replies that wait for an earlier action are sent after this
    /// one, so it pays for them first.
    #[must_use]
    pub fn granted(self, grant: Grant, at: Timestamp) -> Self {
        let until = after(at, grant.window);
        let (count, until) = match self.until {
            Some(open) if open > at => (
                grant.replies.max(self.left.saturating_add(self.waiting)),
                open.max(until),
            ),
            _ => (grant.replies, until),
        };
        Self {
            left: count.saturating_sub(self.waiting),
            waiting: self.waiting,
            until: Some(until),
        }
    }

    /// Takes one reply that goes out at `at`, leaving `reserve` untouched.
    pub fn take(&mut self, at: Timestamp, reserve: u32) -> Result<(), DropReason> {
        if self.until.is_none_or(|until| until <= at) {
            return Err(DropReason::WindowOver);
        }
        if self.left <= reserve {
            return Err(DropReason::Quota);
        }
        self.left -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_732_250_000 + second).expect("in range")
    }

    #[test]
    fn the_table_says_what_wechat_says() {
        use AppKind::{MiniProgram, OfficialAccount};
        for (kind, msg_type, event, replies) in [
            (MiniProgram, "text", None, Some(5)),
            (MiniProgram, "image", None, Some(5)),
            (MiniProgram, "a-new-kind", None, Some(5)),
            (MiniProgram, "event", Some("user_enter_tempsession"), Some(2)),
            (MiniProgram, "Event", Some("USER_ENTER_TEMPSESSION"), Some(2)),
            (MiniProgram, "event", Some("subscribe"), None),
            (MiniProgram, "event", Some("subscribe_msg_popup_event"), None),
            (MiniProgram, "event", None, None),
            (MiniProgram, "", None, None),
            (OfficialAccount, "voice", None, Some(5)),
            (OfficialAccount, "event", Some("subscribe"), Some(3)),
            (OfficialAccount, "event", Some("SCAN"), Some(3)),
            (OfficialAccount, "event", Some("CLICK"), Some(3)),
            (OfficialAccount, "event", Some("VIEW"), None),
            (OfficialAccount, "event", Some("unsubscribe"), None),
            (OfficialAccount, "event", Some("user_enter_tempsession"), None),
        ] {
            let got = grant(kind, msg_type, event);
            assert_eq!(got.map(|g| g.replies), replies, "{kind} {msg_type} {event:?}");
            let window = if replies == Some(5) { TWO_DAYS } else { ONE_MINUTE };
            assert!(
                got.is_none_or(|g| g.window == window),
                "{kind} {msg_type} {event:?}"
            );
        }
    }

    #[test]
    fn amounts_do_not_add_up() {
        let message = MESSAGE;
        let enter = within_a_minute(2);
        let mut ledger = Ledger::default().granted(message, at(0));
        for _ in 0..4 {
            assert_eq!(ledger.take(at(1), 0), Ok(()));
        }
        assert_eq!(ledger.left, 1);
        // Entering the session lifts the count to 2 and leaves the longer window alone.
        let ledger = ledger.granted(enter, at(2));
        assert_eq!((ledger.left, ledger.until), (2, Some(at(48 * 3600))));
        // Another message renews both.
        let ledger = ledger.granted(message, at(3));
        assert_eq!((ledger.left, ledger.until), (5, Some(at(48 * 3600 + 3))));
    }

    #[test]
    fn what_was_left_of_a_closed_window_is_gone() {
        let old = Ledger {
            left: 5,
            waiting: 0,
            until: Some(at(10)),
        };
        let ledger = old.granted(within_a_minute(2), at(10));
        assert_eq!((ledger.left, ledger.until), (2, Some(at(70))));
    }

    #[test]
    fn what_waits_is_paid_for_by_the_next_action() {
        let waiting = |left, waiting| Ledger {
            left,
            waiting,
            until: Some(at(10)),
        };
        for (before, seconds, left, why) in [
            (
                waiting(0, 5),
                1,
                0,
                "five are still to be sent, and WeChat takes five",
            ),
            (waiting(0, 2), 1, 3, "three were sent, two wait"),
            (waiting(4, 1), 1, 4, "nothing was sent yet"),
            (
                waiting(0, 3),
                10,
                2,
                "the window had closed: what waits goes into the new one",
            ),
            (waiting(0, 7), 1, 0, "resent ones, more than there is room for"),
        ] {
            let ledger = before.granted(MESSAGE, at(seconds));
            assert_eq!((ledger.left, ledger.waiting), (left, before.waiting), "{why}");
        }
    }

    #[test]
    fn taking_stops_at_the_reserve_and_at_the_end_of_the_window() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.take(at(0), 0),
            Err(DropReason::WindowOver),
            "none was ever opened"
        );
        ledger = ledger.granted(within_a_minute(2), at(0));
        assert_eq!(ledger.take(at(60), 0), Err(DropReason::WindowOver));
        assert_eq!(ledger.take(at(59), 1), Ok(()));
        assert_eq!(
            ledger.take(at(59), 1),
            Err(DropReason::Quota),
            "the last one is kept"
        );
        assert_eq!(ledger.take(at(59), 0), Ok(()));
        assert_eq!(ledger.take(at(59), 0), Err(DropReason::Quota));
    }
}
