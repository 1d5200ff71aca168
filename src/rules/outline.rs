//! Rules in a few words, for a list of them: where each stands and why, what it asks for, what it does.

use serde::Serialize;

use super::RuleSet;
use super::duration::words;
use super::matcher::TextConditions;
use super::rule::{Rule, Then};
use crate::message::{AppName, RuleName};

/// One rule in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleOutline {
    /// The rule.
    pub rule: RuleName,
    /// Its priority: the higher is tried first.
    pub priority: i64,
    /// Its file: of one priority, files go by their paths.
    pub file: String,
    /// The line it begins at, from 1: within a file, rules go by their place.
    pub line: usize,
    /// The apps that it serves; all when absent.
    pub apps: Option<Vec<AppName>>,
    /// Whether it takes part at all.
    pub enabled: bool,
    /// Whether it only watches.
    pub observe: bool,
    /// What it asks for; nothing when it takes whatever comes.
    pub asks: Vec<String>,
    /// What it does; nothing when it only takes the message.
    pub does: Vec<String>,
}

impl RuleOutline {
    /// Whether it serves an app.
    #[must_use]
    pub fn serves(&self, app: &AppName) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.contains(app))
    }
}

impl RuleSet {
    /// All rules in a few words: first the enabled ones in the order in which they are tried, then the others in the
    /// order in which they would be.
    #[must_use]
    pub fn outline(&self) -> Vec<RuleOutline> {
        let enabled = self.rules.iter().map(|rule| outline(rule, true));
        let disabled = self.disabled.iter().map(|rule| outline(rule, false));
        enabled.chain(disabled).collect()
    }
}

impl RuleSet {
    /// The enabled rules that take any text at any point of a dialog: a message that only these answer was not
    /// understood.
    #[must_use]
    pub fn catch_alls(&self) -> Vec<RuleName> {
        let rules = self.rules.iter();
        let catch_alls = rules.filter(|rule| rule.when.takes_anything);
        catch_alls.map(|rule| rule.name.clone()).collect()
    }
}

fn outline(rule: &Rule, enabled: bool) -> RuleOutline {
    RuleOutline {
        rule: rule.name.clone(),
        priority: rule.priority,
        file: rule.file.clone(),
        line: rule.line,
        apps: rule.apps.clone(),
        enabled,
        observe: rule.observe,
        asks: asks(rule),
        does: does(&rule.then),
    }
}

fn asks(rule: &Rule) -> Vec<String> {
    let when = &rule.when;
    let mut asks = Vec::new();
    // Conditions on the text ask for a text by themselves.
    let implied = match &when.text {
        Some(text) => on_text(text) && when.kinds.events.is_empty() && when.kinds.msg_types == ["text"],
        None => when.kinds.events.is_empty() && when.kinds.msg_types.is_empty(),
    };
    if !implied {
        asks.push(when.kinds.asks());
    }
    if let Some(text) = &when.text {
        let words = |name: &str, words: &[String]| {
            (!words.is_empty()).then(|| format!("{name}: {}", words.join(", ")))
        };
        asks.extend(words("exact", &text.exact));
        asks.extend(words("keywords", &text.keywords));
        asks.extend(words("all_keywords", &text.all_keywords));
        asks.extend(words("not_keywords", &text.not_keywords));
        asks.extend(words("regex", &text.regex));
        let fields = text.fields.iter();
        asks.extend(fields.map(|(path, pattern)| format!("fields.{path}: {pattern}")));
    }
    asks.extend(when.on_message.iter().map(|condition| condition.asks()));
    asks.extend(when.on_facts.iter().map(|condition| condition.asks()));
    asks
}

/// Whether it looks at the text, not only at fields.
fn on_text(conditions: &TextConditions) -> bool {
    let TextConditions {
        exact,
        keywords,
        all_keywords,
        not_keywords,
        regex,
        fields: _,
    } = conditions;
    [exact, keywords, all_keywords, not_keywords, regex]
        .iter()
        .any(|list| !list.is_empty())
}

fn does(then: &Then) -> Vec<String> {
    let mut does = Vec::new();
    let after = if then.delay.is_zero() {
        String::new()
    } else {
        format!(" after {}", words(then.delay))
    };
    let replies = match (then.replies.len(), then.random) {
        (0, _) => None,
        (1, _) => Some("reply".to_owned()),
        (n, true) => Some(format!("one of {n} replies")),
        (n, false) => Some(format!("{n} replies")),
    };
    let said = match (&then.webhook, replies) {
        (Some(_), Some(replies)) => Some(format!("webhook, else {replies}")),
        (Some(_), None) => Some("webhook".to_owned()),
        (None, replies) => replies,
    };
    does.extend(said.map(|said| format!("{said}{after}")));
    match &then.transfer {
        None => {}
        Some(None) => does.push("transfer".to_owned()),
        Some(Some(agent)) => does.push(format!("transfer to {agent}")),
    }
    does.extend(then.mute.map(|mute| format!("mute {}", words(mute))));
    match &then.set_state {
        None => {}
        Some(None) => does.push("clear state".to_owned()),
        Some(Some(state)) => does.push(format!("state {state} for {}", words(then.state_ttl))),
    }
    does.extend(then.cooldown.map(|cooldown| {
        let per = if cooldown.per_app { " per app" } else { "" };
        let then = if cooldown.next { ", then next" } else { "" };
        format!("cooldown {}{per}{then}", words(cooldown.time))
    }));
    does.extend(then.goes_on.then(|| "continue".to_owned()));
    does
}

#[cfg(test)]
mod tests {
    use crate::rules::tests::set;

    #[test]
    fn what_takes_any_text_is_told_from_what_asks_for_one() {
        let set = set("[[rule]]\nname = 'default'\npriority = -1\nreply = 'x'\n\
             [[rule]]\nname = 'texts'\nwhen.msg_type = ['text', 'image']\nwhen.misses = 2\nreply = 'x'\n\
             [[rule]]\nname = 'images'\nwhen.msg_type = 'image'\nreply = 'x'\n\
             [[rule]]\nname = 'events'\nwhen.event = 'subscribe'\nreply = 'x'\n\
             [[rule]]\nname = 'dialog'\nwhen.state = 'order'\nwhen.msg_type = 'text'\nreply = 'x'\n\
             [[rule]]\nname = 'asks'\nwhen.keywords = 'order'\nset_state = 'order'\nreply = 'x'\n\
             [[rule]]\nname = 'words'\nwhen.keywords = 'x'\nreply = 'x'\n\
             [[rule]]\nname = 'off'\nenabled = false\nreply = 'x'\n");
        assert_eq!(set.catch_alls(), ["texts".into(), "default".into()]);
    }

    #[test]
    fn every_part_of_a_rule_is_named() {
        let set = set(
            "[[rule]]\nname = 'off'\nenabled = false\npriority = 9\nreply = 'x'\n\
             [[rule]]\nname = 'late'\npriority = -1\nreply = 'x'\n\
             [[rule]]\nname = 'content'\nobserve = true\napp = 'shop'\nwhen.exact = ['菜单 a b', '1 a b']\nwhen.keywords = 'a'\nwhen.all_keywords = 'b'\n\
             when.not_keywords = 'c'\nwhen.regex = '^d'\nreply = ['1', '2']\npick = 'random'\ndelay = '2s'\n\
             [[rule]]\nname = 'event'\npriority = 2\nwhen.event = 'user_enter_tempsession'\nwhen.fields = { SessionFrom = 'home' }\nset_state = 'menu'\n\
             [[rule]]\nname = 'facts'\nwhen.msg_type = ['text', 'image']\nwhen.users = ['o1', 'o2']\nwhen.time = { hours = '09:00-18:00', days = 'mon-fri', not = true }\n\
             when.first_message = false\nwhen.idle = '24h'\nwhen.state = ['menu', '']\nwhen.misses = 2\n\
             transfer = 'kf@shop'\nset_state = ''\ncooldown = { time = '90s', per = 'app', then = 'next' }\ncontinue = true\n\
             [[rule]]\nname = 'asks'\nwhen.exact = 'x'\nwebhook = 'https://example.com/hook'\nreply = ['1', '2']\ndelay = '1s'\n\
             [[rule]]\nname = 'talks'\nwhen.msg_type = 'text'\nwhen.fields = { Title = 'x' }\nreply = ['1', '2']\nmute = '1h'\ntransfer = true\n",
        );
        let told: Vec<String> = set
            .outline()
            .into_iter()
            .map(|o| {
                let marks = [(!o.enabled, "disabled "), (o.observe, "observe ")];
                let marks: String = marks
                    .iter()
                    .filter(|(is, _)| *is)
                    .map(|(_, mark)| *mark)
                    .collect();
                let apps = o
                    .apps
                    .as_ref()
                    .map(|apps| format!("{apps:?} "))
                    .unwrap_or_default();
                format!(
                    "{} {}:{} ({}) {marks}{apps}{:?} → {:?}",
                    o.rule, o.file, o.line, o.priority, o.asks, o.does
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        event shop.toml:22 (2) ["event user_enter_tempsession", "fields.SessionFrom: home"] → ["state menu for 10m"]
        content shop.toml:10 (0) observe ["shop"] ["exact: 菜单 a b, 1 a b", "keywords: a", "all_keywords: b", "not_keywords: c", "regex: ^d"] → ["one of 2 replies after 2s"]
        facts shop.toml:28 (0) ["text or image", "users: 2 openids", "time: 09:00-18:00 mon-fri not", "first_message: false", "idle: 1d", "state: menu or none", "misses: 2"] → ["transfer to kf@shop", "mute 30m", "clear state", "cooldown 90s per app, then next", "continue"]
        asks shop.toml:41 (0) ["exact: x"] → ["webhook, else 2 replies after 1s"]
        talks shop.toml:47 (0) ["text", "fields.Title: x"] → ["2 replies", "transfer", "mute 1h"]
        late shop.toml:6 (-1) [] → ["reply"]
        off shop.toml:1 (9) disabled [] → ["reply"]
        "#);
    }
}
