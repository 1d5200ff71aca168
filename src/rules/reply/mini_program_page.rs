//! `{ mini_program_page = { title = "…", page_path = "pages/…", thumb = "images/t.png", app_id = "wx…" } }`

use super::{Desk, Draft, Kind, Pen, media};
use crate::message::{Media, MiniProgramPage, Reply};
use crate::rules::codes;
use crate::rules::read::Node;
use crate::rules::template::Text;

pub(super) const KIND: Kind = Kind {
    name: "mini_program_page",
    only: None,
    read: |desk, node| {
        let keys = ["title", "page_path", "thumb", "app_id"];
        let table = desk.reader.table("mini_program_page", node, &keys)?;
        for name in ["title", "page_path", "thumb"] {
            if table.get(name).is_none() {
                missing(desk, node, name);
            }
        }
        let mut part = |name: &str| desk.text(&format!("mini_program_page.{name}"), table.get(name)?);
        let (title, page_path) = (part("title"), part("page_path"));
        let thumb = table
            .get("thumb")
            .and_then(|node| media::read(desk.reader, "thumb", node));
        let app_id = match table.get("app_id") {
            Some(node) => Some(desk.reader.nonempty("mini_program_page.app_id", node)?.text),
            None => None,
        };
        Some(Box::new(PageDraft {
            title: title?,
            page_path: page_path?,
            thumb: thumb?,
            app_id,
        }))
    },
};

fn missing(desk: &mut Desk<'_, '_>, node: &Node<'_>, name: &str) {
    desk.reader.error(
        codes::MISSING_KEY,
        node.span(),
        format!("this mini-program page has no `{name}`"),
        "WeChat needs `title`, `page_path` and `thumb`",
    );
}

#[derive(Debug)]
struct PageDraft {
    title: Text,
    page_path: Text,
    thumb: Media,
    app_id: Option<String>,
}

impl Draft for PageDraft {
    fn fill(&self, pen: &Pen<'_>) -> Option<Reply> {
        Some(Reply::MiniProgramPage(MiniProgramPage {
            title: pen.fill(&self.title),
            page_path: pen.fill(&self.page_path),
            thumb: self.thumb.clone(),
            app_id: self.app_id.clone(),
        }))
    }
}
