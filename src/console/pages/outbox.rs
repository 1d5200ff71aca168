//! The outbox: replies that wait, those that did not arrive, and what to do about them.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use warp::reply::Response;

use super::{Frame, Place, address};
use crate::console::Console;
use crate::console::data::app;
use crate::console::data::outbox::{self, Outbox, OutboxCursor, OutboxItem, OutboxList};
use crate::console::html::{self, html, number, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::{filled, told};
use crate::message::MessageId;

/// Replies on a page.
const ROWS: u32 = 50;

#[derive(Deserialize)]
struct Wish {
    status: Option<OutboxList>,
    app: Option<String>,
    cursor: Option<String>,
    /// What was done a moment ago, and to how many of how many.
    did: Option<Action>,
    #[serde(default)]
    done: u64,
    #[serde(default)]
    of: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Resend,
    ResendAll,
    Drop,
}

#[derive(Template)]
#[template(path = "outbox.html", config = "src/console/askama.toml")]
struct OutboxPage {
    frame: Frame,
    list: OutboxList,
    app: Option<String>,
    outbox: Outbox,
    /// Whether this is not the beginning of the list.
    is_further: bool,
    notice: Option<Notice>,
}

struct Notice {
    good: bool,
    text: String,
}

/// `GET /outbox`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let app = app::chosen(&console, wish.app.as_deref())?;
    let cursor: Option<OutboxCursor> = wish.cursor.as_deref().map(str::parse).transpose()?;
    let (list, outbox) = Outbox::gather(&console, wish.status, app.as_ref(), cursor, ROWS).await?;
    let title = request.lang.words().frame.outbox;
    let frame = Frame::new(&console, &request, Place::Outbox, title);
    html(&OutboxPage {
        notice: notice(&frame, &wish),
        frame,
        list,
        app: app.map(Into::into),
        outbox,
        is_further: cursor.is_some(),
    })
}

fn notice(frame: &Frame, wish: &Wish) -> Option<Notice> {
    let w = frame.w.outbox;
    let did = match wish.did? {
        Action::Resend | Action::ResendAll => w.queued_again,
        Action::Drop => w.given_up,
    };
    if wish.of == 0 {
        let text = w.none_selected.to_owned();
        return Some(Notice { good: false, text });
    }
    let mut text = filled(did, number(wish.done));
    if wish.done < wish.of {
        text.push(' ');
        text.push_str(w.left_alone);
    }
    Some(Notice {
        good: wish.done > 0,
        text,
    })
}

/// `POST /outbox`: what the form's buttons do.
pub(in crate::console) async fn act(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let fields: Vec<(String, String)> = request.form()?;
    let field = |name: &str| {
        let field = fields.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    };
    let action = field("action").unwrap_or_default();
    let chosen = fields.iter().filter(|(name, _)| name == "id");
    let ids: Vec<MessageId> = chosen
        .map(|(_, id)| id.parse())
        .collect::<Result<_, _>>()
        .map_err(|error: crate::message::ParseIdError| Problem::bad_request(error.to_string()))?;
    let app = app::chosen(&console, field("app"))?;
    let by = &request.who.name;
    let (done, of) = match action {
        "resend" => {
            let done = console.store.resend(&ids, console.clock.now(), by).await?;
            (done.len(), ids.len())
        }
        "drop" => (console.store.drop_replies(&ids, by).await?.len(), ids.len()),
        "resend-all" => {
            let done = outbox::resend_failed(&console, app.as_ref(), by).await?.len();
            (done, done.max(1))
        }
        _ => return Err(Problem::bad_request("`action` is resend, drop or resend-all")),
    };
    let status = field("status").unwrap_or_default();
    let mut place = html::query("/outbox");
    let list = OutboxList::ALL.into_iter().find(|list| list.as_str() == status);
    if let Some(list) = list {
        place.append_pair("status", list.as_str());
    }
    if let Some(app) = &app {
        place.append_pair("app", app.as_str());
    }
    place
        .append_pair("did", action)
        .append_pair("done", &done.to_string())
        .append_pair("of", &of.to_string());
    Ok(see_other(&place.finish()))
}

impl OutboxPage {
    fn tabs(&self) -> [(OutboxList, &'static str); 4] {
        OutboxList::ALL.map(|list| (list, self.name(list)))
    }

    fn name(&self, list: OutboxList) -> &'static str {
        let w = self.frame.w.outbox;
        match list {
            OutboxList::Queued => w.queued,
            OutboxList::Failed => w.failed,
            OutboxList::Uncertain => w.uncertain,
            OutboxList::Dropped => w.dropped,
        }
    }

    fn hint(&self) -> &'static str {
        let w = self.frame.w.outbox;
        match self.list {
            OutboxList::Queued => w.queued_hint,
            OutboxList::Failed => w.failed_hint,
            OutboxList::Uncertain => w.uncertain_hint,
            OutboxList::Dropped => w.dropped_hint,
        }
    }

    fn nothing(&self) -> &'static str {
        let w = self.frame.w.outbox;
        match self.list {
            OutboxList::Queued => w.none_queued,
            OutboxList::Failed => w.none_failed,
            OutboxList::Uncertain => w.none_uncertain,
            OutboxList::Dropped => w.none_dropped,
        }
    }

    fn may_resend(&self) -> bool {
        self.list != OutboxList::Queued
    }

    fn may_drop(&self) -> bool {
        self.list != OutboxList::Dropped
    }

    /// The address of a list, of an app or of all, from its beginning or from a place in it.
    fn address(&self, list: &OutboxList, app: Option<&str>, cursor: Option<&str>) -> String {
        let mut place = html::query("/outbox");
        place.append_pair("status", list.as_str());
        if let Some(app) = app {
            place.append_pair("app", app);
        }
        if let Some(cursor) = cursor {
            place.append_pair("cursor", cursor);
        }
        place.finish()
    }

    fn conversation(&self, item: &OutboxItem) -> String {
        let message = &item.message;
        address::message(&message.app, &message.openid, "", &message.id)
    }

    /// Why it stands where it stands, without WeChat's own words: its code and its rid stand beside it.
    fn why(&self, item: &OutboxItem) -> Option<String> {
        let told = told(self.frame.lang, item.message.error.as_deref()?);
        let end = ["（errcode ", " (errcode "]
            .iter()
            .find_map(|mark| told.find(mark));
        Some(told[..end.unwrap_or(told.len())].to_owned())
    }

    fn when(&self, item: &OutboxItem) -> String {
        let w = self.frame.w.outbox;
        let distance = self.frame.watch.distance(&item.due);
        if item.sending {
            w.sending.to_owned()
        } else if item.due <= self.frame.watch.now {
            filled(w.overdue, distance)
        } else if item.message.attempts > 0 {
            filled(w.again_in, distance)
        } else {
            filled(w.due_in, distance)
        }
    }

    fn attempts(&self, item: &OutboxItem) -> Option<String> {
        let w = self.frame.w.outbox;
        match item.message.attempts {
            0 => None,
            1 => Some(w.one_attempt.to_owned()),
            many => Some(filled(w.attempts, many)),
        }
    }
}
