//! Who is asking, and may they: sessions, passwords, roles, and requests that another page sent in somebody's name.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::{Authority, Uri};
use http::{StatusCode, header};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::Console;
use super::problem::Problem;
use super::request::Head;
use crate::config::{AdminUser, Role};

/// The cookie that holds a session.
pub(super) const SESSION: &str = "wxreply_session";

const FOREIGN_NAME: &str =
    "without users, the console answers to localhost and 127.0.0.1 only; name users in [[admin.user]]";

const FOREIGN_PAGE: &str = "this request comes from another site's page; if it does not, there is a proxy in between: set \
                            `url` under [admin] to the address that people type, or let the proxy pass that on \
                            (nginx: proxy_set_header Host $http_host)";

/// How long the database may take to say who asks.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a session lasts.
pub(super) const SESSION_TIME: Duration = Duration::from_hours(7 * 24);

/// What a route asks of whoever takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing, and all are answered alike: a probe, an asset.
    Nothing,
    /// Nothing, but whoever is known is answered otherwise: the page to sign in on.
    Anyone,
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
    Err(Problem::new(StatusCode::FORBIDDEN, FOREIGN_PAGE))
}

/// Where to go on after signing in: what was asked for, or the page that the form stood on.
pub(super) fn way_back(console: &Console, head: &Head) -> String {
    if head.is_safe() {
        return head.address();
    }
    let referer = head.header(header::REFERER).and_then(|referer| {
        let origin = head_of(referer)?;
        let place = referer.get(origin.len()..)?;
        is_ours(console, head, origin).then(|| place.to_owned())
    });
    referer
        .filter(|place| !place.is_empty())
        .unwrap_or_else(|| "/".to_owned())
}

/// Scheme and authority of an address.
fn head_of(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    address.get(..scheme.len() + "://".len() + authority.len())
}

/// Whether a page of this origin is ours: at the address that operators type, or at that of this very request.
fn is_ours(console: &Console, head: &Head, origin: &str) -> bool {
    let Some(origin) = Origin::of(origin) else {
        return false;
    };
    let typed = console.url.as_deref().and_then(Origin::of);
    let asked = head.header(header::HOST).and_then(|host| host.parse().ok());
    // Nobody says by which scheme a request came.
    let asked = asked.and_then(|host: Authority| Origin::new(&origin.scheme, &host));
    [typed, asked].into_iter().flatten().any(|ours| ours == origin)
}

/// Where a page comes from, however it is spelled.
#[derive(PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    fn of(address: &str) -> Option<Self> {
        let uri: Uri = head_of(address)?.parse().ok()?;
        Self::new(uri.scheme_str()?, uri.authority()?)
    }

    fn new(scheme: &str, authority: &Authority) -> Option<Self> {
        let scheme = scheme.to_ascii_lowercase();
        let port = match (authority.port_u16(), scheme.as_str()) {
            (Some(port), _) => port,
            (None, "https") => 443,
            (None, "http") => 80,
            (None, _) => return None,
        };
        Some(Self {
            host: authority.host().to_ascii_lowercase(),
            scheme,
            port,
        })
    }
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
    let who = match needs {
        Needs::Nothing => return Ok(Who::nobody()),
        // A probe with an old password, or a database that is out of reach: they are answered as strangers are.
        Needs::Anyone => return Ok(ask(console, head, needs).await.unwrap_or_else(|_| Who::nobody())),
        Needs::Role(_) | Needs::OwnKey => ask(console, head, needs).await?,
    };
    match (needs, who.role) {
        (Needs::Nothing | Needs::Anyone | Needs::OwnKey, _) => Ok(who),
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

async fn ask(console: &Console, head: &Head, needs: Needs) -> Result<Who, Problem> {
    if console.users.is_empty() {
        // A name of somebody's that was made to lead to the loopback would make their page same-origin with us.
        if !is_loopback(head.header(header::HOST).unwrap_or_default()) {
            return Err(Problem::new(StatusCode::FORBIDDEN, FOREIGN_NAME));
        }
        return Ok(Who {
            name: "local".to_owned(),
            role: Some(Role::Editor),
            way: Way::Loopback,
        });
    }
    match basic(head).filter(|_| needs != Needs::OwnKey) {
        Some((name, password)) => {
            let user = console.attempts.check(console, head, &name, password).await?;
            Ok(Who {
                name,
                role: Some(user.role),
                way: Way::Password,
            })
        }
        None => by_session(console, head).await,
    }
}

pub(super) fn word(role: Role) -> &'static str {
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
    let session = timeout(PATIENCE, console.store.session(token)).await;
    let session = session.map_err(|_| {
        let detail = format!("the database does not answer: nothing within {PATIENCE:?}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })??;
    // Somebody who was taken out of the config is out at once, and whoever came in with a password that is another now.
    let user = session.and_then(|session| {
        let user = user(console, &session.user)?;
        (session.password_digest == password_digest(user)).then_some(user)
    });
    Ok(user.map_or_else(Who::nobody, |user| Who {
        name: user.name.clone(),
        role: Some(user.role),
        way: Way::Session,
    }))
}

/// What tells whether a user's password is still the one that a session began with.
pub(super) fn password_digest(user: &AdminUser) -> [u8; 32] {
    Sha256::digest(user.password_hash.expose_secret()).into()
}

/// The user of this name.
pub(super) fn user<'a>(console: &'a Console, name: &str) -> Option<&'a AdminUser> {
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
