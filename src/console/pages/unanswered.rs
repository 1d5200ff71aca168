//! What went unanswered, and rules drafted from it.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use warp::reply::Response;

use super::rules::WindowLink;
use super::rules_editor::{DraftView, editor};
use super::rules_form::usual_file;
use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::rules::Window;
use crate::console::data::unanswered::{self, Unanswered};
use crate::console::html::html;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::editing::append;

#[derive(Template)]
#[template(path = "unanswered.html", config = "src/console/askama.toml")]
struct UnansweredPage {
    frame: Frame,
    asked: Unanswered,
    days: u16,
    app: String,
    windows: Vec<WindowLink>,
}

/// The same page for another time.
fn link(app: &str, days: u16) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !app.is_empty() {
        query.append_pair("app", app);
    }
    query.append_pair("days", &days.to_string());
    format!("/unanswered?{}", query.finish())
}

#[derive(Deserialize)]
struct Wish {
    days: Option<u16>,
    app: Option<String>,
}

/// `GET /unanswered`
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let window = Window {
        days: wish.days,
        app: wish.app,
    };
    let asked = unanswered::unanswered(&console, &window).await?;
    let title = request.lang.words().unanswered.title;
    let days = window.since(console.clock.now())?.0;
    let app = window.app.unwrap_or_default();
    html(&UnansweredPage {
        frame: Frame::new(&console, &request, Place::Rules, title),
        asked,
        windows: WindowLink::all(days, |days| link(&app, days)),
        days,
        app,
    })
}

/// What a draft is made of: `text` as often as there are texts.
#[derive(Default)]
struct Drafting {
    texts: Vec<String>,
    app: String,
    file: String,
    reply: String,
    /// Whether the texts are all that are meant.
    whole: bool,
}

impl Drafting {
    fn read(pairs: form_urlencoded::Parse<'_>) -> Self {
        let mut drafting = Self::default();
        for (name, value) in pairs {
            let value = value.into_owned();
            match name.as_ref() {
                "text" if drafting.texts.len() < 1000 => drafting.texts.push(value),
                "app" => drafting.app = value,
                "file" => drafting.file = value,
                "reply" => drafting.reply = value.replace("\r\n", "\n"),
                "whole" => drafting.whole = true,
                _ => {}
            }
        }
        drafting
    }
}

/// `GET /rules/draft?text=…`: a rule for a text and for those like it that went unanswered lately.
pub(in crate::console) async fn draft(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let drafting = Drafting::read(form_urlencoded::parse(request.head.query.as_bytes()));
    show(&console, &request, drafting).await
}

/// `POST /rules/draft`: a rule for just these texts. Writes nothing.
pub(in crate::console) async fn draft_of(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    let drafting = Drafting::read(form_urlencoded::parse(&request.body));
    show(&console, &request, drafting).await
}

async fn show(console: &Console, request: &Request, drafting: Drafting) -> Result<Response, Problem> {
    let Drafting {
        texts,
        app,
        file,
        reply,
        whole,
    } = drafting;
    // Where there is one app, its rules need not say so.
    let app = if console.apps.len() > 1 {
        app
    } else {
        String::new()
    };
    let with_similar = !whole && texts.len() == 1;
    let draft = unanswered::draft(console, texts, Some(&app), &reply, with_similar).await?;
    let files = console.editor.files().await?;
    let file = if file.is_empty() { usual_file(&files) } else { file };
    let disk = files.into_iter().find(|on_disk| on_disk.path == file);
    let (before, base) = disk.map_or_else(Default::default, |disk| (disk.text, disk.hash.to_string()));
    let text = append(&before, &draft.toml);
    let mut page = editor(console, request, &file, text.clone(), base).await?;
    page.frame.title = request.lang.words().rules.draft.to_owned();
    // The reply is what is to be written next.
    let tail = text.lines().count() - draft.toml.trim_end().lines().count();
    let reply_line = draft.toml.lines().position(|line| line.starts_with("reply = "));
    page.line = tail + reply_line.unwrap_or(0) + 1;
    page.draft = Some(DraftView { draft, reply, app });
    html(&page)
}
