//! The simple form: name, keywords, reply.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use super::{Frame, Place, address};
use crate::console::Console;
use crate::console::data::candidate::{self, change};
use crate::console::data::finding::Finding;
use crate::console::html::{html, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words;
use crate::editing::{
    DiskFile, EditError, SimpleRule, TextHash, add_simple_rule, change_simple_rule, simple_rule,
};

#[derive(Template)]
#[template(path = "rules_form.html", config = "src/console/askama.toml")]
struct FormPage {
    frame: Frame,
    /// The rule that is changed; nothing when a new one is written.
    rule: Option<String>,
    file: String,
    files: Vec<String>,
    base: String,
    values: Values,
    source: String,
    /// What went wrong.
    wrong: Option<String>,
    findings: Vec<Finding>,
}

/// What stands in the fields.
#[derive(Clone, Default)]
struct Values {
    name: String,
    keywords: String,
    reply: String,
    priority: String,
    enabled: bool,
}

impl From<SimpleRule> for Values {
    fn from(rule: SimpleRule) -> Self {
        Self {
            name: rule.name,
            keywords: rule.keywords.join("\n"),
            reply: rule.reply,
            priority: rule.priority.to_string(),
            enabled: rule.enabled,
        }
    }
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    file: String,
    #[serde(default)]
    rule: String,
}

#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    file: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    base: String,
    name: String,
    keywords: String,
    reply: String,
    #[serde(default)]
    priority: String,
    #[serde(default)]
    enabled: String,
}

impl Form {
    fn values(&self) -> Values {
        Values {
            name: self.name.clone(),
            keywords: self.keywords.clone(),
            reply: self.reply.clone(),
            priority: self.priority.clone(),
            enabled: !self.enabled.is_empty(),
        }
    }

    /// The form without what was typed.
    fn address(&self) -> String {
        match self.rule.as_str() {
            "" => "/rules/new".to_owned(),
            rule => address::form(&self.file, rule),
        }
    }

    /// The rule; nothing when something is missing.
    fn rule(&self) -> Option<SimpleRule> {
        let mut keywords: Vec<String> = Vec::new();
        for word in self
            .keywords
            .lines()
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            if !keywords.iter().any(|known| known == word) {
                keywords.push(word.to_owned());
            }
        }
        let priority = match self.priority.trim() {
            "" => 0,
            priority => priority.parse().ok()?,
        };
        let rule = SimpleRule {
            name: self.name.trim().to_owned(),
            keywords,
            reply: self.reply.replace("\r\n", "\n").trim_end().to_owned(),
            priority,
            enabled: !self.enabled.is_empty(),
        };
        let complete = !rule.name.is_empty() && !rule.keywords.is_empty() && !rule.reply.is_empty();
        complete.then_some(rule)
    }
}

/// The file that new rules go into unless another is chosen: the first that has any.
pub(super) fn usual_file(files: &[DiskFile]) -> String {
    let with_rules = files.iter().find(|file| file.text.contains("[[rule]]"));
    let file = with_rules.or(files.first());
    file.map_or_else(|| "rules.toml".to_owned(), |file| file.path.clone())
}

/// `GET /rules/new`, `GET /rules/form?file=…&rule=…`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let files = console.editor.files().await?;
    let w = request.lang.words().rules;
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    if wish.rule.is_empty() {
        let file = if paths.contains(&wish.file) {
            wish.file
        } else {
            usual_file(&files)
        };
        return html(&FormPage {
            frame: Frame::new(&console, &request, Place::Rules, w.form_new),
            rule: None,
            source: address::edit(&file, 1),
            file,
            files: paths,
            base: String::new(),
            values: Values {
                enabled: true,
                priority: "0".to_owned(),
                ..Values::default()
            },
            wrong: None,
            findings: Vec::new(),
        });
    }
    let file = files.into_iter().find(|file| file.path == wish.file);
    let file = file.ok_or_else(Problem::not_found)?;
    let rule = match simple_rule(&file.text, &wish.rule) {
        Ok(rule) => rule,
        // It says more than the form can show: the source shows all of it.
        Err(_) => {
            return Ok(see_other(&address::edit(
                &file.path,
                line_of(&console, &file.path, &wish.rule),
            )));
        }
    };
    html(&FormPage {
        frame: Frame::new(&console, &request, Place::Rules, w.form_edit),
        source: address::edit(&file.path, line_of(&console, &file.path, &wish.rule)),
        rule: Some(wish.rule),
        file: file.path,
        files: paths,
        base: file.hash.to_string(),
        values: rule.into(),
        wrong: None,
        findings: Vec::new(),
    })
}

/// The line that a rule begins on: by the rules in force, which a form's file mostly is.
fn line_of(console: &Console, file: &str, rule: &str) -> usize {
    let outlines = console.rules.live().borrow().outline();
    let outline = outlines
        .iter()
        .find(|outline| outline.file == file && outline.rule.as_str() == rule);
    outline.map_or(1, |outline| outline.line)
}

/// `POST /rules/form`
pub(in crate::console) async fn save(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let form: Form = request.form()?;
    let w = request.lang.words().rules;
    let saved = match form.rule() {
        Some(rule) => write(&console, &request, &form, &rule).await,
        None => Err(Wrong {
            told: w.form_missing.to_owned(),
            findings: Vec::new(),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            base: form.base.clone(),
        }),
    };
    let wrong = match saved {
        Ok(place) => return Ok(see_other(&place)),
        Err(wrong) => wrong,
    };
    let files = console.editor.files().await?;
    let title = if form.rule.is_empty() {
        w.form_new
    } else {
        w.form_edit
    };
    let mut frame = Frame::new(&console, &request, Place::Rules, title);
    frame.here = form.address();
    let mut response = html(&FormPage {
        frame,
        rule: Some(form.rule.clone()).filter(|rule| !rule.is_empty()),
        file: form.file.clone(),
        files: files.into_iter().map(|file| file.path).collect(),
        base: wrong.base,
        values: form.values(),
        source: address::edit(&form.file, 1),
        wrong: Some(wrong.told),
        findings: wrong.findings,
    })?;
    *response.status_mut() = wrong.status;
    Ok(response)
}

/// Why a form was not saved.
struct Wrong {
    told: String,
    findings: Vec<Finding>,
    status: StatusCode,
    /// What saving it again begins from.
    base: String,
}

impl Wrong {
    fn new(request: &Request, form: &Form, error: EditError) -> Self {
        let w = request.lang.words().rules;
        let base = form.base.clone();
        let (told, findings, base) = match &error {
            EditError::Refused(findings) => (w.not_usable.to_owned(), Finding::all(findings), base),
            // The fields are applied to the file as it is now, once somebody has been told.
            EditError::Conflict { disk: Some(disk), .. } => (
                w.form_conflict.to_owned(),
                Vec::new(),
                TextHash::of(disk).to_string(),
            ),
            error => (words::edit_error(request.lang, error), Vec::new(), base),
        };
        Self {
            told,
            findings,
            status: Problem::from(error).status(),
            base,
        }
    }
}

async fn write(
    console: &Console,
    request: &Request,
    form: &Form,
    rule: &SimpleRule,
) -> Result<String, Wrong> {
    let wrong = |error: EditError| Wrong::new(request, form, error);
    let disk = match console.editor.file(&form.file).await {
        Ok(disk) => Some(disk),
        Err(EditError::NoFile(_)) if form.rule.is_empty() => None,
        Err(error) => return Err(wrong(error)),
    };
    let text = disk.as_ref().map_or("", |disk| disk.text.as_str());
    let new = if form.rule.is_empty() {
        add_simple_rule(text, rule)
    } else {
        change_simple_rule(text, &form.rule, rule)
    };
    let new = new.map_err(|error| wrong(error.into()))?;
    // A new rule goes to the end of whatever is there.
    let base = match form.rule.as_str() {
        "" => disk.map(|disk| disk.hash.to_string()),
        _ => Some(form.base.clone()),
    };
    let changes = vec![change(&form.file, base.as_deref(), Some(new))];
    let saved = candidate::save(console, &request.who.name, "rules.save", changes)
        .await
        .map_err(wrong)?;
    if !saved.refused.is_empty() {
        // It is on the disk, but another rule answers: the editor says why.
        return Ok(address::saved(&form.file));
    }
    // The rule's own page, under an app that it serves; one that is disabled has it too.
    let outlines = console.rules.live().borrow().outline();
    let outline = outlines.iter().find(|outline| outline.rule.as_str() == rule.name);
    let app = outline.and_then(|outline| {
        let mut apps = console.apps.iter().map(|app| &app.name);
        apps.find(|app| outline.serves(app))
    });
    Ok(match app {
        Some(app) => address::rule(app.as_str(), &rule.name),
        None => address::edit(&form.file, 1),
    })
}
