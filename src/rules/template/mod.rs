//! Texts that a rule sends: plain ones, and templates in Jinja's syntax (`minijinja`).
//!
//! A template may use:
//! - the named groups of the rule's `when.regex` and `when.fields` by their bare names, and `match`: `match[0]` is
//!   all that matched, `match[1]` the first group, `match.name` a named one. With several patterns, it is the first
//!   that matches. A group that took no part is empty;
//! - `msg.<Field>`, any field of the push, by dots into nested ones; empty when the push does not have it;
//! - `user.openid`, `app.<var>` (the config's `vars`), `rule` (the rule's name);
//! - `now`, which prints `2026-01-05 10:00`, and `now.date`, `now.time`, `now.year`, `now.month`, `now.day`,
//!   `now.hour`, `now.minute`, `now.weekday` (`"mon"` … `"sun"`).
//!
//! Rules are checked when they are loaded: a name that nothing gives is an error there. At run time nothing fails: a
//! template that can't be filled in leaves the text around its tags. White space at the end of a text is dropped; a
//! line that holds only a `{% … %}` tag leaves no line behind; a text that outgrows WeChat's limit is cut with "…".

mod blanks;
mod context;
mod groups;
mod named;
mod plain;
#[cfg(test)]
mod tests;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

pub(super) use blanks::Blanks;
pub(super) use context::{Known, Sources, Vars};

use std::borrow::Cow;

use super::codes;
use super::read::{Reader, Text as Written, nearest};
use crate::diagnostic::Span;

/// The most bytes of text that WeChat was seen to take in one message; it publishes no number (45002 above it).
pub const MAX_TEXT: usize = 2048;

/// What filling in one template may cost: some 20,000 steps, or a megabyte. A template that a person writes needs
/// well under a thousand.
const FUEL: u64 = 20_000;

/// A text that a rule sends.
#[derive(Debug)]
pub(super) enum Text {
    /// Sent as it stands.
    Plain(String),
    /// Text and names, filled in for each message.
    Blanks(Blanks),
    /// Anything else, filled in by the engine for each message.
    Template {
        /// What the environment calls it.
        name: String,
        /// What is sent when it can't be filled in: the text around its tags.
        otherwise: String,
    },
}

/// The templates of a rule set.
#[derive(Debug)]
pub(super) struct Templates {
    live: Environment<'static>,
    /// Where a template is tried when it is loaded: what is undefined fails here.
    trial: Environment<'static>,
    /// Where it is seen whether a template is but text and names.
    outline: Environment<'static>,
    count: usize,
}

impl Templates {
    pub(super) fn new() -> Self {
        Self {
            live: environment(UndefinedBehavior::Chainable),
            trial: environment(UndefinedBehavior::Strict),
            outline: blanks::outline(),
            count: 0,
        }
    }

    /// What is needed at run time.
    pub(super) fn into_live(self) -> Environment<'static> {
        self.live
    }

    /// Compiles a text and tries it, or says what is wrong with it.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        text: &Written,
        known: &Known<'_>,
    ) -> Option<Text> {
        let source = text.text.trim_end();
        if !is_template(source) {
            return Some(Text::Plain(source.to_owned()));
        }
        let name = self.count.to_string();
        self.count += 1;
        if let Err(error) = self.trial.add_template_owned(name.clone(), source.to_owned()) {
            return self.refuse(reader, text, &error);
        }
        let template = self.trial.get_template(&name).ok()?;
        let mut paths: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        paths.sort_unstable();
        let unknown: Vec<&String> = paths
            .iter()
            .filter(|path| !self.knows(path, source, known))
            .collect();
        if !unknown.is_empty() {
            for path in unknown {
                unknown_variable(reader, text, path, known);
            }
            return None;
        }
        for sample in known.samples(&paths) {
            match template.render(sample) {
                Err(error) if !is_of_the_sample(&error) => return self.refuse(reader, text, &error),
                _ => {}
            }
        }
        if let Some(blanks) = Blanks::read(&self.outline, source, &paths, known) {
            return Some(Text::Blanks(blanks));
        }
        self.live
            .add_template_owned(name.clone(), source.to_owned())
            .ok()?;
        Some(Text::Template {
            name,
            otherwise: without_tags(source),
        })
    }

    /// Whether a path means something: to the rule, or to the engine (`range`, `dict`). What stands in brackets
    /// (`app['shop']`) no list of paths can tell; the trial looks it up.
    fn knows(&self, path: &str, source: &str, known: &Known<'_>) -> bool {
        known.gives(path)
            || source.contains(&format!("{path}["))
            || self.trial.globals().any(|(name, _)| name == path)
    }

    fn refuse<T>(&self, reader: &mut Reader<'_>, text: &Written, error: &minijinja::Error) -> Option<T> {
        let span = match error.range() {
            Some(range) if !range.is_empty() => reader.inside(&text.span, range),
            _ => text.span.clone(),
        };
        let what = error.kind().to_string();
        let label = error.detail().map_or_else(|| what.clone(), str::to_owned);
        if error.kind() == ErrorKind::UndefinedError {
            let message = "a template uses what nothing gives a value";
            reader.error(codes::UNKNOWN_VARIABLE, span, message, label).help = Some(
                "match[1] is the first group of the pattern; a group may also have a name: (?<order>…)"
                    .to_owned(),
            );
            return None;
        }
        let finding = reader.error(
            codes::BAD_TEMPLATE,
            span,
            format!("this template can't be used: {what}"),
            label,
        );
        if error.kind() == ErrorKind::SyntaxError {
            finding.help =
                Some("a value is written {{ name }}; for the braces themselves, write {{ '{{' }}".to_owned());
        }
        None
    }
}

/// Whether an error may come from the sample's values alone: a list was expected where the sample has a number.
fn is_of_the_sample(error: &minijinja::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidOperation | ErrorKind::NonPrimitive | ErrorKind::CannotUnpack
    )
}

impl Text {
    /// What it says whatever the message is; of a template with conditions, all that it may say.
    pub(super) fn fixed(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => text.into(),
            Self::Blanks(blanks) => blanks.fixed().into(),
            Self::Template { otherwise, .. } => otherwise.into(),
        }
    }

    /// The text, filled in. `context` is what the engine sees, should it be needed.
    pub(super) fn fill(
        &self,
        templates: &Environment<'static>,
        sources: &Sources<'_>,
        context: impl FnOnce() -> Value,
    ) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Blanks(blanks) => blanks.fill(sources),
            Self::Template { name, otherwise } => by_engine(templates, name, otherwise, context),
        }
    }
}

fn by_engine(
    templates: &Environment<'static>,
    name: &str,
    otherwise: &str,
    context: impl FnOnce() -> Value,
) -> String {
    let filled = templates
        .get_template(name)
        .and_then(|template| template.render(context()));
    cut(filled.as_deref().unwrap_or(otherwise).trim_end())
}

/// Cuts a text that WeChat would refuse, between two characters.
fn cut(text: &str) -> String {
    const MARK: &str = "…";
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_TEXT - MARK.len());
    format!("{}{MARK}", &text[..end])
}

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(undefined == UndefinedBehavior::Strict);
    environment.set_formatter(plain::format);
    // These would let a customer's text through as markup, or print the whole context.
    for filter in ["safe", "escape", "e"] {
        environment.remove_filter(filter);
    }
    environment.remove_global("debug");
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    environment
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag))
}

/// The text around the tags.
fn without_tags(source: &str) -> String {
    let mut text = String::new();
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        let close = match rest.as_bytes().get(start + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                text.push_str(&rest[..=start]);
                rest = &rest[start + 1..];
                continue;
            }
        };
        text.push_str(&rest[..start]);
        rest = rest[start..].split_once(close).map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

fn unknown_variable(reader: &mut Reader<'_>, text: &Written, path: &str, known: &Known<'_>) {
    let span = place(reader, text, path);
    let names = known.names();
    let help = known
        .narrow(path)
        .or_else(|| {
            nearest(path, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
        })
        .unwrap_or_else(|| format!("known here: {}", names.join(", ")));
    let (message, label) = known.complaint(path);
    reader.error(codes::UNKNOWN_VARIABLE, span, message, label).help = Some(help);
}

/// Where a path stands in a template; the whole text when that can't be told.
fn place(reader: &Reader<'_>, text: &Written, path: &str) -> Span {
    let inner = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let found = text.text.match_indices(path).find(|(at, _)| {
        let opened = text.text[..*at]
            .rfind(['{', '}'])
            .is_some_and(|i| text.text[i..].starts_with(['{']))
            || text.text[..*at].rfind("{%") > text.text[..*at].rfind("%}");
        let before = text.text[..*at].chars().next_back();
        let after = text.text[at + path.len()..].chars().next();
        opened && !before.is_some_and(inner) && !after.is_some_and(inner)
    });
    match found {
        Some((at, _)) => reader.inside(&text.span, at..at + path.len()),
        None => text.span.clone(),
    }
}
