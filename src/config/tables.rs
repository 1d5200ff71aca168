//! `[push]`, `[outbox]`, `[webhook]`, `[log]` and `[alarm]`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use toml::de::DeValue;

use super::secret::Vault;
use super::section::{Findings, Problem, Section};
use super::value::{boolean, bytes, choice, duration, duration_from, integer, url};
use super::{Alarm, Log, Outbox, Push, Webhook, codes};
use crate::diagnostic::Language;

const ON_UNCERTAIN: &[(&str, bool)] = &[("resend", false), ("hold", true)];
const LANGUAGES: &[(&str, Language)] = &[("zh", Language::Chinese), ("en", Language::English)];

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn push(mut section: Section<'_>, f: &mut Findings<'_>) -> Push {
    let max_age = section.get(f, "max_age", duration_from(Duration::from_secs(1)));
    let max_body = section.get(f, "max_body", bytes(1024..=64 << 20));
    let connections = section.get(f, "max_connections", integer(1..=1_000_000));
    section.finish(f);
    Push {
        max_age: max_age.unwrap_or(Duration::from_secs(10 * 60)),
        max_body: max_body.unwrap_or(1 << 20),
        max_connections: small(connections, 4096),
    }
}

pub(super) fn outbox(mut section: Section<'_>, f: &mut Findings<'_>) -> Outbox {
    let max_age = section.get(f, "max_age", duration_from(Duration::from_secs(1)));
    let hold_uncertain = section.get(f, "on_uncertain", choice(ON_UNCERTAIN));
    let concurrency = section.get(f, "concurrency", integer(1..=10_000));
    let gap = section.get(f, "gap", duration);
    let reserve = section.get(f, "reserve", integer(0..=20));
    let timeout = section.get(f, "timeout", duration_from(Duration::from_millis(100)));
    section.finish(f);
    Outbox {
        max_age: max_age.unwrap_or(Duration::from_secs(15 * 60)),
        hold_uncertain: hold_uncertain.unwrap_or(false),
        concurrency: small(concurrency, 512),
        gap: gap.unwrap_or(Duration::from_millis(100)),
        reserve: reserve.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        timeout: timeout.unwrap_or(Duration::from_secs(10)),
    }
}

pub(super) fn webhook(mut section: Section<'_>, vault: &Vault<'_>, f: &mut Findings<'_>) -> Webhook {
    let secret = section.get(f, "secret", |key, value| {
        let secret = vault.read(key, value)?;
        match weakness(secret.expose_secret()) {
            Some(words) if vault.fetch => Err(Problem::new(
                codes::WEBHOOK_SECRET,
                format!("`{key}` can't sign anything: it {words}"),
            )
            .help(
                "let the machine choose one: `openssl rand -base64 32`, with or without \"whsec_\" before it",
            )),
            _ => Ok(secret),
        }
    });
    let concurrency = section.get(f, "concurrency", integer(1..=1000));
    section.finish(f);
    Webhook {
        secret,
        concurrency: small(concurrency, 8),
    }
}

pub(super) fn log(mut section: Section<'_>, f: &mut Findings<'_>) -> Log {
    let retention = section.get(f, "retention", |key, value| {
        if value.as_str() == Some("forever") {
            return Ok(None);
        }
        let help = "write how long messages are kept: \"180d\", or \"forever\"";
        match duration(key, value).map_err(|problem| problem.help(help))? {
            given if given < DAY => {
                let message = format!("`{key}` must be at least a day");
                Err(Problem::new(codes::RANGE, message).help(help))
            }
            given => Ok(Some(given)),
        }
    });
    let media = section.get(f, "media", boolean);
    section.finish(f);
    Log {
        retention: retention.unwrap_or(Some(180 * DAY)),
        media: media.unwrap_or(true),
    }
}

pub(super) fn alarm(mut section: Section<'_>, vault: &Vault<'_>, f: &mut Findings<'_>) -> Alarm {
    let address = |key: &str, value: &DeValue<'_>| secret_url(key, value, vault);
    let webhook = section.get(f, "webhook", address);
    let wecom_robot = section.get(f, "wecom_robot", address);
    let cooldown = section.get(f, "cooldown", duration_from(MINUTE));
    let language = section.get(f, "language", choice(LANGUAGES));
    section.finish(f);
    Alarm {
        webhook,
        wecom_robot,
        cooldown: cooldown.unwrap_or(30 * MINUTE),
        language: language.unwrap_or(Language::Chinese),
    }
}

/// A web address that holds a key, and is a secret therefore.
fn secret_url(key: &str, value: &DeValue<'_>, vault: &Vault<'_>) -> Result<SecretString, Problem> {
    let secret = vault.read(key, value)?;
    if vault.fetch {
        url(key, &DeValue::String(secret.expose_secret().into())).map_err(|problem| {
            problem.help(
                "write it whole, with its key: \"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…\"",
            )
        })?;
    }
    Ok(secret)
}

/// What is wrong with a secret that questions are to be signed with.
fn weakness(secret: &str) -> Option<&'static str> {
    const SHORT: &str = "has fewer than 16 bytes, so that it could be guessed";
    match secret.strip_prefix("whsec_") {
        None => (secret.len() < 16).then_some(SHORT),
        Some(base64) => match STANDARD.decode(base64) {
            Ok(key) => (key.len() < 16).then_some(SHORT),
            Err(_) => Some("begins with \"whsec_\", but what follows is no base64"),
        },
    }
}

/// A number whose range was checked already.
fn small(number: Option<u64>, default: usize) -> usize {
    number.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
}
