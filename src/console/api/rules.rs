//! Rules: those in force, their files, and what is tried on the side.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::candidate::{self, Attempt, Check, Edit, Replay, SavedFiles, Trial, change};
use crate::console::data::rules::{self, RuleDetail, Rules, Simple, Window};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::editing::{EditError, Progress, SimpleRule, TextHash, add_simple_rule, change_simple_rule};
use crate::message::AppName;

/// The rules in force, in the order in which they are tried, with their hits and what is wrong with them.
#[utoipa::path(
    get,
    path = "/api/rules",
    tag = "rules",
    params(Window),
    responses(
        (status = 200, description = "The rules", body = Rules),
        (status = 400, description = "The query can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No app has this name", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    json(&rules::rules(&console, &request.query()?).await?)
}

/// One rule of an app: its source, its tests, the last messages that it took.
#[utoipa::path(
    get,
    path = "/api/rules/{app}/{rule}",
    tag = "rules",
    params(("app" = String, Path, description = "An app that the rule serves"), ("rule" = String, Path, description = "The rule's name"), Window),
    responses(
        (status = 200, description = "The rule", body = RuleDetail),
        (status = 400, description = "The query can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The app has no rule of this name", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn one(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, rule): (String, String) = (request.param(0)?, request.param(1)?);
    json(&rules::rule(&console, &AppName::from(app), &rule, &request.query()?).await?)
}

/// The rule files on the disk.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct RuleFiles {
    /// In the order in which their rules are tried.
    files: Vec<RuleFile>,
}

/// One rule file on the disk.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct RuleFile {
    /// Its path within the rules folder.
    path: String,
    /// The hash of its text: the `base` of a change.
    #[schema(value_type = String)]
    hash: TextHash,
    /// Its text.
    text: String,
}

/// The rule files on the disk.
#[utoipa::path(
    get,
    path = "/api/rules/files",
    tag = "rules",
    responses(
        (status = 200, description = "The files", body = RuleFiles),
        (status = 503, description = "They can't be read", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn files(console: Arc<Console>, _: Request) -> Result<Response, Problem> {
    let files = console.editor.files().await?.into_iter();
    let files = files.map(|file| RuleFile {
        path: file.path,
        hash: file.hash,
        text: file.text,
    });
    json(&RuleFiles {
        files: files.collect(),
    })
}

/// One rule file on the disk.
#[utoipa::path(
    get,
    path = "/api/rules/files/{path}",
    tag = "rules",
    params(("path" = String, Path, description = "Its path within the rules folder, `/` written as %2F")),
    responses(
        (status = 200, description = "The file", body = RuleFile),
        (status = 404, description = "There is no such file", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No rule file has such a path", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It can't be read", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn file(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let path: String = request.param(0)?;
    let file = console.editor.file(&path).await?;
    json(&RuleFile {
        path: file.path,
        hash: file.hash,
        text: file.text,
    })
}

/// A rule file as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct NewText {
    /// The hash of the text that the change starts from; absent or null for a file that is not there yet.
    #[serde(default)]
    base: Option<String>,
    /// The new text.
    text: String,
}

/// Writes a rule file and loads the rules. Refused when the file is not what `base` says any more, when the rules would have
/// an error, or when one of their tests would fail.
#[utoipa::path(
    put,
    path = "/api/rules/files/{path}",
    tag = "rules",
    params(("path" = String, Path, description = "Its path within the rules folder, `/` written as %2F")),
    request_body = NewText,
    responses(
        (status = 200, description = "It is on the disk", body = SavedFiles),
        (status = 409, description = "The file was changed meanwhile, or can't be written", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The rules can't be used like this; `findings` says why", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many are checking rules", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn write(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let path: String = request.param(0)?;
    let new: NewText = request.json()?;
    let changes = vec![change(&path, new.base.as_deref(), Some(new.text))];
    json(&candidate::save(&console, &request.who.name, "rules.save", changes).await?)
}

/// Which text is deleted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct Base {
    /// The hash of the text that is deleted.
    base: String,
}

/// Deletes a rule file and loads the rules, under the same conditions as a change.
#[utoipa::path(
    delete,
    path = "/api/rules/files/{path}",
    tag = "rules",
    params(("path" = String, Path, description = "Its path within the rules folder, `/` written as %2F"), Base),
    responses(
        (status = 200, description = "It is gone", body = SavedFiles),
        (status = 400, description = "The query can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such file", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The file was changed meanwhile, or can't be written", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The rules can't be used like this; `findings` says why", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many are checking rules", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn delete(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let path: String = request.param(0)?;
    let base: Base = request.query()?;
    let changes = vec![change(&path, Some(&base.base), None)];
    json(&candidate::save(&console, &request.who.name, "rules.delete", changes).await?)
}

/// Rules as they would be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Candidate {
    /// The files that would change; the others are those on the disk.
    files: Vec<Edit>,
    /// Whether to tell what the tests exercise too.
    #[serde(default)]
    coverage: bool,
}

/// Looks at rules as they would be: findings, tests, normal forms of keywords, the difference to the disk. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/rules/check",
    tag = "rules",
    request_body = Candidate,
    responses(
        (status = 200, description = "What is to be said of them", body = Check),
        (status = 422, description = "No rule file has such a path", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many are checking rules", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The files on the disk can't be read", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn check(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let Candidate { files, coverage } = request.json()?;
    json(&candidate::check(&console, &files, coverage).await?)
}

/// Tries a message on the rules in force, or on rules as they would be. Sends and records nothing.
#[utoipa::path(
    post,
    path = "/api/rules/try",
    tag = "rules",
    request_body = Attempt,
    responses(
        (status = 200, description = "What they make of it", body = Trial),
        (status = 404, description = "No app has this name", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The rules can't be used", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many are checking rules", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn attempt(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    json(&candidate::attempt(&console, &request.json()?).await?)
}

/// Files that would change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Replayed {
    /// The files that would change; the others are those on the disk.
    files: Vec<Edit>,
}

/// Judges the messages of the last 14 days by the rules in force and by rules as they would be: what would change. One at a
/// time; takes seconds.
#[utoipa::path(
    post,
    path = "/api/rules/replay",
    tag = "rules",
    request_body = Replayed,
    responses(
        (status = 200, description = "What would change", body = Replay),
        (status = 422, description = "The rules can't be used", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Somebody else's are being judged", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn replay(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let Replayed { files } = request.json()?;
    json(&candidate::replay(&console, &files).await?)
}

/// How far a replay is.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Running {
    /// Absent while none is going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
}

/// How far the replay is that is going on.
#[utoipa::path(
    get,
    path = "/api/rules/replay",
    tag = "rules",
    responses(
        (status = 200, description = "How far it is", body = Running),
    ),
)]
pub(in crate::console) async fn progress(console: Arc<Console>, _: Request) -> Result<Response, Problem> {
    let progress = *console.editor.progress().borrow();
    json(&Running { progress })
}

/// A rule of the simple form, and where it goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct SimpleChange {
    /// The file's path within the rules folder.
    #[schema(example = "shop.toml")]
    file: String,
    /// The name of the rule that is changed; absent, a new one is added at the end of the file, which is made if need be.
    #[serde(default)]
    change: Option<String>,
    /// The hash of the file's text that the change starts from; absent, the file as it is now.
    #[serde(default)]
    base: Option<String>,
    /// The rule.
    rule: Simple,
}

/// Adds or changes a rule of the simple form: comments and layout of its file stay. Under the same conditions as a change of
/// the file.
#[utoipa::path(
    post,
    path = "/api/rules/simple",
    tag = "rules",
    request_body = SimpleChange,
    responses(
        (status = 200, description = "It is on the disk", body = SavedFiles),
        (status = 404, description = "There is no such file", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The file was changed meanwhile, or can't be written", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The rule says more than the form can, or the rules can't be used like this", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many are checking rules", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn simple(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let SimpleChange {
        file,
        change: name,
        base,
        rule,
    } = request.json()?;
    let rule: SimpleRule = rule.into();
    if rule.keywords.is_empty() {
        return Err(Problem::unprocessable("a rule of the simple form has a keyword"));
    }
    let disk = match console.editor.file(&file).await {
        Ok(disk) => Some(disk),
        Err(EditError::NoFile(_)) if name.is_none() => None,
        Err(error) => return Err(error.into()),
    };
    let text = disk.as_ref().map_or("", |disk| disk.text.as_str());
    let text = match &name {
        Some(name) => change_simple_rule(text, name, &rule),
        None => add_simple_rule(text, &rule),
    };
    let text = text.map_err(EditError::from)?;
    let base = base.or_else(|| disk.map(|disk| disk.hash.to_string()));
    let changes = vec![change(&file, base.as_deref(), Some(text))];
    json(&candidate::save(&console, &request.who.name, "rules.save", changes).await?)
}

/// Which rules are in force.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Reloaded {
    /// The version in force.
    version: String,
}

/// Loads the rules on the disk. What can't be used changes nothing.
#[utoipa::path(
    post,
    path = "/api/rules/reload",
    tag = "rules",
    responses(
        (status = 200, description = "They are in force", body = Reloaded),
        (status = 422, description = "They can't be used; the detail says why", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn reload(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let reloaded = console.rules.reload().await;
    let version = reloaded.map_err(|findings| Problem::unprocessable(findings.join("\n\n")))?;
    let detail = serde_json::json!({ "version": version });
    console
        .store
        .audit(&request.who.name, "rules.reload", "", detail)
        .await?;
    json(&Reloaded {
        version: version.as_str().to_owned(),
    })
}
