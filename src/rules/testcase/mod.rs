//! `[[test]]`: conversations that stand beside the rules, and what must come of them.
//!
//! - `message`, `each` or `steps`: one message; several, each from a fresh customer; or one conversation.
//! - `at` is when it begins (without it: Monday, 2026-01-05, 10:00 in the zone of the rules, so that a test means the
//!   same on every day). A step comes `at` a time of its own, or `after` the step before; else at the same moment.
//! - `given`: what is known of the customer before. Whoever has a `given` has written before; else nobody has.
//! - `expect`: what must come of it. What it does not name is not looked at.
//!
//! Reading only; `rehearsal` runs them.

mod expect;
mod given;
mod message;
mod names;
mod reply;
#[cfg(test)]
mod tests;
mod times;

use std::path::Path;

use jiff::Timestamp;
use toml::de::{DeTable, DeValue};

pub use expect::{Expect, ExpectedDelivery, ExpectedOutcome, ExpectedRule};
pub use given::Given;
pub(super) use names::Names;
pub use reply::ExpectedReply;

use super::read::{Node, Reader, Table};
use super::{RuleSet, codes};
use crate::diagnostic::{Diagnostic, Place, Source, Span};
use crate::message::{AppName, Fields, OpenId, RuleName};
use expect::Draft;

/// One `[[test]]`.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The app that the customer writes to.
    pub app: AppName,
    /// The customer.
    pub openid: OpenId,
    /// When the conversation begins, and what is `given` holds.
    pub begins: Timestamp,
    /// What is known of the customer then; of nobody anything when absent.
    pub given: Option<Given>,
    /// The conversations, each with a customer of its own; one, unless the test is written with `each`.
    pub talks: Vec<Vec<Step>>,
}

/// One message, and what must come of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where the message stands.
    pub place: Place,
    /// The fields of the push, `MsgType` among them; without those that say who sent it and when.
    pub message: Fields,
    /// When it comes.
    pub at: Timestamp,
    /// What must come of it; absent in a step that only leads to the next.
    pub expect: Option<Expect>,
}

impl TestCase {
    /// Calls its files by their paths from `root`'s own place, not from `root`.
    pub fn call_from_outside(&mut self, root: &Path) {
        let steps = self.talks.iter_mut().flatten();
        let places = steps.flat_map(|step| {
            let expect = step.expect.iter_mut();
            let expected = expect.flat_map(|expect| {
                let rule = expect.rule.iter_mut().map(|rule| &mut rule.place);
                std::iter::once(&mut expect.place).chain(rule)
            });
            std::iter::once(&mut step.place).chain(expected)
        });
        for place in std::iter::once(&mut self.place).chain(places) {
            place.source.path = root.join(&place.source.path);
        }
    }
}

const KEYS: &[&str] = &[
    "name", "message", "each", "steps", "at", "given", "app", "openid", "expect",
];
const STEP_KEYS: &[&str] = &["message", "at", "after", "expect"];

/// Who writes in a test that does not say.
const OPENID: &str = "oTest";

/// Reads the `[[test]]`s of one file; `whole` tells whether one is free of syntax errors.
pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    names: &mut Names<'_>,
    whole: impl Fn(&Node<'_>) -> bool,
) -> Vec<TestCase> {
    let Some((_, node)) = table.iter().find(|(key, _)| key.get_ref() == "test") else {
        return Vec::new();
    };
    let DeValue::Array(list) = node.get_ref() else {
        let finding = reader.error(
            codes::WRONG_TYPE,
            node.span(),
            "a test begins with `[[test]]`",
            "one bracket is missing",
        );
        finding.help = Some("write `[[test]]`: there may be many".to_owned());
        return Vec::new();
    };
    let tests = list.iter().filter(|node| whole(node));
    tests
        .filter_map(|node| Case { reader, names }.read(node))
        .collect()
}

/// One test while it is read.
struct Case<'c, 'r, 'n> {
    reader: &'c mut Reader<'r>,
    names: &'c mut Names<'n>,
}

/// One message while it is read.
struct Said {
    span: Span,
    message: Fields,
    at: Option<Timestamp>,
    expect: Option<Draft>,
}

impl Case<'_, '_, '_> {
    fn read(mut self, node: &Node<'_>) -> Option<TestCase> {
        let before = self.errors();
        let DeValue::Table(table) = node.get_ref() else {
            return self.reader.wrong_type("test", node, "a table: `[[test]]`");
        };
        let keys = self.reader.keys(table, KEYS, misplaced);
        // What seems to be missing was then probably written under another key.
        let misspelt = self.errors() > before;
        let name = self.name(node, &keys, misspelt);
        let app = keys.get("app").and_then(|node| self.reader.nonempty("app", node));
        let app = app.and_then(|app| self.names.app(self.reader, &app));
        let openid = keys
            .get("openid")
            .and_then(|node| self.reader.nonempty("openid", node));
        let at = keys.get("at").and_then(|node| times::at(self.reader, node));
        let given = keys
            .get("given")
            .and_then(|node| given::read(self.reader, self.names, node));
        let (begins, talks) = self.talks(node, &keys, at, misspelt)?;
        let expected = talks.iter().flatten().filter_map(|said| said.expect.as_ref());
        let rules = expected.filter_map(|draft| draft.rule.as_ref());
        let app = app.unwrap_or_else(|| self.names.app_for(self.reader.scope, rules));
        let source = self.reader.source.clone();
        let talks = talks.into_iter().map(|talk| {
            let steps = talk.into_iter().map(|said| Step {
                place: place(&source, said.span),
                message: said.message,
                at: said.at.unwrap_or(begins),
                expect: said
                    .expect
                    .and_then(|draft| draft.finish(self.reader, self.names, &app)),
            });
            steps.collect()
        });
        let talks = talks.collect();
        // A test that is not what its author meant must not run.
        (self.errors() == before).then_some(())?;
        let name = name?;
        Some(TestCase {
            name: name.text,
            place: place(&source, name.span),
            openid: openid.map_or_else(|| OPENID.into(), |openid| openid.text.into()),
            begins,
            given,
            talks,
            app,
        })
    }

    fn errors(&self) -> usize {
        self.reader
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .count()
    }

    fn name(&mut self, node: &Node<'_>, keys: &Table<'_>, misspelt: bool) -> Option<super::read::Text> {
        let Some(name) = keys.get("name") else {
            if misspelt {
                return None;
            }
            let finding = self.reader.error(
                codes::MISSING_KEY,
                node.span(),
                "this test has no `name`",
                "needs `name = \"…\"`",
            );
            finding.help = Some("a test that fails is called by its name".to_owned());
            return None;
        };
        let name = self.reader.nonempty("name", name)?;
        if let Some(first) = self.names.test(&name.text, self.reader.source, &name.span) {
            let finding = Diagnostic::error(
                codes::DUPLICATE_NAME,
                format!("two tests are named `{}`", name.text),
            );
            let finding = finding
                .at(self.reader.source, name.span, "again here")
                .see(&first.source, first.span, "first here")
                .help("a test that fails is called by its name: rename one");
            self.reader.note(finding);
            return None;
        }
        Some(name)
    }

    /// When it begins, and what is said.
    fn talks(
        &mut self,
        node: &Node<'_>,
        keys: &Table<'_>,
        at: Option<Timestamp>,
        misspelt: bool,
    ) -> Option<(Timestamp, Vec<Vec<Said>>)> {
        let forms = ["message", "each", "steps"];
        let mut written = forms
            .iter()
            .filter_map(|form| Some((*form, keys.get(form)?, keys.key_span(form)?)));
        let Some((form, value, first)) = written.next() else {
            keys.get("expect").map(|node| expect::read(self.reader, node));
            if misspelt {
                return None;
            }
            let finding = self.reader.error(
                codes::MISSING_KEY,
                node.span(),
                "this test has no message",
                "needs `message`, `each` or `steps`",
            );
            finding.help = Some("write what the customer says: `message = \"…\"`".to_owned());
            return None;
        };
        if let Some((other, _, span)) = written.next() {
            let finding = Diagnostic::error(
                codes::TEST_CONFLICT,
                format!("a test has either `{form}` or `{other}`"),
            );
            let finding = finding
                .at(self.reader.source, span, "a second kind of test")
                .see(self.reader.source, first, "the first")
                .help("write two tests; a conversation is written with `steps` alone");
            self.reader.note(finding);
            return None;
        }
        let begins = at.unwrap_or_else(|| times::usual(&self.reader.scope.timezone));
        if form == "steps" {
            return self.steps(keys, value, at);
        }
        let expect = match keys.get("expect") {
            Some(node) => expect::read(self.reader, node),
            None => {
                if !misspelt {
                    nothing_expected(self.reader, node.span(), "this test has no `expect`");
                }
                None
            }
        };
        let messages = match form {
            "each" => self.reader.one_or_many("each", value),
            _ => vec![value],
        };
        let said = messages.into_iter().filter_map(|node| {
            Some(vec![Said {
                span: node.span(),
                message: message::read(self.reader, form, node)?,
                at: None,
                expect: expect.clone(),
            }])
        });
        Some((begins, said.collect()))
    }

    fn steps(
        &mut self,
        keys: &Table<'_>,
        node: &Node<'_>,
        at: Option<Timestamp>,
    ) -> Option<(Timestamp, Vec<Vec<Said>>)> {
        if let Some(span) = keys.key_span("expect") {
            let finding = self.reader.error(
                codes::TEST_CONFLICT,
                span,
                "in a conversation each step has its own `expect`",
                "which step is meant?",
            );
            finding.help = Some("write it into the step: { message = \"…\", expect = { … } }".to_owned());
        }
        let mut now = at;
        let mut begins = at;
        let mut talk = Vec::new();
        let mut last = None;
        for node in self.reader.one_or_many("steps", node) {
            let keys = self.reader.table("steps", node, STEP_KEYS)?;
            let own = keys.get("at").and_then(|node| times::at(self.reader, node));
            let start = || times::usual(&self.reader.scope.timezone);
            let before = now.or(own).unwrap_or_else(start);
            begins.get_or_insert(before);
            let at = times::next(self.reader, before, own, &keys)?;
            now = Some(at);
            last = Some((node.span(), keys.get("expect").is_some()));
            let expect = keys
                .get("expect")
                .and_then(|node| expect::read(self.reader, node));
            let Some(message) = keys.get("message") else {
                self.reader.error(
                    codes::MISSING_KEY,
                    node.span(),
                    "this step has no `message`",
                    "needs `message = \"…\"`",
                );
                continue;
            };
            talk.extend(message::read(self.reader, "message", message).map(|read| Said {
                span: message.span(),
                message: read,
                at: Some(at),
                expect,
            }));
        }
        let (span, expects) = last?;
        if !expects {
            nothing_expected(self.reader, span, "the last step has no `expect`");
        }
        Some((begins?, vec![talk]))
    }
}

fn nothing_expected(reader: &mut Reader<'_>, span: Span, message: &str) {
    let finding = reader.error(codes::NOTHING_EXPECTED, span, message, "it could never fail");
    finding.help = Some("write what must happen: `expect = { rule = \"…\", reply = \"…\" }`".to_owned());
}

fn place(source: &Source, span: Span) -> Place {
    Place {
        source: source.clone(),
        span,
        label: String::new(),
    }
}

impl RuleSet {
    /// How many replies there are of which a rule picks one by chance; 1 when chance has no part in it.
    #[must_use]
    pub fn choices(&self, app: &AppName, name: &RuleName) -> usize {
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.name == *name && rule.serves(app));
        rule.filter(|rule| rule.then.random)
            .map_or(1, |rule| rule.then.replies.len().max(1))
    }
}

/// What is said about a key that is known elsewhere.
fn misplaced(name: &str) -> Option<String> {
    match name {
        "after" => Some("`after` belongs to a step: `steps = [ { message = \"…\" }, { message = \"…\", after = \"1h\" } ]`".to_owned()),
        _ if expect::KEYS.contains(&name) => Some(format!("write `expect = {{ {name} = … }}`")),
        _ if given::KEYS.contains(&name) => Some(format!("write `given = {{ {name} = … }}`")),
        _ => None,
    }
}
