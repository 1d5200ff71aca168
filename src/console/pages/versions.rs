//! Versions of the rules: history, differences, restoring.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use warp::reply::Response;

use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::finding::Finding;
use crate::console::data::version::{self, Version, VersionFile};
use crate::console::html::{html, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words;
use crate::editing::{FileChange, FileDiff, Side};

#[derive(Template)]
#[template(path = "versions.html", config = "src/console/askama.toml")]
struct VersionsPage {
    frame: Frame,
    versions: Vec<Version>,
    /// Where earlier ones are.
    next: Option<String>,
    is_further: bool,
    restored: bool,
}

/// Versions on a page.
const ROWS: usize = 100;

impl VersionsPage {
    /// How long a version was in force.
    fn lasted(&self, version: &Version) -> String {
        match version.until {
            Some(until) => {
                let watch = super::html::Watch {
                    now: until,
                    ..self.frame.watch.clone()
                };
                watch.distance(&version.live)
            }
            None => self.frame.watch.distance(&version.live),
        }
    }
}

#[derive(Deserialize)]
struct ListWish {
    #[serde(default)]
    restored: String,
    cursor: Option<i64>,
}

/// `GET /versions`
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: ListWish = request.query()?;
    let title = request.lang.words().versions.title;
    let part = version::part(&console, wish.cursor, ROWS).await?;
    html(&VersionsPage {
        frame: Frame::new(&console, &request, Place::Versions, title),
        versions: part.versions,
        next: part.next.map(|next| format!("/versions?cursor={next}")),
        is_further: wish.cursor.is_some(),
        restored: !wish.restored.is_empty(),
    })
}

#[derive(Template)]
#[template(path = "version.html", config = "src/console/askama.toml")]
struct VersionPage {
    frame: Frame,
    version: String,
    is_in_force: bool,
    /// What it is compared with.
    with: String,
    before: Option<String>,
    in_force: String,
    differences: Vec<FileDiff>,
    files: Vec<VersionFile>,
    wrong: Option<String>,
    findings: Vec<Finding>,
}

impl VersionPage {
    fn change(&self, change: &FileChange) -> &'static str {
        match change {
            FileChange::Added => self.frame.w.versions.added,
            FileChange::Removed => self.frame.w.versions.removed,
            FileChange::Changed => "",
        }
    }
}

#[derive(Default, Deserialize)]
struct Wish {
    #[serde(default)]
    with: String,
}

/// `GET /versions/{version}?with=…`
pub(in crate::console) async fn one(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let version: String = request.param(0)?;
    let wish: Wish = request.query()?;
    html(&gather(&console, &request, version, wish).await?)
}

async fn gather(
    console: &Console,
    request: &Request,
    version: String,
    wish: Wish,
) -> Result<VersionPage, Problem> {
    let files = version::files(console, &version).await?.files;
    let before = version::before(console, &version).await?;
    let in_force = console.rules.status().version.as_str().to_owned();
    let with = match (wish.with.as_str(), &before) {
        ("", Some(before)) => before.clone(),
        ("", None) => String::new(),
        (with, _) => with.to_owned(),
    };
    let side = Side::Version(version.as_str().into());
    let differences = match with.as_str() {
        "" => Vec::new(),
        // What restoring would do: from the disk to this version.
        with => console.editor.compare(&version::side(with), &side).await?,
    };
    Ok(VersionPage {
        frame: Frame::new(console, request, Place::Versions, version.as_str()),
        is_in_force: version == in_force,
        version,
        with,
        before,
        in_force,
        differences,
        files,
        wrong: None,
        findings: Vec::new(),
    })
}

/// `POST /versions/{version}/restore`
pub(in crate::console) async fn restore(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    let version: String = request.param(0)?;
    match version::restore(&console, &request.who.name, &version).await {
        Ok(saved) if saved.refused.is_empty() => Ok(see_other("/versions?restored=1")),
        Ok(_) => Ok(see_other("/rules")),
        Err(problem) => {
            let wish = Wish {
                with: "disk".to_owned(),
            };
            let mut page = gather(&console, &request, version, wish).await?;
            let status = problem.status();
            page.wrong = Some(words::problem(request.lang, &problem).into_owned());
            page.findings = problem.into_findings();
            let mut response = html(&page)?;
            *response.status_mut() = status;
            Ok(response)
        }
    }
}
