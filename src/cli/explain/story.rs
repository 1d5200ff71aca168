//! All that is told of one message: why, what would go out, what follows, what it costs.

use jiff::Timestamp;
use serde::Serialize;

use super::case::Case;
use crate::config::Config;
use crate::daemon::policies_of;
use crate::intake::{QuotaPolicy, judge};
use crate::message::{
    Answer, AppName, Contact, DropReason, Facts, InboundStatus, OpenId, Reply, RuleName, RuleSetVersion,
    Verdict, Webhook,
};
use crate::rules::{NearMiss, RuleSet, RuleTrace};
use crate::wechat;

/// The story, in the form and the order of `--format json`.
#[derive(Serialize)]
pub(super) struct Story<'a> {
    /// Where it comes from.
    pub notes: &'a [String],
    pub at: Timestamp,
    pub app: &'a AppName,
    pub openid: &'a OpenId,
    pub msg_type: &'a str,
    pub event: Option<&'a str>,
    pub content: Option<&'a str>,
    pub normal_form: Option<String>,
    pub rule_set: RuleSetVersion,
    /// Every rule of the app in the order tried.
    pub rules: Vec<RuleTrace>,
    pub status: InboundStatus,
    /// The rule that decides.
    pub rule: Option<RuleName>,
    /// Rules that only watch, and would have answered.
    pub observed: Vec<RuleName>,
    pub nearest: Vec<NearMiss>,
    /// What the push is answered with.
    pub answer: Answer,
    pub replies: Vec<Sent>,
    pub after: After,
    pub quota: Quota,
}

/// A reply that would go out.
#[derive(Serialize)]
pub(super) struct Sent {
    pub rule: RuleName,
    pub msg_type: &'static str,
    pub reply: Reply,
    pub due: Timestamp,
    pub typing: bool,
    /// Why it would not be sent.
    pub dropped: Option<DropReason>,
}

/// What is known of the customer afterwards.
#[derive(Serialize)]
pub(super) struct After {
    pub state: Option<State>,
    /// Whether this message changed it.
    pub state_changed: bool,
    pub muted_until: Option<Timestamp>,
    /// Whether this message muted the customer.
    pub mute_changed: bool,
    /// The cooldowns that begin.
    pub cooldowns: Vec<Cooldown>,
    /// Messages in a row that were not understood.
    pub misses: u32,
}

#[derive(PartialEq, Serialize)]
pub(super) struct State {
    pub name: String,
    pub until: Timestamp,
}

#[derive(Serialize)]
pub(super) struct Cooldown {
    pub rule: RuleName,
    pub until: Timestamp,
    /// For all customers of the app.
    pub per_app: bool,
}

/// WeChat's quota for this customer, and what the message makes of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Quota {
    /// What this push buys; nothing when it buys none.
    pub granted: Option<u32>,
    /// Replies that could be queued for it.
    pub left: u32,
    /// Earlier replies that still wait to be sent, and are paid for.
    pub waiting: u32,
    /// Until when WeChat takes them; nothing when it takes none.
    pub until: Option<Timestamp>,
    /// Replies that are kept for a person.
    pub reserve: u32,
    /// What this message would use.
    pub used: u32,
    /// What would be left.
    pub left_after: u32,
}

impl<'a> Story<'a> {
    pub fn of(case: &'a Case, rules: &RuleSet, config: &Config) -> anyhow::Result<Self> {
        let inbound = &case.inbound;
        let app = super::super::config::app(config, Some(&inbound.app))?;
        let facts = Facts {
            now: case.now,
            contact: &case.contact,
            app_cooldowns: &case.app_cooldowns,
        };
        let policy = policies_of(config).of(&app.name);
        let explanation = rules.explain(inbound, &facts);
        let verdict = judge(rules, inbound, &rules.candidates(inbound), &facts, policy);
        Ok(Self {
            notes: &case.notes,
            at: case.now,
            app: &inbound.app,
            openid: &inbound.openid,
            msg_type: &inbound.msg_type,
            event: inbound.event.as_deref(),
            content: inbound.content.as_deref(),
            normal_form: explanation.normal_form,
            rules: explanation.rules,
            nearest: explanation.nearest,
            after: After::of(case, &verdict),
            quota: Quota::of(case, policy, &verdict),
            replies: replies(&verdict),
            rule_set: verdict.decision.rule_set,
            status: verdict.decision.status,
            rule: verdict.decision.rule,
            observed: verdict.decision.observed,
            answer: verdict.decision.answer,
        })
    }

    /// The rule that decides.
    pub fn rule(&self) -> Option<&RuleName> {
        self.rule.as_ref()
    }
}

fn replies(verdict: &Verdict) -> Vec<Sent> {
    let sent = verdict.outbound.iter().map(|outbound| Sent {
        rule: outbound.rule.clone(),
        msg_type: outbound.reply.msg_type(),
        reply: shown(&outbound.reply),
        due: outbound.due,
        typing: outbound.typing,
        dropped: outbound.dropped,
    });
    sent.collect()
}

/// As it may be shown: the query of a webhook's URL may hold a password.
fn shown(reply: &Reply) -> Reply {
    match reply {
        Reply::Webhook(webhook) => Reply::Webhook(Box::new(Webhook {
            url: webhook.place().to_owned(),
            ..webhook.as_ref().clone()
        })),
        reply => reply.clone(),
    }
}

impl After {
    fn of(case: &Case, verdict: &Verdict) -> Self {
        let (before, after) = (&case.contact, &verdict.decision.contact);
        let state = |contact: &Contact| {
            let state = contact.state.as_ref().filter(|state| state.until > case.now)?;
            Some(State {
                name: state.name.clone(),
                until: state.until,
            })
        };
        let begun = after
            .cooldowns
            .iter()
            .filter(|(rule, until)| before.cooldowns.get(*rule) != Some(*until))
            .map(|(rule, until)| (rule, *until, false));
        let app_wide = &verdict.decision.app_cooldowns;
        let app_wide = app_wide.iter().map(|(rule, until)| (rule, *until, true));
        Self {
            state: state(after),
            state_changed: state(before) != state(after),
            muted_until: after.muted_until,
            mute_changed: after.muted_until.is_some() && after.muted_until != before.muted_until,
            cooldowns: begun
                .chain(app_wide)
                .map(|(rule, until, per_app)| Cooldown {
                    rule: rule.clone(),
                    until,
                    per_app,
                })
                .collect(),
            misses: after.misses,
        }
    }
}

impl Quota {
    fn of(case: &Case, policy: QuotaPolicy, verdict: &Verdict) -> Self {
        let inbound = &case.inbound;
        let grant = wechat::grant(policy.kind, &inbound.msg_type, inbound.event.as_deref());
        let before = case.contact.ledger;
        let open = grant.map_or(before, |grant| before.granted(grant, case.now));
        let until = open.until.filter(|until| *until > case.now);
        let left = if until.is_some() { open.left } else { 0 };
        let used = verdict.outbound.iter().filter(|o| o.dropped.is_none()).count();
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        Self {
            granted: grant.map(|grant| grant.replies),
            left,
            waiting: before.waiting,
            until,
            reserve: policy.reserve,
            used,
            left_after: left.saturating_sub(used),
        }
    }
}
