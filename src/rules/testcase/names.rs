//! What tests may speak of: rules, apps, dialog states; and the names that tests have already.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::expect::ExpectedRule;
use super::place;
use crate::diagnostic::{Diagnostic, Place, Source, Span};
use crate::message::AppName;
use crate::rules::read::{Reader, Text, nearest};
use crate::rules::{Scope, codes, rule};

/// The names that stand in the rule files.
pub(in crate::rules) struct Names<'a> {
    rules: HashMap<&'a str, Vec<&'a (&'a Source, rule::Read)>>,
    /// Whether a rule could not be read, so that one may be there that is not here.
    incomplete: bool,
    /// How long each state lasts once it is set.
    states: BTreeMap<&'a str, Duration>,
    /// The first app that a rule names.
    first_app: Option<&'a AppName>,
    tests: HashMap<String, Place>,
}

impl<'a> Names<'a> {
    pub(in crate::rules) fn new(rules: &'a [(&'a Source, rule::Read)], incomplete: bool) -> Self {
        let mut names = Self {
            rules: HashMap::new(),
            incomplete,
            states: BTreeMap::new(),
            first_app: rules
                .iter()
                .find_map(|(_, read)| read.rule.apps.as_ref()?.first()),
            tests: HashMap::new(),
        };
        for entry in rules {
            let read = &entry.1;
            names.rules.entry(&read.name.text).or_default().push(entry);
            if let Some(Some(state)) = &read.rule.then.set_state {
                names.states.entry(state).or_insert(read.rule.then.state_ttl);
            }
        }
        for (_, read) in rules {
            for state in &read.waits_for {
                names.states.entry(&state.text).or_insert(rule::STATE_TTL);
            }
        }
        names
    }

    /// Notes a test; gives the place of an earlier one of this name.
    pub(super) fn test(&mut self, name: &str, source: &Source, span: &Span) -> Option<Place> {
        if let Some(first) = self.tests.get(name) {
            return Some(first.clone());
        }
        self.tests.insert(name.to_owned(), place(source, span.clone()));
        None
    }

    /// The app that a test names, if there is one.
    pub(super) fn app(&self, reader: &mut Reader<'_>, app: &Text) -> Option<AppName> {
        let scope = reader.scope;
        if scope.apps.is_empty() || scope.apps.iter().any(|known| known.name.as_str() == app.text) {
            return Some(app.text.as_str().into());
        }
        let names = || scope.apps.iter().map(|app| app.name.as_str());
        let help = match nearest(&app.text, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("the config has: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("there is no app `{}`", app.text);
        reader
            .error(codes::UNKNOWN_APP, app.span.clone(), message, "not in the config")
            .help = Some(help);
        None
    }

    /// The app of a test that names none: the first that the first rule expected serves. Without a config, the apps
    /// are those that rules name.
    pub(super) fn app_for<'t>(&self, scope: &Scope, mut rules: impl Iterator<Item = &'t Text>) -> AppName {
        let served = rules
            .find_map(|rule| self.rules.get(rule.text.as_str()))
            .and_then(|entries| {
                let enabled = entries.iter().find(|(_, read)| read.enabled);
                enabled.or(entries.first())?.1.rule.apps.as_ref()
            });
        let configured = || scope.apps.iter().map(|app| &app.name);
        let app = match served {
            Some(apps) => configured().find(|app| apps.contains(app)).or(apps.first()),
            None => configured().next().or(self.first_app),
        };
        app.cloned().unwrap_or_else(|| "".into())
    }

    /// How long a state lasts that a rule has just set; an error when no rule knows it.
    pub(super) fn state(&self, reader: &mut Reader<'_>, state: &Text) -> Option<Duration> {
        let known = self.states.get(state.text.as_str()).copied();
        if known.is_none() && !self.incomplete {
            let help = match nearest(&state.text, self.states.keys().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "a state is what some rule's `set_state` says".to_owned(),
            };
            let message = format!("no rule knows the state `{}`", state.text);
            reader
                .error(
                    codes::TEST_NAMES_NOTHING,
                    state.span.clone(),
                    message,
                    "no such state",
                )
                .help = Some(help);
        }
        known
    }

    /// The rule that a test expects of an app.
    pub(super) fn rule(&self, reader: &mut Reader<'_>, rule: &Text, app: &AppName) -> Option<ExpectedRule> {
        let name = &rule.text;
        let Some(entries) = self.rules.get(name.as_str()) else {
            if !self.incomplete {
                let help = match nearest(name, self.rules.keys().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write the `name` of a rule, as it stands there".to_owned(),
                };
                let message = format!("no rule is named `{name}`");
                reader
                    .error(
                        codes::TEST_NAMES_NOTHING,
                        rule.span.clone(),
                        message,
                        "no such rule",
                    )
                    .help = Some(help);
            }
            return None;
        };
        let of_app = entries.iter().filter(|(_, read)| read.rule.serves(app));
        let best = of_app.max_by_key(|(_, read)| read.enabled);
        let (entry, trouble) = match best {
            Some(entry) if entry.1.enabled => (entry, None),
            Some(entry) => {
                let help = "enable it, or take the test out as long as it is disabled".to_owned();
                (
                    entry,
                    Some((format!("the rule `{name}` is disabled"), "it never answers", help)),
                )
            }
            None => {
                let entry = entries.first()?;
                let apps = entry.1.rule.apps.as_deref().unwrap_or_default();
                let help = format!(
                    "say whom the customer writes to: `app = \"{}\"` beside `name`",
                    apps.first()?
                );
                let message = format!("the rule `{name}` does not serve the app `{app}`");
                (entry, Some((message, "of another app", help)))
            }
        };
        let (source, read) = entry;
        if let Some((message, label, help)) = trouble {
            let finding = Diagnostic::error(codes::TEST_NAMES_NOTHING, message)
                .at(reader.source, rule.span.clone(), label)
                .see(source, read.name.span.clone(), "the rule")
                .help(help);
            reader.note(finding);
            return None;
        }
        Some(ExpectedRule {
            name: read.rule.name.clone(),
            place: place(source, read.name.span.clone()),
            observe: read.rule.observe,
        })
    }
}
