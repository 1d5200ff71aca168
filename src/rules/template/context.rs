//! What a template can see: at run time the message and what is known about it, at load time a sample of the same.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::civil::DateTime;
use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::groups::Groups;
use crate::message::{Fields, RuleName, Value as Field};
use crate::rules::AppScope;
use crate::rules::condition::time::{DAYS, weekday};
use crate::rules::condition::{Capture, Moment};

/// Names that are always there; a group of such a name can be reached as `match.<name>` only.
pub(super) const FIXED: [&str; 6] = ["app", "match", "msg", "now", "rule", "user"];
pub(super) const NOW: [&str; 8] = [
    "date", "time", "year", "month", "day", "hour", "minute", "weekday",
];

/// What the templates of one rule may use.
pub(crate) struct Known<'a> {
    /// The rule.
    pub(crate) rule: &'a RuleName,
    /// Its patterns.
    pub(crate) captures: &'a [Capture],
    /// The apps that it serves; empty when rules are checked without a config.
    pub(crate) apps: Vec<&'a AppScope>,
}

impl Known<'_> {
    /// Whether a dotted path has a value.
    pub(super) fn gives(&self, path: &str) -> bool {
        let (name, rest) = path
            .split_once('.')
            .map_or((path, None), |(name, rest)| (name, Some(rest)));
        let first = rest.map(|rest| rest.split('.').next().unwrap_or_default());
        match (name, first) {
            ("msg" | "app" | "user", None) => false,
            ("msg", Some(_)) | ("rule" | "now" | "match", None) => true,
            ("user", Some(field)) => field == "openid",
            ("now", Some(field)) => NOW.contains(&field),
            ("app", Some(var)) => self.apps.iter().all(|app| app.vars.contains_key(var)),
            ("match", Some(group)) => self.groups().contains(group),
            ("rule", Some(_)) => false,
            (group, _) => self.groups().contains(group),
        }
    }

    /// The named groups.
    pub(super) fn groups(&self) -> BTreeSet<String> {
        let names = self
            .captures
            .iter()
            .flat_map(|capture| capture.pattern.capture_names());
        names.flatten().map(|name| name.to_string()).collect()
    }

    /// All that may be written, for a help text.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .groups()
            .into_iter()
            .filter(|group| !FIXED.contains(&group.as_str()))
            .collect();
        if !self.captures.is_empty() {
            names.push("match[1]".to_owned());
        }
        let vars: BTreeSet<&String> = self.apps.iter().flat_map(|app| app.vars.keys()).collect();
        let paths = vars.into_iter().map(|var| format!("app.{var}"));
        names.extend(paths.filter(|path| self.gives(path)));
        names.extend(["msg.Content", "user.openid", "now", "rule"].map(str::to_owned));
        names.extend(NOW.map(|field| format!("now.{field}")));
        names
    }

    /// What to do about a variable that some apps have and others lack.
    pub(super) fn narrow(&self, path: &str) -> Option<String> {
        let var = path.strip_prefix("app.")?;
        let with: Vec<String> = self
            .apps
            .iter()
            .filter(|app| app.vars.contains_key(var))
            .map(|app| format!("\"{}\"", app.name))
            .collect();
        (!with.is_empty()).then(|| {
            format!(
                "add it there, or let the rule serve only the apps that have it: `app = [{}]`",
                with.join(", ")
            )
        })
    }

    /// What to say about a path without a value: the message, and the words at its place.
    pub(super) fn complaint(&self, path: &str) -> (String, String) {
        let message = format!("nothing gives `{path}` a value");
        let label = match path.split_once('.') {
            Some(("app", var)) => {
                let without: Vec<&str> = self
                    .apps
                    .iter()
                    .filter(|app| !app.vars.contains_key(var))
                    .map(|app| app.name.as_str())
                    .collect();
                format!("not among the `vars` of app {}", without.join(", "))
            }
            Some(("now" | "user", _)) => "there is no such part".to_owned(),
            None if matches!(path, "msg" | "app" | "user") => format!("name a part of it: `{path}.…`"),
            _ => "no group of the rule's patterns has this name".to_owned(),
        };
        (message, label)
    }

    /// Sample contexts for a template that looks up `paths`: each app's variables, every group and field filled.
    pub(super) fn samples(&self, paths: &[String]) -> Vec<Value> {
        let below = |name: &str| Value::from_object(Anything(below(paths, name)));
        let now = DateTime::constant(2026, 1, 5, 10, 0, 0, 0);
        let sample = |vars: Value| {
            let groups = self
                .captures
                .iter()
                .flat_map(|capture| capture.pattern.capture_names());
            let groups: Vec<_> = groups
                .map(|name| (name.map(|name| name.to_string()), Some("1".to_owned())))
                .collect();
            context(
                groups,
                [
                    ("app", vars),
                    ("msg", below("msg")),
                    ("user", below("user")),
                    ("now", Value::from_object(Now(now))),
                    ("rule", Value::from_safe_string(self.rule.to_string())),
                ],
            )
        };
        if self.apps.is_empty() {
            vec![sample(below("app"))]
        } else {
            let vars = self.apps.iter().map(|app| Vars::new(&app.vars));
            vars.map(|vars| sample(vars.value)).collect()
        }
    }
}

/// Where a template's values come from at run time.
pub(crate) struct Sources<'a> {
    pub(super) moment: &'a Moment<'a>,
    pub(super) rule: &'a RuleName,
    pub(super) vars: Option<&'a Vars>,
    captures: &'a [Capture],
    groups: OnceCell<Groups<'a>>,
}

impl<'a> Sources<'a> {
    /// `captures` are the rule's patterns, `vars` the app's variables.
    pub(crate) fn new(
        moment: &'a Moment<'a>,
        rule: &'a RuleName,
        captures: &'a [Capture],
        vars: Option<&'a Vars>,
    ) -> Self {
        Self {
            moment,
            rule,
            vars,
            captures,
            groups: OnceCell::new(),
        }
    }

    /// What the patterns took from the message.
    pub(super) fn groups(&self) -> &Groups<'a> {
        self.groups
            .get_or_init(|| Groups::find(self.captures, self.moment.inbound))
    }

    /// What the patterns took from the message: named groups by name, the others by number.
    pub(crate) fn captured(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (number, (name, value)) in self.groups().all().iter().enumerate() {
            if let Some(value) = value {
                let name = name.map_or_else(|| number.to_string(), str::to_owned);
                all.entry(name).or_insert_with(|| (*value).to_owned());
            }
        }
        all
    }

    /// The context of one rule's templates for one message.
    pub(crate) fn context(&self) -> Value {
        let inbound = self.moment.inbound;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let groups = self.groups().all().iter();
        context(
            groups
                .map(|(name, value)| (owned(*name), owned(*value)))
                .collect(),
            [
                (
                    "app",
                    self.vars.map(|vars| vars.value.clone()).unwrap_or_default(),
                ),
                ("msg", Value::from_object(Message(inbound.fields.clone()))),
                (
                    "user",
                    Value::from_pairs([("openid", Value::from(inbound.openid.as_str()))]),
                ),
                ("now", Value::from_object(Now(self.moment.local()))),
                ("rule", Value::from_safe_string(self.rule.to_string())),
            ],
        )
    }
}

/// An app's variables. The operator wrote them, so they may hold markup.
#[derive(Debug)]
pub(crate) struct Vars {
    texts: BTreeMap<String, String>,
    /// The same, for the engine.
    value: Value,
}

impl Vars {
    pub(crate) fn new(vars: &BTreeMap<String, String>) -> Self {
        let safe = |(name, text): (&String, &String)| (name.clone(), Value::from_safe_string(text.clone()));
        Self {
            texts: vars.clone(),
            value: Value::from_pairs(vars.iter().map(safe)),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }
}

type OwnedGroups = Vec<(Option<String>, Option<String>)>;

fn context(groups: OwnedGroups, fixed: [(&'static str, Value); 5]) -> Value {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for (name, value) in &groups {
        if let (Some(name), Some(value)) = (name, value) {
            all.entry(name.clone())
                .or_insert_with(|| Value::from(value.as_str()));
        }
    }
    all.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    all.insert("match".to_owned(), Value::from_object(Match(groups)));
    Value::from_pairs(all)
}

/// `match`
#[derive(Debug)]
struct Match(OwnedGroups);

impl Object for Match {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = match (key.as_usize(), key.as_str()) {
            (Some(index), _) => self.0.get(index).map(|(_, value)| value),
            (None, Some(name)) => self
                .0
                .iter()
                .find(|(n, v)| n.as_deref() == Some(name) && v.is_some())
                .map(|(_, v)| v),
            (None, None) => None,
        };
        value?.as_deref().map(Value::from)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            self.0
                .first()
                .and_then(|(_, value)| value.as_deref())
                .unwrap_or_default(),
        )
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_empty()
    }
}

/// `msg`
#[derive(Debug)]
struct Message(Fields);

impl Object for Message {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(field)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name)).collect())
    }
}

/// A field as the engine has it.
pub(super) fn field(field: &Field) -> Value {
    match field {
        Field::Text(text) => Value::from(text.as_str()),
        Field::Table(fields) => Value::from_object(Message(fields.clone())),
        Field::List(list) => Value::from_iter(list.iter().map(self::field)),
    }
}

/// `now`
#[derive(Debug)]
struct Now(DateTime);

impl Object for Now {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let now = self.0;
        Some(match key.as_str()? {
            "date" => Value::from(now.date().to_string()),
            "time" => Value::from(now.strftime("%H:%M").to_string()),
            "year" => Value::from(now.year()),
            "month" => Value::from(now.month()),
            "day" => Value::from(now.day()),
            "hour" => Value::from(now.hour()),
            "minute" => Value::from(now.minute()),
            "weekday" => Value::from(DAYS[weekday(now.date())]),
            _ => return None,
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M"))
    }
}

/// A sample in which every path that a template looks up ends in a number, so that filters on numbers and on texts
/// both work on it.
#[derive(Debug)]
struct Anything(Vec<String>);

impl Object for Anything {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let deeper = below(&self.0, key.as_str()?);
        Some(if deeper.is_empty() {
            Value::from("1")
        } else {
            Value::from_object(Self(deeper))
        })
    }
}

/// What follows `name.` in the paths that begin with it.
fn below(paths: &[String], name: &str) -> Vec<String> {
    let rest = |path: &String| path.strip_prefix(name)?.strip_prefix('.').map(str::to_owned);
    paths.iter().filter_map(rest).collect()
}
