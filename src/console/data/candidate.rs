//! Rules as they would be: what is found in them, what they make of a message, what would change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::app;
use super::explanation::{Condition, Near};
use super::finding::{Finding, Spot};
use super::on_a_thread;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::editing::{
    Change, Checked, Diff, EditError, Edits, Keyword, Saved, TextHash, WhatChanges, diff, keywords,
};
use crate::message::{Answer, AppName, OpenId};
use crate::rehearsal::{Decider, Fate, Kind};
use crate::rules::{RuleSet, RuleTrace};
use crate::story::{Case, Described, Story};

/// A file as it would be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Edit {
    /// Its path within the rules folder.
    #[schema(example = "shop.toml")]
    pub path: String,
    /// Its text; absent or null, it would be gone.
    #[serde(default)]
    pub text: Option<String>,
}

/// Edits as the engine room wants them.
pub(in crate::console) fn edits(files: &[Edit]) -> Edits {
    files.iter().fold(Edits::none(), |edits, file| match &file.text {
        Some(text) => edits.write(&file.path, text.as_str()),
        None => edits.delete(&file.path),
    })
}

/// What is to be said of rules as they would be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Check {
    /// Whether a reload would take them.
    pub usable: bool,
    /// The version that they would have; absent when they do not load.
    pub version: Option<String>,
    /// Whether that is the one in force.
    pub in_force: bool,
    /// How many rules are enabled.
    pub rules: usize,
    /// All findings, by file and place.
    pub findings: Vec<Finding>,
    /// How their tests went.
    pub tests: Tests,
    /// What the tests exercise; absent when nobody asked, or when they do not load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The edited files.
    pub files: Vec<EditedFile>,
}

/// How tests went.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Tests {
    /// How many passed.
    pub passed: usize,
    /// Those that failed.
    pub failed: Vec<FailedTest>,
}

/// A test that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct FailedTest {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Spot,
    /// The messages that were not taken as it expects.
    pub failures: Vec<FailedMessage>,
}

/// A message that was not taken as a test expects.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct FailedMessage {
    /// The message, in words.
    pub message: String,
    /// What was expected and what came instead, line by line.
    pub lines: Vec<String>,
}

/// What tests exercise.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Coverage {
    /// Rules and conditions that are exercised.
    pub exercised: usize,
    /// All of them.
    pub counted: usize,
}

/// What is to be said of one edited file.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct EditedFile {
    /// Its path.
    pub path: String,
    /// Its words and their normal forms.
    pub keywords: Vec<Keyword>,
    /// How it differs from the disk.
    pub diff: Diff,
}

impl Check {
    fn of(checked: &Checked, files: Vec<EditedFile>) -> Self {
        let failed = checked.tests.iter().filter(|test| !test.failures.is_empty());
        let failed: Vec<FailedTest> = failed
            .map(|test| FailedTest {
                name: test.name.clone(),
                place: Spot::of(&test.place),
                failures: test
                    .failures
                    .iter()
                    .map(|failure| FailedMessage {
                        message: failure.message.clone(),
                        lines: failure.lines(),
                    })
                    .collect(),
            })
            .collect();
        Self {
            usable: checked.is_usable(),
            version: checked
                .version
                .as_ref()
                .map(|version| version.as_str().to_owned()),
            in_force: checked.in_force,
            rules: checked.rules,
            findings: Finding::all(&checked.findings),
            tests: Tests {
                passed: checked.tests.len() - failed.len(),
                failed,
            },
            coverage: checked.coverage.as_ref().map(|covered| Coverage {
                exercised: covered.exercised,
                counted: covered.counted,
            }),
            files,
        }
    }

    /// How many findings are no errors.
    pub fn warnings(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.is_error()).count()
    }
}

/// Looks at rules as they would be.
pub(in crate::console) async fn check(
    console: &Console,
    files: &[Edit],
    coverage: bool,
) -> Result<Check, Problem> {
    let checked = console.editor.check(edits(files), coverage).await?;
    let mut told = Vec::with_capacity(files.len());
    for file in files {
        let disk = match console.editor.file(&file.path).await {
            Ok(disk) => disk.text,
            Err(EditError::NoFile(_)) => String::new(),
            Err(error) => return Err(error.into()),
        };
        let (path, text) = (file.path.clone(), file.text.clone().unwrap_or_default());
        let edited = move || EditedFile {
            path,
            keywords: keywords(&text),
            diff: diff(&disk, &text),
        };
        told.push(on_a_thread(edited).await?);
    }
    Ok(Check::of(&checked, told))
}

/// What became of a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SavedRules)]
pub(in crate::console) struct SavedFiles {
    /// The version in force.
    pub version: String,
    /// Why that is not what is on the disk; empty when it is.
    pub refused: Vec<String>,
}

/// Saves files, and notes who did.
pub(in crate::console) async fn save(
    console: &Console,
    who: &str,
    action: &str,
    changes: Vec<Change>,
) -> Result<SavedFiles, EditError> {
    let paths: Vec<String> = changes.iter().map(|change| change.path.clone()).collect();
    let before = console.rules.status().version;
    let Saved { version, refused } = console.editor.save(changes).await?;
    let detail = serde_json::json!({ "before": before, "version": version });
    console
        .store
        .audit(who, action, &paths.join(", "), detail)
        .await?;
    Ok(SavedFiles {
        version: version.as_str().to_owned(),
        refused,
    })
}

/// One change of one file.
pub(in crate::console) fn change(path: &str, base: Option<&str>, text: Option<String>) -> Change {
    Change {
        path: path.to_owned(),
        base: base.filter(|base| !base.is_empty()).map(TextHash::from_hex),
        text,
    }
}

/// A message to try on rules.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Attempt {
    /// The files as they would be; without any, the rules in force are asked.
    #[serde(default)]
    pub files: Vec<Edit>,
    /// What the customer writes.
    #[serde(default)]
    pub text: Option<String>,
    /// `MsgType`; absent, it is an event when there is an `event`, else a text.
    #[serde(default)]
    pub msg_type: Option<String>,
    /// `Event`
    #[serde(default)]
    pub event: Option<String>,
    /// The app that is written to; absent, the first one.
    #[serde(default)]
    pub app: Option<String>,
    /// Who writes; absent, somebody of whom nothing is known.
    #[serde(default)]
    pub openid: Option<String>,
    /// When; absent, now.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// What rules make of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Trial {
    /// The version of the rules.
    pub version: String,
    /// The app.
    pub app: String,
    /// When.
    pub at: Timestamp,
    /// The text as it is compared.
    pub normal_form: Option<String>,
    /// How it is taken.
    #[schema(example = "matched")]
    pub status: String,
    /// The rule that decides.
    pub rule: Option<String>,
    /// Rules that only watch, and would have answered.
    pub observed: Vec<String>,
    /// The agent, or an empty text for whoever is there, when it is handed to a person.
    pub transfer: Option<String>,
    /// What would go out.
    pub replies: Vec<TrialReply>,
    /// The rules that nearly matched, in words.
    pub nearest: Vec<TrialMiss>,
    /// Every rule that was asked, in the order tried, the first hundred.
    pub asked: Vec<TrialRule>,
}

/// A reply that would go out.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct TrialReply {
    /// Its `msgtype`.
    pub msg_type: String,
    /// The text, or what stands for it.
    pub text: String,
    /// When.
    pub due: Timestamp,
    /// Whether quota would drop it.
    pub dropped: bool,
}

/// A rule that nearly matched.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct TrialMiss {
    /// The rule.
    pub rule: String,
    /// What to make of it.
    pub suggestion: String,
    /// The same, taken apart for the pages.
    #[serde(skip)]
    pub near: Near,
}

/// What one rule made of the message.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct TrialRule {
    /// The rule.
    pub rule: String,
    /// Whether all its conditions held.
    pub matched: bool,
    /// The first condition that did not hold, or what else became of it.
    pub why: Option<String>,
    /// That condition, taken apart for the pages.
    #[serde(skip)]
    pub failed: Option<Condition>,
    /// What else became of it.
    #[serde(skip)]
    pub note: Option<String>,
}

/// Rules that are asked are told up to here.
const ASKED: usize = 100;

/// Tries a message.
pub(in crate::console) async fn attempt(console: &Console, attempt: &Attempt) -> Result<Trial, Problem> {
    let app = match attempt.app.as_deref().filter(|app| !app.is_empty()) {
        Some(wanted) => app::named(console, wanted)?,
        None => console
            .apps
            .first()
            .ok_or_else(|| Problem::unprocessable("no app is configured"))?,
    };
    let now = attempt.at.unwrap_or_else(|| console.clock.now());
    let openid = attempt.openid.clone().filter(|openid| !openid.is_empty());
    let described = Described {
        msg_type: attempt.msg_type.clone(),
        event: attempt.event.clone(),
        text: attempt.text.clone(),
        fields: Vec::new(),
    };
    let user: OpenId = openid.as_deref().unwrap_or("oTest").into();
    let inbound = described.inbound(&app.name, &app.app_id, &user, now);
    let mut case = Case::new(inbound);
    if openid.is_some() {
        (case.contact, case.app_cooldowns) = console.store.contact(&app.name, &user).await?;
    }
    let (policies, app) = (console.rules.policies().clone(), app.name.clone());
    let told = move |set: &RuleSet| Trial::of(&Story::of(&case, set, &policies), &app);
    if attempt.files.is_empty() {
        let live = console.rules.live().borrow().clone();
        return on_a_thread(move || told(&live)).await;
    }
    let set = console.editor.candidate_set(edits(&attempt.files)).await?;
    on_a_thread(move || told(&set)).await
}

impl Trial {
    fn of(story: &Story<'_>, app: &AppName) -> Self {
        let asked = story.rules.iter().filter(|trace| trace.asked || trace.matched);
        Self {
            version: story.rule_set.as_str().to_owned(),
            app: app.as_str().to_owned(),
            at: story.at,
            normal_form: story.normal_form.clone(),
            status: story.status.as_str().to_owned(),
            rule: story.rule.as_ref().map(|rule| rule.as_str().to_owned()),
            observed: story
                .observed
                .iter()
                .map(|rule| rule.as_str().to_owned())
                .collect(),
            transfer: match &story.answer {
                Answer::Transfer(agent) => Some(agent.clone().unwrap_or_default()),
                Answer::Success => None,
            },
            replies: story
                .replies
                .iter()
                .map(|sent| TrialReply {
                    msg_type: sent.msg_type.to_owned(),
                    text: sent.reply.summary(),
                    due: sent.due,
                    dropped: sent.dropped.is_some(),
                })
                .collect(),
            nearest: story
                .nearest
                .iter()
                .map(|miss| TrialMiss {
                    rule: miss.rule.as_str().to_owned(),
                    suggestion: miss.suggestion.clone(),
                    near: Near::from(miss.clone()),
                })
                .collect(),
            asked: asked.take(ASKED).map(TrialRule::of).collect(),
        }
    }
}

impl TrialRule {
    fn of(trace: &RuleTrace) -> Self {
        let failed = trace.conditions.iter().find(|condition| !condition.held);
        Self {
            rule: trace.rule.as_str().to_owned(),
            matched: trace.matched,
            why: failed.map(ToString::to_string).or_else(|| trace.note.clone()),
            failed: failed.map(|failed| Condition {
                key: failed.key.clone(),
                held: failed.held,
                why: failed.why.clone(),
            }),
            note: trace.note.clone(),
        }
    }
}

/// What would change.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Replay {
    /// From when on messages were judged again.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether these are all of the last 14 days; else there were too many, and the newest were taken.
    pub complete: bool,
    /// How many messages.
    pub messages: u64,
    /// In how many of them the customer would notice a difference.
    pub changed: u64,
    /// How they differ: by kind, and within it the most frequent first.
    pub changes: Vec<ReplayChange>,
}

/// One kind of difference between the same deciders.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct ReplayChange {
    /// The kind.
    #[schema(value_type = ReplayKind)]
    pub kind: Kind,
    /// Who decides now.
    pub before: String,
    /// Who would decide.
    pub after: String,
    /// How many messages.
    pub count: u64,
    /// Similar texts together, the most frequent first.
    pub groups: Vec<ReplayGroup>,
    /// Messages that said something else.
    pub others: u64,
}

/// How the fates of a message differ.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes `Kind` in the API's document")]
pub(in crate::console) enum ReplayKind {
    /// The customer hears something, and heard nothing before.
    NewlyAnswered,
    /// The customer hears nothing any more.
    NoLongerAnswered,
    /// The customer hears something else.
    AnsweredDifferently,
    /// Of the same replies, the quota lets others through.
    Quota,
    /// The customer notices nothing.
    Unnoticed,
}

/// Similar texts.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct ReplayGroup {
    /// How many messages.
    pub count: u64,
    /// The texts, the one that stands for all first.
    pub texts: Vec<ReplayText>,
}

/// A text, and what becomes of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct ReplayText {
    /// The text.
    pub text: String,
    /// How many messages.
    pub count: u64,
    /// The first of them.
    pub id: String,
    /// What the customer hears now, reply by reply.
    pub before: Vec<String>,
    /// What the customer would hear.
    pub after: Vec<String>,
}

/// At most so many groups, and texts of each, are told.
const GROUPS: usize = 50;
const TEXTS: usize = 10;

/// Judges the messages of the last days again.
pub(in crate::console) async fn replay(console: &Console, files: &[Edit]) -> Result<Replay, Problem> {
    Ok(Replay::of(&console.editor.what_changes(edits(files)).await?))
}

impl Replay {
    fn of(changes: &WhatChanges) -> Self {
        let report = &changes.report;
        let told = report.changes.iter().map(|change| {
            let hidden = change.groups.iter().skip(GROUPS).map(|group| group.count);
            ReplayChange {
                kind: change.kind,
                before: decider(&change.before),
                after: decider(&change.after),
                count: change.count,
                others: change.others + hidden.sum::<u64>(),
                groups: change
                    .groups
                    .iter()
                    .take(GROUPS)
                    .map(|group| ReplayGroup {
                        count: group.count,
                        texts: group
                            .texts
                            .iter()
                            .take(TEXTS)
                            .map(|example| ReplayText {
                                text: example.text.clone(),
                                count: example.count,
                                id: example.id.to_string(),
                                before: heard(&example.before),
                                after: heard(&example.after),
                            })
                            .collect(),
                    })
                    .collect(),
            }
        });
        Self {
            since: changes.since,
            until: changes.until,
            complete: changes.complete,
            messages: report.messages,
            changed: report.changed(),
            changes: told.collect(),
        }
    }
}

fn decider(decider: &Decider) -> String {
    decider.to_string()
}

fn heard(fate: &Fate) -> Vec<String> {
    fate.sent().map(|reply| reply.reply.summary()).collect()
}
