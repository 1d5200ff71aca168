//! `"…"` or `{ text = "…" }`

use toml::de::DeValue;

use super::{Draft, Kind, Pen};
use crate::message::Reply;
use crate::rules::codes;
use crate::rules::read::Node;
use crate::rules::template::{MAX_TEXT, Text};

pub(super) const KIND: Kind = Kind {
    name: "text",
    only: None,
    read: |desk, node| {
        let text = desk.text("reply", node)?;
        let fixed = text.fixed();
        let what = match &text {
            Text::Plain(_) => "this text has",
            Text::Blanks(_) | Text::Template { .. } => "what never changes in this template has",
        };
        // With `{% if %}` only a part of what stands there is sent.
        let certain = matches!(&text, Text::Plain(_)) || !written(node).contains("{%");
        if certain && fixed.len() > MAX_TEXT {
            desk.reader
                .warning(
                    codes::TEXT_TOO_LONG,
                    node.span(),
                    format!(
                        "{what} {} bytes; WeChat refuses more than {MAX_TEXT} (error 45002)",
                        fixed.len()
                    ),
                    "too long for one message",
                )
                .help = Some("split it: reply = [\"…\", \"…\"]; a Chinese character is 3 bytes".to_owned());
        }
        Some(Box::new(TextDraft(text)))
    },
};

fn written<'n>(node: &'n Node<'_>) -> &'n str {
    match node.get_ref() {
        DeValue::String(text) => text,
        _ => "",
    }
}

#[derive(Debug)]
struct TextDraft(Text);

impl Draft for TextDraft {
    fn fill(&self, pen: &Pen<'_>) -> Option<Reply> {
        Some(pen.fill(&self.0))
            .filter(|text| !text.trim().is_empty())
            .map(Reply::Text)
    }
}
