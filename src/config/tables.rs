//! `[admin]`, `[push]`, `[outbox]` and `[webhook]`.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

use super::secret::Vault;
use super::section::{Findings, Problem, Section};
use super::value::{address, bytes, choice, duration, duration_from, integer};
use super::{Admin, Outbox, Push, Webhook, codes};

const ON_UNCERTAIN: &[(&str, bool)] = &[("resend", false), ("hold", true)];

pub(super) fn admin(mut section: Section<'_>, public: SocketAddr, f: &mut Findings<'_>) -> Admin {
    let span = section.span_of("listen");
    let listen = section.get(f, "listen", |key, value| {
        let listen = address(key, value)?;
        if listen.ip().is_loopback() {
            return Ok(listen);
        }
        Err(Problem::new(
            codes::ADMIN_OPEN,
            "the admin listener must listen on this machine only",
        )
        .label("others could reach this")
        .help(
            "it asks nobody for a password: write 127.0.0.1 or [::1], and reach it through SSH or a proxy that does ask",
        ))
    });
    let listen = listen.unwrap_or_else(|| ([127, 0, 0, 1], 8081).into());
    // Port 0 is "any free one", which is never the same twice.
    if listen.port() == public.port()
        && listen.port() != 0
        && (listen.ip() == public.ip() || public.ip().is_unspecified())
    {
        let problem = Problem::new(
            codes::SAME_ADDRESS,
            format!("`listen` and the admin listener both want port {}", listen.port()),
        );
        f.push(problem.help("give one of them another port"), span);
    }
    section.finish(f);
    Admin { listen }
}

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
        concurrency: small(concurrency, 64),
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
