//! One `[[rule]]`: its keys, and what they mean.
//!
//! A rule with neither `reply` nor any other action is fine: it takes the message and says nothing (its name stands
//! in the log), or, with `continue`, only leaves its name when no other rule answers.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::condition::{self, Capture, Draft as WhenDraft, When};
use super::read::{Node, Reader, Table, Text, nearest};
use super::reply::{Desk, Draft};
use super::template::{Known, Templates};
use super::{AppScope, codes, webhook};
use crate::diagnostic::Span;
use crate::message::{AppName, Inbound, MessageId, RuleName};

/// How long a user stays muted after a hand-over: WeChat gives the conversation back after 30 minutes at the latest.
const AGENT_SESSION: Duration = Duration::from_secs(30 * 60);
/// How long a state lasts that does not say.
pub(super) const STATE_TTL: Duration = Duration::from_secs(10 * 60);
/// Whoever waits longer for a reply has gone.
const MAX_DELAY: Duration = Duration::from_secs(10 * 60);
const MAX_SPAN: Duration = Duration::from_secs(365 * 86_400);

/// Every key of a rule.
pub(super) const KEYS: &[&str] = &[
    "name",
    "owner",
    "note",
    "priority",
    "enabled",
    "observe",
    "app",
    "when",
    "reply",
    "pick",
    "webhook",
    "delay",
    "typing",
    "cooldown",
    "transfer",
    "mute",
    "set_state",
    "state_ttl",
    "continue",
];

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: RuleName,
    pub(super) file: String,
    /// The line it begins at, from 1.
    pub(super) line: usize,
    /// Where its name stands in its file.
    pub(super) name_at: Span,
    pub(super) priority: i64,
    pub(super) observe: bool,
    /// The apps that it serves; all when absent.
    pub(super) apps: Option<Vec<AppName>>,
    pub(super) when: When,
    pub(super) then: Then,
    /// What its templates and its webhook may take from the message; empty when it has neither.
    pub(super) captures: Vec<Capture>,
}

/// What a rule does.
#[derive(Debug)]
pub(super) struct Then {
    /// Asked first; the replies are for when it fails.
    pub(super) webhook: Option<Webhook>,
    pub(super) replies: Vec<Box<dyn Draft>>,
    pub(super) random: bool,
    pub(super) delay: Duration,
    pub(super) typing: bool,
    pub(super) cooldown: Option<Cooldown>,
    /// `Some(None)`: to any agent.
    pub(super) transfer: Option<Option<String>>,
    pub(super) mute: Option<Duration>,
    /// `Some(None)` clears it.
    pub(super) set_state: Option<Option<String>>,
    pub(super) state_ttl: Duration,
    pub(super) goes_on: bool,
}

/// `webhook`
#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) url: String,
    /// Where it stands in the rule's file.
    pub(super) at: Span,
}

/// `cooldown`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cooldown {
    pub(super) time: Duration,
    /// For all users of the app, not for each one.
    pub(super) per_app: bool,
    /// Leaves the message to lower rules, instead of taking it in silence.
    pub(super) next: bool,
}

impl Rule {
    /// Whether the rule is asked about this push at all.
    pub(super) fn serves(&self, app: &AppName) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.contains(app))
    }

    /// Whether the conditions hold that need only the push and no matcher.
    pub(super) fn takes(&self, inbound: &Inbound) -> bool {
        self.serves(&inbound.app)
            && self.when.kinds.hold(inbound)
            && self
                .when
                .on_message
                .iter()
                .all(|condition| condition.holds(inbound))
    }
}

/// A rule that was read, and what is needed to judge it among the others.
pub(super) struct Read {
    pub(super) rule: Rule,
    pub(super) enabled: bool,
    pub(super) name: Text,
    /// The dialog states that it waits for.
    pub(super) waits_for: Vec<Text>,
}

/// Reads one rule, which begins at `line`. Nothing when a part without which it is no rule can't be read; the
/// findings then say why.
pub(super) fn read(
    reader: &mut Reader<'_>,
    templates: &mut Templates,
    node: &Node<'_>,
    line: usize,
) -> Option<Read> {
    let DeValue::Table(table) = node.get_ref() else {
        return reader.wrong_type("rule", node, "a table: `[[rule]]`");
    };
    let keys = reader.keys(table, KEYS, misplaced);
    let name = read_name(reader, node, &keys);
    for free in ["owner", "note"] {
        if let Some(node) = keys.get(free) {
            reader.text(free, node);
        }
    }
    let apps = keys.get("app").map(|node| read_apps(reader, node));
    let when = match keys.get("when") {
        Some(node) => read_when(reader, node),
        None => WhenDraft::default(),
    };
    let when = when.finish(reader);
    let rule_name = RuleName::from(name.as_ref().map_or("", |name| name.text.as_str()));
    let known = Known {
        rule: &rule_name,
        captures: &when.captures,
        apps: served(reader.scope.apps.iter(), apps.as_deref()),
    };
    let then = read_then(reader, templates, known, &keys);
    if let Some(node) = keys.get("transfer")
        && then.transfer.is_some()
        && when.when.kinds.include("event")
    {
        let help = "WeChat hands over messages only: name what to hand over, as in `when.msg_type = [\"text\", \"image\"]`";
        reader
            .error(
                codes::TRANSFER_ON_EVENT,
                node.span(),
                "`transfer` in a rule that also answers events",
                "an event can't be handed over",
            )
            .help = Some(help.to_owned());
    }
    let mut flag = |key: &str, default: bool| match keys.get(key) {
        Some(node) => reader.boolean(key, node).unwrap_or(default),
        None => default,
    };
    let (enabled, observe) = (flag("enabled", true), flag("observe", false));
    let priority = keys
        .get("priority")
        .and_then(|node| reader.integer("priority", node))
        .unwrap_or(0);
    let captures = if then.replies.is_empty() && then.webhook.is_none() {
        Vec::new()
    } else {
        when.captures
    };
    Some(Read {
        rule: Rule {
            name: rule_name,
            file: reader.source.path.to_string_lossy().into_owned(),
            line,
            name_at: name
                .as_ref()
                .map_or_else(|| node.span(), |name| name.span.clone()),
            priority,
            observe,
            apps,
            when: when.when,
            then,
            captures,
        },
        enabled,
        name: name?,
        waits_for: when.states,
    })
}

fn read_name(reader: &mut Reader<'_>, node: &Node<'_>, keys: &Table<'_>) -> Option<Text> {
    if let Some(node) = keys.get("name") {
        return reader.nonempty("name", node);
    }
    reader
        .error(
            codes::MISSING_KEY,
            node.span(),
            "this rule has no `name`",
            "needs `name = \"…\"`",
        )
        .help = Some("the log calls the rule by its name".to_owned());
    None
}

fn read_apps(reader: &mut Reader<'_>, node: &Node<'_>) -> Vec<AppName> {
    let texts = reader.texts("app", node);
    let scope = reader.scope;
    for text in &texts {
        if scope.apps.is_empty() || scope.apps.iter().any(|app| app.name.as_str() == text.text) {
            continue;
        }
        let names = || scope.apps.iter().map(|app| app.name.as_str());
        let help = match nearest(&text.text, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("the config has: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("there is no app `{}`", text.text);
        reader
            .error(
                codes::UNKNOWN_APP,
                text.span.clone(),
                message,
                "not in the config",
            )
            .help = Some(help);
    }
    texts.into_iter().map(|text| text.text.into()).collect()
}

/// The apps of the config that a rule serves.
fn served<'a>(all: impl Iterator<Item = &'a AppScope>, apps: Option<&[AppName]>) -> Vec<&'a AppScope> {
    all.filter(|app| apps.is_none_or(|apps| apps.contains(&app.name)))
        .collect()
}

fn read_when(reader: &mut Reader<'_>, node: &Node<'_>) -> WhenDraft {
    let mut draft = WhenDraft::default();
    let DeValue::Table(table) = node.get_ref() else {
        reader.wrong_type::<()>("when", node, "a table: `when.keywords = [\"…\"]`");
        return draft;
    };
    let names: Vec<&'static str> = condition::KEYS.iter().map(|key| key.name).collect();
    let keys = reader.keys(table, &names, |name| {
        KEYS.contains(&name)
            .then(|| format!("`{name}` belongs to the rule, not to `when`: write it above `[rule.when]`"))
    });
    for key in condition::KEYS {
        if let Some(node) = keys.get(key.name) {
            draft.places.insert(key.name, node.span());
            (key.read)(reader, node, &mut draft);
        }
    }
    draft
}

/// What is said about a key that is known elsewhere.
fn misplaced(name: &str) -> Option<String> {
    condition::KEYS
        .iter()
        .any(|key| key.name == name)
        .then(|| format!("write `when.{name}`"))
}

fn read_then(reader: &mut Reader<'_>, templates: &mut Templates, known: Known<'_>, keys: &Table<'_>) -> Then {
    let mut desk = Desk {
        reader,
        templates,
        known,
    };
    let replies = keys
        .get("reply")
        .map(|node| desk.replies(node))
        .unwrap_or_default();
    let pick = keys
        .get("pick")
        .and_then(|node| reader.one_of("pick", node, &[("all", false), ("random", true)]));
    let random = pick.unwrap_or(false);
    if let Some(node) = keys.get("reply")
        && !random
        && replies.len() > MessageId::MAX_REPLIES
    {
        reader
            .error(
                codes::TOO_MANY_REPLIES,
                node.span(),
                format!("{} replies to one message", replies.len()),
                format!("at most {}", MessageId::MAX_REPLIES),
            )
            .help = Some("WeChat takes far fewer; with `pick = \"random\"` one of them is sent".to_owned());
    }
    let mut span = |key: &str, limit| keys.get(key).and_then(|node| reader.duration(key, node, limit));
    let (delay, mute) = (span("delay", MAX_DELAY), span("mute", MAX_SPAN));
    let state_ttl = span("state_ttl", MAX_SPAN);
    let mut flag = |key: &str| {
        keys.get(key)
            .and_then(|node| reader.boolean(key, node))
            .unwrap_or(false)
    };
    let (typing, goes_on) = (flag("typing"), flag("continue"));
    let transfer = keys.get("transfer").and_then(|node| read_transfer(reader, node));
    let set_state = keys
        .get("set_state")
        .and_then(|node| reader.text("set_state", node))
        .map(|text| text.text);
    warn_of_no_effect(reader, keys, set_state.as_deref());
    let webhook = keys.get("webhook").and_then(|node| {
        let url = webhook::read(reader, keys)?;
        Some(Webhook { url, at: node.span() })
    });
    Then {
        webhook,
        replies,
        random,
        delay: delay.unwrap_or_default(),
        typing,
        cooldown: keys.get("cooldown").and_then(|node| read_cooldown(reader, node)),
        mute: mute.or(transfer.as_ref().map(|_| AGENT_SESSION)),
        transfer,
        set_state: set_state.map(|state| (!state.is_empty()).then_some(state)),
        state_ttl: state_ttl.unwrap_or(STATE_TTL),
        goes_on,
    }
}

fn read_transfer(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Option<String>> {
    match node.get_ref() {
        DeValue::Boolean(false) => None,
        DeValue::Boolean(true) => Some(None),
        DeValue::String(_) => Some(Some(reader.nonempty("transfer", node)?.text)),
        _ => reader.wrong_type("transfer", node, "true or an agent's account"),
    }
}

fn read_cooldown(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Cooldown> {
    let DeValue::Table(_) = node.get_ref() else {
        let DeValue::String(_) = node.get_ref() else {
            return reader.wrong_type("cooldown", node, "a length of time, or a table");
        };
        return Some(Cooldown {
            time: reader.duration("cooldown", node, MAX_SPAN)?,
            per_app: false,
            next: false,
        });
    };
    let table = reader.table("cooldown", node, &["time", "per", "then"])?;
    let mut one_of = |key, words: &[(&str, bool)]| match table.get(key) {
        Some(node) => reader.one_of(&format!("cooldown.{key}"), node, words),
        None => Some(false),
    };
    let per_app = one_of("per", &[("user", false), ("app", true)]);
    let next = one_of("then", &[("silent", false), ("next", true)]);
    let Some(time) = table.get("time") else {
        reader.error(
            codes::MISSING_KEY,
            node.span(),
            "this cooldown has no `time`",
            "needs `time = \"10m\"`",
        );
        return None;
    };
    Some(Cooldown {
        time: reader.duration("cooldown.time", time, MAX_SPAN)?,
        per_app: per_app?,
        next: next?,
    })
}

/// Keys that change nothing because what they speak of is not there.
fn warn_of_no_effect(reader: &mut Reader<'_>, keys: &Table<'_>, set_state: Option<&str>) {
    let is_list = |node: &Node<'_>| matches!(node.get_ref(), DeValue::Array(list) if list.len() > 1);
    let reply = keys.get("reply");
    let cases = [
        (
            "pick",
            reply.is_none_or(|node| !is_list(node)),
            "there is no list of replies to pick from",
        ),
        (
            "delay",
            reply.is_none() && keys.get("webhook").is_none(),
            "there is no reply to delay",
        ),
        (
            "typing",
            keys.get("delay").is_none(),
            "there is no `delay` during which to show it",
        ),
        (
            "state_ttl",
            set_state.is_none_or(str::is_empty),
            "this rule sets no state",
        ),
    ];
    for (key, idle, why) in cases {
        let span: Option<Span> = keys.key_span(key).filter(|_| idle);
        if let Some(span) = span {
            reader.warning(
                codes::NO_EFFECT,
                span,
                format!("`{key}` changes nothing here"),
                why,
            );
        }
    }
}

/// The rules of one file, in their order.
pub(super) fn nodes<'t>(reader: &mut Reader<'_>, table: &'t DeTable<'t>) -> Vec<&'t Node<'t>> {
    let Some((_, node)) = table.iter().find(|(key, _)| key.get_ref() == "rule") else {
        return Vec::new();
    };
    match node.get_ref() {
        DeValue::Array(list) => list.iter().collect(),
        _ => {
            reader
                .error(
                    codes::WRONG_TYPE,
                    node.span(),
                    "a rule begins with `[[rule]]`",
                    "one bracket is missing",
                )
                .help = Some("write `[[rule]]`: there may be many".to_owned());
            Vec::new()
        }
    }
}
