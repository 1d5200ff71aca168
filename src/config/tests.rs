//! Whole files, read: their settings, and what is found in them.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::read::read;
use super::{AccessTokenSource, Read, Role};
use crate::diagnostic::{Diagnostic, Language};
use crate::message::Mode;

const APP: &str = r#"
[[app]]
name = "shop"
kind = "mini-program"
app_id = "wx3d289323f5900f8e"
app_secret = "s3cret"
token = "AAAAA"
encoding_aes_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
"#;

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$Yl6mgv2dQCDHAnhFNKlWZrQaQRBOIUQZCQVhqbnNaPs";

fn parse(text: &str) -> Read {
    read(Path::new("/etc/wxreply/wxreply.toml"), text, &|_| None, true)
}

/// All findings: line, code, message, and help behind an arrow.
fn found(text: &str) -> String {
    let read = parse(text);
    assert_eq!(
        read.config.is_none(),
        read.findings.iter().any(Diagnostic::is_error),
        "{:?}",
        read.findings
    );
    let lines: Vec<_> = read
        .findings
        .iter()
        .map(|d| {
            let start = d.place.as_ref().map_or(0, |p| p.span.start);
            let line = text[..start].matches('\n').count() + 1;
            let help = d.help.as_ref().map(|h| format!(" → {h}")).unwrap_or_default();
            format!("{line}: {} {}{help}", d.code, d.message)
        })
        .collect();
    lines.join("\n")
}

#[test]
fn the_least_file_has_all_defaults() {
    let config = parse(APP).config.expect("usable");
    assert_eq!(config.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.rules, Path::new("/etc/wxreply/rules"));
    assert_eq!(config.database, "sqlite:///etc/wxreply/wxreply.db");
    assert_eq!(config.timezone.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(config.push.max_body, 1 << 20);
    assert_eq!(config.outbox.max_age, Duration::from_secs(900));
    assert_eq!(config.apps[0].mode, Mode::Safe);
    assert_eq!(config.apps[0].api_base, ["https://api.weixin.qq.com"]);
    assert_eq!(config.apps[0].access_token, AccessTokenSource::Stable);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8081");
    assert!(config.admin.users.is_empty() && config.admin.token_key.is_none());
    assert_eq!(config.log.retention, Some(Duration::from_secs(180 * 86_400)));
    assert!(config.log.media);
    assert_eq!(config.alarm.cooldown, Duration::from_secs(30 * 60));
    assert_eq!(config.alarm.language, Language::Chinese);
    assert!(config.alarm.webhook.is_none() && config.alarm.wecom_robot.is_none());
    let debug = format!("{config:?}");
    assert!(!debug.contains("s3cret") && !debug.contains("AAAAA"), "{debug}");
}

#[test]
fn every_key_is_taken() {
    let config = parse(&format!(
        r#"
listen = "127.0.0.1:1"
rules = "/srv/rules"
database = "sqlite:///var/log.db"
timezone = "UTC"
[admin]
listen = "[::1]:9"
url = "https://console.example.com/"
token_key = "0123456789abcdef"
[[admin.user]]
name = "小王@shop.example"
password_hash = "{HASH}"
role = "agent"
[[admin.user]]
name = "ops"
password_hash = "{HASH}"
role = "editor"
[push]
max_age = "5m"
max_body = "512KiB"
max_connections = 10
[outbox]
max_age = "1h"
on_uncertain = "hold"
concurrency = 3
gap = "0s"
reserve = 1
timeout = "2s"
[log]
retention = "forever"
media = false
[alarm]
webhook = "http://127.0.0.1/hook/?key=s3cret"
wecom_robot = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=s3cret"
cooldown = "5m"
language = "en"
{APP}
mode = "compat"
api_base = ["http://a/", "https://b:8443/x/"]
access_token = {{ url = "http://tokens/shop?key=1" }}
vars = {{ shop = "小店" }}
"#
    ));
    assert_eq!(config.findings, []);
    let config = config.config.expect("usable");
    assert_eq!(config.database, "sqlite:///var/log.db");
    assert_eq!(config.push.max_body, 512 * 1024);
    assert_eq!(config.push.max_connections, 10);
    assert!(config.outbox.hold_uncertain);
    assert_eq!((config.outbox.concurrency, config.outbox.reserve), (3, 1));
    assert_eq!(config.apps[0].api_base, ["http://a", "https://b:8443/x"]);
    assert_eq!(
        config.apps[0].access_token,
        AccessTokenSource::Url("http://tokens/shop?key=1".to_owned())
    );
    assert_eq!(config.apps[0].vars["shop"], "小店");
    assert_eq!(config.admin.url.as_deref(), Some("https://console.example.com"));
    assert!(config.admin.token_key.is_some());
    let users = config.admin.users.iter();
    let users: Vec<_> = users.map(|user| (user.name.as_str(), user.role)).collect();
    assert_eq!(users, [("小王@shop.example", Role::Agent), ("ops", Role::Editor)]);
    assert!(Role::Viewer < Role::Agent && Role::Agent < Role::Editor);
    assert_eq!((config.log.retention, config.log.media), (None, false));
    let webhook = config.alarm.webhook.as_ref().map(ExposeSecret::expose_secret);
    assert_eq!(
        webhook,
        Some("http://127.0.0.1/hook/?key=s3cret"),
        "as it was written"
    );
    assert_eq!(config.alarm.cooldown, Duration::from_secs(300));
    assert_eq!(config.alarm.language, Language::English);
    let debug = format!("{config:?}");
    assert!(!debug.contains("s3cret") && !debug.contains("argon2"), "{debug}");
}

#[test]
fn who_may_sign_in() {
    let text = format!(
        r#"
[admin]
listen = "0.0.0.0:8081"
token_key = "short"
url = "console.example.com"
[[admin.user]]
name = "a b"
password_hash = "hunter22"
role = "admin"
[[admin.user]]
name = "ops"
password_hash = "{HASH}"
role = "viewer"
[[admin.user]]
name = "ops"
password_hash = "{HASH}"
role = "editor"
pasword = "x"
{APP}"#
    );
    insta::assert_snapshot!(found(&text), @r#"
    4: C026 `token_key` has fewer than 16 characters, so that it could be guessed → let the machine choose one: `openssl rand -hex 32`
    5: C016 `url` is no web address → write where people reach it: "https://console.example.com"
    7: C023 a user can't be named "a b" → write at most 64 letters, digits, -, _, . and @, without spaces
    8: C025 `password_hash` is no argon2 hash of a password → `wxreply hash-password` makes one; it begins with "$argon2id$". In a shell, put it in single quotes, because of its dollar signs
    9: C009 `role` can't be "admin" → write "viewer" or "agent" or "editor"
    15: C024 there are two users named "ops" → the audit trail calls people by these names: give everybody their own
    18: C002 [[admin.user]] has no key `pasword` → did you mean `password_hash`?
    "#);
    let findings = format!("{:?}", parse(&text).findings);
    assert!(
        !findings.contains("hunter22") && !findings.contains("argon2id$v"),
        "{findings}"
    );
    let open = format!("[admin]\nlisten = \"0.0.0.0:8081\"\nuser = []\n{APP}");
    insta::assert_snapshot!(found(&open), @"2: C017 the admin listener is open to other machines, and asks nobody who they are → name who may sign in under [[admin.user]] (`wxreply hash-password` makes the hash of a password), or write 127.0.0.1 or [::1] and reach it through SSH");
    let wrong = format!("[admin]\nlisten = \"0.0.0.0:8081\"\nuser = \"ops\"\n{APP}");
    insta::assert_snapshot!(found(&wrong), @r#"
    2: C027 passwords and customers' messages would cross the network in clear → put nginx or Caddy with HTTPS before it, and write its address as url = "https://…" under [admin]
    3: C004 `user` must be a list of tables → write [[admin.user]], in two pairs of brackets
    "#);
    let behind_a_proxy = format!(
        "[admin]\nlisten = \"0.0.0.0:8081\"\nurl = \"https://c\"\n[[admin.user]]\nname = \"ops\"\nrole = \"editor\"\n\
         password_hash = \"{HASH}\"\n{APP}"
    );
    assert_eq!(found(&behind_a_proxy), "");
}

#[test]
fn every_finding_comes_at_once() {
    let text = format!(
        r#"
lisen = "0.0.0.0:8080"
database = "postgres://user@host/db"
timezone = "Asia/Shangai"
rules = 5
[admin]
listen = "0.0.0.0:8081"
[push]
max_age = "10 minutes"
max_body = "1GB"
max_connections = 0
[outbox]
on_uncertain = "resnd"
timeout = "1ms"
reserve = -1
[webhook]
secret = "guess me"
concurrency = 0
[log]
retention = "12h"
media = "yes"
[alarm]
webhook = "ops@example.com"
cooldown = "1s"
language = "de"
[logs]
{APP}
api_base = "api.weixin.qq.com"
access_token = "stabel"
vars = {{ phone = 400 }}
"#
    );
    insta::assert_snapshot!(found(&text), @r#"
    2: C002 the top of the file has no key `lisen` → did you mean `listen`?
    3: C020 `database` is not the address of a SQLite file → write it like "sqlite://wxreply.db" (relative to this file) or "sqlite:///var/lib/wxreply/wxreply.db"
    4: C008 `timezone` is no time zone → write it like "Asia/Shanghai", "Asia/Hong_Kong" or "UTC"
    5: C004 `rules` must be a text in quotes
    7: C017 the admin listener is open to other machines, and asks nobody who they are → name who may sign in under [[admin.user]] (`wxreply hash-password` makes the hash of a password), or write 127.0.0.1 or [::1] and reach it through SSH
    9: C006 `max_age` is no duration → write a whole number and its unit: "500ms", "90s", "10m", "2h" or "180d"
    10: C007 `max_body` is no size → write a number of bytes, or a text like "512KiB" or "1MiB"
    11: C007 `max_connections` must be from 1 to 1000000
    13: C009 `on_uncertain` can't be "resnd" → did you mean "resend"?
    14: C007 `timeout` must be at least 100ms
    15: C007 `reserve` must be from 0 to 20
    17: C040 `secret` can't sign anything: it has fewer than 16 bytes, so that it could be guessed → let the machine choose one: `openssl rand -base64 32`, with or without "whsec_" before it
    18: C007 `concurrency` must be from 1 to 1000
    20: C007 `retention` must be at least a day → write how long messages are kept: "180d", or "forever"
    21: C004 `media` must be true or false
    23: C016 `webhook` is no web address → write it whole, with its key: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"
    24: C007 `cooldown` must be at least 60s
    25: C009 `language` can't be "de" → write "zh" or "en"
    26: C002 the top of the file has no key `logs` → did you mean `log`?
    36: C016 `api_base` is no web address → write it like "https://api.weixin.qq.com"
    37: C009 `access_token` can't be "stabel" → write "stable", "classic" or { url = "…" }
    38: C004 `vars.phone` must be a text in quotes
    "#);
}

#[test]
fn findings_about_apps() {
    insta::assert_snapshot!(found(r#"
[[app]]
name = "Shop"
kind = "miniprogram"
app_id = "wx-mine"
app_secret = { env = "NOT_SET" }
token = "a b"
encoding_aes_key = "short"
[[app]]
name = "b"
kind = "official-account"
app_id = ""
app_secret = ["x"]
token = "AAAAA"
[[app]]
name = "b"
"#), @r#"
3: C012 an app can't be named "Shop" → the name is part of a URL: write small letters, digits, - and _ only
4: C009 `kind` can't be "miniprogram" → did you mean "mini-program"?
5: C014 this does not look like an AppID → an AppID is "wx" and 16 digits or letters from a to f
6: C010 `app_secret`: the environment variable NOT_SET is not set → set NOT_SET where wxreply is started, or write { file = "…" } and put the secret into that file
7: C015 WeChat would not take this as a Token → a Token is 3 to 32 letters and digits
8: C011 `encoding_aes_key` has 5 characters; an EncodingAESKey has exactly 43 → copy it whole from WeChat's backend
9: C003 [[app]] has no `encoding_aes_key` → safe mode needs the EncodingAESKey that stands in WeChat's backend
12: C003 `app_id` is empty
13: C004 `app_secret` must be a text, { env = "NAME" } or { file = "path" }
15: C003 [[app]] has no `kind` → write "mini-program" or "official-account"
15: C003 [[app]] has no `app_id` → it stands in WeChat's backend (mp.weixin.qq.com)
15: C003 [[app]] has no `app_secret` → it stands in WeChat's backend (mp.weixin.qq.com)
15: C003 [[app]] has no `token` → it is the Token that you chose in WeChat's backend
15: C003 [[app]] has no `encoding_aes_key` → safe mode needs the EncodingAESKey that stands in WeChat's backend
"#);
    let twice = format!("{APP}mode = \"plain\"\n{APP}");
    insta::assert_snapshot!(found(&twice), @r#"
    9: C021 plain mode: nothing vouches for what a push says → choose 安全模式 in WeChat's backend and write mode = "safe"
    12: C013 there are two apps named "shop" → each app has its own URL, /wechat/<name>: rename one of them
    "#);
    insta::assert_snapshot!(found("[app]\nname = \"shop\""), @"1: C004 `app` must be a list of tables → write [[app]], in two pairs of brackets");
    insta::assert_snapshot!(found(""), @"1: C019 there is no [[app]] → wxreply answers for at least one app: `wxreply init` writes an example");
}

#[test]
fn one_port_for_both_listeners() {
    let text = format!("listen = \"0.0.0.0:80\"\n[admin]\nlisten = \"127.0.0.1:80\"{APP}");
    insta::assert_snapshot!(found(&text), @"3: C018 `listen` and the admin listener both want port 80 → give one of them another port");
    let text = format!("listen = \"127.0.0.1:80\"\n[admin]\nlisten = \"[::]:80\"{APP}");
    assert!(found(&text).contains("C018"), "{}", found(&text));
    let text = format!("listen = \"127.0.0.1:80\"\n[admin]\nlisten = \"127.0.0.2:80\"{APP}");
    assert!(!found(&text).contains("C018"), "{}", found(&text));
}

#[test]
fn a_syntax_error_does_not_hide_the_rest() {
    insta::assert_snapshot!(
        found(&format!("timezone = = \"UTC\"\n{APP}")),
        @"1: C001 this is no TOML: extra `=`, expected nothing"
    );
    let text = format!("listen = \ntimezone = \"Mars\"\npush = {{ max_age = }}\n{APP}");
    insta::assert_snapshot!(found(&text), @r#"
    1: C001 this is no TOML: string values must be quoted, expected literal string
    2: C008 `timezone` is no time zone → write it like "Asia/Shanghai", "Asia/Hong_Kong" or "UTC"
    3: C001 this is no TOML: invalid literal string, expected `'`
    "#);
}

#[test]
fn without_secrets_all_else_is_checked() {
    let text = "[admin]\ntoken_key = { env = \"NOT_SET\" }\n[[admin.user]]\nname = \"ops\"\nrole = \"editor\"\n\
                password_hash = { file = \"gone\" }\n[alarm]\nwebhook = { env = \"NOT_SET\" }\n";
    let text = text.to_owned() + &APP.replace("\"s3cret\"", "{ env = \"NOT_SET\" }");
    assert!(parse(&text).config.is_none());
    let read = read(Path::new("/wxreply.toml"), &text, &|_| None, false);
    assert_eq!(read.findings, []);
    assert!(read.config.is_some());
}
