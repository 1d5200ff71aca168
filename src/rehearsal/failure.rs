//! What failed, for people: which message, what was expected, what happened, and why the expected rule did not answer.

use std::fmt;

use crate::diagnostic::{Diagnostic, Place};
use crate::message::{Inbound, InboundStatus, Verdict};
use crate::rules::{ExpectedReply, ExpectedRule, RuleTrace, Step, TestCase, codes};

/// One message that was not taken as a test expects.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which step of a conversation it was, from 1.
    pub step: Option<usize>,
    /// Where the message stands.
    pub place: Place,
    /// The message, in words.
    pub message: String,
    /// All that was not as expected.
    pub mismatches: Vec<Mismatch>,
    /// What happened, in words.
    pub happened: String,
    /// Why the expected rule did not answer, if it did not.
    pub why_not: Option<WhyNot>,
}

/// One thing that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key of `expect`.
    pub what: &'static str,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub got: String,
    /// The replies, line by line: `-` is missing, `+` came instead.
    pub diff: Vec<String>,
}

/// Why a rule did not answer.
#[derive(Clone, Debug)]
pub struct WhyNot {
    /// Its name.
    pub rule: String,
    /// Where it stands.
    pub place: Place,
    /// The conditions that did not hold, or what else kept it silent.
    pub reasons: Vec<String>,
}

impl Mismatch {
    pub(super) fn plain(what: &'static str, expected: &str, got: impl Into<String>) -> Self {
        Self {
            what,
            expected: expected.to_owned(),
            got: got.into(),
            diff: Vec::new(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what, expected, got, ..
        } = self;
        write!(f, "{what}: expected {expected}, got {got}")
    }
}

impl WhyNot {
    pub(super) fn of(rule: &ExpectedRule, trace: RuleTrace, verdict: &Verdict) -> Self {
        let failed = trace.conditions.into_iter().filter(|condition| !condition.held);
        let told = failed.map(|condition| format!("{}: {}", condition.key, condition.why));
        let mut reasons: Vec<String> = told.collect();
        if reasons.is_empty() {
            let note = trace.note.unwrap_or_default();
            reasons.push(format!("its conditions hold; {note}"));
        } else if verdict.decision.status == InboundStatus::Muted {
            reasons.splice(0..0, trace.note);
        }
        Self {
            rule: rule.name.to_string(),
            place: rule.place.clone(),
            reasons,
        }
    }
}

impl Failure {
    pub(super) fn new(
        step: &Step,
        inbound: &Inbound,
        mismatches: Vec<Mismatch>,
        verdict: &Verdict,
        why_not: Option<WhyNot>,
    ) -> Self {
        Self {
            step: None,
            place: step.place.clone(),
            message: said(inbound),
            mismatches,
            happened: happened(verdict),
            why_not,
        }
    }

    /// All of it, line by line; a diff's lines begin with four blanks and their sign.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for mismatch in &self.mismatches {
            lines.push(mismatch.to_string());
            lines.extend(mismatch.diff.iter().map(|line| format!("    {line}")));
        }
        if let Some(why) = &self.why_not {
            let (line, _) = why.place.source.line_column(why.place.span.start);
            let file = why.place.source.path.display();
            lines.push(format!("why not {} ({file}:{line}):", why.rule));
            lines.extend(why.reasons.iter().map(|reason| format!("    {reason}")));
        }
        lines.push(format!("what happened: {}", self.happened));
        lines
    }

    /// The finding for a test that failed; none for one that did not.
    #[must_use]
    pub fn finding(test: &TestCase, failures: &[Self]) -> Option<Diagnostic> {
        let first = failures.first()?;
        let what = first.mismatches.first()?;
        let place = &first.place;
        let mut finding = Diagnostic::error(
            codes::TEST_FAILED,
            format!("the test `{}` fails: {what}", test.name),
        )
        .at(
            &place.source,
            place.span.clone(),
            format!("this message was {}", first.happened),
        );
        if let Some(why) = &first.why_not {
            let label = format!("not this rule: {}", why.reasons.join("; "));
            finding = finding.see(&why.place.source, why.place.span.clone(), label);
        }
        let mut help = Vec::new();
        if failures.len() > 1 {
            let fail = failures.len();
            help.push(format!("{fail} of its messages fail; `wxreply test` shows each"));
        }
        if !what.diff.is_empty() {
            help.push("the replies, `-` expected, `+` sent:".to_owned());
            help.extend(what.diff.iter().cloned());
        }
        finding.help = (!help.is_empty()).then(|| help.join("\n"));
        Some(finding)
    }
}

/// What the customer did, in words.
fn said(inbound: &Inbound) -> String {
    match (&inbound.content, &inbound.event) {
        (Some(text), _) => text.clone(),
        (None, Some(event)) => format!("event {event}"),
        (None, None) => inbound.msg_type.clone(),
    }
}

fn happened(verdict: &Verdict) -> String {
    let decision = &verdict.decision;
    let by = decision
        .rule
        .as_ref()
        .map(|rule| format!(" by {rule}"))
        .unwrap_or_default();
    let replies = decision.replies.iter();
    let replies: Vec<String> = replies
        .flat_map(|planned| planned.reply.without_webhook())
        .map(|reply| format!("{:?}", ExpectedReply::line_of(reply)))
        .collect();
    let replies = if replies.is_empty() {
        "no reply".to_owned()
    } else {
        replies.join(", ")
    };
    format!("{}{by}: {replies}", decision.status.as_str())
}
