//! Intake: a message goes in, the live rules judge it, it is recorded, its answer comes out. What a person writes goes
//! in here too (`by_hand`), for it is reckoned with in the same way.

mod by_hand;

pub use by_hand::ByHandError;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::after;
use crate::config::Config;
use crate::message::{
    Answer, AppKind, AppName, Contact, Decision, DropReason, Facts, Inbound, InboundStatus, Ledger, Outbound,
    RuleSetVersion, Verdict,
};
use crate::rules::{Candidates, RuleSet};
use crate::store::{Arrival, RecordError, Recorded, Store};
use crate::wechat;

/// The rules in force: one pointer, swapped whole.
pub type LiveRules = watch::Receiver<Arc<RuleSet>>;

/// How one app's quota is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaPolicy {
    /// The kind, which decides what an action of the user buys.
    pub kind: AppKind,
    /// Replies of each window that are kept for a person.
    pub reserve: u32,
}

/// The quota of every app.
#[derive(Clone, Debug, Default)]
pub struct Policies(HashMap<AppName, QuotaPolicy>);

impl Policies {
    /// How an app's quota is reckoned. The config names every app that can be pushed to; for another one, the kind with
    /// the smaller quota is the safe guess.
    #[must_use]
    pub fn of(&self, app: &AppName) -> QuotaPolicy {
        self.0.get(app).copied().unwrap_or(QuotaPolicy {
            kind: AppKind::MiniProgram,
            reserve: 0,
        })
    }
}

impl FromIterator<(AppName, QuotaPolicy)> for Policies {
    fn from_iter<I: IntoIterator<Item = (AppName, QuotaPolicy)>>(policies: I) -> Self {
        Self(policies.into_iter().collect())
    }
}

/// The quota of every app of a config.
#[must_use]
pub fn policies_of(config: &Config) -> Policies {
    config
        .apps
        .iter()
        .map(|app| {
            let policy = QuotaPolicy {
                kind: app.kind,
                reserve: config.outbox.reserve,
            };
            (app.name.clone(), policy)
        })
        .collect()
}

/// Takes messages in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    rules: LiveRules,
    policies: Arc<Policies>,
}

impl Intake {
    /// Puts it together; `policies` has every app.
    #[must_use]
    pub fn new(store: Store, rules: LiveRules, policies: Policies) -> Self {
        Self {
            store,
            rules,
            policies: Arc::new(policies),
        }
    }

    /// How every app's quota is reckoned.
    #[must_use]
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies)
    }

    /// Judges and records one message. `nonce` is a hash of the (timestamp, nonce) pair that its push was signed
    /// with. The message is judged by the rules that are live when this is called, from start to end.
    pub async fn accept(&self, inbound: Inbound, nonce: Option<i64>) -> Result<Recorded, RecordError> {
        let rules = Arc::clone(&self.rules.borrow());
        let policy = self.policies.of(&inbound.app);
        let candidates = rules.candidates(&inbound);
        let needs_app_cooldowns = rules.uses_app_cooldowns(&candidates);
        self.store
            .record(Arrival {
                inbound,
                nonce,
                needs_app_cooldowns,
                judge: Box::new(move |inbound, facts| judge(&rules, inbound, &candidates, facts, policy)),
            })
            .await
    }

    /// Records a push that is no message.
    pub async fn accept_malformed(
        &self,
        inbound: Inbound,
        nonce: Option<i64>,
    ) -> Result<Recorded, RecordError> {
        let version = self.rules.borrow().version().clone();
        self.store
            .record(Arrival {
                inbound,
                nonce,
                needs_app_cooldowns: false,
                judge: Box::new(move |_, facts| malformed(version.clone(), facts.contact.clone())),
            })
            .await
    }
}

/// The whole judgement, pure: what the rules decide, and what quota leaves of it.
#[must_use]
pub fn judge(
    rules: &RuleSet,
    inbound: &Inbound,
    candidates: &Candidates,
    facts: &Facts<'_>,
    policy: QuotaPolicy,
) -> Verdict {
    let mut contact = facts.contact.clone();
    if let Some(grant) = wechat::grant(policy.kind, &inbound.msg_type, inbound.event.as_deref()) {
        contact.ledger = contact.ledger.granted(grant, facts.now);
    }
    let facts = Facts {
        contact: &contact,
        ..*facts
    };
    let decision = rules.decide(inbound, candidates, &facts);
    reckon(decision, facts.now, |ledger, at| ledger.take(at, policy.reserve))
}

/// Takes each planned reply, in order, from the user's quota: what gets none is dropped, with the reason.
fn reckon(
    mut decision: Decision,
    now: Timestamp,
    mut take: impl FnMut(&mut Ledger, Timestamp) -> Result<(), DropReason>,
) -> Verdict {
    let ledger = &mut decision.contact.ledger;
    let outbound = decision
        .replies
        .iter()
        .map(|planned| {
            let due = after(now, planned.delay);
            let dropped = take(ledger, due).err();
            ledger.waiting += u32::from(dropped.is_none());
            Outbound {
                rule: planned.rule.clone(),
                reply: planned.reply.clone(),
                due,
                typing: planned.typing,
                dropped,
            }
        })
        .collect();
    Verdict { decision, outbound }
}

/// What is made of a push that is no message: a row in the log, and nothing else.
fn malformed(rule_set: RuleSetVersion, contact: Contact) -> Verdict {
    Verdict {
        decision: Decision {
            status: InboundStatus::Malformed,
            rule: None,
            rule_set,
            observed: Vec::new(),
            answer: Answer::Success,
            replies: Vec::new(),
            contact,
            app_cooldowns: Vec::new(),
        },
        outbound: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::{Planned, Reply};

    fn decision(replies: &[(&str, u64)]) -> Decision {
        let replies = replies
            .iter()
            .map(|(text, delay)| Planned {
                rule: "r".into(),
                reply: Reply::Text((*text).to_owned()),
                delay: Duration::from_secs(*delay),
                typing: *delay > 0,
            })
            .collect();
        let contact = Contact {
            ledger: Ledger {
                left: 2,
                waiting: 0,
                until: Timestamp::from_second(100).ok(),
            },
            ..Contact::default()
        };
        Decision {
            status: InboundStatus::Matched,
            replies,
            ..malformed("v1".into(), contact).decision
        }
    }

    /// As WeChat does it: refuse after the window, refuse when nothing is left.
    fn take(ledger: &mut Ledger, at: Timestamp) -> Result<(), DropReason> {
        if Some(at) > ledger.until {
            return Err(DropReason::WindowOver);
        }
        ledger.left = ledger.left.checked_sub(1).ok_or(DropReason::Quota)?;
        Ok(())
    }

    #[test]
    fn replies_take_from_the_quota_in_their_order() {
        let now = Timestamp::UNIX_EPOCH;
        let verdict = reckon(
            decision(&[("a", 0), ("late", 101), ("b", 5), ("c", 5)]),
            now,
            take,
        );
        let of = |n: usize| (verdict.outbound[n].due.as_second(), verdict.outbound[n].dropped);
        assert_eq!(of(0), (0, None));
        assert_eq!(
            of(1),
            (101, Some(DropReason::WindowOver)),
            "the window counts at the due time"
        );
        assert_eq!(of(2), (5, None));
        assert_eq!(of(3), (5, Some(DropReason::Quota)));
        assert_eq!(verdict.decision.contact.ledger.left, 0);
        assert_eq!(verdict.decision.contact.ledger.waiting, 2);
        assert_eq!(verdict.outbound[2].reply, Reply::Text("b".into()));
        assert!(verdict.outbound[2].typing && !verdict.outbound[0].typing);
    }

    #[test]
    fn an_endless_delay_is_no_fault() {
        let mut decision = decision(&[("a", 0)]);
        decision.replies[0].delay = Duration::MAX;
        let verdict = reckon(decision, Timestamp::UNIX_EPOCH, take);
        assert_eq!(verdict.outbound[0].due, Timestamp::MAX);
        assert_eq!(verdict.outbound[0].dropped, Some(DropReason::WindowOver));
    }

    /// What becomes of the replies to one push of a user whose ledger is this: why each is dropped, and the ledger after.
    fn judged(
        rules: &str,
        msg_type: &str,
        event: Option<&str>,
        ledger: Ledger,
    ) -> (Vec<Option<DropReason>>, Ledger) {
        let scope = crate::rules::Scope::default();
        let source = crate::diagnostic::Source::new("r.toml", rules);
        let set = crate::rules::load(&[source], &scope).set.expect("rules");
        let now = Timestamp::UNIX_EPOCH;
        let inbound = Inbound {
            id: crate::message::MessageId::new(0, 1),
            app: "shop".into(),
            openid: "ann".into(),
            dedup_key: "1".to_owned(),
            received: now,
            msg_type: msg_type.to_owned(),
            event: event.map(str::to_owned),
            content: event.is_none().then(|| "hello".to_owned()),
            fields: crate::message::Fields::new(),
        };
        let contact = Contact {
            ledger,
            ..Contact::default()
        };
        let facts = Facts {
            now,
            contact: &contact,
            app_cooldowns: &crate::message::Cooldowns::new(),
        };
        let policy = QuotaPolicy {
            kind: AppKind::MiniProgram,
            reserve: 1,
        };
        let verdict = judge(&set, &inbound, &set.candidates(&inbound), &facts, policy);
        let dropped = verdict.outbound.iter().map(|outbound| outbound.dropped).collect();
        (dropped, verdict.decision.contact.ledger)
    }

    const THREE: &str = "[[rule]]\nname = \"a\"\nreply = [\"1\", \"2\", \"3\"]\n";

    #[test]
    fn an_event_buys_two_and_one_is_kept() {
        let (dropped, _) = judged(THREE, "event", Some("user_enter_tempsession"), Ledger::default());
        assert_eq!(dropped, [None, Some(DropReason::Quota), Some(DropReason::Quota)]);
        let (dropped, _) = judged(THREE, "event", Some("kf_close_session"), Ledger::default());
        assert_eq!(dropped, [Some(DropReason::WindowOver); 3], "it buys nothing");
    }

    #[test]
    fn a_reply_that_waits_longer_than_its_window_is_open_is_dropped() {
        let slow = format!("{THREE}delay = \"1m\"\n");
        let (dropped, _) = judged(&slow, "event", Some("user_enter_tempsession"), Ledger::default());
        assert_eq!(dropped, [Some(DropReason::WindowOver); 3]);
        let (dropped, _) = judged(&slow, "text", None, Ledger::default());
        assert_eq!(dropped, [None; 3]);
    }

    #[test]
    fn an_event_leaves_an_open_window_as_it_is() {
        let open = Ledger {
            left: 4,
            waiting: 0,
            until: Timestamp::from_second(3600).ok(),
        };
        let (dropped, after) = judged(THREE, "event", Some("user_enter_tempsession"), open);
        assert_eq!(dropped, [None; 3]);
        assert_eq!((after.left, after.waiting, after.until), (1, 3, open.until));
    }

    #[test]
    fn a_message_pays_first_for_what_still_waits() {
        let busy = Ledger {
            left: 0,
            waiting: 3,
            until: Timestamp::from_second(3600).ok(),
        };
        let (dropped, after) = judged(THREE, "text", None, busy);
        assert_eq!(dropped, [None, Some(DropReason::Quota), Some(DropReason::Quota)]);
        assert_eq!((after.left, after.waiting), (1, 4));
    }
}
