//! Language and appearance, kept in cookies of the browser.

use std::sync::Arc;

use http::{HeaderValue, header};
use serde::Deserialize;
use warp::reply::Response;

use super::THEME;
use crate::console::Console;
use crate::console::html::{own_place, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::{LANG, Lang};

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ThemeWish {
    Auto,
    Light,
    Dark,
}

#[derive(Deserialize)]
struct Form {
    lang: Option<Lang>,
    theme: Option<ThemeWish>,
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
    let theme = form.theme.map(|theme| match theme {
        ThemeWish::Auto => "auto",
        ThemeWish::Light => "light",
        ThemeWish::Dark => "dark",
    });
    for (name, value) in [(LANG, lang), (THEME, theme)] {
        let Some(value) = value else { continue };
        let cookie = format!("{name}={value}; Path=/; SameSite=Strict; Max-Age=31536000");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}
