//! The editor of rule files: the text, and beside it what it would do. Works without a script; with one, it answers while
//! one types.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use super::rules::edit_address;
use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::candidate::{self, Attempt, Check, Edit, Replay, Trial, change};
use crate::console::data::finding::Finding;
use crate::console::data::unanswered::Draft;
use crate::console::html::{html, number, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::editing::{Diff, EditError, KeywordNote, TextHash, diff};
use crate::rehearsal::Kind;

/// Words that are shown.
const WORDS: usize = 1500;

#[derive(Template)]
#[template(path = "rules_editor.html", config = "src/console/askama.toml")]
pub(super) struct EditorPage {
    pub frame: Frame,
    pub file: String,
    pub text: String,
    /// The hash of the text that was begun with; empty for a file that is not there yet.
    pub base: String,
    pub windows: bool,
    /// The line to begin on.
    pub line: usize,
    pub files: Vec<String>,
    pub apps: Vec<String>,
    /// What was said to be tried.
    pub message: String,
    pub app: String,
    pub part: Part,
    pub saved: Saved,
    pub draft: Option<DraftView>,
}

/// What stands beside the text.
pub(super) enum Part {
    /// Nobody asked yet.
    Nothing,
    Check(Box<Check>),
    Try(Option<Box<Trial>>),
    Diff(Diff),
    Replay(Option<Replay>),
    /// It could not be made, and why.
    Failed(&'static str, String, Vec<Finding>),
}

/// What became of saving.
pub(super) enum Saved {
    /// Nobody saved.
    Not,
    /// It is in force.
    Fine,
    /// It is on the disk, but not in force.
    Refused(String),
    /// It can't be used.
    Unusable(Vec<Finding>),
    /// Somebody else changed the file.
    Conflict(Diff, String),
    /// Anything else.
    Failed(String),
}

/// A draft that was put into the text.
pub(super) struct DraftView {
    pub draft: Draft,
    pub reply: String,
    pub app: String,
}

impl EditorPage {
    fn is_open(&self, tab: &str) -> bool {
        let open = match &self.part {
            Part::Nothing | Part::Check(_) => "check",
            Part::Try(_) => "try",
            Part::Diff(_) => "diff",
            Part::Replay(_) => "replay",
            Part::Failed(tab, ..) => tab,
        };
        open == tab
    }

    fn tabs(&self) -> [(&'static str, &'static str); 4] {
        let w = self.frame.w.rules;
        [
            ("check", w.check),
            ("try", w.try_it),
            ("diff", w.diff),
            ("replay", w.replay),
        ]
    }

    fn n(&self, n: &u64) -> String {
        number(*n)
    }

    fn edit_link(&self, file: &str, line: &usize) -> String {
        edit_address(file, *line)
    }

    fn words<'a>(&self, check: &'a Check) -> Vec<&'a crate::editing::Keyword> {
        let files = check.files.iter().filter(|file| file.path == self.file);
        files.flat_map(|file| &file.keywords).take(WORDS).collect()
    }

    /// Who decides, in the reader's language: a rule's name, or how a message is taken.
    fn decider(&self, told: &str) -> String {
        let w = self.frame.w.rules;
        let word = |status: &str| match status {
            "unmatched" => Some(w.unmatched),
            "matched" => Some(w.matched),
            "cooldown" => Some(w.cooldown),
            "muted" => Some(w.muted),
            _ => None,
        };
        if let Some(word) = word(told) {
            return word.to_owned();
        }
        let named = told.strip_suffix(')').and_then(|told| told.rsplit_once(" ("));
        match named.and_then(|(rule, status)| Some((rule, word(status)?))) {
            Some((rule, word)) => format!("{rule} ({word})"),
            None => told.to_owned(),
        }
    }

    fn kind(&self, kind: &Kind) -> &'static str {
        let w = self.frame.w.rules;
        match kind {
            Kind::NewlyAnswered => w.newly,
            Kind::NoLongerAnswered => w.no_longer,
            Kind::AnsweredDifferently => w.differently,
            Kind::Quota => w.quota,
            Kind::Unnoticed => w.unnoticed,
        }
    }

    fn kind_class(&self, kind: &Kind) -> &'static str {
        match kind {
            Kind::NewlyAnswered => "good",
            Kind::NoLongerAnswered => "bad",
            Kind::AnsweredDifferently => "warn",
            Kind::Quota => "violet",
            Kind::Unnoticed => "",
        }
    }
}

/// The editor of a file.
pub(super) async fn editor(
    console: &Console,
    request: &Request,
    file: &str,
    text: String,
    base: String,
) -> Result<EditorPage, Problem> {
    let files = console.editor.files().await.unwrap_or_default();
    Ok(EditorPage {
        frame: Frame::new(console, request, Place::Rules, file),
        windows: text.contains("\r\n"),
        file: file.to_owned(),
        text,
        base,
        line: 0,
        files: files.into_iter().map(|file| file.path).collect(),
        apps: console
            .apps
            .iter()
            .map(|app| app.name.as_str().to_owned())
            .collect(),
        message: String::new(),
        app: String::new(),
        part: Part::Nothing,
        saved: Saved::Not,
        draft: None,
    })
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    file: String,
    #[serde(default)]
    line: usize,
    #[serde(default)]
    saved: String,
}

/// `GET /rules/edit?file=…`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let (text, base) = match console.editor.file(&wish.file).await {
        Ok(file) => (file.text, file.hash.to_string()),
        Err(EditError::NoFile(_)) => (String::new(), String::new()),
        Err(error) => return Err(error.into()),
    };
    let mut page = editor(&console, &request, &wish.file, text, base).await?;
    page.line = wish.line;
    if !wish.saved.is_empty() {
        page.saved = match console.rules.status().last_error {
            Some(error) => Saved::Refused(error.findings.join("\n\n")),
            None => Saved::Fine,
        };
    }
    html(&page)
}

#[derive(Deserialize)]
struct Form {
    file: String,
    #[serde(default)]
    base: String,
    /// What the file on the disk was, where somebody saw it and saves over it.
    over: Option<String>,
    #[serde(default)]
    windows: bool,
    text: String,
    #[serde(rename = "do", default)]
    what: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    app: String,
}

impl Form {
    /// The text as its file has it: forms end every line as on Windows.
    fn text(&self) -> String {
        let text = self.text.replace("\r\n", "\n");
        if self.windows {
            text.replace('\n', "\r\n")
        } else {
            text
        }
    }
}

/// `POST /rules/look`: what the text would do.
pub(in crate::console) async fn look(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let form: Form = request.form()?;
    let text = form.text();
    let files = [Edit {
        path: form.file.clone(),
        text: Some(text.clone()),
    }];
    let tab = match form.what.as_str() {
        "try" | "try-it" => "try",
        "diff" => "diff",
        "replay" | "replay-it" => "replay",
        _ => "check",
    };
    let part = match form.what.as_str() {
        "try" => Ok(Part::Try(None)),
        "try-it" => {
            let attempt = Attempt {
                files: files.to_vec(),
                text: Some(form.message.clone()),
                app: Some(form.app.clone()),
                ..Attempt::default()
            };
            candidate::attempt(&console, &attempt)
                .await
                .map(|trial| Part::Try(Some(Box::new(trial))))
        }
        "diff" => on_disk(&console, &form.file)
            .await
            .map(|disk| Part::Diff(diff(&disk.unwrap_or_default(), &text))),
        "replay" => Ok(Part::Replay(None)),
        "replay-it" => candidate::replay(&console, &files)
            .await
            .map(|replay| Part::Replay(Some(replay))),
        _ => candidate::check(&console, &files, true)
            .await
            .map(|check| Part::Check(Box::new(check))),
    };
    let part = part.unwrap_or_else(|problem| {
        let detail = problem.detail().to_owned();
        Part::Failed(tab, detail, problem.into_findings())
    });
    let mut page = editor(&console, &request, &form.file, text, form.base.clone()).await?;
    page.windows = form.windows;
    page.message = form.message;
    page.app = form.app;
    page.part = part;
    html(&page)
}

async fn on_disk(console: &Console, file: &str) -> Result<Option<String>, Problem> {
    match console.editor.file(file).await {
        Ok(file) => Ok(Some(file.text)),
        Err(EditError::NoFile(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `POST /rules/edit`: saves the text, or deletes the file.
pub(in crate::console) async fn save(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let form: Form = request.form()?;
    let text = form.text();
    let who = request.who.name.as_str();
    let deletes = form.what == "delete";
    let (action, new) = if deletes {
        ("rules.delete", None)
    } else {
        ("rules.save", Some(text.clone()))
    };
    let changes = vec![change(
        &form.file,
        Some(form.over.as_ref().unwrap_or(&form.base)),
        new,
    )];
    let error = match candidate::save(&console, who, action, changes).await {
        Ok(_) if deletes => return Ok(see_other("/rules")),
        Ok(_) => return Ok(see_other(&format!("{}&saved=1", edit_address(&form.file, 1)))),
        Err(error) => error,
    };
    let told = error.to_string();
    let (status, saved) = match error {
        EditError::Conflict { disk, .. } => {
            let base = disk.as_deref().map(|disk| TextHash::of(disk).to_string());
            let diff = diff(disk.as_deref().unwrap_or_default(), &text);
            (
                StatusCode::CONFLICT,
                Saved::Conflict(diff, base.unwrap_or_default()),
            )
        }
        EditError::Refused(findings) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Saved::Unusable(Finding::all(&findings)),
        ),
        error => (Problem::from(error).status(), Saved::Failed(told)),
    };
    let mut page = editor(&console, &request, &form.file, text, form.base.clone()).await?;
    page.windows = form.windows;
    page.saved = saved;
    let mut response = html(&page)?;
    *response.status_mut() = status;
    Ok(response)
}
