//! `{ image = "images/menu.png" }` or `{ image = { media_id = "…" } }`

use super::{Draft, Kind, Pen, media};
use crate::message::{Media, Reply};

pub(super) const KIND: Kind = Kind {
    name: "image",
    only: None,
    read: |desk, node| Some(Box::new(Image(media::read(desk.reader, "image", node)?))),
};

#[derive(Debug)]
struct Image(Media);

impl Draft for Image {
    fn fill(&self, _: &Pen<'_>) -> Option<Reply> {
        Some(Reply::Image(self.0.clone()))
    }
}
