//! What is said about a rule that can never answer.

use super::Reach;
use crate::diagnostic::Diagnostic;
use crate::rules::rule::Rule;
use crate::rules::{RuleSet, Scope, codes};

/// The most rules that are pointed at.
const MAX_PLACES: usize = 3;

/// One finding for each rule that is hidden.
pub(in crate::rules::lint) fn lint(set: &RuleSet, _: &Scope, findings: &mut Vec<Diagnostic>) {
    for (rule, (_, reach)) in set.rules.iter().zip(set.reach()) {
        if let Reach::Hidden {
            by,
            taken_by,
            witness,
        } = reach
        {
            let above: Vec<&Rule> = by.iter().filter_map(|at| set.rules.get(*at)).collect();
            if let Some(taker) = set.rules.get(taken_by) {
                findings.extend(finding(set, rule, &above, taker, &witness.words));
            }
        }
    }
}

fn finding(set: &RuleSet, rule: &Rule, above: &[&Rule], taker: &Rule, example: &str) -> Option<Diagnostic> {
    let verb = if rule.observe { "match" } else { "answer" };
    let message = format!(
        "`{}` can never {verb}: for example, {example} goes to `{}` ({}:{})",
        rule.name, taker.name, taker.file, taker.line
    );
    let mut finding = Diagnostic::warning(codes::HIDDEN, message).at(
        set.source(rule)?,
        rule.name_at.clone(),
        "rules above always take its messages first",
    );
    for other in above.iter().take(MAX_PLACES) {
        let label = match above {
            [_] => "takes them first",
            _ => "takes some of them first",
        };
        finding = finding.see(set.source(other)?, other.name_at.clone(), label);
    }
    let help = match above {
        [one] if one.priority > rule.priority => format!(
            "give it a `priority` above {}, narrow `{}`, or remove it",
            one.priority, one.name
        ),
        [one] => format!(
            "give it a higher `priority`, or write it above `{}`; or narrow that rule, or remove this one",
            one.name
        ),
        _ => "give it a higher `priority`, narrow the rules above, or remove it".to_owned(),
    };
    Some(finding.help(help))
}
