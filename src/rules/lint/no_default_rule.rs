//! No rule answers what no other rule knows: the customer gets silence. Told by asking the engine.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Timestamp, ToSpan};

use crate::diagnostic::Diagnostic;
use crate::message::{Answer, AppName, Contact, Cooldowns, Facts, Fields, Inbound, InboundStatus, MessageId};
use crate::rules::{RuleSet, Scope, codes};

/// What no keyword holds: characters that Unicode leaves to private use.
const UNKNOWN: &str = "\u{e0a1}\u{e0b2}\u{e0c3}";

pub(super) fn lint(set: &RuleSet, scope: &Scope, findings: &mut Vec<Diagnostic>) {
    // That there is no rule at all is said elsewhere.
    if set.is_empty() {
        return;
    }
    let silent: Vec<_> = apps(set, scope)
        .into_iter()
        .filter_map(|app| Some((silence(set, &app)?, app)))
        .collect();
    let Some((when, _)) = silent.first() else { return };
    let names: Vec<_> = silent.iter().map(|(_, app)| format!("`{app}`")).collect();
    let of = match scope.apps.len() {
        0 | 1 => String::new(),
        _ => format!(" for {}", names.join(", ")),
    };
    let at = match when {
        Some(time) => format!(", as on a {}", time.strftime("%A at %H:%M")),
        None => String::new(),
    };
    findings.push(
        Diagnostic::warning(
            codes::NO_DEFAULT_RULE,
            format!("a text that no rule knows is met with silence{at}: there is no default rule{of}"),
        )
        .help("add a rule that takes any text when no other does: `priority = -100`, `when.msg_type = \"text\"`, and a `reply` that says what you can help with"),
    );
}

/// The apps of the config; without one, those that rules speak of.
fn apps(set: &RuleSet, scope: &Scope) -> Vec<AppName> {
    if !scope.apps.is_empty() {
        return scope.apps.iter().map(|app| app.name.clone()).collect();
    }
    let mut apps: Vec<AppName> = set
        .rules
        .iter()
        .flat_map(|rule| rule.apps.clone().unwrap_or_default())
        .collect();
    apps.sort();
    apps.dedup();
    if apps.is_empty() {
        apps.push("app".into());
    }
    apps
}

/// When a text that no rule knows is met with silence: `Some(None)` at any time.
fn silence(set: &RuleSet, app: &AppName) -> Option<Option<DateTime>> {
    let times: Vec<DateTime> = week().collect();
    let mut silent = times.iter().copied().filter(|time| !answered(set, app, *time));
    let first = silent.next()?;
    let always = silent.count() + 1 == times.len();
    Some((!always).then_some(first))
}

/// Every half hour of a week without a holiday, so that rules for one date are not taken for the rule.
fn week() -> impl Iterator<Item = DateTime> {
    let monday = Date::constant(2026, 3, 9);
    debug_assert_eq!(monday.weekday(), Weekday::Monday);
    (0..7 * 48).filter_map(move |half| monday.at(0, 0, 0, 0).checked_add((half * 30_i64).minutes()).ok())
}

fn answered(set: &RuleSet, app: &AppName, time: DateTime) -> bool {
    let now = time
        .to_zoned(set.timezone.clone())
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp());
    let inbound = Inbound {
        id: MessageId::new(now.as_second(), 1),
        app: app.clone(),
        openid: "o".into(),
        dedup_key: String::new(),
        received: now,
        msg_type: "text".to_owned(),
        event: None,
        content: Some(UNKNOWN.to_owned()),
        fields: [("MsgType", "text"), ("Content", UNKNOWN)]
            .into_iter()
            .collect::<Fields>(),
    };
    // Somebody who has written before, and was understood.
    let contact = Contact {
        first_message: now.checked_sub(48.hours()).ok(),
        last_message: now.checked_sub(1.minute()).ok(),
        ..Contact::default()
    };
    let cooldowns = Cooldowns::new();
    let facts = Facts {
        now,
        contact: &contact,
        app_cooldowns: &cooldowns,
    };
    let decision = set.decide(&inbound, &set.candidates(&inbound), &facts);
    // A rule that takes the message and keeps silent was written so; one that goes on only counts.
    let taken = || {
        let rules = set.rules.iter();
        decision.status == InboundStatus::Matched
            && rules
                .filter(|rule| Some(&rule.name) == decision.rule.as_ref())
                .any(|rule| !rule.then.goes_on)
    };
    !decision.replies.is_empty() || decision.answer != Answer::Success || taken()
}
