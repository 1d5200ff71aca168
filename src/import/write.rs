//! From drafts to the text of a rule file, with tests that say what the engine says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use toml_edit::{Array, Value};

use super::draft::{Draft, Drafts, When};
use super::{Imported, Note, Place};
use crate::diagnostic::Source;
use crate::message::{Contact, Cooldowns, Facts, Fields, Inbound, MessageId};
use crate::rules::{RuleSet, Scope, layout, load};

/// What a test says to the rule that answers when no other does.
const NONSENSE: &str = "这句话没有人教过";

pub(super) fn write(mut drafts: Drafts, place: &Place<'_>) -> Imported {
    name(&mut drafts.rules, place);
    let bare: String = drafts.rules.iter().map(|draft| rule(draft) + "\n").collect();
    let set = compile(&bare, place);
    let mut tests = Vec::new();
    for draft in &mut drafts.rules {
        let test = set.as_ref().and_then(|set| test(draft, set));
        tests.push(test);
    }

    let mut text = String::new();
    if let Some(schema) = place.schema {
        let _ = writeln!(text, "#:schema {schema}\n");
    }
    let _ = writeln!(
        text,
        "{}\n",
        comment(&format!("Imported from {} by `wxreply import`.", place.from))
    );
    for note in &drafts.notes {
        let _ = writeln!(text, "{}\n", remark(&note.what, &note.advice));
    }
    let mut notes = drafts.notes;
    for (draft, test) in drafts.rules.iter().zip(&tests) {
        for (what, advice) in &draft.notes {
            let _ = writeln!(text, "{}", remark(what, advice));
            notes.push(Note {
                rule: Some(draft.name.clone()),
                what: what.clone(),
                advice: advice.clone(),
            });
        }
        text += &rule(draft);
        text += "\n";
        text.extend(test.iter().map(|test| format!("{test}\n")));
    }
    let text = match layout(&Source::new(place.path.clone(), text.as_str())) {
        Ok(text) => text,
        Err(_) => text,
    };
    Imported {
        text,
        rules: drafts.rules.len(),
        disabled: drafts.rules.iter().filter(|draft| !draft.enabled).count(),
        tests: tests.iter().flatten().count(),
        notes,
    }
}

/// The files that will stand beside the new one.
fn others<'a>(place: &'a Place<'_>) -> impl Iterator<Item = &'a Source> {
    place.others.iter().filter(|other| other.path != place.path)
}

/// Makes names unique, among themselves and among those that are there already.
fn name(drafts: &mut [Draft], place: &Place<'_>) {
    let mut taken = names_in(others(place));
    for draft in drafts {
        draft.name = unique(&draft.name, &mut taken);
    }
}

/// The names that rules and tests have already.
pub(crate) fn names_in<'a>(sources: impl IntoIterator<Item = &'a Source>) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    for source in sources {
        let Ok(table) = source.text.parse::<toml::Table>() else {
            continue;
        };
        for kind in ["rule", "test"] {
            let entries = table
                .get(kind)
                .and_then(toml::Value::as_array)
                .into_iter()
                .flatten();
            let names = entries.filter_map(|entry| entry.get("name")?.as_str());
            taken.extend(names.map(str::to_owned));
        }
    }
    taken
}

/// A name that nothing has yet: the wanted one, or that with a number.
pub(crate) fn unique(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wanted} {number}");
        number += 1;
    }
    name
}

/// The set as it would be, or if that has errors already, the new rules alone.
fn compile(text: &str, place: &Place<'_>) -> Option<RuleSet> {
    let new = Source::new(place.path.clone(), text);
    let mut sources: Vec<Source> = others(place).cloned().collect();
    sources.push(new.clone());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    load(&sources, place.scope)
        .set
        .or_else(|| load(&[new], &alone(place.scope)).set)
}

/// Any app.
fn alone(scope: &Scope) -> Scope {
    Scope {
        apps: Vec::new(),
        ..scope.clone()
    }
}

/// The rule as it is written.
fn rule(draft: &Draft) -> String {
    let mut out = format!("[[rule]]\nname = {}\n", quoted(&draft.name));
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key} = {value}");
    };
    if draft.when == When::Otherwise {
        line("priority", "-100".to_owned());
    }
    if !draft.enabled {
        line("enabled", "false".to_owned());
    }
    match &draft.when {
        When::Exact(words) if !words.is_empty() => line("when.exact", many(words)),
        When::Keywords(words) if !words.is_empty() => line("when.keywords", many(words)),
        When::Exact(_) | When::Keywords(_) => {}
        When::Subscribe => line("when.event", quoted("subscribe")),
        When::Otherwise => line(
            "when.msg_type",
            many(&["text", "image", "voice", "video", "miniprogrampage"].map(str::to_owned)),
        ),
    }
    let replies: Vec<String> = draft.replies.iter().map(|reply| template(reply)).collect();
    if !replies.is_empty() {
        line("reply", one_or_many(&replies));
    }
    if draft.random && replies.len() > 1 {
        line("pick", quoted("random"));
    }
    // As WeChat's own default answer: at most once an hour.
    if draft.when == When::Otherwise {
        line("cooldown", quoted("1h"));
    }
    out
}

/// The test of a rule: what the engine answers by it, and a note for what it does not.
fn test(draft: &mut Draft, set: &RuleSet) -> Option<String> {
    if !draft.enabled {
        return None;
    }
    let message = match &draft.when {
        When::Subscribe => {
            let fields = [("MsgType", "event"), ("Event", "subscribe")]
                .into_iter()
                .collect();
            answers(set, push(fields), draft).ok()?;
            "message = { MsgType = \"event\", Event = \"subscribe\" }".to_owned()
        }
        When::Otherwise => {
            answers(set, said(NONSENSE), draft).ok()?;
            format!("message = {}", quoted(NONSENSE))
        }
        When::Exact(_) | When::Keywords(_) => {
            let mut held = Vec::new();
            let mut taken: Vec<(String, Vec<String>)> = Vec::new();
            for word in draft.words() {
                match answers(set, said(word), draft) {
                    Ok(()) => held.push(word.clone()),
                    Err(by) => match taken.iter_mut().find(|(other, _)| *other == by) {
                        Some((_, words)) => words.push(format!("{word:?}")),
                        None => taken.push((by, vec![format!("{word:?}")])),
                    },
                }
            }
            for (by, words) in taken {
                draft.note(
                    format!(
                        "who writes {} is answered by {by}, which is tried first",
                        words.join(", ")
                    ),
                    "put this rule above that one, give it a higher priority, or take the word out",
                );
            }
            match held.as_slice() {
                [] => return None,
                [only] => format!("message = {}", quoted(only)),
                several => format!("each = {}", many(several)),
            }
        }
    };
    let name = quoted(&draft.name);
    let reply = one_or_many(&draft.replies);
    Some(format!(
        "[[test]]\nname = {name}\n{message}\nexpect = {{ rule = {name}, reply = {reply} }}\n"
    ))
}

/// Whether the draft's rule answers; if not, who does.
fn answers(set: &RuleSet, inbound: Inbound, draft: &Draft) -> Result<(), String> {
    let facts = Facts {
        now: inbound.received,
        contact: &Contact::default(),
        app_cooldowns: &Cooldowns::default(),
    };
    let decision = set.decide(&inbound, &set.candidates(&inbound), &facts);
    match decision.rule {
        Some(rule) if rule.as_str() == draft.name => Ok(()),
        Some(rule) => Err(format!("{:?}", rule.as_str())),
        None => Err("no rule".to_owned()),
    }
}

fn said(text: &str) -> Inbound {
    let mut inbound = push([("MsgType", "text"), ("Content", text)].into_iter().collect());
    inbound.content = Some(text.to_owned());
    inbound
}

/// A push on the day on which tests happen.
fn push(fields: Fields) -> Inbound {
    let day = date(2026, 1, 5).at(10, 0, 0, 0);
    let zone = TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC);
    let received = day
        .to_zoned(zone)
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp());
    let text = |name: &str| fields.text(name).unwrap_or_default().to_owned();
    let (msg_type, event) = (text("MsgType"), text("Event"));
    Inbound {
        id: MessageId::new(received.as_second(), 0),
        app: "import".into(),
        openid: "oTest".into(),
        dedup_key: String::new(),
        received,
        msg_type,
        event: Some(event).filter(|event| !event.is_empty()),
        content: None,
        fields,
    }
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A list of texts as TOML writes it.
pub(crate) fn many(texts: &[String]) -> String {
    texts.iter().map(String::as_str).collect::<Array>().to_string()
}

fn one_or_many(texts: &[String]) -> String {
    match texts {
        [only] => quoted(only),
        several => many(several),
    }
}

/// A text that fills in to itself: braces that would open a template are written as text.
fn template(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min() {
        let (before, from) = rest.split_at(at);
        let (open, after) = from.split_at(2);
        let _ = write!(out, "{before}{{{{ '{open}' }}}}");
        rest = after;
    }
    out + rest
}

/// What was found, and what to do, as two sentences.
fn remark(what: &str, advice: &str) -> String {
    let sentence = |text: &str| {
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>() + "."
    };
    comment(&format!("{} {}", sentence(what), sentence(advice)))
}

/// A comment: nothing in it ends its line.
fn comment(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("# {text}")
}
