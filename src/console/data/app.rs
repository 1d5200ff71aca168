//! Which app a page or a question is about.

use http::StatusCode;

use crate::console::problem::Problem;
use crate::console::{Console, ConsoleApp};
use crate::message::AppName;

/// The app of this name. Unknown: 404.
pub(in crate::console) fn named<'a>(console: &'a Console, name: &str) -> Result<&'a ConsoleApp, Problem> {
    let app = console.apps.iter().find(|app| app.name.as_str() == name);
    app.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("no app is named {name:?}")))
}

/// The app of this name, or all of them; an empty name, which a form may send, means all.
pub(in crate::console) fn chosen(console: &Console, name: Option<&str>) -> Result<Option<AppName>, Problem> {
    let name = name.filter(|name| !name.is_empty());
    let app = name.map(|name| named(console, name)).transpose()?;
    Ok(app.map(|app| app.name.clone()))
}
