//! `reply`: what a rule sends. One file a kind of reply: how it is written, checked and filled in. A new kind is a
//! file and a line in [`KINDS`].

mod image;
mod link;
pub(super) mod media;
mod mini_program_page;
mod text;

pub use media::{HEAD, MediaFile};

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use minijinja::{Environment, Value};
use toml::de::DeValue;

use super::read::{Node, Reader, Text as Written};
use super::template::{Known, Sources, Templates, Text};
use super::{AppScope, codes};
use crate::message::{AppKind, Reply};

/// One kind of reply.
pub(super) struct Kind {
    /// Its key in the table.
    pub(super) name: &'static str,
    /// The kind of account that alone can send it, if one does.
    only: Option<AppKind>,
    /// Reads the key's value.
    read: fn(&mut Desk<'_, '_>, &Node<'_>) -> Option<Box<dyn Draft>>,
}

/// Every kind of reply.
pub(super) const KINDS: &[Kind] = &[text::KIND, image::KIND, link::KIND, mini_program_page::KIND];

/// A reply with its templates still to be filled in.
pub(super) trait Draft: Debug + Send + Sync {
    /// The reply to one message; none when nothing is left to send, as when a template filled in to an empty text.
    fn fill(&self, pen: &Pen<'_>) -> Option<Reply>;
}

/// Fills in the templates of one rule for one message.
pub(super) struct Pen<'a> {
    templates: &'a Environment<'static>,
    sources: Sources<'a>,
    context: OnceCell<Value>,
}

impl<'a> Pen<'a> {
    pub(super) fn new(templates: &'a Environment<'static>, sources: Sources<'a>) -> Self {
        Self {
            templates,
            sources,
            context: OnceCell::new(),
        }
    }

    /// What the rule's patterns took from the message.
    pub(super) fn captures(&self) -> BTreeMap<String, String> {
        self.sources.captured()
    }

    fn fill(&self, text: &Text) -> String {
        text.fill(self.templates, &self.sources, || {
            self.context.get_or_init(|| self.sources.context()).clone()
        })
    }
}

/// Where the replies of one rule are read.
pub(super) struct Desk<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    pub(super) templates: &'r mut Templates,
    pub(super) known: Known<'r>,
}

impl Desk<'_, '_> {
    /// The value of `reply`: one reply or a list of them.
    pub(super) fn replies(&mut self, node: &Node<'_>) -> Vec<Box<dyn Draft>> {
        let nodes = self.reader.one_or_many("reply", node);
        nodes.into_iter().filter_map(|node| self.reply(node)).collect()
    }

    fn reply(&mut self, node: &Node<'_>) -> Option<Box<dyn Draft>> {
        if let DeValue::String(_) = node.get_ref() {
            return (text::KIND.read)(self, node);
        }
        let DeValue::Table(_) = node.get_ref() else {
            return self.reader.wrong_type(
                "reply",
                node,
                "a text, a table with one kind, or a list of these",
            );
        };
        let names: Vec<&'static str> = KINDS.iter().map(|kind| kind.name).collect();
        let before = self.reader.findings.len();
        let table = self.reader.table("reply", node, &names)?;
        let mut kinds = KINDS
            .iter()
            .filter_map(|kind| Some((kind, table.get(kind.name)?)));
        match (kinds.next(), kinds.next()) {
            (Some((kind, value)), None) => {
                if let Some(only) = kind.only {
                    self.must_be(only, kind.name, value);
                }
                (kind.read)(self, value)
            }
            (Some(_), Some((second, value))) => {
                let span = table.key_span(second.name).unwrap_or_else(|| value.span());
                self.reader
                    .error(
                        codes::WRONG_VALUE,
                        span,
                        "a reply is of one kind",
                        "a second kind",
                    )
                    .help = Some("to send both, write a list: reply = [ { … }, { … } ]".to_owned());
                None
            }
            // An unknown key was complained about already.
            _ if self.reader.findings.len() > before => None,
            _ => {
                self.reader
                    .error(
                        codes::MISSING_KEY,
                        node.span(),
                        "this reply says nothing",
                        "no kind of reply",
                    )
                    .help = Some(format!("write one of: {}", names.join(", ")));
                None
            }
        }
    }

    /// WeChat refuses some kinds of reply from some kinds of account (45162).
    fn must_be(&mut self, only: AppKind, name: &str, value: &Node<'_>) {
        let (others, able): (Vec<_>, Vec<_>) = self.known.apps.iter().partition(|app| app.kind != only);
        let quoted = |apps: &[&&AppScope]| {
            let names: Vec<_> = apps.iter().map(|app| format!("\"{}\"", app.name)).collect();
            names.join(", ")
        };
        if others.is_empty() {
            return;
        }
        let finding = self.reader.error(
            codes::WRONG_KIND,
            value.span(),
            format!("only an app of kind `{only}` can send a `{name}` reply"),
            format!("not by {}", quoted(&others)),
        );
        if !able.is_empty() {
            let able = quoted(&able);
            finding.help = Some(format!(
                "let the rule serve only the apps that can: `app = [{able}]`"
            ));
        }
    }

    /// A text that must not be empty, as a template.
    fn text(&mut self, what: &str, node: &Node<'_>) -> Option<Text> {
        let text = self.reader.nonempty(what, node)?;
        self.template(&text)
    }

    fn template(&mut self, text: &Written) -> Option<Text> {
        self.templates.read(self.reader, text, &self.known)
    }
}
