//! A rule that takes messages from all rules below it, and does nothing with them.

use super::written::Written;
use crate::diagnostic::Diagnostic;
use crate::rules::rule::KEYS;
use crate::rules::{Scope, codes};

const ACTIONS: &[&str] = &["reply", "transfer", "mute", "set_state", "webhook"];

pub(super) fn lint(written: &Written<'_>, _: &Scope, findings: &mut Vec<Diagnostic>) {
    for rule in written.enabled() {
        // A key that nobody knows was probably meant to be one of them, and is an error already.
        let acts = rule
            .keys()
            .any(|key| ACTIONS.contains(&key) || !KEYS.contains(&key));
        // These two leave the message to others; their name in the log is what they are for.
        if acts || rule.flag("observe", false) || rule.flag("continue", false) {
            continue;
        }
        findings.push(
            Diagnostic::warning(
                codes::DOES_NOTHING,
                "this rule takes messages and does nothing with them",
            )
            .at(rule.source, rule.place(), "no reply, no action")
            .help("write a `reply`, or `continue = true` if it is there to be counted; silence that is meant wants `# wxreply: allow(W014) why`"),
        );
    }
}
