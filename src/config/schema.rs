//! The JSON Schema of `wxreply.toml`, for completion, hints and early complaints in editors. Draft 7, which is what
//! editors' TOML plugins understand best.

use serde_json::{Value, json};

/// The schema of a config.
#[must_use]
pub fn schema() -> Value {
    let app = app();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of wxreply",
        "type": "object",
        "additionalProperties": false,
        "required": ["app"],
        "properties": {
            "listen": address("0.0.0.0:8080", "Where WeChat's pushes come in; nothing else is served here. Put a web server with HTTPS before it."),
            "rules": text("The folder of the rules (*.toml, folders within too), or one file; relative to this file. Saving a file there takes effect at once. Default: \"rules\"."),
            "database": {
                "type": "string",
                "pattern": "^sqlite://[^?#]+$",
                "default": "sqlite://wxreply.db",
                "description": "The message log, and the replies that are on their way: \"sqlite://wxreply.db\", relative to this file.",
            },
            "timezone": {
                "type": "string",
                "default": "Asia/Shanghai",
                "examples": ["Asia/Shanghai", "Asia/Hong_Kong", "UTC"],
                "description": "The zone that hours and dates in rules are meant in, and times are shown in.",
            },
            "admin": table("The second listener: the console, its API, /healthz, /readyz and /metrics.", json!({
                "listen": address("127.0.0.1:8081", "Where it listens. Other than a loopback address only with a [[admin.user]]."),
                "url": {
                    "type": "string",
                    "pattern": "^https?://[^\\s?#@]+$",
                    "examples": ["https://console.example.com"],
                    "description": "Where people reach it, when a proxy with HTTPS stands before it. Alarms link there.",
                },
                "token_key": secret("What other back ends show to be given an access token (GET /api/token): at least 16 characters. Without it none is given."),
                "user": {
                    "type": "array",
                    "items": user(),
                    "description": "Who may sign in. Needed when `listen` is no loopback address; without any, nobody is asked.",
                },
            })),
            "push": table("What is taken from WeChat.", json!({
                "max_age": duration("10m", "A push whose timestamp is further from this machine's clock is refused."),
                "max_body": {
                    "anyOf": [
                        { "type": "integer", "minimum": 1024, "maximum": 67_108_864 },
                        { "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB)?$" },
                    ],
                    "default": "1MiB",
                    "description": "The largest push that is read: bytes, or \"512KiB\", \"1MiB\".",
                },
                "max_connections": number(1, 1_000_000, 4096, "Connections at once."),
            })),
            "outbox": table("How replies are delivered.", json!({
                "max_age": duration("15m", "A reply that could not be sent for so long is given up."),
                "on_uncertain": {
                    "type": "string",
                    "enum": ["resend", "hold"],
                    "default": "resend",
                    "description": "What to do when WeChat may or may not have taken a reply: send it once more, or leave it to a person (`wxreply resend`).",
                },
                "concurrency": number(1, 10_000, 512, "Replies in flight at once."),
                "gap": duration("100ms", "The pause between two replies to one customer."),
                "reserve": number(0, 20, 0, "Replies of WeChat's quota that are kept for a person."),
                "timeout": duration("10s", "How long one call of WeChat's API may take."),
            })),
            "webhook": table("Questions that rules ask by `webhook`.", json!({
                "secret": secret("What they are signed with: at least 16 bytes, or \"whsec_\" and base64."),
                "concurrency": number(1, 1000, 8, "Questions asked at once by one rule."),
            })),
            "log": table("What is kept.", json!({
                "retention": {
                    "type": "string",
                    "pattern": "^([0-9]+(ms|s|m|h|d)|forever)$",
                    "default": "180d",
                    "description": "Older messages are erased: a whole number and a unit (\"180d\"), at least a day, or \"forever\".",
                },
                "media": { "type": "boolean", "default": true, "description": "Fetch and keep customers' pictures, which WeChat drops after 3 days." },
            })),
            "alarm": table("Who is told of trouble.", json!({
                "webhook": secret("A web address that is sent each alarm as JSON."),
                "wecom_robot": secret("The address of a group robot of WeCom (企业微信群机器人), whole, with its key."),
                "cooldown": duration("30m", "How long the same alarm is not repeated, at least a minute."),
                "language": { "type": "string", "enum": ["zh", "en"], "default": "zh", "description": "What alarms are written in." },
            })),
            "app": {
                "type": "array",
                "minItems": 1,
                "items": app,
                "description": "The mini programs and Official Accounts that are answered for, each in an [[app]] of its own.",
            },
        },
    })
}

fn user() -> Value {
    let mut user = table(
        "",
        json!({
            "name": {
                "type": "string",
                "pattern": "^[^\\s]{1,64}$",
                "description": "What this person signs in with: letters, digits, -, _, . and @. The audit trail says it.",
            },
            "password_hash": secret("What `wxreply hash-password` prints, which begins with \"$argon2id$\"."),
            "role": {
                "type": "string",
                "enum": ["viewer", "agent", "editor"],
                "description": "What this person may do: \"viewer\" reads, \"agent\" also writes to customers, \"editor\" also changes rules.",
            },
        }),
    );
    user["required"] = json!(["name", "password_hash", "role"]);
    user
}

fn app() -> Value {
    let base = json!({ "type": "string", "pattern": "^https?://[^\\s?#@]+$" });
    let mut app = table(
        "",
        json!({
            "name": {
                "type": "string",
                "pattern": "^[a-z0-9_-]+$",
                "description": "Its name: the last part of the URL that WeChat pushes to, /wechat/<name>. Small letters, digits, - and _.",
            },
            "kind": {
                "type": "string",
                "enum": ["mini-program", "official-account"],
                "description": "What it is: \"mini-program\" (小程序) or \"official-account\" (公众号).",
            },
            "app_id": text("The AppID from WeChat's backend: \"wx\" and 16 digits or letters."),
            "app_secret": secret("The AppSecret from WeChat's backend."),
            "token": secret("The Token that stands in WeChat's backend too (消息推送): 3 to 32 letters and digits."),
            "encoding_aes_key": secret("The EncodingAESKey that stands in WeChat's backend too: 43 letters and digits. Needed in compat and safe mode."),
            "mode": {
                "type": "string",
                "enum": ["safe", "compat", "plain"],
                "description": "A push below this mode is refused. Keep \"safe\" (安全模式): in plain mode WeChat's signature does not cover what a message says.",
            },
            "api_base": {
                "anyOf": [base, { "type": "array", "items": base, "minItems": 1 }],
                "default": "https://api.weixin.qq.com",
                "description": "WeChat's API, or a list of addresses: the next is tried when one is out of reach.",
            },
            "access_token": {
                "anyOf": [
                    { "type": "string", "enum": ["stable", "classic"] },
                    {
                        "type": "object",
                        "properties": { "url": { "type": "string", "pattern": "^https?://", "description": "The address of the token server." } },
                        "required": ["url"],
                        "additionalProperties": false,
                    },
                ],
                "default": "stable",
                "description": "Where the token for WeChat's API comes from: \"stable\", \"classic\", or { url = \"…\" } of a central token server (中控).",
            },
            "vars": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "description": "Words for replies: with vars = { phone = \"400-…\" }, a reply may say {{ app.phone }}.",
            },
        }),
    );
    app["required"] = json!(["name", "kind", "app_id", "app_secret", "token"]);
    app
}

fn table(description: &str, properties: Value) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "description": description,
    })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "pattern": "\\S", "description": description })
}

fn address(default: &str, description: &str) -> Value {
    json!({ "type": "string", "pattern": "^.+:[0-9]+$", "default": default, "description": description })
}

fn duration(default: &str, description: &str) -> Value {
    json!({
        "type": "string",
        "pattern": "^[0-9]+(ms|s|m|h|d)$",
        "default": default,
        "description": format!("{description} A whole number and a unit: \"500ms\", \"90s\", \"10m\", \"2h\", \"180d\"."),
    })
}

fn number(least: u64, most: u64, default: u64, description: &str) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "default": default, "description": description })
}

fn secret(description: &str) -> Value {
    let from = |key: &str, description: &str| {
        json!({
            "type": "object",
            "properties": { (key): { "type": "string", "description": description } },
            "required": [key],
            "additionalProperties": false,
        })
    };
    json!({
        "anyOf": [
            { "type": "string" },
            from("env", "The environment variable that holds it."),
            from("file", "The file that holds it, and nothing else; relative to this file."),
        ],
        "description": format!("{description} A text, {{ env = \"NAME\" }} or {{ file = \"path\" }}."),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::read;

    const APP: &str = "[[app]]\nname = 'a'\nkind = 'mini-program'\napp_id = 'wx3d289323f5900f8e'\napp_secret = 's'\ntoken = 'abc'\nmode = 'plain'\n";

    /// What the reader says may stand where `@` stands.
    fn known(text: &str) -> BTreeSet<String> {
        let text = text.replace('@', "qqqqqqqqqq = 1\n");
        let read = read::read(Path::new("wxreply.toml"), &text, &|_| None, false);
        let help = read
            .findings
            .iter()
            .find_map(|finding| finding.help.as_ref()?.strip_prefix("it may hold: "));
        let help = help.unwrap_or_else(|| panic!("{text}: {:?}", read.findings));
        help.split(", ").map(str::to_owned).collect()
    }

    fn described(table: &Value) -> BTreeSet<String> {
        table["properties"]
            .as_object()
            .expect("keys")
            .keys()
            .cloned()
            .collect()
    }

    #[test]
    fn the_schema_has_the_keys_that_the_reader_knows_and_no_others() {
        let schema = schema();
        assert_eq!(described(&schema), known(&format!("@{APP}")));
        assert_eq!(
            described(&schema["properties"]["app"]["items"]),
            known(&format!("{APP}@"))
        );
        let user = &schema["properties"]["admin"]["properties"]["user"]["items"];
        assert_eq!(described(user), known(&format!("[[admin.user]]\n@{APP}")));
        for (name, table) in schema["properties"].as_object().expect("keys") {
            if table["properties"].is_object() {
                assert_eq!(described(table), known(&format!("[{name}]\n@{APP}")), "{name}");
            }
        }
    }

    fn as_json(text: &str) -> Value {
        serde_json::to_value(text.parse::<toml::Table>().expect("TOML")).expect("plain")
    }

    #[test]
    fn the_starter_is_valid_with_its_comments_taken_away_and_without() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let starter = include_str!("starter.toml").replace("= \"\"", "= \"wx3d289323f5900f8e\"");
        let uncommented: Vec<_> = starter
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.starts_with('[') || rest.contains(" = ") && !rest.starts_with(' ') => rest,
                _ => line,
            })
            .collect();
        for text in [starter.clone(), uncommented.join("\n"), APP.to_owned()] {
            let errors: Vec<_> = validator
                .iter_errors(&as_json(&text))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_found() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let wrong = |text: String| assert!(!validator.is_valid(&as_json(&text)), "{text}");
        wrong("listen = '0.0.0.0:80'".to_owned());
        wrong(format!("lisen = 'x'\n{APP}"));
        wrong(format!("listen = 8080\n{APP}"));
        wrong(format!("database = 'mysql://x'\n{APP}"));
        wrong(APP.replace("'mini-program'", "'miniprogram'"));
        wrong(APP.replace("token = 'abc'\n", ""));
        wrong(APP.replace("'a'", "'A shop'"));
        wrong(format!("{APP}vars = {{ a = 1 }}"));
        wrong(format!("[outbox]\ngap = '1 s'\n{APP}"));
        wrong(format!("[log]\nretention = 'always'\n{APP}"));
        wrong(format!("[alarm]\nlanguage = 'de'\n{APP}"));
        wrong(format!(
            "[[admin.user]]\nname = 'a'\npassword_hash = 'x'\nrole = 'boss'\n{APP}"
        ));
        wrong(APP.replace("'s'", "{ env = 'X', file = 'y' }"));
    }
}
