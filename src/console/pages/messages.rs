//! The log as rows, by any filter.

use std::sync::Arc;

use askama::Template;
use warp::reply::Response;

use super::address;
use super::bubble::query;
use super::conversations::short;
use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::log::{LogPage, LogQuery, State, Way};
use crate::console::data::mark::{Piece, excerpt};
use crate::console::data::message::Message;
use crate::console::html::html;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::status::tone;
use crate::message::Direction;

#[derive(Template)]
#[template(path = "messages.html", config = "src/console/askama.toml")]
struct MessagesPage {
    frame: Frame,
    rows: Vec<Row>,
    asked: LogQuery,
    /// Value, word and whether it is chosen.
    statuses: Vec<(&'static str, &'static str, bool)>,
    directions: [(&'static str, &'static str, bool); 3],
    /// How many filters are set that are not in sight.
    filters: usize,
    /// Whether it shows what comes: the newest rows do, what was searched for in the whole log does not.
    is_live: bool,
    older: Option<String>,
    back_to: Option<String>,
    export_csv: String,
    export_jsonl: String,
}

/// One row.
struct Row {
    href: String,
    time: String,
    full: String,
    iso: String,
    ours: bool,
    app: String,
    name: String,
    openid: String,
    kind: String,
    content: Vec<Piece>,
    rule: Option<(String, String)>,
    author: Option<String>,
    status: String,
    tone: &'static str,
}

/// Characters of a row.
const LINE: usize = 120;

/// `GET /messages`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let asked: LogQuery = request.query()?;
    let found: LogPage = console.log(&asked).await?;
    let title = request.lang.words().messages.title;
    let frame = Frame::new(&console, &request, Place::Conversations, title);
    let wanted = asked.search.as_deref().unwrap_or_default();
    let rows = found
        .items
        .into_iter()
        .map(|message| row(&frame, message, wanted, console.apps.len() > 1));
    let status = frame.w.status;
    let rows = rows.collect();
    let direction = asked.direction.unwrap_or(Way::Any);
    let filtered = filter_of(&request);
    html(&MessagesPage {
        rows,
        statuses: State::ALL
            .map(|state| {
                (
                    state.as_str(),
                    status.of(state.as_str()),
                    asked.status == Some(state),
                )
            })
            .into(),
        directions: [
            ("", status.both, direction == Way::Any),
            ("in", status.inbound, direction == Way::In),
            ("out", status.outbound, direction == Way::Out),
        ],
        filters: hidden_filters(&asked),
        is_live: asked.cursor.is_none() && wanted.is_empty(),
        older: found.next.map(|cursor| {
            let separator = if filtered.is_empty() { "" } else { "&" };
            format!("/messages?{filtered}{separator}{}", query(&[("cursor", &cursor)]))
        }),
        back_to: found.back_to.map(|time| frame.watch.short(&time)),
        export_csv: format!("/api/messages/export?format=csv&{filtered}"),
        export_jsonl: format!("/api/messages/export?format=jsonl&{filtered}"),
        asked,
        frame,
    })
}

/// The query without its place and what is empty.
fn filter_of(request: &Request) -> String {
    let pairs = form_urlencoded::parse(request.head.query.as_bytes())
        .filter(|(name, value)| !matches!(&**name, "cursor" | "limit") && !value.is_empty());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// The filters that stand in the fold.
fn hidden_filters(asked: &LogQuery) -> usize {
    let texts = [&asked.app, &asked.openid, &asked.rule, &asked.since, &asked.until];
    let texts = texts
        .into_iter()
        .filter(|text| text.as_deref().is_some_and(|text| !text.is_empty()));
    let direction = asked.direction.is_some_and(|way| way != Way::Any);
    texts.count() + usize::from(direction)
}

fn row(frame: &Frame, message: Message, wanted: &str, several: bool) -> Row {
    let status = frame.w.status;
    let text = message.content.as_deref().unwrap_or_default();
    let rule = message.rule.as_ref();
    Row {
        href: format!("/messages/{}", message.id),
        time: frame.watch.short(&message.time),
        full: frame.watch.full(&message.time),
        iso: message.time.to_string(),
        ours: message.direction == Direction::Out,
        rule: rule.map(|rule| (rule.clone(), address::rule(&message.app, rule))),
        app: if several { message.app } else { String::new() },
        name: short(&message.openid),
        openid: message.openid,
        kind: match (&message.event, message.msg_type.as_str()) {
            (Some(event), _) => status.event(event).to_owned(),
            (None, "text") => String::new(),
            (None, kind) => status.kind(kind).to_owned(),
        },
        content: excerpt(text, wanted, LINE),
        author: message.author,
        status: status.of(&message.status).to_owned(),
        tone: tone(&message.status),
    }
}
