//! Which app a page or a question is about.

use crate::console::Console;
use crate::console::problem::Problem;
use crate::message::AppName;

/// The app of this name, or all of them; an empty name, which a form may send, means all. Unknown: 404.
pub(in crate::console) fn chosen(console: &Console, name: Option<&str>) -> Result<Option<AppName>, Problem> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let app = console.apps.iter().find(|app| app.name.as_str() == name);
    app.map(|app| Some(app.name.clone()))
        .ok_or_else(Problem::not_found)
}
