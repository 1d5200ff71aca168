//! Forgetting a customer, once their openid is typed.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use super::address;
use super::conversations::names;
use super::{Frame, Place};
use crate::console::Console;
use crate::console::html::{html, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::message::{AppName, OpenId};
use crate::store::Erased;

#[derive(Template)]
#[template(path = "forget.html", config = "src/console/askama.toml")]
struct ForgetPage {
    frame: Frame,
    thread: String,
    app: String,
    openid: String,
    wrong: bool,
}

#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    openid: String,
}

/// `GET /conversations/{app}/{openid}/forget`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    if console.user(&app, &openid).await?.is_none() {
        return Err(Problem::not_found());
    }
    draw(&console, &request, app, openid, false)
}

/// `POST /conversations/{app}/{openid}/forget`
pub(in crate::console) async fn forget(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    let form: Form = request.form()?;
    if form.openid.trim() != openid.as_str() {
        let mut page = draw(&console, &request, app, openid, true)?;
        *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(page);
    }
    let forgotten = console
        .store
        .forget(Some(&app), &openid, &request.who.name)
        .await?;
    match forgotten.contacts {
        0 => Err(Problem::not_found()),
        _ => {
            let Erased {
                messages,
                replies,
                pictures,
            } = forgotten.erased;
            let rows = messages + replies + pictures;
            Ok(see_other(&format!("/conversations?forgotten={rows}")))
        }
    }
}

fn draw(
    console: &Console,
    request: &Request,
    app: AppName,
    openid: OpenId,
    wrong: bool,
) -> Result<Response, Problem> {
    let title = request.lang.words().conversations.forget_title;
    html(&ForgetPage {
        frame: Frame::new(console, request, Place::Conversations, title),
        thread: address::conversation(app.as_str(), openid.as_str()),
        app: app.into(),
        openid: openid.into(),
        wrong,
    })
}
