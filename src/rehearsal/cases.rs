//! Running `[[test]]`s.

use jiff::Timestamp;

use super::failure::{Failure, WhyNot};
use super::verify::{Seen, verify};
use super::world::World;
use crate::clock::after;
use crate::diagnostic::Diagnostic;
use crate::intake::{Policies, QuotaPolicy};
use crate::message::{Contact, DialogState, Fields, Inbound, MessageId, Verdict};
use crate::rules::{Coverage, Expect, Given, RuleSet, Sighting, Step, TestCase};
use crate::wechat;

/// How many times a choice is drawn for each reply that chance may pick: enough to see every one of them.
const DRAWS: usize = 16;

/// Runs tests; gives a finding for each that fails.
#[must_use]
pub fn run_tests(rules: &RuleSet, tests: &[TestCase], policies: &Policies) -> Vec<Diagnostic> {
    tests
        .iter()
        .filter_map(|test| Failure::finding(test, &run_test(rules, test, policies, None)))
        .collect()
}

/// Runs one test; gives what failed: in a conversation the first step that did, of several messages each that did.
/// Of a test that passes, `coverage` notes what it exercised.
#[must_use]
pub fn run_test(
    rules: &RuleSet,
    test: &TestCase,
    policies: &Policies,
    coverage: Option<&mut Coverage<'_>>,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut sightings = Vec::new();
    for (number, talk) in test.talks.iter().enumerate() {
        let mut world = World::new(rules, policies);
        if let Some(given) = &test.given {
            *world.contact(&test.app, &test.openid) = known(given, test.begins, policies.of(&test.app));
        }
        for (place, step) in talk.iter().enumerate() {
            let inbound = inbound(test, step, number * 1000 + place);
            if let Some(coverage) = &coverage {
                sightings.push(world.facts(&inbound, step.at, |facts| coverage.look(&inbound, facts)));
            }
            let failed = step
                .expect
                .as_ref()
                .and_then(|expect| failure(rules, &world, &inbound, step, expect));
            if let Some(mut failed) = failed {
                failed.step = (talk.len() > 1).then_some(place + 1);
                failures.push(failed);
                break;
            }
            world.meet(&inbound, step.at);
        }
    }
    if let (Some(coverage), true) = (coverage, failures.is_empty()) {
        sightings
            .iter()
            .for_each(|sighting: &Sighting| coverage.note(sighting));
    }
    failures
}

/// What is wrong with one step, if anything is.
fn failure(
    rules: &RuleSet,
    world: &World<'_>,
    inbound: &Inbound,
    step: &Step,
    expect: &Expect,
) -> Option<Failure> {
    let verdict = world.foresee(inbound, step.at);
    let others = if expect.reply.is_some() || !expect.reply_contains.is_empty() {
        drawn(rules, world, inbound, step.at, &verdict)
    } else {
        Vec::new()
    };
    let seen = Seen {
        chance: |rule| rules.choices(&inbound.app, rule) > 1,
        verdicts: std::iter::once(&verdict).chain(&others).collect(),
    };
    let mismatches = verify(expect, &seen);
    if mismatches.is_empty() {
        return None;
    }
    let why_not = expect.rule.as_ref().and_then(|rule| {
        let named = mismatches.iter().any(|mismatch| mismatch.what == "rule");
        named.then(|| {
            let explanation = world.facts(inbound, step.at, |facts| rules.explain(inbound, facts));
            let trace = explanation
                .rules
                .into_iter()
                .find(|trace| trace.rule == rule.name)?;
            Some(WhyNot::of(rule, trace, &verdict))
        })?
    });
    Some(Failure::new(step, inbound, mismatches, &verdict, why_not))
}

/// The same message under other ids, where chance picks among replies: one verdict for each choice that came up.
fn drawn(
    rules: &RuleSet,
    world: &World<'_>,
    inbound: &Inbound,
    now: Timestamp,
    verdict: &Verdict,
) -> Vec<Verdict> {
    let replies = &verdict.decision.replies;
    let choices = replies
        .iter()
        .map(|planned| rules.choices(&inbound.app, &planned.rule));
    let choices: usize = choices.filter(|choices| *choices > 1).sum();
    let mut others: Vec<Verdict> = Vec::new();
    for draw in 0..choices * DRAWS {
        let mut again = inbound.clone();
        again.id = MessageId::new(now.as_second(), draw as u64);
        let drawn = world.foresee(&again, now);
        let known = std::iter::once(verdict).chain(&others);
        if known
            .into_iter()
            .all(|known| known.decision.replies != drawn.decision.replies)
        {
            others.push(drawn);
        }
    }
    others
}

/// A customer who has written before.
fn known(given: &Given, begins: Timestamp, policy: QuotaPolicy) -> Contact {
    let last = begins.saturating_sub(given.silent_for).unwrap_or(begins);
    let mut contact = Contact {
        first_message: Some(last),
        last_message: Some(last),
        misses: given.misses,
        state: given.state.as_ref().map(|(name, ttl)| DialogState {
            name: name.clone(),
            until: after(begins, *ttl),
        }),
        muted_until: given.muted.map(|muted| after(begins, muted)),
        ..Contact::default()
    };
    if let Some(grant) = wechat::grant(policy.kind, "text", None) {
        contact.ledger = contact.ledger.granted(grant, last);
    }
    if let Some(left) = given.replies_left {
        contact.ledger.left = left;
    }
    contact
}

/// The push that a step stands for. Its id is made from the test's name and the step's number, so that it is the same
/// in every run.
fn inbound(test: &TestCase, step: &Step, number: usize) -> Inbound {
    let created = step.at.as_second();
    let scalar = |name: &str| step.message.text(name).unwrap_or_default().trim();
    let msg_type = scalar("MsgType").to_ascii_lowercase();
    let event = scalar("Event");
    let mut fields: Fields = [
        ("FromUserName", test.openid.as_str()),
        ("CreateTime", &created.to_string()),
    ]
    .into_iter()
    .collect();
    for (name, value) in step.message.iter() {
        fields.push(name, value.clone());
    }
    let hash = test.name.bytes().fold(number as u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Inbound {
        id: MessageId::new(created, hash),
        app: test.app.clone(),
        openid: test.openid.clone(),
        dedup_key: String::new(),
        received: step.at,
        event: (msg_type == "event" && !event.is_empty()).then(|| event.to_owned()),
        msg_type,
        content: step.message.text("Content").map(str::to_owned),
        fields,
    }
}
