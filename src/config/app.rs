//! `[[app]]`: what an app is to WeChat, and the secrets that they share.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use toml::Spanned;
use toml::de::DeValue;

use super::secret::Vault;
use super::section::{Findings, Problem, Section, tables, wrong_type};
use super::value::{choice, filled, plain_url, string, url};
use super::{AccessTokenSource, App, codes};
use crate::diagnostic::{Diagnostic, Span};
use crate::message::{AppKind, AppName, Mode};

const KINDS: &[(&str, AppKind)] = &[
    ("mini-program", AppKind::MiniProgram),
    ("official-account", AppKind::OfficialAccount),
];
const MODES: &[(&str, Mode)] = &[
    ("plain", Mode::Plain),
    ("compat", Mode::Compat),
    ("safe", Mode::Safe),
];
const TOKEN_SOURCES: &[(&str, AccessTokenSource)] = &[
    ("stable", AccessTokenSource::Stable),
    ("classic", AccessTokenSource::Classic),
];

/// All apps; `None` when there is no list of them.
pub(super) fn apps(
    value: Option<&Spanned<DeValue<'_>>>,
    vault: &Vault<'_>,
    f: &mut Findings<'_>,
) -> Option<Vec<App>> {
    let none = || {
        Problem::new(codes::NO_APP, "there is no [[app]]")
            .help("wxreply answers for at least one app: `wxreply init` writes an example")
    };
    let Some(value) = value else {
        f.push(none(), 0..0);
        return None;
    };
    let sections = tables("app", "[[app]]", value, f)?;
    if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
        f.push(none(), value.span());
    }
    let mut names: BTreeMap<AppName, Span> = BTreeMap::new();
    let mut apps = Vec::new();
    for mut section in sections {
        let span = section.span_of("name");
        let app = app(&mut section, vault, f);
        section.finish(f);
        let Some(app) = app else { continue };
        if let Some(first) = names.get(&app.name) {
            let message = format!("there are two apps named {:?}", app.name);
            f.list.push(
                Diagnostic::error(codes::APP_TWICE, message)
                    .at(f.source, span, "the second")
                    .see(f.source, first.clone(), "the first")
                    .help("each app has its own URL, /wechat/<name>: rename one of them"),
            );
        } else {
            names.insert(app.name.clone(), span);
        }
        apps.push(app);
    }
    Some(apps)
}

fn app(section: &mut Section<'_>, vault: &Vault<'_>, f: &mut Findings<'_>) -> Option<App> {
    const BACKEND: &str = "it stands in WeChat's backend (mp.weixin.qq.com)";
    let name = section.require(
        f,
        "name",
        "it is the last part of the URL that WeChat pushes to: \"shop\"",
        app_name,
    );
    let kind = section.require(
        f,
        "kind",
        "write \"mini-program\" or \"official-account\"",
        choice(KINDS),
    );
    let app_id = section.require(f, "app_id", BACKEND, |k, v| {
        if vault.fetch { filled(k, v) } else { string(k, v) }
    });
    let app_id_span = section.span_of("app_id");
    let app_secret = section.require(f, "app_secret", BACKEND, |k, v| vault.read(k, v));
    let token_span = section.span_of("token");
    let token = section.require(
        f,
        "token",
        "it is the Token that you chose in WeChat's backend",
        |k, v| vault.read(k, v),
    );
    let mode_span = section.span_of("mode");
    let mode = section.get(f, "mode", choice(MODES)).unwrap_or(Mode::Safe);
    let key = |k: &str, v: &DeValue<'_>| vault.read(k, v).and_then(|secret| aes_key(k, secret));
    let encoding_aes_key = if mode == Mode::Plain {
        section.get(f, "encoding_aes_key", key)
    } else {
        let help = format!("{mode} mode needs the EncodingAESKey that stands in WeChat's backend");
        section.require(f, "encoding_aes_key", &help, key)
    };
    let api_base = section.get(f, "api_base", api_base);
    let access_token = section.get(f, "access_token", access_token);
    let vars = section.get(f, "vars", vars);

    if let Some(id) = &app_id
        && vault.fetch
        && !is_app_id(id)
    {
        let problem = Problem::warning(codes::APP_ID, "this does not look like an AppID");
        f.push(
            problem.help("an AppID is \"wx\" and 16 digits or letters from a to f"),
            app_id_span,
        );
    }
    if let Some(token) = &token
        && vault.fetch
        && !is_token(token.expose_secret())
    {
        let problem = Problem::warning(codes::TOKEN, "WeChat would not take this as a Token");
        f.push(problem.help("a Token is 3 to 32 letters and digits"), token_span);
    }
    if mode == Mode::Plain {
        let problem = Problem::warning(
            codes::PLAIN_MODE,
            "plain mode: nothing vouches for what a push says",
        );
        f.push(
            problem
                .label("WeChat's signature does not cover the content")
                .help("choose 安全模式 in WeChat's backend and write mode = \"safe\""),
            mode_span,
        );
    }
    Some(App {
        name: name?,
        kind: kind?,
        app_id: app_id?.trim().to_owned(),
        app_secret: app_secret?,
        token: token?,
        encoding_aes_key,
        mode,
        api_base: api_base.unwrap_or_else(|| vec!["https://api.weixin.qq.com".to_owned()]),
        access_token: access_token.unwrap_or(AccessTokenSource::Stable),
        vars: vars.unwrap_or_default(),
    })
}

fn app_name(key: &str, value: &DeValue<'_>) -> Result<AppName, Problem> {
    let text = filled(key, value)?;
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if text.chars().all(good) {
        return Ok(text.into());
    }
    Err(
        Problem::new(codes::APP_NAME, format!("an app can't be named {text:?}"))
            .help("the name is part of a URL: write small letters, digits, - and _ only"),
    )
}

fn is_app_id(text: &str) -> bool {
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    text.trim()
        .strip_prefix("wx")
        .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(hex))
}

fn is_token(text: &str) -> bool {
    (3..=32).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric())
}

/// The form of an EncodingAESKey: 43 letters and digits. A secret that was not fetched is let through.
fn aes_key(key: &str, secret: SecretString) -> Result<SecretString, Problem> {
    let text = secret.expose_secret();
    let length = text.chars().count();
    let problem = if text.is_empty() {
        return Ok(secret);
    } else if length != 43 {
        format!("`{key}` has {length} characters; an EncodingAESKey has exactly 43")
    } else if !text.bytes().all(|c| c.is_ascii_alphanumeric()) {
        format!("`{key}` holds something else than letters and digits")
    } else {
        return Ok(secret);
    };
    Err(Problem::new(codes::AES_KEY, problem).help("copy it whole from WeChat's backend"))
}

fn api_base(key: &str, value: &DeValue<'_>) -> Result<Vec<String>, Problem> {
    match value.as_array() {
        Some(list) if !list.is_empty() => list.iter().map(|v| plain_url(key, v.get_ref())).collect(),
        Some(_) => Err(Problem::new(codes::MISSING, format!("`{key}` is an empty list"))),
        None => Ok(vec![plain_url(key, value)?]),
    }
}

fn access_token(key: &str, value: &DeValue<'_>) -> Result<AccessTokenSource, Problem> {
    if let Some(table) = value.as_table() {
        return match table.get("url") {
            Some(address) if table.len() == 1 => url("url", address.get_ref()).map(AccessTokenSource::Url),
            _ => Err(wrong_type(
                key,
                "\"stable\", \"classic\" or { url = \"…\" }",
                value,
            )),
        };
    }
    let text = string(key, value)?;
    let found = TOKEN_SOURCES.iter().find(|(word, _)| *word == text);
    found.map(|(_, source)| source.clone()).ok_or_else(|| {
        Problem::new(codes::CHOICE, format!("`{key}` can't be {text:?}"))
            .help("write \"stable\", \"classic\" or { url = \"…\" }")
    })
}

fn vars(key: &str, value: &DeValue<'_>) -> Result<BTreeMap<String, String>, Problem> {
    let table = value
        .as_table()
        .ok_or_else(|| wrong_type(key, "a table of texts", value))?;
    table
        .iter()
        .map(|(name, value)| {
            let name = name.get_ref().as_ref();
            string(&format!("{key}.{name}"), value.get_ref()).map(|text| (name.to_owned(), text))
        })
        .collect()
}
