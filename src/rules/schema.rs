//! The JSON Schema of rule files, for completion, hints and early complaints in editors.
//!
//! Draft 7, which is what editors' TOML plugins understand best. The keys come from the tables by which rules are
//! read; what is said about them is here. A schema knows one value at a time: `wxreply check` finds more.

use serde_json::{Map, Value, json};

use super::{condition, reply, rule};

/// The tables of a rule file.
const FILE: &[&str] = &["rule", "lists", "calendar", "test"];
/// The keys of `when.time`.
const TIME: &[&str] = &["hours", "days", "dates", "calendar", "not"];
const TEST: &[&str] = &[
    "name", "message", "each", "steps", "at", "given", "app", "openid", "expect",
];
const STEP: &[&str] = &["message", "at", "after", "expect"];
const GIVEN: &[&str] = &["state", "misses", "muted", "silent_for", "replies_left"];
const EXPECT: &[&str] = &["rule", "reply", "reply_contains", "outcome", "delivery"];
const CALENDAR: &[&str] = &["closed", "open"];
const COOLDOWN: &[&str] = &["time", "per", "then"];
const LINK: &[&str] = &["title", "description", "url", "thumb_url"];
const PAGE: &[&str] = &["title", "page_path", "thumb", "app_id"];

/// The schema of a rule file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(FILE, of_file, &[]);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Rules of wxreply");
    schema
}

/// A table that holds these keys, and no other.
fn table(keys: &[&str], describe: fn(&str) -> Option<Value>, required: &[&str]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), describe(key)?)))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The same, with what it is for.
fn say(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "pattern": "\\S", "description": description })
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn word(words: &[&str], description: &str) -> Value {
    json!({ "type": "string", "enum": words, "default": words[0], "description": description })
}

fn duration(description: &str) -> Value {
    json!({
        "type": "string",
        "pattern": "^0*[1-9][0-9]*(ms|s|m|h|d)$",
        "examples": ["90s", "10m", "2h", "180d"],
        "description": format!("{description} A whole number and a unit: \"90s\", \"10m\", \"2h\", \"180d\"."),
    })
}

/// One, or a list of them.
fn one_or_many(item: Value, description: &str) -> Value {
    json!({
        "anyOf": [item, { "type": "array", "items": item, "minItems": 1 }],
        "description": description,
    })
}

fn texts(description: &str) -> Value {
    one_or_many(json!({ "type": "string", "pattern": "\\S" }), description)
}

/// Words that are compared with the message.
fn words(description: &str) -> Value {
    let description = format!(
        "{description} Case, full width, traditional characters and white space around do not matter. \"@name\" stands for the list `name` of [lists]."
    );
    texts(&description)
}

fn of_file(key: &str) -> Option<Value> {
    Some(match key {
        "rule" => json!({
            "type": "array",
            "items": table(rule::KEYS, of_rule, &["name"]),
            "description": "What to answer, and when. Rules are tried by priority, then in the order of the files; the first that matches decides.",
        }),
        "lists" => json!({
            "type": "object",
            "additionalProperties": texts("Words that rules share: \"@name\" stands for them."),
            "description": "Words that many rules share, written once for all files: hello = [\"你好\", \"在吗\"], then when.keywords = [\"@hello\"].",
        }),
        "calendar" => json!({
            "type": "object",
            "additionalProperties": table(CALENDAR, of_calendar, &[]),
            "description": "Holidays and make-up workdays, by name: `when.time = { days = \"mon-fri\", calendar = \"NAME\" }` reckons with them.",
        }),
        "test" => json!({
            "type": "array",
            "items": table(TEST, of_test, &["name"]),
            "description": "What a customer says, and what must come of it: `wxreply test` runs it.",
        }),
        _ => return None,
    })
}

fn of_rule(key: &str) -> Option<Value> {
    Some(match key {
        "name" => text("What the log and the reports call the rule. Each name once in an app."),
        "owner" => {
            json!({ "type": "string", "description": "Who answers for the rule; for people, changes nothing." })
        }
        "note" => {
            json!({ "type": "string", "description": "Why the rule is there; for people, changes nothing." })
        }
        "priority" => json!({
            "type": "integer",
            "default": 0,
            "description": "Higher is tried first. Rules of one priority are tried in the order of their files and places. A default reply has a low one, such as -100.",
        }),
        "enabled" => {
            json!({ "type": "boolean", "default": true, "description": "false: as if the rule were not there." })
        }
        "observe" => json!({
            "type": "boolean",
            "default": false,
            "description": "true: counted and logged as \"would have answered\", but never sent, and the search goes on. For trying a rule on real customers.",
        }),
        "app" => {
            texts("The apps that the rule serves, by their names in wxreply.toml; without it, all of them.")
        }
        "when" => {
            let keys: Vec<_> = condition::KEYS.iter().map(|key| key.name).collect();
            say(
                table(&keys, of_when, &[]),
                "What must hold for the rule to answer: all that is written here. Without any, every message of every kind.",
            )
        }
        "reply" => one_or_many(
            one_reply(),
            "What is sent: a text, a table with one kind, or a list of these. Texts are templates: {{ msg.Content }}, {{ app.phone }}, {{ now.time }}, and what a regex captured.",
        ),
        "pick" => word(
            &["all", "random"],
            "What a list of replies means: all of them in order, or one of them by chance.",
        ),
        "delay" => duration("How long to wait before the first reply, at most 10m."),
        "typing" => flag("true: the customer sees \"typing…\" during the delay."),
        "cooldown" => json!({
            "anyOf": [duration("How long the rule stays silent for a user who just got its reply."), table(COOLDOWN, of_cooldown, &["time"])],
            "description": "How long the rule does not answer again: \"10m\", or { time = \"10m\", per = \"user\", then = \"next\" }.",
        }),
        "transfer" => json!({
            "anyOf": [{ "type": "boolean" }, { "type": "string", "pattern": "\\S" }],
            "description": "true, or an agent's account: hands the conversation over to human customer service. No rule answers this user meanwhile, for 30 minutes at most.",
        }),
        "mute" => duration(
            "For how long no rule answers this user any more, since a person has taken over. Messages are logged all the same.",
        ),
        "set_state" => json!({
            "type": "string",
            "description": "The dialog state that the user is in after this rule; \"\" ends the dialog. `when.state` asks for it.",
        }),
        "state_ttl" => duration("After how long the state is forgotten; without it 10m."),
        "webhook" => json!({
            "type": "string",
            "format": "uri",
            "pattern": "^https?://",
            "description": "An address that is given the message as JSON and answers with replies. If it fails or takes longer than 3 s, `reply` is sent.",
        }),
        "continue" => json!({
            "type": "boolean",
            "default": false,
            "description": "true: lower rules are tried after this one too. Otherwise the first match decides.",
        }),
        _ => return None,
    })
}

fn of_when(key: &str) -> Option<Value> {
    Some(match key {
        "msg_type" => one_or_many(
            json!({ "type": "string", "pattern": "\\S", "examples": ["text", "image", "miniprogrampage", "event"] }),
            "The kinds of messages: \"text\", \"image\", \"miniprogrampage\", \"event\". Without it: text where a condition on text stands, event where `event` stands, else any.",
        ),
        "event" => one_or_many(
            json!({ "type": "string", "pattern": "\\S", "examples": ["user_enter_tempsession", "subscribe", "CLICK"] }),
            "The events, such as \"user_enter_tempsession\" (a customer opened the chat). Case does not matter.",
        ),
        "exact" => words("The whole message is one of these; punctuation at its end does not matter."),
        "keywords" => words("The message contains one of these."),
        "all_keywords" => words("The message contains all of these."),
        "not_keywords" => words("The message contains none of these."),
        "regex" => texts(
            "A pattern, or a list of which one must match, on the message as it was written. Best in single quotes: '订单号?(?<order>\\d+)'; a reply may then say {{ order }}.",
        ),
        "fields" => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": { "anyOf": [{ "type": "string" }, { "type": "object" }] },
            "description": "Fields of the push and the pattern that each must match: { SessionFrom = '^order:(?<order>\\d+)$' }. A field within a field is written with a dot.",
        }),
        "users" => texts("Only for these users, by their openid."),
        "time" => say(
            table(TIME, of_time, &[]),
            "The hours, days and dates at which the rule answers, on the clock of the config's timezone. All that is written here must hold.",
        ),
        "first_message" => flag("true: this is the first message that the user ever wrote."),
        "idle" => duration("The user has been silent for at least so long."),
        "state" => one_or_many(
            json!({ "type": "string" }),
            "The dialog state that the user is in, as a rule set it by `set_state`; \"\" is none.",
        ),
        "misses" => json!({
            "type": "integer",
            "minimum": 1,
            "description": "At least so many messages of this user in a row were not understood, counting this one.",
        }),
        _ => return None,
    })
}

fn of_time(key: &str) -> Option<Value> {
    const MINUTE: &str = "(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)";
    const DAY: &str =
        "([Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]|[Ss][Uu][Nn])";
    Some(match key {
        "hours" => one_or_many(
            json!({ "type": "string", "pattern": format!("^\\s*{MINUTE}\\s*-\\s*{MINUTE}\\s*$"), "examples": ["09:00-18:00"] }),
            "From the first time until the second: \"09:00-18:00\". \"22:00-02:00\" crosses midnight.",
        ),
        "days" => one_or_many(
            json!({
                "type": "string",
                "pattern": format!("^\\s*{DAY}(\\s*-\\s*{DAY})?(\\s*,\\s*{DAY}(\\s*-\\s*{DAY})?)*\\s*$"),
                "examples": ["mon-fri", "sat,sun"],
            }),
            "Days of the week: \"mon-fri\", \"sat,sun\".",
        ),
        "dates" => dates("Dates, or spans of them with the last day included: \"2026-10-01..2026-10-07\"."),
        "calendar" => {
            text("The name of a [calendar.NAME]: its closed days are none of the days, its make-up days are.")
        }
        "not" => flag("true: all times but these."),
        _ => return None,
    })
}

fn of_calendar(key: &str) -> Option<Value> {
    Some(match key {
        "closed" => dates("The days on which the shop is closed, whatever day of the week they are."),
        "open" => dates("The make-up days, on which it is open though the week says otherwise."),
        _ => return None,
    })
}

fn dates(description: &str) -> Value {
    const DATE: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
    let one = json!({
        "type": "string",
        "pattern": format!("^\\s*{DATE}(\\s*\\.\\.\\s*{DATE})?\\s*$"),
        "examples": ["2026-10-01..2026-10-07"],
    });
    one_or_many(one, description)
}

fn of_cooldown(key: &str) -> Option<Value> {
    Some(match key {
        "time" => duration("How long."),
        "per" => word(
            &["user", "app"],
            "For each user by himself, or for all users of the app together.",
        ),
        "then" => word(
            &["silent", "next"],
            "What becomes of a message meanwhile: nobody answers it, or lower rules are tried.",
        ),
        _ => return None,
    })
}

fn of_test(key: &str) -> Option<Value> {
    Some(match key {
        "name" => text("What the report calls the test. Each name once."),
        "message" => say(
            message(),
            "What the customer sends: a text, or a table with the fields of a push: { Event = \"user_enter_tempsession\", SessionFrom = \"home\" }.",
        ),
        "each" => one_or_many(
            message(),
            "Several messages, each from a customer of its own; the same must come of all of them.",
        ),
        "steps" => json!({
            "type": "array",
            "minItems": 1,
            "items": table(STEP, of_step, &["message"]),
            "description": "One conversation, message by message: [ { message = \"菜单\" }, { message = \"1\", after = \"1m\", expect = { … } } ].",
        }),
        "at" => at("When it begins; without it, Monday, 2026-01-05 at 10:00."),
        "given" => say(
            table(GIVEN, of_given, &[]),
            "What is known of the customer, who has written before; without it, the customer is new.",
        ),
        "app" => text("The app that the customer writes to; needed only where that matters."),
        "openid" => text("The customer's openid; needed only for rules with `when.users`."),
        "expect" => say(
            table(EXPECT, of_expect, &[]),
            "What must come of it. What it does not name is not looked at.",
        ),
        _ => return None,
    })
}

fn of_step(key: &str) -> Option<Value> {
    match key {
        "at" => Some(at(
            "When it comes; without `at` and `after`, at the same moment as the step before.",
        )),
        "after" => Some(duration("How long after the step before.")),
        _ => of_test(key),
    }
}

fn of_given(key: &str) -> Option<Value> {
    let count = |description: &str| json!({ "type": "integer", "minimum": 0, "description": description });
    Some(match key {
        "state" => text("The dialog state that the customer is in."),
        "misses" => count("How many messages in a row were not understood."),
        "muted" => duration("For how long no rule answers this customer yet."),
        "silent_for" => duration("How long ago the last message came."),
        "replies_left" => count("How many replies WeChat would still take."),
        _ => return None,
    })
}

fn of_expect(key: &str) -> Option<Value> {
    Some(match key {
        "rule" => text("The rule that answers, by its name."),
        "reply" => json!({
            "anyOf": [expected_reply(), { "type": "array", "items": expected_reply() }],
            "description": "All that is sent, word for word: a text, a table with one kind, or a list of these; [] is nothing.",
        }),
        "reply_contains" => texts("What stands in one of the replies."),
        "outcome" => json!({
            "type": "string",
            "enum": ["matched", "unmatched", "cooldown", "muted", "observed", "transfer"],
            "description": "How the message is taken; \"cooldown\": a rule matched, but keeps silent.",
        }),
        "delivery" => json!({
            "type": "string",
            "enum": ["queued", "dropped"],
            "description": "What becomes of the replies: sent, or given up because WeChat would not take them.",
        }),
        _ => return None,
    })
}

/// A text, or the fields of a push.
fn message() -> Value {
    json!({ "anyOf": [{ "type": "string", "pattern": "\\S" }, { "type": "object" }] })
}

/// As in a rule, but parts of a card may be left out, and nothing is a template.
fn expected_reply() -> Value {
    let kinds: Map<String, Value> = reply::KINDS
        .iter()
        .map(|kind| {
            (
                kind.name.to_owned(),
                json!({
                    "type": ["string", "object"],
                    "description": "As in a rule; parts of a card that are left out are not compared.",
                }),
            )
        })
        .collect();
    json!({
        "anyOf": [
            { "type": "string", "pattern": "\\S" },
            { "type": "object", "properties": kinds, "minProperties": 1, "maxProperties": 1, "additionalProperties": false },
        ],
    })
}

fn at(description: &str) -> Value {
    json!({
        "type": "string",
        "examples": ["2026-01-05T22:30:00+08:00", "22:30"],
        "description": format!("{description} A time of TOML, with its offset or by the config's clock, or \"22:30\" alone."),
    })
}

fn one_reply() -> Value {
    let mut forms = vec![json!({ "type": "string", "pattern": "\\S" })];
    for kind in reply::KINDS {
        forms.extend(of_reply(kind.name).map(|shape| {
            json!({
                "type": "object",
                "properties": { (kind.name): shape },
                "required": [kind.name],
                "additionalProperties": false,
            })
        }));
    }
    json!({ "anyOf": forms })
}

fn of_reply(kind: &str) -> Option<Value> {
    Some(match kind {
        "text" => text(
            "A text; the same as the text alone. WeChat takes about 2048 bytes, some 680 Chinese characters.",
        ),
        "image" => say(
            media(),
            "A picture: a path beside this file (PNG or JPEG, at most 10 MB), or { media_id = \"…\" }.",
        ),
        "link" => say(
            table(LINK, of_link, LINK),
            "A card that leads to a web page; from mini programs only.",
        ),
        "mini_program_page" => say(
            table(PAGE, of_page, &["title", "page_path", "thumb"]),
            "A card that leads to a page of a mini program.",
        ),
        _ => return None,
    })
}

fn of_link(key: &str) -> Option<Value> {
    let address =
        |description| json!({ "type": "string", "pattern": "^(https?://|\\{)", "description": description });
    Some(match key {
        "title" => text("The title of the card."),
        "description" => text("What stands below the title."),
        "url" => address("Where it leads: \"https://…\"."),
        "thumb_url" => address("The address of its picture: \"https://…\"."),
        _ => return None,
    })
}

fn of_page(key: &str) -> Option<Value> {
    Some(match key {
        "title" => text("The title of the card."),
        "page_path" => text("The page and its query: \"pages/order/detail?id={{ order }}\"."),
        "thumb" => say(
            media(),
            "The picture on the card: a path beside this file, or { media_id = \"…\" }.",
        ),
        "app_id" => text("The AppID of the mini program, if it is another one than the app's own."),
        _ => return None,
    })
}

fn media() -> Value {
    json!({
        "anyOf": [
            { "type": "string", "pattern": "\\S" },
            {
                "type": "object",
                "properties": { "media_id": text("The id that WeChat gave it when it was uploaded.") },
                "required": ["media_id"],
                "additionalProperties": false,
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::diagnostic::Source;
    use crate::rules::tests::scope;

    /// The findings about a file, as (code, message, help).
    fn findings(text: &str) -> Vec<(&'static str, String, String)> {
        let loaded = crate::rules::load(&[Source::new("a.toml", text)], &scope());
        let told = loaded.findings.into_iter();
        told.map(|finding| (finding.code, finding.message, finding.help.unwrap_or_default()))
            .collect()
    }

    /// What the loader says may stand where `@` stands.
    fn known(file: &str) -> BTreeSet<String> {
        let findings = findings(&file.replace('@', "qqqqqqqqqq = 1"));
        let help = findings
            .iter()
            .find_map(|(_, _, help)| help.strip_prefix("known here: "));
        let help = help.unwrap_or_else(|| panic!("{file}: {findings:?}"));
        help.split(", ").map(str::to_owned).collect()
    }

    /// What the schema says may stand at a place, told by its steps.
    fn described(steps: &[&str]) -> BTreeSet<String> {
        let mut at = schema();
        for step in steps {
            at = at[step].take();
        }
        let keys = at["properties"]
            .as_object()
            .unwrap_or_else(|| panic!("{steps:?}"));
        keys.keys().cloned().collect()
    }

    #[test]
    fn the_schema_has_the_keys_that_the_loader_knows_and_no_others() {
        let rule = ["properties", "rule", "items"];
        let at = |rest: &[&'static str]| [&rule[..], rest].concat();
        assert_eq!(described(&[]), known("@"));
        assert_eq!(described(&rule), known("[[rule]]\n@"));
        let when = at(&["properties", "when"]);
        assert_eq!(described(&when), known("[[rule]]\nname = 'a'\n[rule.when]\n@"));
        let time = at(&["properties", "when", "properties", "time"]);
        assert_eq!(
            described(&time),
            known("[[rule]]\nname = 'a'\n[rule.when.time]\n@")
        );
        let mut cooldown = schema();
        for step in at(&["properties", "cooldown", "anyOf"]) {
            cooldown = cooldown[step].take();
        }
        let cooldown: BTreeSet<String> = cooldown[1]["properties"]
            .as_object()
            .expect("a table")
            .keys()
            .cloned()
            .collect();
        assert_eq!(cooldown, known("[[rule]]\nname = 'a'\n[rule.cooldown]\n@"));

        let test = ["properties", "test", "items"];
        assert_eq!(described(&test), known("[[test]]\nname = 'a'\n@"));
        for (part, steps) in [
            ("given", &["properties", "given"][..]),
            ("expect", &["properties", "expect"]),
        ] {
            let steps = [&test[..], steps].concat();
            assert_eq!(
                described(&steps),
                known(&format!("[[test]]\nname = 'a'\nmessage = 'x'\n[test.{part}]\n@"))
            );
        }
        let step = [&test[..], &["properties", "steps", "items"]].concat();
        assert_eq!(described(&step), known("[[test]]\nname = 'a'\n[[test.steps]]\n@"));

        // Each kind of reply, and what is in it.
        let kinds = one_reply();
        let kinds = kinds["anyOf"].as_array().expect("a list");
        let mut named = BTreeSet::new();
        for kind in &kinds[1..] {
            let (name, shape) = kind["properties"]
                .as_object()
                .expect("a table")
                .iter()
                .next()
                .expect("one");
            named.insert(name.clone());
            let table = match shape["anyOf"].as_array() {
                Some(forms) => forms.iter().find(|form| form["type"] == "object"),
                None => Some(shape).filter(|shape| shape["type"] == "object"),
            };
            if let Some(table) = table {
                let keys: BTreeSet<String> = table["properties"]
                    .as_object()
                    .expect("keys")
                    .keys()
                    .cloned()
                    .collect();
                assert_eq!(
                    keys,
                    known(&format!("[[rule]]\nname = 'a'\n[rule.reply.{name}]\n@")),
                    "{name}"
                );
            }
        }
        assert_eq!(named, known("[[rule]]\nname = 'a'\n[rule.reply]\n@"));
    }

    #[test]
    fn every_key_is_explained() {
        fn walk(path: &str, schema: &Value, missing: &mut Vec<String>) {
            for (key, value) in schema["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{key}");
                if value["description"]
                    .as_str()
                    .is_none_or(|text| !text.ends_with('.'))
                {
                    missing.push(path.clone());
                }
                walk(&path, value, missing);
            }
            for inner in schema["anyOf"]
                .as_array()
                .into_iter()
                .flatten()
                .chain([&schema["items"]])
            {
                if !inner.is_null() {
                    walk(path, inner, missing);
                }
            }
        }
        let mut missing = Vec::new();
        walk("", &schema(), &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    /// TOML as JSON, as editors hand it to the validator.
    fn as_json(text: &str) -> Value {
        fn convert(value: toml::Value) -> Value {
            match value {
                toml::Value::Datetime(time) => json!(time.to_string()),
                toml::Value::Array(list) => list.into_iter().map(convert).collect(),
                toml::Value::Table(table) => {
                    let pairs = table.into_iter().map(|(key, value)| (key, convert(value)));
                    Value::Object(pairs.collect())
                }
                other => serde_json::to_value(other).expect("plain"),
            }
        }
        convert(toml::Value::Table(text.parse().expect("TOML")))
    }

    #[test]
    fn what_the_documentation_shows_is_valid() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts: Vec<String> = Vec::new();
        for entry in std::fs::read_dir(root.join("rules")).expect("there") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|kind| kind == "toml") {
                texts.push(std::fs::read_to_string(path).expect("readable"));
            }
        }
        for page in ["README.md", "README.zh-CN.md"] {
            let page = std::fs::read_to_string(root.join(page)).expect("readable");
            let blocks = page
                .split("```toml\n")
                .skip(1)
                .filter_map(|rest| rest.split("```").next());
            texts.extend(
                blocks
                    .filter(|block| block.contains("[[rule]]"))
                    .map(str::to_owned),
            );
        }
        assert!(texts.len() > 5, "{}", texts.len());
        for text in texts {
            let errors: Vec<_> = validator
                .iter_errors(&as_json(&text))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_found_and_what_is_fine_is_not() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let valid = |rest: &str| validator.is_valid(&as_json(&format!("[[rule]]\nname = 'a'\n{rest}\n")));
        for fine in [
            "when.keywords = '茶'",
            "when.time = { hours = ['9:00-18:00', '22:00-24:00'], days = 'Mon-fri,sun', dates = [2026-10-01] }",
            "when.fields = { ScanCodeInfo.ScanResult = 'x' }",
            "when.state = ''",
            "cooldown = { time = '10m', per = 'app' }",
            "transfer = 'agent@shop'",
            "reply = ['x', { image = { media_id = 'M' } }, { text = 'y' }]",
            "reply = { link = { title = 't', description = 'd', url = '{{ app.site }}', thumb_url = 'https://e.com/t.png' } }",
        ] {
            assert!(valid(fine), "{fine}");
        }
        for wrong in [
            "repyl = 'x'",
            "keywords = ['x']",
            "name2 = 1",
            "priority = 'high'",
            "when.keywords = []",
            "when.keywords = ['']",
            "when.keyword = ['x']",
            "when.time = { hours = '9-18' }",
            "when.time = { days = 'monday' }",
            "when.time = { dates = '2026/10/01' }",
            "when.misses = 0",
            "cooldown = '10 minutes'",
            "cooldown = { per = 'app' }",
            "mute = '0m'",
            "pick = 'one'",
            "reply = []",
            "reply = { text = 'x', image = 'y' }",
            "reply = { link = { title = 't' } }",
            "reply = { picture = 'x' }",
        ] {
            assert!(!valid(wrong), "{wrong}");
            assert_ne!(
                findings(&format!("[[rule]]\nname = 'a'\n{wrong}\n")),
                [],
                "{wrong}"
            );
        }
        assert!(
            !validator.is_valid(&as_json("[[rule]]\nreply = 'x'\n")),
            "a name is missing"
        );
        assert!(
            !validator.is_valid(&as_json("[rule]\nname = 'x'\n")),
            "one bracket is missing"
        );
    }
}
