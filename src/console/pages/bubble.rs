//! A message as a bubble of a chat: what it says, where it stands, and what leads on from it.

use std::collections::HashMap;

use super::address;
use crate::console::data::mark::{Piece, marked};
use crate::console::html::Watch;
use crate::console::words::status::tone;
use crate::console::words::{Words, told};
use crate::message::{Direction, Entry, Link, MessageId, MiniProgramPage, Reply};
use crate::store::PictureState;

/// A message, drawn.
pub(super) struct Bubble {
    pub id: String,
    /// A heading before it, when it is the first of its day.
    pub day: Option<String>,
    pub ours: bool,
    pub body: Body,
    /// `10:00`
    pub clock: String,
    /// The whole time, for whoever points at it.
    pub full: String,
    /// For programs.
    pub iso: String,
    /// Where it stands; empty where that goes without saying.
    pub status: String,
    pub tone: &'static str,
    /// What went wrong, in words.
    pub reason: Option<String>,
    /// The rule that decided, and its page.
    pub rule: Option<(String, String)>,
    /// The user of the console who wrote it by hand.
    pub author: Option<String>,
    /// Where one may draft a rule from this message, when no rule answered it.
    pub draft: Option<String>,
    /// All fields, as JSON.
    pub raw: String,
    /// The one that was asked for.
    pub sought: bool,
}

impl Bubble {
    /// Whether it is a line between bubbles.
    pub fn is_line(&self) -> bool {
        matches!(self.body, Body::Line { .. })
    }
}

/// What a message says.
pub(super) enum Body {
    Text(Vec<Piece>),
    /// A picture that a customer sent.
    Picture(Shown),
    /// Something with a headline and a place: a link, a mini-program page.
    Card(Card),
    /// Something that is only named: a voice message, our own picture.
    Named {
        icon: &'static str,
        kind: String,
        detail: String,
    },
    /// An event: a line between bubbles.
    Line {
        what: String,
        detail: String,
    },
    /// A push that could not be read.
    Unreadable(String),
}

/// How far a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Here,
    /// A file that no browser draws.
    File,
    Waiting,
    Lost,
    /// Pictures are not kept.
    NotKept,
}

pub(super) struct Card {
    pub kind: String,
    pub title: String,
    pub text: String,
    pub place: String,
    /// Where it leads, if that is a web page.
    pub href: Option<String>,
}

/// How bubbles are drawn.
pub(super) struct Style<'a> {
    pub w: &'static Words,
    pub watch: &'a Watch,
    /// What was searched for.
    pub wanted: &'a str,
    /// The message that was asked for.
    pub sought: Option<MessageId>,
    pub pictures: &'a HashMap<MessageId, PictureState>,
}

/// Messages in the order of time as bubbles, with a heading before the first of each day.
pub(super) fn bubbles(entries: &[Entry], style: &Style<'_>) -> Vec<Bubble> {
    let mut day = String::new();
    let rules: HashMap<_, _> = entries
        .iter()
        .map(|entry| (entry.id, entry.rule.as_ref()))
        .collect();
    let drawn = entries.iter().map(|entry| {
        let of = style.watch.day(&entry.time);
        let heading = (of != day).then(|| of.clone());
        day = of;
        let drawn = bubble(entry, style);
        // The rule stands at the message already.
        let told = entry
            .reply_to
            .and_then(|asked| rules.get(&asked))
            .copied()
            .flatten();
        Bubble {
            day: heading,
            rule: drawn
                .rule
                .filter(|_| entry.reply_to.is_none() || told != entry.rule.as_ref()),
            ..drawn
        }
    });
    drawn.collect()
}

/// One message as a bubble.
pub(super) fn bubble(entry: &Entry, style: &Style<'_>) -> Bubble {
    let w = style.w;
    let ours = entry.direction == Direction::Out;
    // A reply that was sent and a message that was answered look as they should; only what is otherwise is told.
    let silent = match entry.direction {
        Direction::Out => entry.status == "sent" && entry.error.is_none(),
        Direction::In => {
            entry.status == "matched" || (entry.msg_type == "event" && entry.status == "unmatched")
        }
    };
    let reason = entry.error.as_deref();
    let draft = (entry.status == "unmatched")
        .then_some(entry.content.as_deref())
        .flatten()
        .filter(|_| !ours && entry.msg_type == "text");
    Bubble {
        id: entry.id.to_string(),
        day: None,
        ours,
        body: body(entry, style),
        clock: style.watch.minute(&entry.time),
        full: style.watch.full(&entry.time),
        iso: entry.time.to_string(),
        status: if silent {
            String::new()
        } else {
            w.status.of(&entry.status).to_owned()
        },
        tone: tone(&entry.status),
        reason: reason.map(|reason| told(style.watch.lang, reason).into_owned()),
        rule: entry
            .rule
            .as_ref()
            .map(|rule| (rule.to_string(), address::rule(entry.app.as_str(), rule.as_str()))),
        author: entry.author.clone(),
        draft: draft.map(|text| address::draft(entry.app.as_str(), text)),
        raw: serde_json::to_string_pretty(&entry.fields).unwrap_or_default(),
        sought: style.sought == Some(entry.id),
    }
}

/// The query of an address.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn body(entry: &Entry, style: &Style<'_>) -> Body {
    let w = style.w;
    let content = entry.content.as_deref().unwrap_or_default();
    let text = || Body::Text(marked(content, style.wanted));
    if entry.status == "malformed" {
        return Body::Unreadable(content.to_owned());
    }
    if entry.direction == Direction::Out {
        let reply = serde_json::to_value(&entry.fields).and_then(serde_json::from_value::<Reply>);
        return match reply {
            Ok(Reply::Text(_)) | Err(_) => text(),
            Ok(reply) => of_reply(&reply, w),
        };
    }
    let field = |name: &str| entry.fields.text(name).unwrap_or_default().to_owned();
    match entry.msg_type.as_str() {
        "text" => text(),
        "event" => {
            let event = entry.event.as_deref().unwrap_or_default();
            let detail = ["SessionFrom", "EventKey", "KfAccount"].map(field);
            let detail: Vec<_> = detail.into_iter().filter(|text| !text.is_empty()).collect();
            Body::Line {
                what: w.status.event(event).to_owned(),
                detail: detail.join(" · "),
            }
        }
        "image" => Body::Picture(match style.pictures.get(&entry.id) {
            Some(PictureState::Kept { drawn: true }) => Shown::Here,
            Some(PictureState::Kept { drawn: false }) => Shown::File,
            Some(PictureState::Waiting) => Shown::Waiting,
            Some(PictureState::Lost) => Shown::Lost,
            None => Shown::NotKept,
        }),
        "link" => Body::Card(Card {
            kind: w.status.link.to_owned(),
            title: field("Title"),
            text: field("Description"),
            place: field("Url"),
            href: web(&field("Url")),
        }),
        "miniprogrampage" => Body::Card(Card {
            kind: w.status.mini_program.to_owned(),
            title: field("Title"),
            text: String::new(),
            place: field("PagePath"),
            href: None,
        }),
        "location" => Body::Named {
            icon: "i-place",
            kind: w.status.location.to_owned(),
            detail: field("Label"),
        },
        kind => Body::Named {
            icon: icon(kind),
            kind: w.status.kind(kind).to_owned(),
            detail: match field("Recognition") {
                said if said.is_empty() => content.to_owned(),
                said => said,
            },
        },
    }
}

/// The sign of what is only named.
fn icon(msg_type: &str) -> &'static str {
    match msg_type {
        "image" => "i-picture",
        "voice" => "i-voice",
        "video" | "shortvideo" => "i-video",
        _ => "i-text",
    }
}

fn of_reply(reply: &Reply, w: &Words) -> Body {
    let kind = w.status.kind(reply.msg_type()).to_owned();
    match reply {
        Reply::Link(Link {
            title,
            description,
            url,
            ..
        }) => Body::Card(Card {
            kind,
            title: title.clone(),
            text: description.clone(),
            place: url.clone(),
            href: web(url),
        }),
        Reply::MiniProgramPage(MiniProgramPage { title, page_path, .. }) => Body::Card(Card {
            kind,
            title: title.clone(),
            text: String::new(),
            place: page_path.clone(),
            href: None,
        }),
        Reply::Webhook(webhook) => Body::Named {
            icon: "i-link",
            kind,
            detail: webhook.place().to_owned(),
        },
        Reply::Text(_) | Reply::Image(_) => Body::Named {
            icon: icon(reply.msg_type()),
            kind,
            detail: reply.summary(),
        },
    }
}

/// An address that may be a link: a web page's and nothing else, for customers write these.
fn web(url: &str) -> Option<String> {
    let scheme = url.split_once("://")?.0;
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    web.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_pages_are_links() {
        for url in ["https://shop.example/", "HTTP://shop.example"] {
            assert!(web(url).is_some(), "{url}");
        }
        for url in [
            "javascript:alert(1)//https://x",
            "javascript://x%0aalert(1)",
            " https://x",
            "data:text/html,x",
            "//x",
            "",
        ] {
            assert_eq!(web(url), None, "{url}");
        }
    }

    #[test]
    fn a_query_can_hold_anything() {
        assert_eq!(query(&[("text", "a&b=多")]), "text=a%26b%3D%E5%A4%9A");
    }
}
