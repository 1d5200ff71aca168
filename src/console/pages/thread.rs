//! One conversation: its messages as bubbles, what is known of the customer, and where one may write.

use std::collections::HashMap;
use std::time::Duration;

use super::bubble::{Bubble, Style, bubbles, query};
use super::conversations::{Avatar, kept, short};
use super::{Frame, address};
use crate::clock::after;
use crate::console::Console;
use crate::console::data::contact::User;
use crate::console::data::conversation::ConversationQuery;
use crate::console::data::log::cursor;
use crate::console::data::snippet::Snippet;
use crate::console::problem::Problem;
use crate::console::words::{counted, filled, filled_all};
use crate::message::{AppName, Contact, Direction, Entry, MessageId, OpenId};
use crate::rules::MAX_TEXT;
use crate::store::{PictureState, Store, StoreError};

/// Rows of a page of the thread.
const ROWS: usize = 60;

/// Messages on each side of one that is looked for.
const AROUND: usize = 20;

/// How long a picture that nobody knows of yet may still be on its way.
const FRESH: Duration = Duration::from_mins(2);

/// Which part of which thread.
pub(super) struct Wish<'a> {
    pub app: &'a AppName,
    pub openid: &'a OpenId,
    pub list: &'a ConversationQuery,
    /// The message to be shown.
    pub at: Option<&'a str>,
    /// Where a page of older messages begins.
    pub before: Option<&'a str>,
}

/// A conversation as it is drawn.
pub(super) struct Thread {
    pub href: String,
    /// The query that keeps the list as it is.
    pub keep: String,
    pub back: String,
    pub avatar: Avatar,
    pub name: String,
    pub user: User,
    /// The app's name, where there are several.
    pub app: String,
    pub bubbles: Vec<Bubble>,
    pub older: Option<String>,
    /// Whether the newest message is among them.
    pub newest: bool,
    pub first_seen: Option<String>,
    pub quota: String,
    /// Whether nothing can be written now.
    pub closed: bool,
    pub state: Option<String>,
    pub muted: Option<Countdown>,
    pub composer: Composer,
    pub snippets: Vec<Snippet>,
    pub max_text: usize,
    pub export: String,
    pub log: String,
}

/// A time that comes nearer.
pub(super) struct Countdown {
    pub iso: String,
    pub left: String,
}

/// What stands in the composer.
pub(super) struct Composer {
    pub text: String,
    pub pause: bool,
    pub problem: Option<String>,
}

impl Default for Composer {
    fn default() -> Self {
        Self {
            text: String::new(),
            pause: true,
            problem: None,
        }
    }
}

/// A part of a thread, oldest first.
struct Part {
    entries: Vec<Entry>,
    older: Option<String>,
    newest: bool,
}

impl Thread {
    /// Reads all that the page needs.
    pub async fn gather(
        console: &Console,
        frame: &Frame,
        wish: &Wish<'_>,
        composer: Composer,
    ) -> Result<Self, Problem> {
        let store = &console.store;
        let contact = async { Ok::<_, Problem>(store.contact(wish.app, wish.openid).await?.0) };
        let snippets = async {
            match frame.may_write() {
                true => console.snippets().await,
                false => Ok(Vec::new()),
            }
        };
        let (contact, part, snippets) = tokio::try_join!(contact, part(store, wish), snippets)?;
        if part.entries.is_empty() && wish.before.is_none() && contact == Contact::default() {
            return Err(Problem::not_found());
        }
        let pictures = pictures(store, frame, &part.entries).await?;
        let user = console.user_of(wish.app, wish.openid, contact);
        let style = Style {
            w: frame.w,
            watch: &frame.watch,
            wanted: wish.list.wanted().unwrap_or_default(),
            sought: wish.at.and_then(|at| at.parse().ok()),
            pictures: &pictures,
        };
        let bubbles = bubbles(&part.entries, &style);
        let keep = kept(wish.list);
        let href = address::conversation(wish.app.as_str(), wish.openid.as_str());
        let both = query(&[("app", wish.app.as_str()), ("openid", wish.openid.as_str())]);
        let w = frame.w.conversations;
        let left = |until: &jiff::Timestamp| frame.watch.distance(until);
        Ok(Self {
            older: part.older.map(|older| {
                let separator = if keep.is_empty() { "?" } else { "&" };
                format!("{href}{keep}{separator}{}", query(&[("before", &older)]))
            }),
            newest: part.newest,
            back: format!("/conversations{keep}"),
            avatar: Avatar::of(wish.openid),
            name: short(wish.openid.as_str()),
            app: match frame.apps.len() {
                0 | 1 => String::new(),
                _ => wish.app.to_string(),
            },
            bubbles,
            first_seen: user.first_message.map(|time| frame.watch.short(&time)),
            quota: quota(frame, &user),
            closed: user.quota.left == 0,
            state: user
                .state
                .as_ref()
                .map(|state| filled_all(w.state, &[&state.name, &left(&state.until)])),
            muted: user.muted_until.map(|until| Countdown {
                iso: until.to_string(),
                left: left(&until),
            }),
            user,
            composer,
            snippets,
            max_text: MAX_TEXT,
            export: format!("/api/messages/export?{both}"),
            log: format!("/messages?{both}"),
            href,
            keep,
        })
    }
}

async fn part(store: &Store, wish: &Wish<'_>) -> Result<Part, Problem> {
    let at: Option<MessageId> = wish.at.and_then(|at| at.parse().ok());
    if let (Some(at), None) = (at, wish.before) {
        let around = store.around(at, AROUND).await?;
        let theirs = |entry: &Entry| entry.app == *wish.app && entry.openid == *wish.openid;
        // A message of somebody else's is none of this thread.
        if let Some(around) = around.filter(|around| around.entries.iter().all(theirs)) {
            let mut entries = around.entries;
            entries.reverse();
            return Ok(Part {
                entries,
                older: around.older.map(|cursor| cursor.to_string()),
                newest: around.newest,
            });
        }
    }
    let cursor = cursor(wish.before)?;
    let found = store.thread(wish.app, wish.openid, cursor.as_ref(), ROWS).await?;
    let mut entries = found.entries;
    entries.reverse();
    Ok(Part {
        entries,
        older: found.next.map(|cursor| cursor.to_string()),
        newest: wish.before.is_none(),
    })
}

/// How far the pictures of these messages are.
pub(super) async fn pictures(
    store: &Store,
    frame: &Frame,
    entries: &[Entry],
) -> Result<HashMap<MessageId, PictureState>, StoreError> {
    let images = entries
        .iter()
        .filter(|entry| entry.direction == Direction::In && entry.msg_type == "image");
    let images: Vec<&Entry> = images.collect();
    let ids: Vec<MessageId> = images.iter().map(|entry| entry.id).collect();
    let mut states = store.picture_states(&ids).await?;
    for entry in images {
        if after(entry.time, FRESH) > frame.watch.now {
            states.entry(entry.id).or_insert(PictureState::Waiting);
        }
    }
    Ok(states)
}

/// `3 of 5 replies left · closes in 31 h`
fn quota(frame: &Frame, user: &User) -> String {
    let w = frame.w.conversations;
    let quota = &user.quota;
    let Some(until) = quota.until else {
        return w.window_closed.to_owned();
    };
    let left = match quota.of {
        Some(of) => filled_all(w.left_of, &[&quota.left.to_string(), &of.to_string()]),
        None => counted(w.left, quota.left.into()),
    };
    let mut line = format!("{left} · {}", filled(w.closes_in, frame.watch.distance(&until)));
    if quota.waiting > 0 {
        line = format!("{line} · {}", filled(w.waiting, quota.waiting));
    }
    line
}
