//! Language and appearance, kept in cookies of the browser.

use std::sync::Arc;

use http::{HeaderValue, header};
use serde::Deserialize;
use warp::reply::Response;

use super::{THEME, Theme};
use crate::console::Console;
use crate::console::html::{own_place, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::{LANG, Lang};

#[derive(Deserialize)]
struct Form {
    lang: Option<Lang>,
    theme: Option<Theme>,
    #[serde(default)]
    back: String,
}

/// `POST /preferences`
pub(in crate::console) async fn set(_: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let form: Form = request.form()?;
    let mut response = see_other(own_place(&form.back));
    let lang = form.lang.map(|lang| match lang {
        Lang::En => "en",
        Lang::Zh => "zh",
    });
    let theme = form.theme.map(Theme::as_str);
    for (name, value) in [(LANG, lang), (THEME, theme)] {
        let Some(value) = value else { continue };
        let cookie = format!("{name}={value}; Path=/; SameSite=Strict; Max-Age=31536000");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}
