//! A hand-over at some hours, and nothing but a default reply at the others: whoever asks for a person at night is not
//! understood.

use jiff::Timestamp;

use super::reach::{Reach, Witness};
use crate::diagnostic::Diagnostic;
use crate::message::Facts;
use crate::rules::condition::Demand;
use crate::rules::rule::Rule;
use crate::rules::{RuleSet, Scope, codes};

const HALF_HOUR: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);
const HALF_HOURS_OF_A_WEEK: i32 = 7 * 48;

pub(super) fn lint(set: &RuleSet, _: &Scope, findings: &mut Vec<Diagnostic>) {
    let hands_over = |rule: &Rule| rule.then.transfer.is_some() && !rule.observe && has_hours(rule);
    if !set.rules.iter().any(hands_over) {
        return;
    }
    for (rule, (_, reach)) in set.rules.iter().zip(set.reach()) {
        let Reach::Open(witness) = reach else { continue };
        if !hands_over(rule) {
            continue;
        }
        let (Some(when), Some(source)) = (not_understood(set, rule, &witness), set.source(rule)) else {
            continue;
        };
        let local = set.timezone.to_datetime(when).strftime("%a at %H:%M").to_string();
        let text = witness
            .inbound
            .content
            .as_deref()
            .unwrap_or(&witness.inbound.msg_type);
        findings.push(
            Diagnostic::warning(
                codes::NOBODY_OFF_HOURS,
                format!("outside its hours no rule knows what `{}` hands over", rule.name),
            )
            .at(
                source,
                rule.name_at.clone(),
                format!("as with `{text}` on {local}"),
            )
            .help("add a rule with the same conditions, and the same `when.time` with `not = true`, whose reply says when somebody is back"),
        );
    }
}

fn has_hours(rule: &Rule) -> bool {
    let mut demands = rule
        .when
        .on_facts
        .iter()
        .filter_map(|condition| condition.demand());
    demands.any(|demand| matches!(demand, Demand::Time(_)))
}

/// A time of the week at which the rule doesn't hold, and no other takes its message for what it says.
fn not_understood(set: &RuleSet, rule: &Rule, witness: &Witness) -> Option<Timestamp> {
    let candidates = set.candidates(&witness.inbound);
    (0..HALF_HOURS_OF_A_WEEK).find_map(|step| {
        let now = witness.now.checked_add(HALF_HOUR * step).ok()?;
        let local = set.timezone.to_datetime(now);
        let mut demands = rule
            .when
            .on_facts
            .iter()
            .filter_map(|condition| condition.demand());
        if demands.all(|demand| !matches!(demand, Demand::Time(time) if !time.holds_at(local))) {
            return None;
        }
        let mut contact = witness.contact.clone();
        if let Some(state) = &mut contact.state {
            state.until = now.checked_add(HALF_HOUR).ok()?;
        }
        let facts = Facts {
            now,
            contact: &contact,
            app_cooldowns: &witness.app_cooldowns,
        };
        let mut understood = false;
        let _ = set.walk(&witness.inbound, &candidates, &facts, &mut |id, _| {
            // To one that hands over whatever is said, a default reply is an equal.
            let knows = |other: &Rule| !other.when.takes_anything || rule.when.takes_anything;
            understood |= set.rule(id).is_some_and(|other| knows(other) && !other.observe);
        });
        (!understood).then_some(now)
    })
}
