//! Recorded traffic, judged again by other rules: what customers would notice.
//!
//! Messages are met in the order in which they were judged, each at the time it was judged at, and what a message leaves
//! behind (state, cooldowns, mute, misses, quota) is what the next one finds: what the *candidate* rules left, not what
//! those of the day did. It is compared with what was made of it then, or with what other rules make of it in a world of
//! their own.
//!
//! The world begins empty, so the messages of some time before are judged as well, and not reported. What lies further
//! back is gone, but for two things that the log keeps: when a user first wrote, and when their last push before this was.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::World;
use super::report::{Report, Tally};
use crate::intake::Policies;
use crate::message::{Answer, AppName, Contact, Inbound, InboundStatus, OpenId, Reply, RuleName, Verdict};
use crate::rules::RuleSet;
use crate::store::{Past, PastReply};

/// How long before the messages that are reported others should be met: the longest window of WeChat's reply quota.
pub const WARM_UP: Duration = Duration::from_hours(48);

/// What a message came to, as the log or a judgement tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// How it was taken.
    pub status: InboundStatus,
    /// The rule that decided.
    pub rule: Option<RuleName>,
    /// `observe` rules that would have answered.
    pub observed: Vec<RuleName>,
    /// What the push is answered with.
    pub answer: Answer,
    /// The replies, in order.
    pub replies: Vec<PastReply>,
}

/// How two fates of a message differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The customer hears something now, and heard nothing before.
    NewlyAnswered,
    /// The customer hears nothing any more.
    NoLongerAnswered,
    /// The customer hears something else, or in another order, or from a person.
    AnsweredDifferently,
    /// The same replies are meant, but of these the quota lets others through.
    Quota,
    /// The customer notices nothing: another rule or status, or another rule that only observes.
    Unnoticed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NewlyAnswered,
        Self::NoLongerAnswered,
        Self::AnsweredDifferently,
        Self::Quota,
        Self::Unnoticed,
    ];

    /// Whether the customer notices.
    #[must_use]
    pub fn is_change(self) -> bool {
        self != Self::Unnoticed
    }
}

/// A message whose two fates differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The message.
    pub inbound: Inbound,
    /// How they differ.
    pub kind: Kind,
    /// What became of it, or what the other rules make of it.
    pub before: Fate,
    /// What the candidate rules make of it.
    pub after: Fate,
}

/// Which messages are reported.
#[derive(Clone, Debug)]
pub struct Focus {
    /// Those that came from then on; the ones before warm the world up.
    pub since: Timestamp,
    /// Those of one app.
    pub app: Option<AppName>,
    /// Those of one user. (All the others are judged as well: some cooldowns are for all.)
    pub openid: Option<OpenId>,
}

/// A run of the past through candidate rules.
pub struct Replay<'a> {
    candidate: World<'a>,
    against: Option<World<'a>>,
    focus: Focus,
    tally: Tally,
}

impl<'a> Replay<'a> {
    /// Compares what `rules` make of messages with what the log says, or with what the rules `against` make of them.
    #[must_use]
    pub fn new(
        rules: &'a RuleSet,
        against: Option<&'a RuleSet>,
        policies: &'a Policies,
        focus: Focus,
    ) -> Self {
        Self {
            candidate: World::new(rules, policies),
            against: against.map(|rules| World::new(rules, policies)),
            focus,
            tally: Tally::default(),
        }
    }

    /// Meets the next message; gives the difference, if there is one to report.
    pub fn meet(&mut self, past: Past) -> Option<Difference> {
        let app = self.focus.app.as_ref();
        if app.is_some_and(|app| *app != past.inbound.app) {
            return None;
        }
        let openid = self.focus.openid.as_ref();
        let told = past.inbound.received >= self.focus.since
            && openid.is_none_or(|openid| *openid == past.inbound.openid);
        if past.status == InboundStatus::Malformed {
            self.tally.malformed += u64::from(told);
            return None;
        }
        let after = meet(&mut self.candidate, &past);
        let before = self.against.as_mut().map(|world| meet(world, &past));
        if !told {
            self.tally.warm_up += u64::from(past.inbound.received < self.focus.since);
            return None;
        }
        self.tally.messages += 1;
        let inbound = past.inbound;
        let before = before.unwrap_or(Fate {
            status: past.status,
            rule: past.rule,
            observed: past.observed,
            answer: past.answer,
            replies: past.replies,
        });
        let kind = compare(&before, &after)?;
        let difference = Difference {
            inbound,
            kind,
            before,
            after,
        };
        self.tally.add(&difference);
        Some(difference)
    }

    /// What it all came to.
    #[must_use]
    pub fn finish(self) -> Report {
        self.tally.finish()
    }
}

fn meet(world: &mut World<'_>, past: &Past) -> Fate {
    remember(world.contact(&past.inbound.app, &past.inbound.openid), past);
    world.meet(&past.inbound, past.judged).into()
}

/// Tells a user whom the world meets for the first time from one who never wrote before.
fn remember(contact: &mut Contact, past: &Past) {
    if contact.first_message.is_some() {
        return;
    }
    if let Some(first) = past.first_message.filter(|first| *first < past.judged) {
        contact.first_message = Some(first);
        // Their last message is not known; their last push is, to the second. Mostly it is the same.
        let last = past
            .previous
            .and_then(|id| Timestamp::from_second(id.created()).ok());
        contact.last_message = Some(last.unwrap_or(first).clamp(first, past.judged));
    }
}

impl From<Verdict> for Fate {
    fn from(verdict: Verdict) -> Self {
        let replies = verdict.outbound.into_iter();
        let decision = verdict.decision;
        Self {
            status: decision.status,
            rule: decision.rule,
            observed: decision.observed,
            answer: decision.answer,
            replies: replies
                .map(|outbound| PastReply {
                    reply: outbound.reply,
                    dropped: outbound.dropped.is_some(),
                })
                .collect(),
        }
    }
}

impl Fate {
    /// The replies that go out.
    pub fn sent(&self) -> impl Iterator<Item = &PastReply> {
        self.replies.iter().filter(|reply| !reply.dropped)
    }

    /// Whether the customer hears anything, or is handed to a person.
    fn is_answered(&self) -> bool {
        self.answer != Answer::Success || self.sent().next().is_some()
    }
}

fn compare(before: &Fate, after: &Fate) -> Option<Kind> {
    let decider = |fate: &Fate| (fate.status, fate.rule.clone(), fate.answer.clone());
    if before == after || (asks(before) || asks(after)) && decider(before) == decider(after) {
        return None;
    }
    if before.answer == after.answer {
        if before.sent().eq(after.sent()) {
            let same = (before.status, &before.rule, observed(before))
                == (after.status, &after.rule, observed(after));
            // What differs then is a reply that neither sends.
            return (!same).then_some(Kind::Unnoticed);
        }
        let meant = |fate: &'_ Fate| {
            fate.replies
                .iter()
                .map(|reply| reply.reply.clone())
                .collect::<Vec<_>>()
        };
        if meant(before) == meant(after) {
            return Some(Kind::Quota);
        }
    }
    Some(match (before.is_answered(), after.is_answered()) {
        (false, _) => Kind::NewlyAnswered,
        (true, false) => Kind::NoLongerAnswered,
        (true, true) => Kind::AnsweredDifferently,
    })
}

/// Whether a webhook is to be asked: what it would have said nobody knows, so the same rule counts as the same answer.
fn asks(fate: &Fate) -> bool {
    let mut replies = fate.replies.iter();
    replies.any(|reply| matches!(reply.reply, Reply::Webhook(_)))
}

/// Rules that observe do so in any order.
fn observed(fate: &Fate) -> BTreeSet<&RuleName> {
    fate.observed.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::message::{Fields, MessageId};
    use crate::rules::{Scope, load};

    fn rules(text: &str) -> RuleSet {
        let scope = Scope::default();
        let loaded = load(&[Source::new("r.toml", text)], &scope);
        loaded.set.unwrap_or_else(|| panic!("{:?}", loaded.findings))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).expect("in range")
    }

    /// A text at so many seconds, unmatched.
    fn said(second: i64, openid: &str, text: &str) -> Past {
        Past {
            inbound: Inbound {
                id: MessageId::new(1_780_000_000 + second, 1),
                app: "shop".into(),
                openid: openid.into(),
                dedup_key: String::new(),
                received: at(second),
                msg_type: "text".into(),
                event: None,
                content: Some(text.into()),
                fields: Fields::new(),
            },
            judged: at(second),
            status: InboundStatus::Unmatched,
            rule: None,
            observed: Vec::new(),
            answer: Answer::Success,
            replies: Vec::new(),
            previous: None,
            first_message: None,
        }
    }

    fn answered(past: Past, rule: &str, replies: &[&str]) -> Past {
        let replies = replies.iter().map(|text| PastReply {
            reply: Reply::Text((*text).into()),
            dropped: false,
        });
        Past {
            status: InboundStatus::Matched,
            rule: Some(rule.into()),
            replies: replies.collect(),
            ..past
        }
    }

    fn kinds(
        candidate: &str,
        against: Option<&str>,
        pasts: impl IntoIterator<Item = Past>,
    ) -> Vec<Option<Kind>> {
        let policies = Policies::default();
        let (candidate, against) = (rules(candidate), against.map(rules));
        let focus = Focus {
            since: at(0),
            app: None,
            openid: None,
        };
        let mut replay = Replay::new(&candidate, against.as_ref(), &policies, focus);
        let pasts = pasts.into_iter();
        pasts.map(|past| replay.meet(past).map(|d| d.kind)).collect()
    }

    const HELLO: &str = "[[rule]]\nname = \"hello\"\nwhen.exact = \"hi\"\nreply = \"hello\"\n";

    #[test]
    fn each_difference_has_its_name() {
        let hi = || said(1, "ann", "hi");
        let all = [
            answered(hi(), "hello", &["hello"]),
            hi(),
            answered(said(1, "ann", "bye"), "bye", &["bye"]),
            answered(hi(), "hello", &["hallo"]),
            answered(hi(), "hello", &["hello", "and more"]),
            answered(hi(), "greeting", &["hello"]),
            Past {
                answer: Answer::Transfer(None),
                ..answered(hi(), "hello", &["hello"])
            },
            Past {
                observed: vec!["watch".into()],
                ..answered(hi(), "hello", &["hello"])
            },
        ];
        use Kind::{AnsweredDifferently, NewlyAnswered, NoLongerAnswered, Unnoticed};
        let expected = [
            None,
            Some(NewlyAnswered),
            Some(NoLongerAnswered),
            Some(AnsweredDifferently),
            Some(AnsweredDifferently),
            Some(Unnoticed),
            Some(AnsweredDifferently),
            Some(Unnoticed),
        ];
        for (past, kind) in all.into_iter().zip(expected) {
            let told = format!("{past:?}");
            assert_eq!(kinds(HELLO, None, [past]), [kind], "{told}");
        }
    }

    #[test]
    fn quota_is_reckoned_with() {
        let six = "[[rule]]\nname = \"six\"\nreply = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\"]\n";
        let mut as_it_was = answered(said(1, "ann", "hi"), "six", &["1", "2", "3", "4", "5", "6"]);
        assert_eq!(kinds(six, None, [as_it_was.clone()]), [Some(Kind::Quota)]);
        as_it_was.replies[5].dropped = true;
        assert_eq!(kinds(six, None, [as_it_was.clone()]), [None]);
        as_it_was.replies.pop();
        assert_eq!(
            kinds(six, None, [as_it_was]),
            [None],
            "a reply that is never sent is nothing to the customer"
        );
        // The message after it finds nothing left, were it not that it buys five again.
        let event = |second| {
            let mut past = answered(said(second, "ann", ""), "six", &["1", "2", "3", "4", "5", "6"]);
            past.inbound.msg_type = "event".into();
            past.inbound.event = Some("user_enter_tempsession".into());
            past.inbound.content = None;
            past.replies
                .iter_mut()
                .skip(2)
                .for_each(|reply| reply.dropped = true);
            past
        };
        assert_eq!(kinds(six, None, [event(1)]), [None]);
        let mut again = event(2);
        again.replies.iter_mut().for_each(|reply| reply.dropped = true);
        assert_eq!(
            kinds(six, None, [event(1), again]),
            [None, Some(Kind::Quota)],
            "two more are bought"
        );
    }

    #[test]
    fn a_webhook_is_not_asked_again() {
        let asking = "[[rule]]\nname = \"order\"\nwhen.exact = \"hi\"\nreply = \"later\"\n\
                      webhook = \"https://example.com/order\"\n";
        let then = answered(said(1, "ann", "hi"), "order", &["your tea is on its way"]);
        assert_eq!(kinds(asking, None, [then]), [None]);
        let of_another = answered(said(1, "ann", "hi"), "hello", &["hello"]);
        assert_eq!(
            kinds(asking, None, [of_another]),
            [Some(Kind::AnsweredDifferently)]
        );
    }

    #[test]
    fn what_came_before_is_judged_and_not_told() {
        let rules = HELLO.to_owned() + "cooldown = \"10m\"\n";
        let silent = Past {
            status: InboundStatus::Cooldown,
            rule: Some("hello".into()),
            ..said(1, "ann", "hi")
        };
        let before = answered(said(-60, "ann", "hi"), "nobody", &["knows"]);
        assert_eq!(
            kinds(&rules, None, [before.clone(), silent.clone()]),
            [None, None]
        );
        assert_eq!(kinds(&rules, None, [silent.clone()]), [Some(Kind::NewlyAnswered)]);
        let of_another = said(-60, "bob", "hi");
        assert_eq!(
            kinds(&rules, None, [of_another, silent]),
            [None, Some(Kind::NewlyAnswered)]
        );
    }

    #[test]
    fn the_candidates_own_past_is_what_counts() {
        // The old rules led nowhere; these open a dialog that the next message is in.
        let dialog = "[[rule]]\nname = \"menu\"\nwhen.exact = \"menu\"\nreply = \"1 or 2?\"\nset_state = \"menu\"\n\
                      [[rule]]\nname = \"one\"\nwhen.exact = \"1\"\nwhen.state = \"menu\"\nreply = \"tea\"\n";
        let talk = [
            said(1, "ann", "1"),
            said(2, "ann", "menu"),
            said(3, "ann", "1"),
            said(4, "bob", "1"),
        ];
        let new = Some(Kind::NewlyAnswered);
        assert_eq!(kinds(dialog, None, talk.clone()), [None, new, new, None]);
        assert_eq!(
            kinds(dialog, Some(dialog), talk),
            [None; 4],
            "whatever the log says"
        );
    }

    #[test]
    fn old_customers_are_no_strangers() {
        let rules = "[[rule]]\nname = \"new\"\nwhen.first_message = true\nreply = \"welcome\"\n\
                     [[rule]]\nname = \"back\"\nwhen.idle = \"7d\"\nreply = \"welcome back\"\n";
        let day = 86_400;
        let old = |last: i64| Past {
            first_message: Some(at(-100 * day)),
            previous: Some(MessageId::new(1_780_000_000 + last, 1)),
            ..said(1, "ann", "hi")
        };
        let welcome = answered(said(1, "bob", "hi"), "new", &["welcome"]);
        assert_eq!(kinds(rules, None, [welcome]), [None]);
        assert_eq!(kinds(rules, None, [old(-3 * day)]), [None]);
        let back = answered(old(-8 * day), "back", &["welcome back"]);
        assert_eq!(kinds(rules, None, [back]), [None]);
    }

    #[test]
    fn the_focus_leaves_out_what_lies_beside_it() {
        let policies = Policies::default();
        let rules = rules(&(HELLO.to_owned() + "cooldown = { time = \"10m\", per = \"app\" }\n"));
        let focus = Focus {
            since: at(0),
            app: Some("shop".into()),
            openid: Some("ann".into()),
        };
        let mut replay = Replay::new(&rules, None, &policies, focus);
        let mut elsewhere = said(1, "ann", "hi");
        elsewhere.inbound.app = "other".into();
        assert!(replay.meet(elsewhere).is_none());
        assert!(replay.meet(said(2, "bob", "hi")).is_none());
        let mut malformed = said(3, "ann", "<xml");
        malformed.status = InboundStatus::Malformed;
        assert!(replay.meet(malformed).is_none());
        let difference = replay.meet(said(4, "ann", "hi")).expect("unlike the log");
        assert_eq!(
            difference.after.status,
            InboundStatus::Cooldown,
            "what Bob said counts"
        );
        let report = replay.finish();
        assert_eq!((report.messages, report.malformed, report.warm_up), (1, 1, 0));
    }
}
