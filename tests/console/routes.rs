//! Every route of the console, as its own table has them: what is added there is tested here without anybody thinking of it.

use http::Method;

use crate::people::{ANNA, OPS, Person, VERA};

/// One row of the table.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub needs: Needs,
}

/// What a route asks of whoever takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    OwnKey,
    Viewer,
    Agent,
    Editor,
}

impl Needs {
    /// Those who may sign in, but may not take such a route.
    pub fn forbidden_to(self) -> &'static [&'static Person] {
        match self {
            Self::Nothing | Self::OwnKey | Self::Viewer => &[],
            Self::Agent => &[&VERA],
            Self::Editor => &[&VERA, &ANNA],
        }
    }

    /// Whoever has just the role for it.
    pub fn allowed_to(self) -> &'static Person {
        match self {
            Self::Nothing | Self::OwnKey | Self::Viewer => &VERA,
            Self::Agent => &ANNA,
            Self::Editor => &OPS,
        }
    }
}

impl Route {
    pub fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }

    /// Whether it shows a page to people.
    pub fn is_page(&self) -> bool {
        let others = ["/healthz", "/readyz", "/metrics", "/assets/", "/pictures/"];
        self.method == Method::GET
            && !self.is_api()
            && !others.iter().any(|other| self.path.starts_with(other))
    }

    /// Its path with something in the place of each `{…}`.
    pub fn filled(&self, fill: impl Fn(&str) -> String) -> String {
        let segments = self.path.split('/').map(|segment| {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            name.map_or_else(|| segment.to_owned(), &fill)
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Its path with nothing sensible in the places of `{…}`.
    pub fn anywhere(&self) -> String {
        self.filled(|_| "x".to_owned())
    }
}

/// All rows.
pub fn all() -> Vec<Route> {
    let source = include_str!("../../src/console/routes.rs");
    let (_, table) = source
        .split_once("ROUTES: &[Route] = routes! {")
        .expect("the table");
    let (rows, _) = table.split_once("\n};").expect("its end");
    let rows = rows.lines().map(str::trim);
    rows.filter(|row| !row.is_empty() && !row.starts_with("//"))
        .map(route)
        .collect()
}

fn route(row: &'static str) -> Route {
    let mut parts = row.split_whitespace();
    let mut next = || parts.next().unwrap_or_else(|| panic!("{row}"));
    let method = next().parse().expect("a method");
    let path = next().trim_matches('"');
    let needs = match next() {
        "NOTHING" | "ANYONE" => Needs::Nothing,
        "OWN_KEY" => Needs::OwnKey,
        "VIEWER" => Needs::Viewer,
        "AGENT" => Needs::Agent,
        "EDITOR" => Needs::Editor,
        other => panic!("{other} in {row}"),
    };
    Route { method, path, needs }
}
