//! WeChat's answer to get_current_autoreply_info: the replies that were made in its backend.
//!
//! Blocks that are not used are missing, keyword lists may be empty, a picture is an `img`. Media ids in it end after
//! three days, so that none is worth keeping.

use serde_json::Value;

use super::draft::{Draft, Drafts, When};
use super::{Note, Refused};
use crate::wechat::errcode;

const BLOCKS: [&str; 3] = [
    "keyword_autoreply_info",
    "message_default_autoreply_info",
    "add_friend_autoreply_info",
];

pub(super) fn read(text: &str) -> Result<Drafts, Refused> {
    let answer: Value = serde_json::from_str(text).map_err(|error| Refused::Json(error.to_string()))?;
    if let Some(code) = answer["errcode"].as_i64().filter(|code| *code != 0) {
        let said = answer["errmsg"].as_str().unwrap_or_default();
        return Err(Refused::Errcode {
            code,
            meaning: meaning(code),
            said: if said.is_empty() {
                String::new()
            } else {
                format!(" (WeChat says: {said})")
            },
        });
    }
    if !BLOCKS.iter().any(|block| answer.get(block).is_some()) {
        return Err(Refused::NotAutoreply);
    }
    let mut drafts = Drafts::default();
    let (mut exact, mut contained) = (Vec::new(), Vec::new());
    for rule in list(&answer["keyword_autoreply_info"]["list"]) {
        keyword_rule(rule, &mut exact, &mut contained);
    }
    // A message that is a keyword also contains it: who asks for the whole must be asked first.
    drafts.rules.extend(exact);
    drafts.rules.extend(contained);
    if let Some(reply) = block(&answer, "add_friend_autoreply_info") {
        let mut draft = Draft::new("关注后回复", When::Subscribe);
        take(&mut draft, reply);
        draft.note(
            "nobody follows a mini program: only an Official Account gets this event",
            "to greet who opens a mini program's chat, write when.event = \"user_enter_tempsession\"",
        );
        finish(&mut drafts, draft, &answer["is_add_friend_reply_open"]);
    }
    if let Some(reply) = block(&answer, "message_default_autoreply_info") {
        let mut draft = Draft::new("默认回复", When::Otherwise);
        take(&mut draft, reply);
        finish(&mut drafts, draft, &Value::Null);
    }
    for draft in &mut drafts.rules {
        draft.tidy();
    }
    if is_off(&answer["is_autoreply_open"]) {
        let rules = drafts
            .rules
            .iter_mut()
            .filter(|draft| draft.when != When::Subscribe);
        rules.for_each(|draft| draft.enabled = false);
        drafts.notes.push(Note {
            rule: None,
            what: "auto-replies are switched off in WeChat's backend (is_autoreply_open = 0), so these rules are disabled".to_owned(),
            advice: "delete `enabled = false` where a rule is wanted".to_owned(),
        });
    }
    Ok(drafts)
}

/// What an error of this call means; some codes mean something special here.
fn meaning(code: i64) -> &'static str {
    match code {
        48001 => {
            "this account may not ask for its auto-replies; only Official Accounts have them, mini programs have none"
        }
        code => errcode(code).1,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A block that says something.
fn block<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    answer
        .get(name)
        .filter(|block| block["type"].is_string() || block["content"].is_string())
}

fn is_off(flag: &Value) -> bool {
    matches!(flag.as_i64(), Some(0)) || matches!(flag.as_str(), Some("0")) || flag.as_bool() == Some(false)
}

fn finish(drafts: &mut Drafts, mut draft: Draft, flag: &Value) {
    if is_off(flag) {
        draft.enabled = false;
        draft.note(
            "it is switched off in WeChat's backend, so it is disabled",
            "delete `enabled = false` if it is wanted",
        );
    }
    drafts.rules.push(draft);
}

/// One rule of the backend. It may hold words of both kinds, any of which is enough; a rule of ours wants all its
/// conditions, so that it becomes two.
fn keyword_rule(rule: &Value, exact: &mut Vec<Draft>, contained: &mut Vec<Draft>) {
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    for keyword in list(&rule["keyword_list_info"]) {
        let Some(word) = keyword["content"].as_str() else {
            continue;
        };
        match keyword["match_mode"].as_str() {
            Some("equal") => whole.push(word.to_owned()),
            _ => parts.push(word.to_owned()),
        }
    }
    let first = parts.first().or(whole.first()).map(String::as_str);
    let name = rule["rule_name"].as_str().filter(|name| !name.trim().is_empty());
    let name = name.or(first).unwrap_or("未命名");
    let mut both = Draft::new(name, When::Keywords(Vec::new()));
    both.random = rule["reply_mode"].as_str() == Some("random_one");
    for reply in list(&rule["reply_list_info"]) {
        take(&mut both, reply);
    }
    if !whole.is_empty() && !parts.is_empty() {
        let mut other = Draft::new(&format!("{name}（全匹配）"), When::Exact(whole));
        other.replies = both.replies.clone();
        other.random = both.random;
        other.notes = both.notes.clone();
        exact.push(other);
        both.when = When::Keywords(parts);
        contained.push(both);
    } else if whole.is_empty() {
        both.when = When::Keywords(parts);
        contained.push(both);
    } else {
        both.when = When::Exact(whole);
        exact.push(both);
    }
}

/// Takes one reply over, as far as it goes.
fn take(draft: &mut Draft, reply: &Value) {
    let content = reply["content"].as_str().unwrap_or_default();
    let kind = reply["type"].as_str().unwrap_or_default();
    match kind {
        "text" => draft.replies.push(content.to_owned()),
        "news" => news(draft, reply),
        "img" | "image" => draft.note(
            "a picture was not carried over: WeChat gives only a media_id, which ends after three days",
            "save the picture beside this file, and add { image = \"images/….png\" } to its reply",
        ),
        "voice" | "video" => draft.note(
            format!(
                "a {kind} reply was not carried over: it can't be sent by a mini program, nor by this version"
            ),
            "say it in a text, or put it on a page and send a link",
        ),
        other => draft.note(
            format!("a reply of the kind {other:?} was not carried over: it is not known here"),
            "look at it in WeChat's backend, and write it anew",
        ),
    }
}

/// Articles become a text with their titles and addresses: there is no such card to send.
fn news(draft: &mut Draft, reply: &Value) {
    let mut lines = Vec::new();
    for article in list(&reply["news_info"]["list"]) {
        let part = |name: &str| article[name].as_str().unwrap_or_default().trim();
        let address = [part("content_url"), part("source_url")]
            .into_iter()
            .find(|address| !address.is_empty());
        if let Some(address) = address {
            lines.push(part("title"));
            lines.push(address);
        }
    }
    lines.retain(|line| !line.is_empty());
    if lines.is_empty() {
        draft.note(
            "a card of articles (news) was not carried over: WeChat does not say where it leads",
            "open it in WeChat's backend, and write its address into a text or a link",
        );
        return;
    }
    draft.replies.push(lines.join("\n"));
    draft.note(
        "a card of articles (news) became a text with its titles and addresses",
        "for a mini program, a link card may look better: { link = { title, description, url, thumb_url } }",
    );
}
