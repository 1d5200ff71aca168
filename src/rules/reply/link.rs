//! `{ link = { title = "…", description = "…", url = "https://…", thumb_url = "https://…" } }`

use super::{Desk, Draft, Kind, Pen};
use crate::message::{AppKind, Link, Reply};
use crate::rules::codes;
use crate::rules::read::Node;
use crate::rules::template::Text;

pub(super) const KIND: Kind = Kind {
    name: "link",
    only: Some(AppKind::MiniProgram),
    read: |desk, node| {
        let table = desk
            .reader
            .table("link", node, &["title", "description", "url", "thumb_url"])?;
        let mut part = |name| match table.get(name) {
            Some(node) => desk.text(&format!("link.{name}"), node),
            None => missing(desk, node, name),
        };
        let (title, description) = (part("title"), part("description"));
        let (url, thumb_url) = (part("url"), part("thumb_url"));
        for (name, text) in [("url", &url), ("thumb_url", &thumb_url)] {
            if let (Some(Text::Plain(address)), Some(node)) = (text, table.get(name)) {
                web_address(desk, name, address, node);
            }
        }
        Some(Box::new(LinkDraft {
            title: title?,
            description: description?,
            url: url?,
            thumb_url: thumb_url?,
        }))
    },
};

fn missing(desk: &mut Desk<'_, '_>, node: &Node<'_>, name: &str) -> Option<Text> {
    desk.reader.error(
        codes::MISSING_KEY,
        node.span(),
        format!("this link has no `{name}`"),
        "WeChat needs `title`, `description`, `url` and `thumb_url`",
    );
    None
}

fn web_address(desk: &mut Desk<'_, '_>, name: &str, address: &str, node: &Node<'_>) {
    if !address.starts_with("https://") && !address.starts_with("http://") {
        desk.reader.error(
            codes::WRONG_VALUE,
            node.span(),
            format!("`link.{name}` is no web address"),
            "must begin with \"https://\" or \"http://\"",
        );
    }
}

#[derive(Debug)]
struct LinkDraft {
    title: Text,
    description: Text,
    url: Text,
    thumb_url: Text,
}

impl Draft for LinkDraft {
    fn fill(&self, pen: &Pen<'_>) -> Option<Reply> {
        Some(Reply::Link(Link {
            title: pen.fill(&self.title),
            description: pen.fill(&self.description),
            url: pen.fill(&self.url),
            thumb_url: pen.fill(&self.thumb_url),
        }))
    }
}
