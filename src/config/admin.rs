//! `[admin]`: the second listener, and who may sign in there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use super::secret::Vault;
use super::section::{Findings, Problem, Section, tables};
use super::value::{address, choice, filled, plain_url};
use super::{Admin, AdminUser, Role, codes};
use crate::diagnostic::{Diagnostic, Span};
use crate::password;

const ROLES: &[(&str, Role)] = &[
    ("viewer", Role::Viewer),
    ("agent", Role::Agent),
    ("editor", Role::Editor),
];

/// The longest name of a user, in characters.
const LONGEST_NAME: usize = 64;

/// What a `token_key` must have at least, in characters.
const SHORTEST_KEY: usize = 16;

pub(super) fn admin(
    mut section: Section<'_>,
    public: SocketAddr,
    vault: &Vault<'_>,
    f: &mut Findings<'_>,
) -> Admin {
    let span = section.span_of("listen");
    let listen = section.get(f, "listen", address);
    let listen = listen.unwrap_or_else(|| ([127, 0, 0, 1], 8081).into());
    let url = section.get(f, "url", |key, value| {
        plain_url(key, value)
            .map_err(|problem| problem.help("write where people reach it: \"https://console.example.com\""))
    });
    let token_key = section.get(f, "token_key", |key, value| {
        token_key(key, vault.read(key, value)?)
    });
    let listed = section.raw("user");
    let nobody = listed.is_none_or(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty()));
    let listed = listed.and_then(|value| tables("user", "[[admin.user]]", value, f));
    let users = users(listed.unwrap_or_default(), vault, f);

    // Port 0 is "any free one", which is never the same twice.
    if listen.port() == public.port()
        && listen.port() != 0
        && (listen.ip() == public.ip() || public.ip().is_unspecified() || listen.ip().is_unspecified())
    {
        let problem = Problem::new(
            codes::SAME_ADDRESS,
            format!("`listen` and the admin listener both want port {}", listen.port()),
        );
        f.push(problem.help("give one of them another port"), span.clone());
    }
    if !listen.ip().is_loopback() {
        let encrypted = match &url {
            Some(url) => url.starts_with("https://"),
            // Whoever wrote one that is wrong meant to.
            None => section.raw("url").is_some(),
        };
        if nobody {
            let problem = Problem::new(
                codes::ADMIN_OPEN,
                "the admin listener is open to other machines, and asks nobody who they are",
            );
            f.push(
                problem.label("others could reach this").help(
                    "name who may sign in under [[admin.user]] (`wxreply hash-password` makes the hash of a password), \
                     or write 127.0.0.1 or [::1] and reach it through SSH",
                ),
                span,
            );
        } else if !encrypted {
            let problem = Problem::warning(
                codes::ADMIN_CLEAR,
                "passwords and customers' messages would cross the network in clear",
            );
            f.push(
                problem.label("others could listen in on this").help(
                    "put nginx or Caddy with HTTPS before it, and write its address as url = \"https://…\" under [admin]",
                ),
                span,
            );
        }
    }
    section.finish(f);
    Admin {
        listen,
        url,
        token_key,
        users,
    }
}

/// All users that are complete; the others are findings.
fn users(listed: Vec<Section<'_>>, vault: &Vault<'_>, f: &mut Findings<'_>) -> Vec<AdminUser> {
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    let mut users = Vec::new();
    for mut section in listed {
        let span = section.span_of("name");
        let user = user(&mut section, vault, f);
        section.finish(f);
        let Some(user) = user else { continue };
        if let Some(first) = names.get(&user.name) {
            let message = format!("there are two users named {:?}", user.name);
            f.list.push(
                Diagnostic::error(codes::USER_TWICE, message)
                    .at(f.source, span, "the second")
                    .see(f.source, first.clone(), "the first")
                    .help("the audit trail calls people by these names: give everybody their own"),
            );
        } else {
            names.insert(user.name.clone(), span);
        }
        users.push(user);
    }
    users
}

fn user(section: &mut Section<'_>, vault: &Vault<'_>, f: &mut Findings<'_>) -> Option<AdminUser> {
    let name = section.require(
        f,
        "name",
        "it is what this person signs in with, and what the audit trail says: \"ops\"",
        |key, value| user_name(filled(key, value)?),
    );
    let password_hash = section.require(
        f,
        "password_hash",
        "`wxreply hash-password` asks for a password and prints its hash",
        |key, value| match vault.read(key, value)? {
            hash if vault.fetch => password_hash(key, hash),
            hash => Ok(hash),
        },
    );
    let role = section.require(
        f,
        "role",
        "write \"viewer\", \"agent\" (may write to customers) or \"editor\" (may change rules)",
        choice(ROLES),
    );
    Some(AdminUser {
        name: name?,
        password_hash: password_hash?,
        role: role?,
    })
}

fn user_name(name: String) -> Result<String, Problem> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if name.chars().all(good) && name.chars().count() <= LONGEST_NAME {
        return Ok(name);
    }
    Err(
        Problem::new(codes::USER_NAME, format!("a user can't be named {name:?}")).help(format!(
            "write at most {LONGEST_NAME} letters, digits, -, _, . and @, without spaces"
        )),
    )
}

fn password_hash(key: &str, hash: SecretString) -> Result<SecretString, Problem> {
    if password::is_hash(hash.expose_secret()) {
        return Ok(hash);
    }
    // What stands there may be the password itself: nothing of it is shown.
    Err(
        Problem::new(codes::PASSWORD_HASH, format!("`{key}` is no argon2 hash of a password")).help(
            "`wxreply hash-password` makes one; it begins with \"$argon2id$\". In a shell, put it in single quotes, \
             because of its dollar signs",
        ),
    )
}

fn token_key(key: &str, secret: SecretString) -> Result<SecretString, Problem> {
    let text = secret.expose_secret();
    // A secret that was not fetched is empty.
    let problem =
        if text.is_empty() || text.len() >= SHORTEST_KEY && text.bytes().all(|c| c.is_ascii_graphic()) {
            return Ok(secret);
        } else if text.bytes().all(|c| c.is_ascii_graphic()) {
            format!("`{key}` has fewer than {SHORTEST_KEY} characters, so that it could be guessed")
        } else {
            format!("`{key}` holds something that an HTTP header can't carry")
        };
    Err(Problem::new(codes::TOKEN_KEY, problem).help("let the machine choose one: `openssl rand -hex 32`"))
}
