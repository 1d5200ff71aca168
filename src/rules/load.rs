//! Sources → a rule set and findings. Never fails: what is wrong becomes a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lists::Lists;
use super::read::{Node, Reader};
use super::template::Templates;
use super::{MediaFile, RuleSet, TestCase, allow, codes, lint, rule, testcase};
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::message::{AppKind, AppName, RuleName};

/// What the rules may refer to.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The apps of the config; empty when rules are checked without one: then any app name and variable is taken.
    pub apps: Vec<AppScope>,
    /// The zone that hours, days and dates are meant in.
    pub timezone: TimeZone,
    /// Files that are no rules, by their path relative to the rules folder (`/` between parts).
    pub media: BTreeMap<PathBuf, MediaFile>,
    /// How many replies WeChat lets through to a push of this `MsgType` and `Event`; unknown when absent.
    pub quota: Option<Quota>,
    /// Whether there is a secret to sign questions to webhooks with.
    pub webhook_secret: bool,
    /// The day on which they are looked at, for findings about what is about to end; absent, there are none of these.
    pub today: Option<Date>,
}

impl Default for Scope {
    /// Any app and webhook, no media, nothing known of quota or of the day; times are UTC.
    fn default() -> Self {
        Self {
            apps: Vec::new(),
            timezone: TimeZone::UTC,
            media: BTreeMap::new(),
            quota: None,
            webhook_secret: true,
            today: None,
        }
    }
}

/// The replies that a push buys: of an app of this kind, of this `MsgType`, and of this `Event` if it is one.
pub type Quota = fn(AppKind, &str, Option<&str>) -> u32;

/// One app as rules see it.
#[derive(Clone, Debug)]
pub struct AppScope {
    /// Its name.
    pub name: AppName,
    /// Its kind.
    pub kind: AppKind,
    /// Its variables: `{{ app.<name> }}`.
    pub vars: BTreeMap<String, String>,
}

/// What loading gives.
#[derive(Debug)]
pub struct Loaded {
    /// The set; absent when a finding is an error.
    pub set: Option<RuleSet>,
    /// The tests that stand beside the rules; those that can't be read are left out, and a finding says why.
    pub tests: Vec<TestCase>,
    /// All findings, by file and place.
    pub findings: Vec<Diagnostic>,
}

/// Loads rule files. `sources` in the order of their paths.
#[must_use]
pub fn load(sources: &[Source], scope: &Scope) -> Loaded {
    let mut loaded = load_all(sources, scope);
    allow::apply(sources, &mut loaded.findings, false);
    loaded
}

fn load_all(sources: &[Source], scope: &Scope) -> Loaded {
    let mut findings = Vec::new();
    let files: Vec<File<'_>> = sources
        .iter()
        .map(|source| File::parse(source, &mut findings))
        .collect();
    let mut lists = Lists::default();
    for file in &files {
        file.read_lists(scope, &mut lists, &mut findings);
    }
    let mut templates = Templates::new();
    let mut rules = Vec::new();
    // Then a test may name a rule that is there, but could not be read as one.
    let mut incomplete = files
        .iter()
        .any(|file| !file.broken.is_empty() || file.has_strays());
    for file in &files {
        let mut reader = Reader {
            source: file.source,
            scope,
            lists: &lists,
            findings: &mut findings,
        };
        let (mut line, mut counted) = (1, 0);
        for node in rule::nodes(&mut reader, file.table.get_ref()) {
            // Counting on from the last rule: counting from the top for each would take quadratic time.
            line += newlines(&file.source.text, counted, node.span().start);
            counted = node.span().start;
            if !file.is_whole(node) {
                continue;
            }
            match rule::read(&mut reader, &mut templates, node, line) {
                Some(read) => rules.push((file.source, read)),
                None => incomplete = true,
            }
        }
    }
    lists.calendars.about_to_end(scope.today, &mut findings);
    let found = findings.len();
    same_names(&rules, &mut findings);
    incomplete |= findings.len() > found;
    if !lists.incomplete() {
        states_never_set(&rules, &mut findings);
    }
    let mut tests = Vec::new();
    let mut names = testcase::Names::new(&rules, incomplete);
    for file in &files {
        let mut reader = Reader {
            source: file.source,
            scope,
            lists: &lists,
            findings: &mut findings,
        };
        let read = testcase::read(&mut reader, file.table.get_ref(), &mut names, |node| {
            file.is_whole(node)
        });
        tests.extend(read);
    }
    let set = if findings.iter().any(Diagnostic::is_error) {
        None
    } else {
        let (enabled, disabled): (Vec<_>, Vec<_>) = rules
            .into_iter()
            .map(|(_, read)| read)
            .partition(|read| read.enabled);
        let [enabled, disabled] =
            [enabled, disabled].map(|reads| reads.into_iter().map(|read| read.rule).collect());
        RuleSet::compile(enabled, templates, sources, scope)
            .map(|set| set.with_disabled(disabled))
            .map_err(|error| {
                findings.push(
                    Diagnostic::error(
                        codes::TOO_LARGE,
                        format!("the rules do not fit together: {error}"),
                    )
                    .help("split a long pattern, or write its words as keywords"),
                );
            })
            .ok()
    };
    let unsigned = set
        .as_ref()
        .filter(|_| !scope.webhook_secret)
        .and_then(RuleSet::unsigned_webhook);
    let set = set.filter(|_| unsigned.is_none());
    findings.extend(unsigned);
    drop_echoes(&files, &mut findings);
    findings.sort_by(|a, b| key(a).cmp(&key(b)));
    findings.dedup();
    Loaded { set, tests, findings }
}

/// Loads rule files and looks at them as a whole, for whoever writes them: what can never answer, what is missing,
/// what will probably be refused. Slower than [`load`], and finds no more errors.
#[must_use]
pub fn check(sources: &[Source], scope: &Scope) -> Loaded {
    let mut loaded = load_all(sources, scope);
    lint::written(sources, scope, &mut loaded.findings);
    if let Some(set) = &loaded.set {
        lint::all(set, scope, &mut loaded.findings);
    }
    let errors: BTreeSet<_> = loaded
        .findings
        .iter()
        .filter(|d| d.is_error())
        .filter_map(spot)
        .collect();
    let echoes = |finding: &Diagnostic| {
        !finding.is_error() && spot(finding).is_some_and(|spot| errors.contains(&spot))
    };
    loaded.findings.retain(|finding| !echoes(finding));
    // With an error not everything was looked for, so nobody can tell what an allow comment is good for.
    allow::apply(sources, &mut loaded.findings, loaded.set.is_some());
    loaded.findings.sort_by(|a, b| key(a).cmp(&key(b)));
    loaded
}

/// Where a finding points: what is wrong there need not be suspicious too.
fn spot(finding: &Diagnostic) -> Option<(PathBuf, usize)> {
    let place = finding.place.as_ref()?;
    Some((place.source.path.clone(), place.span.start))
}

/// One finding a cause: what else is said about a section that TOML could not read, or about the line of an error, is
/// mostly an echo of that.
fn drop_echoes(files: &[File<'_>], findings: &mut Vec<Diagnostic>) {
    let file = |finding: &Diagnostic| {
        let place = finding.place.as_ref()?;
        let file = files.iter().find(|file| file.source.path == place.source.path)?;
        Some((file, place.span.start))
    };
    let mut bad_lines: BTreeSet<(PathBuf, usize)> = BTreeSet::new();
    let line =
        |file: &File<'_>, place: usize| (file.source.path.clone(), newline_before(&file.source.text, place));
    for finding in findings.iter().filter(|finding| finding.is_error()) {
        if let Some((file, place)) = file(finding) {
            bad_lines.insert(line(file, place));
        }
    }
    findings.retain(|finding| match file(finding) {
        Some((file, place)) if finding.code == codes::NO_EFFECT => !bad_lines.contains(&line(file, place)),
        Some((file, place)) => finding.code == codes::SYNTAX || !file.broken.contains(&file.section(place)),
        None => true,
    });
}

/// Where the line of a place begins.
pub(super) fn newline_before(text: &str, place: usize) -> usize {
    text[..place].rfind('\n').map_or(0, |newline| newline + 1)
}

fn newlines(text: &str, from: usize, to: usize) -> usize {
    let bytes = text.as_bytes().get(from..to).unwrap_or_default();
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// By file, place and weight; what has no place comes last.
fn key(finding: &Diagnostic) -> (bool, Option<(&PathBuf, usize)>, &'static str) {
    let place = finding.place.as_ref();
    (
        place.is_none(),
        place.map(|place| (&place.source.path, place.span.start)),
        finding.code,
    )
}

/// The tables of a rule file.
const KEYS: &[&str] = &["rule", "lists", "calendar", "test"];

/// One file, parsed as far as it goes.
pub(super) struct File<'a> {
    pub(super) source: &'a Source,
    pub(super) table: Spanned<DeTable<'a>>,
    /// The sections in which TOML's own rules are broken.
    broken: Vec<usize>,
    /// Where each `[[rule]]` and each other table of the first level begins, in order.
    starts: Vec<usize>,
}

impl<'a> File<'a> {
    pub(super) fn parse(source: &'a Source, findings: &mut Vec<Diagnostic>) -> Self {
        let (table, mut errors) = DeTable::parse_recoverable(&source.text);
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let mut file = Self {
            source,
            starts: starts(&source.text, table.get_ref()),
            table,
            broken: Vec::new(),
        };
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            // What else is wrong with the same rule or list is mostly an echo of its first mistake.
            let section = file.section(span.start);
            if !file.broken.contains(&section) {
                file.broken.push(section);
                findings.push(match error.message() {
                    "duplicate key" => Diagnostic::error(codes::SYNTAX, "this key stands twice")
                        .at(source, span, "again here")
                        .help("write each key once; for several values, write a list"),
                    message => {
                        let help = match full_width(&source.text, &span) {
                            Some((wide, narrow)) => {
                                format!("`{wide}` is a Chinese punctuation mark; TOML wants `{narrow}`")
                            }
                            None => {
                                "a text stands in quotes, a list in brackets, and every line is `key = value`"
                                    .to_owned()
                            }
                        };
                        Diagnostic::error(codes::SYNTAX, "this can't be read as TOML")
                            .at(source, span, message)
                            .help(help)
                    }
                });
            }
        }
        file
    }

    /// Where each `[[rule]]` and each other table of the first level begins, in order.
    pub(super) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The table of the first level that a place lies in: how many begin before it.
    fn section(&self, place: usize) -> usize {
        self.starts.partition_point(|start| *start <= place)
    }

    /// Whether no syntax error lies in a rule; what is left of a broken one would only be complained about twice.
    pub(super) fn is_whole(&self, node: &Node<'_>) -> bool {
        !self.broken.contains(&self.section(node.span().start))
    }

    /// Whether a table of the first level has a name that none has: `[[rules]]`.
    fn has_strays(&self) -> bool {
        let mut names = self.table.get_ref().iter().map(|(key, _)| key.get_ref());
        names.any(|name| !KEYS.contains(&name.as_ref()))
    }

    fn read_lists(&self, scope: &Scope, lists: &mut Lists, findings: &mut Vec<Diagnostic>) {
        if !self.broken.is_empty() {
            lists.set_incomplete();
        }
        let mut reader = Reader {
            source: self.source,
            scope,
            lists: &Lists::default(),
            findings,
        };
        let keys = reader.keys(self.table.get_ref(), KEYS, |name| match name {
            "name" | "when" | "reply" => Some("a rule begins with the line `[[rule]]`".to_owned()),
            _ => None,
        });
        if let Some(node) = keys.get("lists").filter(|node| self.is_whole(node)) {
            lists.add(&mut reader, node);
        }
        if let Some(node) = keys.get("calendar").filter(|node| self.is_whole(node)) {
            lists.calendars.add(&mut reader, node);
        }
    }
}

/// The Chinese punctuation mark that stands where TOML's own should, and the one that should: in the line of a syntax
/// error, at its place or next to it.
fn full_width(text: &str, span: &Span) -> Option<(char, char)> {
    const MARKS: [(char, char); 14] = [
        ('“', '"'),
        ('”', '"'),
        ('‘', '\''),
        ('’', '\''),
        ('＂', '"'),
        ('，', ','),
        ('、', ','),
        ('＝', '='),
        ('【', '['),
        ('】', ']'),
        ('［', '['),
        ('］', ']'),
        ('｛', '{'),
        ('｝', '}'),
    ];
    let start = text.floor_char_boundary(span.start);
    let rest = text[start..].lines().next().unwrap_or_default();
    let before = text[..start].chars().next_back().filter(|c| *c != '\n');
    let mut near = before.into_iter().chain(rest.chars().take(2));
    near.find_map(|c| MARKS.into_iter().find(|(wide, _)| *wide == c))
}

/// Where each `[[rule]]` and each other table with a header of its own begins, in order. What stands in a rule, as
/// `[rule.when]`, is a part of it; keys before the first header are a part of none.
fn starts(text: &str, table: &DeTable<'_>) -> Vec<usize> {
    let is_header = |node: &Node<'_>| {
        matches!(node.get_ref(), DeValue::Table(_)) && text[node.span().start..].starts_with('[')
    };
    let mut starts = Vec::new();
    for (_, node) in table {
        match node.get_ref() {
            DeValue::Array(list) => {
                starts.extend(
                    list.iter()
                        .filter(|node| is_header(node))
                        .map(|node| node.span().start),
                );
            }
            DeValue::Table(inner) => {
                // `[calendar.cn]` makes `calendar` too, which has no header then.
                let below = inner.iter().map(|(_, node)| node);
                let headers = below.chain([node]).filter(|node| is_header(node));
                starts.extend(headers.map(|node| node.span().start));
            }
            _ => {}
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// Two rules of one app may not have one name.
fn same_names(rules: &[(&Source, rule::Read)], findings: &mut Vec<Diagnostic>) {
    let mut named: BTreeMap<&RuleName, Vec<&(&Source, rule::Read)>> = BTreeMap::new();
    for entry in rules {
        let earlier = named.entry(&entry.1.rule.name).or_default();
        if let Some((source, first)) = earlier.iter().find(|other| share_an_app(&other.1, &entry.1)) {
            findings.push(
                Diagnostic::error(
                    codes::DUPLICATE_NAME,
                    format!("two rules are named `{}`", entry.1.name.text),
                )
                .at(entry.0, entry.1.name.span.clone(), "again here")
                .see(source, first.name.span.clone(), "first here")
                .help("the log tells rules apart by their names: rename one"),
            );
        }
        earlier.push(entry);
    }
}

fn share_an_app(a: &rule::Read, b: &rule::Read) -> bool {
    match (&a.rule.apps, &b.rule.apps) {
        (Some(a), Some(b)) => a.iter().any(|app| b.contains(app)),
        _ => true,
    }
}

/// A rule that waits for a state which no rule sets never answers.
fn states_never_set(rules: &[(&Source, rule::Read)], findings: &mut Vec<Diagnostic>) {
    let enabled = || rules.iter().filter(|(_, read)| read.enabled);
    let set: BTreeSet<&str> = enabled()
        .filter_map(|(_, read)| read.rule.then.set_state.as_ref()?.as_deref())
        .collect();
    for (source, read) in enabled() {
        for state in read
            .waits_for
            .iter()
            .filter(|state| !set.contains(state.text.as_str()))
        {
            let help = match super::read::nearest(&state.text, set.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!(
                    "write `set_state = \"{}\"` in the rule that leads here",
                    state.text
                ),
            };
            findings.push(
                Diagnostic::warning(
                    codes::STATE_NEVER_SET,
                    format!("no rule sets the state `{}`", state.text),
                )
                .at(source, state.span.clone(), "never reached")
                .help(help),
            );
        }
    }
}
