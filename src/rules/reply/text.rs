//! `"…"` or `{ text = "…" }`

use super::{Draft, Kind, Pen};
use crate::message::Reply;
use crate::rules::codes;
use crate::rules::template::{MAX_TEXT, Text};

pub(super) const KIND: Kind = Kind {
    name: "text",
    only: None,
    read: |desk, node| {
        let text = desk.text("reply", node)?;
        if let Text::Plain(plain) = &text
            && plain.len() > MAX_TEXT
        {
            desk.reader
                .warning(
                    codes::TEXT_TOO_LONG,
                    node.span(),
                    format!(
                        "this text has {} bytes; WeChat refuses more than {MAX_TEXT} (error 45002)",
                        plain.len()
                    ),
                    "too long for one message",
                )
                .help = Some("split it: reply = [\"…\", \"…\"]; a Chinese character is 3 bytes".to_owned());
        }
        Some(Box::new(TextDraft(text)))
    },
};

#[derive(Debug)]
struct TextDraft(Text);

impl Draft for TextDraft {
    fn fill(&self, pen: &Pen<'_>) -> Option<Reply> {
        Some(pen.fill(&self.0))
            .filter(|text| !text.trim().is_empty())
            .map(Reply::Text)
    }
}
