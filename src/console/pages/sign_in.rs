//! Signing in and out.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use warp::reply::Response;

use super::{Frame, Place};
use crate::console::Console;
use crate::console::access::{SESSION, SESSION_TIME, Way, password_digest};
use crate::console::html::{html, own_place, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words;

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/console/askama.toml")]
struct SignInPage {
    frame: Frame,
    next: String,
    name: String,
    wrong: Option<Cow<'static, str>>,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Form {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let next = own_place(&wish.next);
    if request.who.role.is_some() {
        return Ok(see_other(next));
    }
    let frame = Frame::new(
        &console,
        &request,
        Place::Elsewhere,
        request.lang.words().frame.sign_in,
    );
    html(&SignInPage {
        frame,
        next: next.to_owned(),
        name: String::new(),
        wrong: None,
    })
}

/// `POST /sign-in`
pub(in crate::console) async fn sign_in(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    let form: Form = request.form()?;
    let next = own_place(&form.next);
    match console
        .attempts
        .check(&console, &request.head, &form.name, form.password)
        .await
    {
        Ok(user) => {
            let password = password_digest(user);
            let token = console
                .store
                .create_session(&user.name, &password, SESSION_TIME)
                .await?;
            let mut response = see_other(next);
            set_session(
                &console,
                &mut response,
                token.expose_secret(),
                SESSION_TIME.as_secs(),
            );
            Ok(response)
        }
        Err(problem) => {
            let w = request.lang.words().frame;
            let wrong = match problem.status() {
                StatusCode::UNAUTHORIZED => w.wrong_password.into(),
                StatusCode::TOO_MANY_REQUESTS => w.too_many_attempts.into(),
                _ => words::problem(request.lang, &problem).into_owned().into(),
            };
            let frame = Frame::new(
                &console,
                &request,
                Place::Elsewhere,
                request.lang.words().frame.sign_in,
            );
            let page = html(&SignInPage {
                frame,
                next: next.to_owned(),
                name: form.name,
                wrong: Some(wrong),
            })?;
            Ok(problem.head(page))
        }
    }
}

/// `POST /sign-out`
pub(in crate::console) async fn sign_out(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    if let (Way::Session, Some(token)) = (request.who.way, request.head.cookie(SESSION)) {
        console.store.end_session(token).await?;
    }
    let mut response = see_other("/sign-in");
    set_session(&console, &mut response, "", 0);
    Ok(response)
}

fn set_session(console: &Console, response: &mut Response, token: &str, seconds: u64) {
    let secure = match &console.url {
        Some(url) if url.starts_with("https://") => "; Secure",
        _ => "",
    };
    let cookie = format!("{SESSION}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
