//! Pages for people: the frame that they share, and a file for each.

mod address;
mod bubble;
pub(super) mod conversations;
pub(super) mod forget;
mod health;
pub(super) mod message;
pub(super) mod messages;
pub(super) mod outbox;
pub(super) mod overview;
pub(super) mod preferences;
pub(super) mod rules;
pub(super) mod rules_editor;
pub(super) mod rules_form;
mod rules_outline;
pub(super) mod sign_in;
pub(super) mod snippets;
pub(super) mod system;
mod thread;
pub(super) mod unanswered;
pub(super) mod versions;
pub(super) mod write;

use std::borrow::{Borrow, Cow};
use std::fmt::Display;

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use super::Console;
use super::access::{self, Way, Who};
use super::assets;
use super::html::{self, Watch};
use super::problem::Problem;
use super::request::{Head, Request};
use super::words::{self, Lang, Words, counted, filled};
use crate::config::Role;

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

/// The cookie of whoever chose a theme.
pub(super) const THEME: &str = "wxreply_theme";

impl Theme {
    /// The theme that was chosen.
    pub fn of(head: &Head) -> Self {
        match head.cookie(THEME) {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// As the cookie and the `data-theme` attribute have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Which of the main pages one belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Conversations,
    Rules,
    Outbox,
    Versions,
    System,
    Elsewhere,
}

/// What stands around every page.
pub(super) struct Frame {
    pub lang: Lang,
    pub w: &'static Words,
    pub theme: Theme,
    pub place: Place,
    pub title: String,
    pub who: Who,
    pub watch: Watch,
    /// Path and query of the page to come back to: this one, if it can be asked for.
    pub here: String,
    /// The names of all apps, in the order of the config.
    pub apps: Vec<String>,
    /// How often the log had changed before this page was made; the live stream goes on from there.
    pub news: u64,
}

impl Frame {
    /// The frame of the page that a request asks for.
    pub fn new(console: &Console, request: &Request, place: Place, title: impl Into<String>) -> Self {
        let head = &request.head;
        Self {
            lang: request.lang,
            w: request.lang.words(),
            theme: Theme::of(head),
            place,
            title: title.into(),
            who: request.who.clone(),
            watch: Watch {
                zone: console.timezone.clone(),
                now: console.clock.now(),
                lang: request.lang,
            },
            here: access::way_back(console, head),
            apps: console.apps.iter().map(|app| app.name.to_string()).collect(),
            news: request.news,
        }
    }

    /// Whether nobody is asked for a name here.
    pub fn is_open(&self) -> bool {
        self.who.way == Way::Loopback
    }

    /// Whether whoever looks may write to customers.
    pub fn may_write(&self) -> bool {
        self.who.may(Role::Agent)
    }

    /// Whether whoever looks may change rules.
    pub fn may_edit(&self) -> bool {
        self.who.may(Role::Editor)
    }

    pub fn role(&self) -> &'static str {
        match self.who.role {
            Some(Role::Viewer) => self.w.frame.role_viewer,
            Some(Role::Agent) => self.w.frame.role_agent,
            Some(Role::Editor) => self.w.frame.role_editor,
            None => "",
        }
    }

    /// Place, address, name, name for a narrow screen, and icon of the main pages.
    pub fn pages(&self) -> [(Place, &'static str, &'static str, &'static str, &'static str); 6] {
        let w = self.w.frame;
        [
            (Place::Overview, "/", w.overview, w.overview_short, "i-overview"),
            (
                Place::Conversations,
                "/conversations",
                w.conversations,
                w.conversations_short,
                "i-chat",
            ),
            (Place::Rules, "/rules", w.rules, w.rules, "i-rules"),
            (Place::Outbox, "/outbox", w.outbox, w.outbox, "i-outbox"),
            (Place::Versions, "/versions", w.versions, w.versions, "i-versions"),
            (Place::System, "/system", w.system, w.system, "i-system"),
        ]
    }

    /// `12,345`
    pub fn number(&self, number: impl Borrow<u64>) -> String {
        html::number(*number.borrow())
    }

    /// The form of a text that goes with a number.
    pub fn counted(&self, text: &str, n: impl Count) -> String {
        counted(text, n.count())
    }

    /// A text with something in the place of its `{}`.
    pub fn filled(&self, text: &str, with: impl Display) -> String {
        filled(text, with)
    }

    /// The editor of a rule file, at a line.
    pub fn edit_link(&self, file: &str, line: &usize) -> String {
        address::edit(file, *line)
    }

    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }
}

/// What a template counts: numbers of any kind, which reach it by reference or not.
pub(super) trait Count {
    fn count(self) -> u64;
}

impl Count for usize {
    fn count(self) -> u64 {
        self as u64
    }
}

impl Count for u16 {
    fn count(self) -> u64 {
        self.into()
    }
}

impl Count for u64 {
    fn count(self) -> u64 {
        self
    }
}

impl<T: Count + Copy> Count for &T {
    fn count(self) -> u64 {
        (*self).count()
    }
}

#[derive(Template)]
#[template(path = "problem.html", config = "src/console/askama.toml")]
struct ProblemPage<'a> {
    w: &'static Words,
    lang: Lang,
    theme: Theme,
    title: String,
    heading: &'a str,
    detail: Cow<'a, str>,
    style: String,
    icon: String,
}

/// What went wrong, as a page.
pub(super) fn problem(lang: Lang, theme: Theme, problem: &Problem) -> Response {
    let w = lang.words();
    let heading = match problem.status() {
        StatusCode::NOT_FOUND => w.frame.not_found,
        StatusCode::FORBIDDEN => w.frame.forbidden,
        StatusCode::PAYLOAD_TOO_LARGE => w.frame.too_large,
        _ => w.frame.wrong,
    };
    let page = ProblemPage {
        w,
        lang,
        theme,
        title: problem.status().as_str().to_owned(),
        heading,
        detail: words::problem(lang, problem),
        style: assets::address("style.css"),
        icon: assets::address("icon.svg"),
    };
    match html::html(&page) {
        Ok(response) => problem.head(response),
        Err(problem) => problem.into_json(),
    }
}

/// Where a stranger is sent, to be led on to `next` from there.
pub(super) fn to_sign_in(next: &str) -> Response {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    html::see_other(&format!("/sign-in?next={next}"))
}
