//! The list of conversations, alone or beside one of them.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use warp::reply::Response;

use super::address;
use super::bubble::{Body, Shown, query};
use super::thread::{Composer, Thread, Wish};
use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::conversation::{Conversation, ConversationPage, ConversationQuery, Show};
use crate::console::data::mark::{Piece, excerpt};
use crate::console::html::html;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::message::{AppName, Direction, OpenId};

#[derive(Template)]
#[template(path = "conversations.html", config = "src/console/askama.toml")]
struct ConversationsPage {
    frame: Frame,
    list: List,
    thread: Option<Thread>,
    /// How many rows went with a customer who was forgotten a moment ago.
    forgotten: Option<u64>,
}

/// The list as it is drawn.
pub(super) struct List {
    rows: Vec<Row>,
    app: String,
    q: String,
    show: Show,
    /// Address, name and whether it is shown, of each way to show the list.
    shows: Vec<(String, &'static str, bool)>,
    /// Where the search is left.
    cleared: String,
    /// Where older ones are.
    older: Option<String>,
    /// How far back a search has looked.
    back_to: Option<String>,
    /// Of the log, with the same search.
    log: String,
}

/// One conversation of the list.
struct Row {
    href: String,
    avatar: Avatar,
    name: String,
    openid: String,
    app: String,
    /// Whether the line is the shop's.
    ours: bool,
    /// What it says.
    line: Vec<Piece>,
    /// What stands for a line without text.
    kind: String,
    time: String,
    full: String,
    iso: String,
    unanswered: bool,
    muted: bool,
    current: bool,
}

/// A coloured sign that stands for a customer, always the same.
pub(super) struct Avatar {
    pub letters: String,
    /// Which of the colours.
    pub hue: u8,
}

/// Colours that avatars have.
const HUES: u8 = 8;

/// Characters of a line of the list.
const LINE: usize = 60;

impl Avatar {
    pub fn of(openid: &OpenId) -> Self {
        // Of a hash that no release of a library changes: a customer keeps their colour.
        let digest = Sha256::digest(openid.as_str());
        // Openids of an app begin alike; their ends differ.
        let tail: Vec<char> = openid
            .as_str()
            .chars()
            .rev()
            .filter(|c| c.is_alphanumeric())
            .take(2)
            .collect();
        let letters: String = tail.into_iter().rev().flat_map(char::to_uppercase).collect();
        Self {
            letters: if letters.is_empty() {
                "?".to_owned()
            } else {
                letters
            },
            hue: digest[0] % HUES,
        }
    }
}

/// An openid, short enough for a line.
pub(super) fn short(openid: &str) -> String {
    let chars: Vec<char> = openid.chars().collect();
    if chars.len() <= 14 {
        return openid.to_owned();
    }
    let (head, tail) = (&chars[..6], &chars[chars.len() - 4..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// The query of the list, and of the thread beside it.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct PageQuery {
    app: Option<String>,
    q: Option<String>,
    show: Option<Show>,
    cursor: Option<String>,
    at: Option<String>,
    before: Option<String>,
    forgotten: Option<u64>,
}

impl PageQuery {
    fn list(&self) -> ConversationQuery {
        ConversationQuery {
            app: self.app.clone(),
            q: self.q.clone(),
            show: self.show,
            cursor: self.cursor.clone(),
            limit: None,
        }
    }
}

/// The query that keeps the list as it is while one looks at conversations; with a `?` unless it is empty.
pub(super) fn kept(list: &ConversationQuery) -> String {
    let mut pairs = Vec::new();
    if let Some(app) = list.app.as_deref().filter(|app| !app.is_empty()) {
        pairs.push(("app", app));
    }
    if let Some(q) = list.wanted() {
        pairs.push(("q", q));
    }
    if let Some(show) = list.show.filter(|show| *show != Show::All) {
        pairs.push(("show", show.as_str()));
    }
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", query(&pairs)),
    }
}

/// The app and the customer of an address.
pub(super) fn names(request: &Request) -> Result<(AppName, OpenId), Problem> {
    let (app, openid): (String, String) = (request.param(0)?, request.param(1)?);
    Ok((app.into(), openid.into()))
}

/// `GET /conversations`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let query: PageQuery = request.query()?;
    let asked = query.list();
    let found = console.conversations(&asked).await?;
    let title = request.lang.words().conversations.title;
    let frame = Frame::new(&console, &request, Place::Conversations, title);
    let list = list(&frame, &asked, found, None);
    html(&ConversationsPage {
        frame,
        list,
        thread: None,
        forgotten: query.forgotten,
    })
}

/// `GET /conversations/{app}/{openid}`
pub(in crate::console) async fn thread(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    draw(&console, &request, Composer::default()).await
}

/// The page of a conversation, with what stands in its composer.
pub(super) async fn draw(
    console: &Console,
    request: &Request,
    composer: Composer,
) -> Result<Response, Problem> {
    let (app, openid) = names(request)?;
    let query: PageQuery = request.query()?;
    let asked = query.list();
    let frame = Frame::new(console, request, Place::Conversations, short(openid.as_str()));
    let wish = Wish {
        app: &app,
        openid: &openid,
        list: &asked,
        at: query.at.as_deref(),
        before: query.before.as_deref(),
    };
    let (found, thread) = tokio::try_join!(
        console.conversations(&asked),
        Thread::gather(console, &frame, &wish, composer),
    )?;
    let list = list(&frame, &asked, found, Some((&app, &openid)));
    html(&ConversationsPage {
        frame,
        list,
        thread: Some(thread),
        forgotten: None,
    })
}

fn list(
    frame: &Frame,
    asked: &ConversationQuery,
    found: ConversationPage,
    current: Option<(&AppName, &OpenId)>,
) -> List {
    let several = frame.apps.len() > 1;
    let keep = kept(asked);
    let wanted = asked.wanted().unwrap_or_default();
    let rows = found
        .items
        .into_iter()
        .map(|conversation| row(frame, conversation, wanted, &keep, several, current))
        .collect();
    let w = frame.w.conversations;
    let show = asked.show.unwrap_or_default();
    let with = |show: Show| {
        let other = ConversationQuery {
            show: Some(show),
            ..asked.clone()
        };
        format!("/conversations{}", kept(&other))
    };
    let shows = [
        (Show::All, w.all),
        (Show::Unanswered, w.unanswered),
        (Show::Muted, w.muted),
    ];
    let without = ConversationQuery {
        q: None,
        ..asked.clone()
    };
    List {
        rows,
        app: asked.app.clone().unwrap_or_default(),
        q: wanted.to_owned(),
        show,
        shows: shows
            .map(|(other, name)| (with(other), name, other == show))
            .into(),
        cleared: format!("/conversations{}", kept(&without)),
        older: found.next.map(|cursor| {
            let separator = if keep.is_empty() { "?" } else { "&" };
            format!("/conversations{keep}{separator}{}", query(&[("cursor", &cursor)]))
        }),
        back_to: found.back_to.map(|time| frame.watch.short(&time)),
        log: match wanted {
            "" => "/messages".to_owned(),
            wanted => format!("/messages?{}", query(&[("search", wanted)])),
        },
    }
}

fn row(
    frame: &Frame,
    conversation: Conversation,
    wanted: &str,
    keep: &str,
    several: bool,
    current: Option<(&AppName, &OpenId)>,
) -> Row {
    let (app, openid) = (AppName::from(conversation.app), OpenId::from(conversation.openid));
    let status = frame.w.status;
    // The line is what the customer said, unless a person has answered it since; or what was searched for.
    let by_hand = conversation.last_reply.filter(|reply| reply.author.is_some());
    let replied = by_hand.filter(|reply| reply.time >= conversation.last.time);
    let shown = replied.as_ref().unwrap_or(&conversation.last);
    let href = match wanted {
        "" => address::conversation(app.as_str(), openid.as_str()) + keep,
        _ => address::message(app.as_str(), openid.as_str(), keep, &shown.id),
    };
    let text = shown.content.as_deref().unwrap_or_default();
    let kind = match (&shown.event, shown.msg_type.as_str()) {
        (Some(event), _) => status.event(event).to_owned(),
        (None, "text") => String::new(),
        (None, kind) => status.kind(kind).to_owned(),
    };
    let line = match shown.msg_type.as_str() {
        "image" | "event" | "voice" | "video" | "location" if wanted.is_empty() => Vec::new(),
        _ => excerpt(text, wanted, LINE),
    };
    Row {
        href,
        avatar: Avatar::of(&openid),
        name: short(openid.as_str()),
        current: current == Some((&app, &openid)),
        openid: openid.into(),
        app: if several { app.into() } else { String::new() },
        ours: shown.direction == Direction::Out,
        line,
        kind,
        time: frame.watch.short(&shown.time),
        full: frame.watch.full(&shown.time),
        iso: shown.time.to_string(),
        unanswered: conversation.unanswered,
        muted: conversation.muted_until.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_always_looks_the_same() {
        let avatar = Avatar::of(&"oAbCdEf-9x".into());
        assert_eq!((avatar.letters.as_str(), avatar.hue), ("9X", 5));
        assert_eq!(Avatar::of(&"".into()).letters, "?");
        assert_eq!(short("oAlice"), "oAlice");
        assert_eq!(short("o6zAJs1234567890abcd"), "o6zAJs…abcd");
    }

    #[test]
    fn a_list_is_kept_as_it_is() {
        let list = ConversationQuery {
            q: Some(" 发货 &".to_owned()),
            show: Some(Show::Muted),
            ..ConversationQuery::default()
        };
        assert_eq!(kept(&list), "?q=%E5%8F%91%E8%B4%A7+%26&show=muted");
        assert_eq!(kept(&ConversationQuery::default()), "");
    }
}
