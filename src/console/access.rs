//! Who is asking, and may they: sessions, passwords, roles, and requests that another page sent in somebody's name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{StatusCode, header};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Console;
use super::problem::Problem;
use super::request::Head;
use crate::config::{AdminUser, Role};
use crate::password;

/// The cookie that holds a session.
pub(super) const SESSION: &str = "wxreply_session";

const FOREIGN_NAME: &str =
    "without users, the console answers to localhost and 127.0.0.1 only; name users in [[admin.user]]";

/// How long a session lasts.
pub(super) const SESSION_TIME: Duration = Duration::from_hours(7 * 24);

/// What a route asks of whoever takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: a probe, an asset, the page to sign in on.
    Nothing,
    /// A user with this role or a higher one.
    Role(Role),
    /// A key of its own, which the handler checks.
    OwnKey,
}

/// Whoever is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// The user's name; `-` for whoever needs none.
    pub name: String,
    /// `None` for strangers.
    pub role: Option<Role>,
    /// How they came in.
    pub way: Way,
}

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// No users are configured; they came over the loopback.
    Loopback,
    /// By signing in.
    Session,
    /// With name and password in the request itself.
    Password,
    /// They did not.
    Nobody,
}

impl Who {
    fn nobody() -> Self {
        Self {
            name: "-".to_owned(),
            role: None,
            way: Way::Nobody,
        }
    }

    /// Whether they may do what this role may.
    pub fn may(&self, role: Role) -> bool {
        self.role.is_some_and(|own| own >= role)
    }
}

/// Refuses what a page of somebody else's asks for in the name of whoever looks at it.
///
/// Browsers say where a request comes from (`Sec-Fetch-Site`, and `Origin` with everything that changes something). The
/// session's cookie is `SameSite=Strict` besides.
pub(super) fn same_origin(console: &Console, head: &Head) -> Result<(), Problem> {
    if head.is_safe() {
        return Ok(());
    }
    let site = head.header("sec-fetch-site");
    let origin = head.header(header::ORIGIN);
    let ours = match origin {
        Some(origin) => is_ours(console, head, origin),
        None => true,
    };
    let fetched_by_us = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let told = site.is_some() || origin.is_some();
    // A browser that says neither is too old to be trusted with a cookie; a program says neither and brings none.
    if ours && fetched_by_us && (told || head.cookie(SESSION).is_none()) {
        return Ok(());
    }
    let detail = "this request comes from another site's page";
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

fn is_ours(console: &Console, head: &Head, origin: &str) -> bool {
    if console
        .url
        .as_deref()
        .is_some_and(|url| url.trim_end_matches('/') == origin)
    {
        return true;
    }
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == head.header(header::HOST)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Who is asking, if they may take a route that needs this.
pub(super) async fn identify(console: &Console, head: &Head, needs: Needs) -> Result<Who, Problem> {
    let who = if console.users.is_empty() {
        if !is_loopback(head.header(header::HOST).unwrap_or_default()) {
            // A name of somebody's that was made to lead to the loopback would make their page same-origin with us.
            return match needs {
                Needs::Nothing => Ok(Who::nobody()),
                _ => Err(Problem::new(StatusCode::FORBIDDEN, FOREIGN_NAME)),
            };
        }
        Who {
            name: "local".to_owned(),
            role: Some(Role::Editor),
            way: Way::Loopback,
        }
    } else if let (true, Some((name, password))) = (needs != Needs::OwnKey, basic(head)) {
        let user = console.attempts.check(console, head, &name, password).await?;
        Who {
            name,
            role: Some(user.role),
            way: Way::Password,
        }
    } else {
        by_session(console, head).await?
    };
    match (needs, who.role) {
        (Needs::Nothing | Needs::OwnKey, _) => Ok(who),
        (Needs::Role(_), None) => Err(Problem::new(StatusCode::UNAUTHORIZED, "sign in first")),
        (Needs::Role(role), Some(_)) if who.may(role) => Ok(who),
        (Needs::Role(role), Some(own)) => {
            let detail = format!(
                "this takes the role {}, and {} is {}",
                word(role),
                who.name,
                word(own)
            );
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        }
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Agent => "agent",
        Role::Editor => "editor",
    }
}

async fn by_session(console: &Console, head: &Head) -> Result<Who, Problem> {
    let Some(token) = head.cookie(SESSION) else {
        return Ok(Who::nobody());
    };
    let session = console.store.session(token).await?;
    // Somebody who was taken out of the config is out at once.
    let user = session.and_then(|session| user(console, &session.user));
    Ok(user.map_or_else(Who::nobody, |user| Who {
        name: user.name.clone(),
        role: Some(user.role),
        way: Way::Session,
    }))
}

fn user<'a>(console: &'a Console, name: &str) -> Option<&'a AdminUser> {
    console.users.iter().find(|user| user.name == name)
}

/// The name and password of an `Authorization: Basic` header.
fn basic(head: &Head) -> Option<(String, String)> {
    let (scheme, value) = head.header(header::AUTHORIZATION)?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Passwords that were tried: slows down whoever guesses, and spares whoever knows.
pub struct Attempts {
    /// By name and address: nobody locks a user out from elsewhere.
    limiter: DefaultKeyedRateLimiter<(String, Option<IpAddr>)>,
    /// Digests of names and passwords that were right, and until when that is taken for granted: a program sends them
    /// with each request, and one check costs some 30 ms.
    known: Mutex<HashMap<[u8; 32], Instant>>,
    /// Checks at once; each takes a core and 19 MiB.
    slots: Semaphore,
}

/// Ten tries, then one in half a minute.
const BURST: u32 = 10;
const PAUSE: Duration = Duration::from_secs(30);
/// Names and addresses that are remembered.
const KEYS: usize = 10_000;
const KNOWN_TIME: Duration = Duration::from_mins(5);
const KNOWN: usize = 100;

impl Default for Attempts {
    fn default() -> Self {
        let burst = std::num::NonZeroU32::new(BURST).unwrap_or(std::num::NonZeroU32::MIN);
        let quota = Quota::with_period(PAUSE).map(|quota| quota.allow_burst(burst));
        Self {
            limiter: RateLimiter::keyed(quota.unwrap_or_else(|| Quota::per_minute(burst))),
            known: Mutex::default(),
            slots: Semaphore::new(1),
        }
    }
}

impl Attempts {
    /// The user of this name, if the password is theirs.
    pub(super) async fn check<'a>(
        &self,
        console: &'a Console,
        head: &Head,
        name: &str,
        password: String,
    ) -> Result<&'a AdminUser, Problem> {
        let digest = digest(name, &password);
        let user = user(console, name);
        if let Some(user) = user
            && self.is_known(&digest)
        {
            return Ok(user);
        }
        if self.limiter.len() > KEYS {
            self.limiter.retain_recent();
        }
        let address = head.peer().map(|peer| peer.ip());
        if self.limiter.check_key(&(name.to_owned(), address)).is_err() {
            let detail = "too many attempts to sign in; wait half a minute";
            return Err(Problem::too_many(PAUSE.as_secs(), detail));
        }
        // An unknown name takes as long as a known one.
        let hash = user.map(|user| user.password_hash.clone());
        let slot = self.slots.acquire().await;
        let right = spawn_blocking(move || match hash {
            Some(hash) => password::verify(hash.expose_secret(), &password),
            None => password::verify_nobody(&password),
        })
        .await;
        drop(slot);
        match (user, right) {
            (Some(user), Ok(true)) => {
                self.remember(digest);
                Ok(user)
            }
            _ => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "no user has this name and password",
            )),
        }
    }

    fn is_known(&self, digest: &[u8; 32]) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).is_some_and(|until| *until > Instant::now())
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if known.len() >= KNOWN {
            known.retain(|_, until| *until > now);
        }
        if known.len() < KNOWN {
            known.insert(digest, now + KNOWN_TIME);
        }
    }
}

fn digest(name: &str, password: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(name.len().to_le_bytes())
        .chain_update(name)
        .chain_update(password)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_a_few_names() {
        for host in [
            "localhost",
            "LOCALHOST:8081",
            "127.0.0.1:8081",
            "127.8.9.1",
            "[::1]:8081",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.2",
            "[::2]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
