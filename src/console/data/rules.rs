//! The rules in force: their order, what each asks and does, how often it had to do with a message, what is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app;
use super::finding::Finding;
use super::message::Message;
use super::on_a_thread;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::diagnostic::Source;
use crate::editing::{Checked, SimpleRule, simple_rule};
use crate::message::{AppName, Direction, RuleName};
use crate::reload::RulesStatus;
use crate::rules::{RuleOutline, RuleSet, Section, SectionKind, sections};
use crate::store::{Filter, RuleHits};

/// How far back hits are counted, unless somebody asks for more.
const DAYS: u16 = 14;

/// The last messages of a rule that are shown.
const RECENT: usize = 20;

/// Which hits are counted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct Window {
    /// Hits of so many days are counted.
    #[serde(default)]
    #[param(minimum = 1, maximum = 90, default = 14)]
    pub days: Option<u16>,
    /// Only rules that serve this app, and hits of its customers.
    #[serde(default)]
    pub app: Option<String>,
}

impl Window {
    /// The days, and from when on.
    pub fn since(&self, now: Timestamp) -> Result<(u16, Timestamp), Problem> {
        let days = self.days.unwrap_or(DAYS);
        if !(1..=90).contains(&days) {
            return Err(Problem::bad_request("`days` is between 1 and 90"));
        }
        Ok((days, back(now, days)))
    }

    /// The app, if it is one of ours.
    pub fn app(&self, console: &Console) -> Result<Option<AppName>, Problem> {
        app::chosen(console, self.app.as_deref())
    }
}

/// So many days before.
pub(in crate::console) fn back(now: Timestamp, days: u16) -> Timestamp {
    let days = SignedDuration::from_hours(24 * i64::from(days));
    now.saturating_sub(days).unwrap_or(Timestamp::MIN)
}

/// The rules.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Rules {
    /// The version in force.
    pub version: String,
    /// Since when it is in force in this process.
    pub loaded: Timestamp,
    /// Whether it came from the archive, because the files could not be used when the daemon started.
    pub from_archive: bool,
    /// Why the files on the disk are not in force: findings as text. Empty when they are.
    pub refused: Vec<String>,
    /// From when on hits are counted.
    pub since: Timestamp,
    /// Whether the rules were looked at as a whole yet; that takes a moment after each reload.
    pub checked: bool,
    /// What was found that is about no rule in particular.
    pub findings: Vec<Finding>,
    /// All rules: the enabled ones in the order in which they are tried, then the others.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RuleInForce)]
pub(in crate::console) struct Rule {
    /// Its place in the order, from 1; a disabled rule has none.
    pub place: Option<usize>,
    /// Its name.
    pub name: String,
    /// The apps that it serves; all when absent.
    pub apps: Option<Vec<String>>,
    /// The higher is tried first.
    pub priority: i64,
    /// Its file.
    pub file: String,
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Whether it takes part at all.
    pub enabled: bool,
    /// Whether it only watches.
    pub observe: bool,
    /// What it asks for.
    pub asks: Vec<String>,
    /// What it does.
    pub does: Vec<String>,
    /// Messages that it took.
    pub hits: u64,
    /// Messages for which its cooldown kept it silent.
    pub silent: u64,
    /// Messages that it only watched.
    pub observed: u64,
    /// When the last of all these came.
    pub last: Option<Timestamp>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

impl Rule {
    fn of(place: Option<usize>, outline: RuleOutline, hits: &Hits, app: Option<&AppName>) -> Self {
        let mut rule = Self {
            place,
            name: outline.rule.as_str().to_owned(),
            apps: outline
                .apps
                .as_ref()
                .map(|apps| apps.iter().map(|app| app.as_str().to_owned()).collect()),
            priority: outline.priority,
            file: outline.file.clone(),
            line: outline.line,
            enabled: outline.enabled,
            observe: outline.observe,
            asks: outline.asks.clone(),
            does: outline.does.clone(),
            hits: 0,
            silent: 0,
            observed: 0,
            last: None,
            findings: Vec::new(),
        };
        let counted = hits.get(&outline.rule).into_iter().flatten();
        for (_, hits) in counted.filter(|(of, _)| outline.serves(of) && app.is_none_or(|app| app == of)) {
            rule.hits += hits.hits;
            rule.silent += hits.silent;
            rule.observed += hits.observed;
            rule.last = rule.last.max(hits.last);
        }
        rule
    }

    /// Whether it had to do with no message, though it takes part.
    pub fn is_idle(&self) -> bool {
        self.enabled && self.hits + self.silent + self.observed == 0
    }

    /// The app under which it is addressed.
    pub fn app(&self, console: &Console) -> String {
        let first = || console.apps.first().map(|app| app.name.as_str().to_owned());
        let named = self.apps.as_ref().and_then(|apps| apps.first().cloned());
        named.or_else(first).unwrap_or_default()
    }
}

type Hits = BTreeMap<RuleName, Vec<(AppName, RuleHits)>>;

/// All rules.
pub(in crate::console) async fn rules(console: &Console, window: &Window) -> Result<Rules, Problem> {
    let (_, since) = window.since(console.clock.now())?;
    let app = window.app(console)?;
    let live = Arc::clone(&console.rules.live().borrow());
    let (hits, checked) = tokio::join!(hits(console, since), console.editor.check_in_force());
    let hits = hits?;
    let work = move || {
        let mut rules = listed(&live, &hits, app.as_ref());
        let findings = distribute(&live, checked.as_deref(), &mut rules);
        (rules, findings, checked.is_some())
    };
    let (rules, findings, checked) = on_a_thread(work).await?;
    let RulesStatus {
        version,
        loaded,
        from_archive,
        last_error,
        ..
    } = console.rules.status();
    Ok(Rules {
        version: version.as_str().to_owned(),
        loaded,
        from_archive,
        refused: last_error.map(|error| error.findings).unwrap_or_default(),
        since,
        checked,
        findings,
        rules,
    })
}

async fn hits(console: &Console, since: Timestamp) -> Result<Hits, Problem> {
    let mut by_rule = Hits::new();
    for ((app, rule), hits) in console.store.rule_counts(since).await? {
        by_rule.entry(rule).or_default().push((app, hits));
    }
    Ok(by_rule)
}

fn listed(set: &RuleSet, hits: &Hits, app: Option<&AppName>) -> Vec<Rule> {
    let mut place = 0;
    let outlines = set.outline().into_iter();
    let outlines = outlines.filter(|outline| app.is_none_or(|app| outline.serves(app)));
    outlines
        .map(|outline| {
            let its_place = outline.enabled.then(|| {
                place += 1;
                place
            });
            Rule::of(its_place, outline, hits, app)
        })
        .collect()
}

/// Gives each rule what was found on its lines; what is left is about none of them.
fn distribute(set: &RuleSet, checked: Option<&Checked>, rules: &mut [Rule]) -> Vec<Finding> {
    let Some(checked) = checked else {
        return Vec::new();
    };
    let failing = checked.tests.iter().filter_map(|test| test.finding.as_ref());
    let findings = Finding::all(checked.findings.iter().chain(failing));
    let mut wanted: Vec<&str> = findings
        .iter()
        .flat_map(|finding| finding.place.iter().chain(&finding.related))
        .map(|spot| spot.file.as_str())
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let sections: BTreeMap<String, Vec<Section>> = set
        .sources()
        .iter()
        .map(|source| (source.path.to_string_lossy().into_owned(), source))
        .filter(|(path, _)| wanted.contains(&path.as_str()))
        .map(|(path, source)| (path, self::sections(source)))
        .collect();
    let mut by_place: BTreeMap<(String, usize), usize> = BTreeMap::new();
    for (at, rule) in rules.iter().enumerate() {
        by_place.insert((rule.file.clone(), rule.line), at);
    }
    let rule_at = |file: &str, line: usize| {
        let sections = sections.get(file)?;
        let at = sections
            .partition_point(|section| section.first <= line)
            .checked_sub(1)?;
        by_place.get(&(file.to_owned(), sections[at].header)).copied()
    };
    let mut rest = Vec::new();
    for finding in findings {
        let spots = finding.place.iter().chain(&finding.related);
        let rule = spots.into_iter().find_map(|spot| rule_at(&spot.file, spot.line));
        match rule {
            Some(rule) => rules[rule].findings.push(finding),
            None => rest.push(finding),
        }
    }
    rest
}

/// All about one rule.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct RuleDetail {
    /// The rule.
    pub rule: Rule,
    /// From when on hits are counted.
    pub since: Timestamp,
    /// Its source, with the comment above it.
    pub source: Excerpt,
    /// The tests that expect it.
    pub tests: Vec<Excerpt>,
    /// Whether the simple form can change it.
    pub simple: bool,
    /// The last messages that it took, the newest first.
    pub recent: Vec<Message>,
}

/// Some lines of a rule file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Excerpt {
    /// The file.
    pub file: String,
    /// The number of the first line, from 1.
    pub line: usize,
    /// The name of the rule or test.
    pub name: String,
    /// The lines.
    pub text: String,
}

impl Excerpt {
    fn of(source: &Source, section: &Section, name: &str) -> Self {
        let lines = source.text.lines().skip(section.first - 1);
        let lines: Vec<&str> = lines.take(section.last + 1 - section.first).collect();
        Self {
            file: source.path.to_string_lossy().into_owned(),
            line: section.first,
            name: name.to_owned(),
            text: lines.join("\n"),
        }
    }

    /// Each line with its number.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (self.line..).zip(self.text.lines())
    }
}

/// One rule of an app.
pub(in crate::console) async fn rule(
    console: &Console,
    app: &AppName,
    name: &str,
    window: &Window,
) -> Result<RuleDetail, Problem> {
    let (_, since) = window.since(console.clock.now())?;
    let live = Arc::clone(&console.rules.live().borrow());
    let found = {
        let (live, app, name) = (Arc::clone(&live), app.clone(), name.to_owned());
        let is_it = move |outline: &RuleOutline| outline.rule.as_str() == name && outline.serves(&app);
        on_a_thread(move || live.outline().into_iter().find(is_it)).await?
    };
    let outline = found.ok_or_else(Problem::not_found)?;
    let filter = Filter {
        app: Some(app.clone()),
        rule: Some(outline.rule.clone()),
        direction: Some(Direction::In),
        since: Some(since),
        ..Filter::default()
    };
    let (hits, checked, recent) = tokio::join!(
        hits(console, since),
        console.editor.check_in_force(),
        console.store.search(&filter, None, RECENT),
    );
    let (hits, recent) = (hits?, recent?);
    let told = on_a_thread(move || {
        let mut rules = listed(&live, &hits, None);
        distribute(&live, checked.as_deref(), &mut rules);
        let mut rules = rules.into_iter();
        let rule = rules.find(|rule| rule.file == outline.file && rule.line == outline.line)?;
        let mut sources = live.sources().iter();
        let source = sources.find(|source| source.path.as_os_str() == outline.file.as_str())?;
        let mut sections = sections(source).into_iter();
        let own = sections.find(|section| section.header == outline.line)?;
        let name = outline.rule.as_str();
        Some(RuleDetail {
            since,
            source: Excerpt::of(source, &own, name),
            tests: tests(&live, name),
            simple: simple_rule(&source.text, name).is_ok(),
            recent: recent.entries.into_iter().map(Message::from).collect(),
            rule,
        })
    });
    told.await?.ok_or_else(Problem::not_found)
}

fn tests(set: &RuleSet, rule: &str) -> Vec<Excerpt> {
    // Files without the name at all need not be parsed.
    let sources = set.sources().iter().filter(|source| source.text.contains(rule));
    sources
        .flat_map(|source| {
            let tests = sections(source)
                .into_iter()
                .filter_map(|section| match &section.kind {
                    SectionKind::Test { name, rules } if rules.iter().any(|named| named == rule) => {
                        Some(Excerpt::of(source, &section, name))
                    }
                    _ => None,
                });
            tests.collect::<Vec<_>>()
        })
        .collect()
}

/// A rule of the simple form.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Simple {
    /// Its name.
    #[schema(min_length = 1, example = "营业时间")]
    pub name: String,
    /// The message contains one of these.
    #[schema(min_items = 1)]
    pub keywords: Vec<String>,
    /// The text that is sent.
    #[schema(min_length = 1)]
    pub reply: String,
    /// The higher is tried first.
    #[serde(default, deserialize_with = "whole")]
    pub priority: i64,
    /// Whether it takes part at all.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// An integer as JSON Schema has it: `5.0` is one too.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let float = || number.as_f64().filter(|float| float.fract() == 0.0);
    number
        .as_i64()
        // Beyond 2^53 not every integer is a float, and no rule is so important.
        .or_else(|| {
            float()
                .filter(|float| float.abs() < 9e15)
                .map(|float| float as i64)
        })
        .ok_or_else(|| D::Error::custom(format!("{number} is no integer that fits")))
}

fn yes() -> bool {
    true
}

impl From<SimpleRule> for Simple {
    fn from(rule: SimpleRule) -> Self {
        Self {
            name: rule.name,
            keywords: rule.keywords,
            reply: rule.reply,
            priority: rule.priority,
            enabled: rule.enabled,
        }
    }
}

impl From<Simple> for SimpleRule {
    fn from(rule: Simple) -> Self {
        Self {
            name: rule.name,
            keywords: rule.keywords,
            reply: rule.reply,
            priority: rule.priority,
            enabled: rule.enabled,
        }
    }
}
