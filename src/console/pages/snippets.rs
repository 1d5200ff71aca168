//! The page of texts that agents use again and again.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::snippet::{MOST, NAME, Snippet, Unfit};
use crate::console::html::{html, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::filled;
use crate::rules::MAX_TEXT;

#[derive(Template)]
#[template(path = "snippets.html", config = "src/console/askama.toml")]
struct SnippetsPage {
    frame: Frame,
    snippets: Vec<Snippet>,
    /// What was typed and is not kept, and why.
    typed: Snippet,
    /// The name that it has, where one is changed.
    was: String,
    wrong: Option<String>,
    max_text: usize,
    max_name: usize,
}

#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    text: String,
    /// The name that it had before.
    #[serde(default)]
    was: String,
}

/// `GET /snippets`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let typed = Snippet {
        name: String::new(),
        text: String::new(),
    };
    draw(&console, &request, typed, String::new(), None).await
}

/// `POST /snippets`
pub(in crate::console) async fn save(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let form: Form = request.form()?;
    let snippet = Snippet {
        name: form.name.trim().to_owned(),
        text: form.text.replace("\r\n", "\n"),
    };
    let by = &request.who.name;
    let w = request.lang.words().snippets;
    let was = Some(form.was.as_str()).filter(|was| !was.is_empty());
    let wrong = match console.rename_snippet(was, &snippet, by).await? {
        Ok(()) => return Ok(see_other("/snippets")),
        Err(Unfit::Name) => filled(w.bad_name, NAME),
        Err(Unfit::Text) => filled(w.bad_text, MAX_TEXT),
        Err(Unfit::Taken) => w.taken.to_owned(),
        Err(Unfit::TooMany) => filled(w.too_many, MOST),
    };
    let mut page = draw(&console, &request, snippet, form.was, Some(wrong)).await?;
    *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(page)
}

/// `POST /snippets/delete`
pub(in crate::console) async fn delete(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let form: Form = request.form()?;
    // One that somebody else has deleted meanwhile is gone, as it should be.
    console
        .store
        .delete_snippet(&form.name, &request.who.name)
        .await?;
    Ok(see_other("/snippets"))
}

async fn draw(
    console: &Console,
    request: &Request,
    typed: Snippet,
    was: String,
    wrong: Option<String>,
) -> Result<Response, Problem> {
    let title = request.lang.words().snippets.title;
    html(&SnippetsPage {
        frame: Frame::new(console, request, Place::Conversations, title),
        snippets: console.snippets().await?,
        typed,
        was,
        wrong,
        max_text: MAX_TEXT,
        max_name: NAME,
    })
}
