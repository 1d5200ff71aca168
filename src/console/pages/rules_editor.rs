//! The editor of rule files: the text, and beside it what it would do. Works without a script; with one, it answers while
//! one types.

use std::sync::Arc;

use askama::Template;
use http::{Method, StatusCode};
use serde::Deserialize;
use warp::reply::Response;

use super::message::near_text;
use super::rules_form::usual_file;
use super::{Frame, Place, address};
use crate::console::Console;
use crate::console::data::candidate::{
    self, Attempt, Check, Edit, Replay, Trial, TrialMiss, TrialRule, change,
};
use crate::console::data::finding::Finding;
use crate::console::data::on_a_thread;
use crate::console::data::unanswered::Draft;
use crate::console::html::{html, number, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::{self, filled_all, why};
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

    /// Whether the text is one that somebody tried to save in vain.
    fn is_unsaved(&self) -> bool {
        matches!(
            self.saved,
            Saved::Unusable(_) | Saved::Conflict(..) | Saved::Failed(_)
        )
    }

    /// Whether the text was saved a moment ago.
    fn is_saved(&self) -> bool {
        matches!(self.saved, Saved::Fine | Saved::Refused(_))
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

    fn words<'a>(&self, check: &'a Check) -> Vec<&'a crate::editing::Keyword> {
        let files = check.files.iter().filter(|file| file.path == self.file);
        files.flat_map(|file| &file.keywords).take(WORDS).collect()
    }

    /// Who decides, in the reader's language: a rule's name, or how a message is taken.
    fn decider(&self, told: &str) -> String {
        let w = self.frame.w.status;
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

    /// What a rule that nearly matched lacked.
    fn near(&self, miss: &TrialMiss) -> String {
        near_text(&self.frame, &miss.near)
    }

    /// Why a rule did not match, or what else became of it.
    fn asked(&self, rule: &TrialRule) -> Option<String> {
        let lang = self.frame.lang;
        match (&rule.failed, &rule.note) {
            (Some(failed), _) => {
                let key = why::key(lang, &failed.key);
                let words = why::condition(lang, &failed.key, &failed.why);
                Some(format!(
                    "{key}{colon} {words}",
                    colon = self.frame.w.conversations.colon
                ))
            }
            (None, note) => note.as_ref().map(|note| why::note(lang, note)),
        }
    }

    fn changed(&self, replay: &Replay) -> String {
        let of = [number(replay.changed), number(replay.messages)];
        filled_all(self.frame.w.rules.changed, &of.each_ref().map(String::as_str))
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
    let mut frame = Frame::new(console, request, Place::Rules, file);
    if request.head.method == Method::POST {
        // What a form drew can't be come back to; its file can.
        frame.here = address::edit(file, 1);
    }
    Ok(EditorPage {
        frame,
        windows: text.contains("\r\n"),
        file: file.to_owned(),
        text,
        base,
        line: 0,
        files: files.into_iter().map(|file| file.path).collect(),
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
    if wish.file.is_empty() {
        let files = console.editor.files().await?;
        return Ok(see_other(&address::edit(&usual_file(&files), 1)));
    }
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
        "diff" => match on_disk(&console, &form.file).await {
            Ok(disk) => difference(disk, &text).await.map(Part::Diff),
            Err(problem) => Err(problem),
        },
        "replay" => Ok(Part::Replay(None)),
        "replay-it" => candidate::replay(&console, &files)
            .await
            .map(|replay| Part::Replay(Some(replay))),
        _ => candidate::check(&console, &files, true)
            .await
            .map(|check| Part::Check(Box::new(check))),
    };
    let part = part.unwrap_or_else(|problem| {
        let why = words::problem(request.lang, &problem).into_owned();
        Part::Failed(tab, why, problem.into_findings())
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

async fn difference(disk: Option<String>, text: &str) -> Result<Diff, Problem> {
    let (disk, text) = (disk.unwrap_or_default(), text.to_owned());
    on_a_thread(move || diff(&disk, &text)).await
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
        Ok(_) => return Ok(see_other(&address::saved(&form.file))),
        Err(error) => error,
    };
    let told = words::edit_error(request.lang, &error);
    let (status, saved) = match error {
        EditError::Conflict { disk, .. } => {
            let base = disk.as_deref().map(|disk| TextHash::of(disk).to_string());
            let diff = difference(disk, &text).await?;
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
