//! One message's verdict against what a test expects of it.

use super::diff;
use super::failure::Mismatch;
use crate::message::{Answer, Decision, InboundStatus, Planned, Reply, RuleName, Verdict};
use crate::rules::{Expect, ExpectedDelivery, ExpectedOutcome, ExpectedReply};

/// What came of a message.
pub(super) struct Seen<'v, F: Fn(&RuleName) -> bool> {
    /// Whether a rule picks one of several replies by chance, given its name.
    pub chance: F,
    /// One verdict for each choice of replies that chance may make; they differ in nothing else. Never empty.
    pub verdicts: Vec<&'v Verdict>,
}

/// All that is not as expected.
pub(super) fn verify<F: Fn(&RuleName) -> bool>(expect: &Expect, seen: &Seen<'_, F>) -> Vec<Mismatch> {
    let mut wrong = Vec::new();
    let Some(verdict) = seen.verdicts.first() else {
        return wrong;
    };
    let decision = &verdict.decision;
    if let Some(rule) = &expect.rule {
        let (held, got) = if rule.observe {
            (decision.observed.contains(&rule.name), observers(decision))
        } else {
            let got = decision
                .rule
                .as_ref()
                .map_or("no rule", RuleName::as_str)
                .to_owned();
            (decision.rule.as_ref() == Some(&rule.name), got)
        };
        wrong.extend((!held).then(|| Mismatch::plain("rule", rule.name.as_str(), got)));
    }
    if let Some(outcome) = expect.outcome
        && !outcome_holds(outcome, decision)
    {
        wrong.push(Mismatch::plain("outcome", outcome.as_str(), outcome_of(decision)));
    }
    if let Some(expected) = &expect.reply {
        let differs = |verdict: &&&Verdict| !replies_hold(expected, &verdict.decision.replies, &seen.chance);
        wrong.extend(seen.verdicts.iter().find(differs).map(|verdict| {
            let expected: Vec<String> = expected.iter().map(ExpectedReply::line).collect();
            let wanted = match expected.len() {
                0 => "no reply".to_owned(),
                1 => "this reply".to_owned(),
                n => format!("these {n} replies"),
            };
            let got = by_chance(&replies_in_words(verdict, expected.len()), seen);
            Mismatch {
                diff: diff::replies(&expected, &lines(verdict)),
                ..Mismatch::plain("reply", &wanted, got)
            }
        }));
    }
    for part in &expect.reply_contains {
        let lacks = |verdict: &&&Verdict| !lines(verdict).iter().any(|line| line.contains(part.as_str()));
        wrong.extend(seen.verdicts.iter().find(lacks).map(|verdict| Mismatch {
            diff: lines(verdict).iter().map(|line| format!("+ {line}")).collect(),
            ..Mismatch::plain(
                "reply_contains",
                &format!("{part:?} in a reply"),
                by_chance(&replies_in_words(verdict, 0), seen),
            )
        }));
    }
    if let Some(delivery) = expect.delivery {
        let dropped = verdict.outbound.iter().find_map(|outbound| outbound.dropped);
        let (held, got) = match dropped {
            Some(reason) => (
                delivery == ExpectedDelivery::Dropped,
                format!("dropped ({})", reason.explanation()),
            ),
            None if verdict.outbound.is_empty() => (false, "no reply".to_owned()),
            None => (delivery == ExpectedDelivery::Queued, "queued".to_owned()),
        };
        wrong.extend((!held).then(|| Mismatch::plain("delivery", delivery.as_str(), got)));
    }
    wrong
}

fn observers(decision: &Decision) -> String {
    if decision.observed.is_empty() {
        return "no rule observed the message".to_owned();
    }
    let names: Vec<&str> = decision.observed.iter().map(RuleName::as_str).collect();
    format!("observed by {}", names.join(", "))
}

fn outcome_holds(outcome: ExpectedOutcome, decision: &Decision) -> bool {
    match outcome {
        ExpectedOutcome::Matched => decision.status == InboundStatus::Matched,
        ExpectedOutcome::Unmatched => decision.status == InboundStatus::Unmatched,
        ExpectedOutcome::Cooldown => decision.status == InboundStatus::Cooldown,
        ExpectedOutcome::Muted => decision.status == InboundStatus::Muted,
        ExpectedOutcome::Observed => !decision.observed.is_empty(),
        ExpectedOutcome::Transfer => matches!(decision.answer, Answer::Transfer(_)),
    }
}

fn outcome_of(decision: &Decision) -> String {
    let by = decision
        .rule
        .as_ref()
        .map(|rule| format!(" ({rule})"))
        .unwrap_or_default();
    let status = match decision.answer {
        Answer::Transfer(_) => "transfer",
        Answer::Success => decision.status.as_str(),
    };
    format!("{status}{by}")
}

/// The replies in order; of one that chance picks, every one that it may pick must be among those expected.
fn replies_hold(expected: &[ExpectedReply], got: &[Planned], chance: impl Fn(&RuleName) -> bool) -> bool {
    // Nobody is asked here: a rule with a webhook sends its own replies.
    let got: Vec<(&RuleName, &Reply)> = got
        .iter()
        .flat_map(|planned| {
            let replies = planned.reply.without_webhook().iter();
            replies.map(|reply| (&planned.rule, reply))
        })
        .collect();
    match got[..] {
        [(rule, only)] if chance(rule) => expected.iter().any(|expected| expected.holds(only)),
        _ => {
            expected.len() == got.len()
                && expected
                    .iter()
                    .zip(got)
                    .all(|(expected, (_, reply))| expected.holds(reply))
        }
    }
}

fn lines(verdict: &Verdict) -> Vec<String> {
    let replies = verdict.decision.replies.iter();
    replies
        .flat_map(|planned| planned.reply.without_webhook())
        .map(ExpectedReply::line_of)
        .collect()
}

/// How many replies came, where `expected` were expected.
fn replies_in_words(verdict: &Verdict, expected: usize) -> String {
    match verdict.decision.replies.len() {
        0 => "no reply".to_owned(),
        1 if expected == 1 => "another one".to_owned(),
        1 => "this one".to_owned(),
        n if n == expected => "others".to_owned(),
        n => format!("these {n}"),
    }
}

fn by_chance<F: Fn(&RuleName) -> bool>(got: &str, seen: &Seen<'_, F>) -> String {
    match seen.verdicts.len() {
        0 | 1 => got.to_owned(),
        n => format!("{got} (one of {n} that chance may pick)"),
    }
}
