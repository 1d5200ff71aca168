//! One message: what it says, where it stands, and why.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use warp::reply::Response;

use super::address;
use super::bubble::{Body, Bubble, Shown, Style, bubble};
use super::thread::pictures;
use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::explanation::{Condition, Explanation, Near, Rules, Tried};
use crate::console::html::html;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::status::tone;
use crate::console::words::{filled, filled_all, told, why};
use crate::message::{Direction, Entry, MessageId};

#[derive(Template)]
#[template(path = "message.html", config = "src/console/askama.toml")]
struct MessagePage {
    frame: Frame,
    bubble: Bubble,
    facts: Facts,
    why: Option<Why>,
    /// Why there is no why.
    no_why: Option<&'static str>,
    /// What should be known of the explanation.
    notes: Vec<&'static str>,
}

/// What the row says of itself.
struct Facts {
    id: String,
    app: String,
    openid: String,
    thread: String,
    status: String,
    tone: &'static str,
    rule: Option<(String, String)>,
    rule_set: Option<String>,
    kind: String,
    reply_to: Option<String>,
    attempts: u32,
    errcode: Option<i64>,
    author: Option<String>,
}

/// Why, as it is drawn.
struct Why {
    /// Where the other rules are asked, and their name.
    other: Option<(String, &'static str)>,
    note: &'static str,
    normal_form: Option<String>,
    status: String,
    tone: &'static str,
    rule: Option<(String, String)>,
    transfer: bool,
    replies: Vec<(String, String, Option<String>)>,
    then: Vec<String>,
    cost: String,
    observed: Vec<String>,
    nearest: Vec<NearLine>,
    /// Rules that are worth a look, and all the others.
    rules: Vec<RuleLine>,
    others: Vec<RuleLine>,
    draft: Option<String>,
}

struct NearLine {
    rule: String,
    href: String,
    place: String,
    text: String,
}

struct RuleLine {
    rule: String,
    href: String,
    place: String,
    priority: Option<i64>,
    matched: bool,
    asked: bool,
    decided: bool,
    /// The first condition that failed.
    failed: Option<(String, String)>,
    /// All of them: key, words, whether it held.
    conditions: Vec<(String, String, bool)>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct PageQuery {
    as_logged: Option<bool>,
}

/// `GET /messages/{id}`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let id: MessageId = request.param(0)?;
    let query: PageQuery = request.query()?;
    let entry = console.store.entry(id).await?.ok_or_else(Problem::not_found)?;
    let w = request.lang.words().messages;
    let frame = Frame::new(&console, &request, Place::Conversations, w.message);
    let wanted = match query.as_logged {
        Some(false) => Rules::Now,
        _ => Rules::Then,
    };
    let mut notes = Vec::new();
    let mut no_why = None;
    let mut why = None;
    if entry.author.is_some() {
        no_why = Some(w.by_hand_note);
    } else if entry.status == "malformed" {
        no_why = Some(w.malformed_note);
    } else {
        if entry.direction == Direction::Out {
            notes.push(w.reply_note);
        }
        match console.explain(id, wanted).await {
            Ok(explanation) => why = Some(told_why(&frame, explanation, id)),
            Err(problem) if problem.status() == http::StatusCode::NOT_FOUND => no_why = Some(w.asked_gone),
            Err(problem) => return Err(problem),
        }
    }
    let entries = [entry];
    let pictures = pictures(&console.store, &frame, &entries).await?;
    let [entry] = entries;
    let style = Style {
        w: frame.w,
        watch: &frame.watch,
        wanted: "",
        sought: None,
        pictures: &pictures,
    };
    let bubble = bubble(&entry, &style);
    html(&MessagePage {
        facts: facts(&frame, &entry),
        bubble,
        why,
        no_why,
        notes,
        frame,
    })
}

fn facts(frame: &Frame, entry: &Entry) -> Facts {
    let status = frame.w.status;
    let id = entry.id.to_string();
    Facts {
        app: entry.app.to_string(),
        openid: entry.openid.to_string(),
        thread: address::message(entry.app.as_str(), entry.openid.as_str(), "", &id),
        status: status.of(&entry.status).to_owned(),
        tone: tone(&entry.status),
        rule: entry
            .rule
            .as_ref()
            .map(|rule| (rule.to_string(), address::rule(entry.app.as_str(), rule.as_str()))),
        rule_set: entry.rule_set.as_ref().map(ToString::to_string),
        kind: match &entry.event {
            Some(event) => event.clone(),
            None => entry.msg_type.clone(),
        },
        reply_to: entry.reply_to.map(|id| id.to_string()),
        attempts: entry.attempts,
        errcode: entry.errcode,
        author: entry.author.clone(),
        id,
    }
}

fn told_why(frame: &Frame, explanation: Explanation, id: MessageId) -> Why {
    let (w, lang) = (frame.w.messages, frame.lang);
    let app = explanation.message.app.clone();
    let note = match (explanation.then_missing, explanation.rules_of, explanation.same) {
        (true, ..) => w.then_gone,
        (_, Rules::Then, true) | (_, Rules::Now, true) => w.same_rules,
        (_, Rules::Then, false) => w.by_then,
        (_, Rules::Now, false) => w.by_now,
    };
    let other = match (explanation.same || explanation.then_missing, explanation.rules_of) {
        (true, _) => None,
        (false, Rules::Then) => Some((format!("/messages/{id}?as_logged=false"), w.now_rules)),
        (false, Rules::Now) => Some((format!("/messages/{id}"), w.then_rules)),
    };
    let decided = explanation.rule.clone();
    let near: Vec<(String, usize)> = explanation
        .nearest
        .iter()
        .map(|near| (near.file.clone(), near.line))
        .collect();
    let (worth, rest): (Vec<Tried>, Vec<Tried>) = explanation.rules.into_iter().partition(|tried| {
        tried.matched && tried.asked
            || near
                .iter()
                .any(|(file, line)| *file == tried.file && *line == tried.line)
    });
    let line = |tried: Tried| rule_line(frame, &app, tried, decided.as_deref());
    let message = &explanation.message;
    let unanswered = explanation.status == "unmatched" && message.msg_type == "text";
    let mut then = Vec::new();
    let when = |time: &jiff::Timestamp| frame.watch.full(time);
    match &explanation.new_state {
        Some(state) if state.name.is_empty() => then.push(w.no_state.to_owned()),
        Some(state) => {
            let until = state.until.as_ref().map(&when).unwrap_or_default();
            then.push(filled_all(w.becomes_state, &[&state.name, &until]));
        }
        None => {}
    }
    if let Some(until) = &explanation.muted_until {
        then.push(filled(w.becomes_muted, when(until)));
    }
    for cooldown in &explanation.cooldowns {
        let text = if cooldown.per_app {
            w.cooldown_for_all
        } else {
            w.cooldown_for_one
        };
        then.push(filled_all(text, &[&cooldown.rule, &when(&cooldown.until)]));
    }
    if explanation.misses > 0 {
        then.push(filled(w.misses, explanation.misses));
    }
    let cost = match explanation.cost.until {
        None => w.cost_none.to_owned(),
        Some(_) => {
            let cost = &explanation.cost;
            filled_all(
                if cost.reserve == 0 { w.cost } else { w.cost_reserve },
                &[
                    &cost.used.to_string(),
                    &cost.left_after.to_string(),
                    &cost.reserve.to_string(),
                ],
            )
        }
    };
    Why {
        other,
        note,
        normal_form: explanation.normal_form,
        status: frame.w.status.of(&explanation.status).to_owned(),
        tone: tone(&explanation.status),
        rule: explanation
            .rule
            .map(|rule| (rule.clone(), address::rule(&app, &rule))),
        transfer: explanation.transfer.is_some(),
        replies: explanation
            .replies
            .into_iter()
            .map(|sent| {
                let dropped = sent.dropped.map(|reason| told(lang, &reason).into_owned());
                let kind = match sent.msg_type.as_str() {
                    "text" => String::new(),
                    kind => frame.w.status.kind(kind).to_owned(),
                };
                (kind, sent.content, dropped)
            })
            .collect(),
        then,
        cost,
        observed: explanation.observed,
        nearest: explanation
            .nearest
            .into_iter()
            .map(|near| near_line(frame, &app, near))
            .collect(),
        rules: worth.into_iter().map(&line).collect(),
        others: rest.into_iter().map(&line).collect(),
        draft: message
            .content
            .as_deref()
            .filter(|_| unanswered)
            .map(|text| address::draft(&app, text)),
    }
}

fn rule_line(frame: &Frame, app: &str, tried: Tried, decided: Option<&str>) -> RuleLine {
    let lang = frame.lang;
    let words = |condition: &Condition| {
        let why = why::condition(lang, &condition.key, &condition.why);
        (why::key(lang, &condition.key), why)
    };
    RuleLine {
        href: address::rule(app, &tried.rule),
        place: format!("{}:{}", tried.file, tried.line),
        priority: (tried.priority != 0).then_some(tried.priority),
        matched: tried.matched,
        asked: tried.asked,
        decided: tried.matched && tried.asked && decided == Some(&tried.rule),
        failed: tried.first_failed().map(words),
        conditions: tried
            .conditions
            .iter()
            // That a rule for texts is asked about a text goes without saying.
            .filter(|condition| !(condition.key == "kind" && condition.held))
            .map(|condition| {
                let (key, why) = words(condition);
                (key, why, condition.held)
            })
            .collect(),
        note: tried.note.as_deref().map(|note| why::note(lang, note)),
        rule: tried.rule,
    }
}

fn near_line(frame: &Frame, app: &str, near: Near) -> NearLine {
    NearLine {
        href: address::rule(app, &near.rule),
        place: format!("{}:{}", near.file, near.line),
        text: near_text(frame, &near),
        rule: near.rule,
    }
}

/// What a rule that nearly matched lacked.
pub(super) fn near_text(frame: &Frame, near: &Near) -> String {
    let (w, lang) = (frame.w.messages, frame.lang);
    match (near.lack, &near.word) {
        (_, None) => {
            let words = why::condition(lang, &near.key, &near.why);
            filled_all(w.near_condition, &[&why::key(lang, &near.key), &words])
        }
        (lack, Some(word)) => {
            let pattern = if lack == crate::console::data::explanation::LackKind::Homophone {
                w.near_sound
            } else {
                w.near_spelling
            };
            filled_all(pattern, &[&word.found, &word.keyword])
        }
    }
}
