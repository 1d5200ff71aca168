//! The compiled set, and which of its rules a message's content speaks for.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use minijinja::Environment;
use sha1::{Digest, Sha1};

use super::condition::Kinds;
use super::matcher::{BuildError, Matcher};
use super::rule::Rule;
use super::template::{Templates, Vars};
use super::{Scope, codes};
use crate::diagnostic::{Diagnostic, Source};
use crate::message::{AppName, Inbound, RuleSetVersion};

/// A compiled rule set: immutable, shared, swapped whole.
#[derive(Debug)]
pub struct RuleSet {
    pub(super) version: RuleSetVersion,
    /// The enabled rules in the order in which they are tried.
    pub(super) rules: Vec<Rule>,
    /// The others, in the order in which they would be.
    pub(super) disabled: Vec<Rule>,
    pub(super) matcher: Matcher,
    /// By rule: whether it takes every text of every app, as most do, so that the rule itself need not be looked at; a hundred
    /// thousand of them are in no cache.
    any_text: Box<[bool]>,
    /// The rules that leave text and fields alone.
    index: Index,
    pub(super) templates: Environment<'static>,
    /// `{{ app.… }}` of each app.
    pub(super) vars: BTreeMap<AppName, Vars>,
    pub(super) timezone: TimeZone,
    /// The files that it was made from.
    pub(super) sources: Vec<Source>,
}

/// What the content of a message says about the rules: found before its turn in the queue, on any thread.
#[derive(Debug)]
pub struct Candidates(Ids);

/// Ids of rules; the few that there nearly always are take no memory of their own.
#[derive(Debug)]
enum Ids {
    Few(usize, [u32; 7]),
    Many(Box<[u32]>),
}

impl Candidates {
    fn new(ids: &[u32]) -> Self {
        let mut few = [0; 7];
        Self(match few.get_mut(..ids.len()) {
            Some(start) => {
                start.copy_from_slice(ids);
                Ids::Few(ids.len(), few)
            }
            None => Ids::Many(ids.into()),
        })
    }

    /// The rules by their place in the order in which they are tried, ascending.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        match &self.0 {
            Ids::Few(len, ids) => &ids[..*len],
            Ids::Many(ids) => ids,
        }
    }
}

thread_local! {
    /// Memory that each thread keeps from message to message.
    static FOUND: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// The rules without conditions on text or fields, by the kind of push that they are asked about. A push meets each
/// rule in one place at most.
#[derive(Debug, Default)]
struct Index {
    any: Vec<u32>,
    /// By `MsgType` in lower case, sorted.
    msg_types: BTreeMap<String, Vec<u32>>,
    /// By `Event` in lower case, sorted.
    events: BTreeMap<String, Vec<u32>>,
}

impl Index {
    fn add(&mut self, id: u32, kinds: &Kinds) {
        let (map, keys) = match (kinds.events.is_empty(), kinds.msg_types.is_empty()) {
            (true, true) => return self.any.push(id),
            (true, false) => (&mut self.msg_types, &kinds.msg_types),
            (false, _) => (&mut self.events, &kinds.events),
        };
        for key in keys {
            let ids = map.entry(key.clone()).or_default();
            if ids.last() != Some(&id) {
                ids.push(id);
            }
        }
    }

    fn find(&self, inbound: &Inbound) -> impl Iterator<Item = u32> {
        let msg_type = self.msg_types.get(inbound.msg_type.as_str());
        // Most events come in the case in which they are kept: then nothing is allocated.
        let event = inbound.event.as_deref().and_then(|event| {
            if event.bytes().any(|b| b.is_ascii_uppercase()) {
                self.events.get(&event.to_ascii_lowercase())
            } else {
                self.events.get(event)
            }
        });
        [Some(&self.any), msg_type, event]
            .into_iter()
            .flatten()
            .flatten()
            .copied()
    }
}

impl RuleSet {
    /// The set without rules.
    #[must_use]
    pub fn empty() -> Self {
        let scope = Scope::default();
        // Without rules there is no pattern that could be too large.
        Self::compile(Vec::new(), Templates::new(), &[], &scope).expect("an empty set compiles")
    }

    /// Puts rules in order and compiles what they share.
    pub(super) fn compile(
        mut rules: Vec<Rule>,
        templates: Templates,
        sources: &[Source],
        scope: &Scope,
    ) -> Result<Self, BuildError> {
        // Stable: rules of one priority keep the order of their files and places.
        rules.sort_by_key(|rule| Reverse(rule.priority));
        let conditions: Vec<_> = rules.iter().map(|rule| rule.when.text.clone()).collect();
        let matcher = Matcher::build(&conditions)?;
        let mut index = Index::default();
        for (id, rule) in (0..).zip(&rules) {
            if rule.when.text.is_none() {
                index.add(id, &rule.when.kinds);
            }
        }
        Ok(Self {
            version: version(sources, scope),
            any_text: rules.iter().map(takes_any_text).collect(),
            rules,
            disabled: Vec::new(),
            matcher,
            index,
            templates: templates.into_live(),
            vars: scope
                .apps
                .iter()
                .map(|app| (app.name.clone(), Vars::new(&app.vars)))
                .collect(),
            timezone: scope.timezone.clone(),
            sources: sources.to_vec(),
        })
    }

    /// Keeps the disabled rules too, for whoever lists all.
    pub(super) fn with_disabled(mut self, mut disabled: Vec<Rule>) -> Self {
        disabled.sort_by_key(|rule| Reverse(rule.priority));
        self.disabled = disabled;
        self
    }

    /// The hash of all sources and of what they refer to.
    #[must_use]
    pub fn version(&self) -> &RuleSetVersion {
        &self.version
    }

    /// The files that it was made from, in the order of their paths.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// How many rules there are, the disabled ones not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether any of the candidates keeps an app-wide cooldown (then its row must be loaded). Not asked of all rules:
    /// walking through 100,000 of them took longer than all else that is done for a message.
    #[must_use]
    pub fn uses_app_cooldowns(&self, candidates: &Candidates) -> bool {
        let rules = candidates.ids().iter().filter_map(|id| self.rule(*id));
        rules
            .filter_map(|rule| rule.then.cooldown)
            .any(|cooldown| cooldown.per_app)
    }

    /// Finds the rules whose conditions on the message itself hold, in the order in which they are tried.
    #[must_use]
    pub fn candidates(&self, inbound: &Inbound) -> Candidates {
        FOUND.with_borrow_mut(|ids| {
            self.matcher
                .matches(inbound.content.as_deref(), &inbound.fields, ids);
            let sorted = ids.len();
            ids.extend(self.index.find(inbound));
            if ids.len() > sorted {
                ids.sort_unstable();
            }
            let is_text = inbound.msg_type == TEXT;
            ids.retain(|id| {
                is_text && self.any_text.get(*id as usize) == Some(&true)
                    || self.rule(*id).is_some_and(|rule| rule.takes(inbound))
            });
            Candidates::new(ids)
        })
    }

    /// What is wrong with the rules when the config has no secret to sign questions to webhooks with: said once, at
    /// the first rule that has a webhook.
    pub(super) fn unsigned_webhook(&self) -> Option<Diagnostic> {
        let asks = |rule: &&Rule| rule.then.webhook.is_some();
        let rule = self
            .rules
            .iter()
            .filter(asks)
            .min_by_key(|rule| (&rule.file, rule.line))?;
        let finding = Diagnostic::error(
            codes::NO_WEBHOOK_SECRET,
            "the config has no secret for webhooks",
        )
        .help("without one, the receiver can't tell wxreply's questions from anybody's: write `secret = { file = \"secrets/webhook\" }` under `[webhook]` in wxreply.toml");
        let at = rule.then.webhook.as_ref().map(|webhook| webhook.at.clone());
        Some(match self.source(rule).zip(at) {
            Some((source, at)) => finding.at(source, at, "needs a secret to sign with"),
            None => finding,
        })
    }

    /// The file that a rule stands in; its spans are places in there.
    pub(super) fn source(&self, rule: &Rule) -> Option<&Source> {
        self.sources
            .iter()
            .find(|source| source.path.as_os_str() == rule.file.as_str())
    }

    pub(super) fn rule(&self, id: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(id).ok()?)
    }
}

const TEXT: &str = "text";

/// Whether [`Rule::takes`] holds of all messages of this type.
fn takes_any_text(rule: &Rule) -> bool {
    let kinds = &rule.when.kinds;
    let of_kind = kinds.msg_types.is_empty() || kinds.msg_types.iter().any(|kind| kind == TEXT);
    rule.apps.is_none() && kinds.events.is_empty() && of_kind && rule.when.on_message.is_empty()
}

/// The first 16 hex digits of a SHA-1 over all that decides: the files, the apps' variables, the time zone.
fn version(sources: &[Source], scope: &Scope) -> RuleSetVersion {
    let mut hash = Sha1::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    for source in sources {
        add(&source.path.to_string_lossy());
        add(&source.text);
    }
    add("apps");
    for app in &scope.apps {
        add(app.name.as_str());
        for (name, value) in &app.vars {
            add(name);
            add(value);
        }
    }
    add("timezone");
    add(scope.timezone.iana_name().unwrap_or("fixed"));
    let digest = hash.finalize();
    let mut hex = String::with_capacity(16);
    for byte in &digest[..8] {
        // Writing to a `String` can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}
