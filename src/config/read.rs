//! From the text of a config file to the settings: the top of the file, and all findings in order.

use std::path::Path;

use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::admin::admin;
use super::app::apps;
use super::mask::mask;
use super::secret::Vault;
use super::section::{Findings, Problem, Section};
use super::tables::{alarm, log, outbox, push, webhook};
use super::value::{address, filled, zone};
use super::{Config, Read, codes};
use crate::diagnostic::{Diagnostic, Source};

/// Reads `text`, which stands in the file `name`. `fetch`: whether secrets are fetched from where they are.
pub(super) fn read(name: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>, fetch: bool) -> Read {
    let path = std::path::absolute(name).unwrap_or_else(|_| name.to_owned());
    let base = path.parent().unwrap_or(Path::new("/"));
    let vault = Vault { base, env, fetch };
    let (table, errors) = DeTable::parse_recoverable(text);
    let source = &Source::new(name, mask(text, table.get_ref()));
    let mut findings = Findings {
        source,
        list: Vec::new(),
    };
    let config = config(&table, &path, base, &vault, &mut findings);

    let mut syntax: Vec<_> = errors
        .iter()
        .map(|error| {
            let message = format!("this is no TOML: {}", error.message().trim_end_matches('.'));
            Diagnostic::error(codes::SYNTAX, message).at(source, error.span().unwrap_or(0..0), "")
        })
        .collect();
    // One mistake makes the parser stumble several times: the first says it best.
    syntax.dedup_by_key(|d| line(source, d));
    let mut findings = findings.list;
    if !syntax.is_empty() {
        // What the parser could not read is not missing, what it made up stands nowhere, and what stands beside a
        // mistake is part of it.
        let lines: Vec<_> = syntax.iter().filter_map(|d| line(source, d)).collect();
        findings.retain(|d| {
            let nowhere = d.place.as_ref().is_none_or(|p| p.span.is_empty());
            ![codes::MISSING, codes::NO_APP].contains(&d.code)
                && !nowhere
                && !line(source, d).is_some_and(|l| lines.contains(&l))
        });
        findings.extend(syntax);
    }
    findings.sort_by_key(|d| d.place.as_ref().map_or(0, |p| p.span.start));
    let usable = !findings.iter().any(Diagnostic::is_error);
    Read {
        config: config.filter(|_| usable),
        findings,
    }
}

fn line(source: &Source, finding: &Diagnostic) -> Option<usize> {
    let start = finding.place.as_ref()?.span.start;
    Some(source.text.get(..start)?.matches('\n').count())
}

/// `None` when something that has no default is missing; then a finding says so.
fn config(
    table: &Spanned<DeTable<'_>>,
    path: &Path,
    base: &Path,
    vault: &Vault<'_>,
    f: &mut Findings<'_>,
) -> Option<Config> {
    let mut top = Section::new("", table.get_ref(), 0..0);
    let listen = top.get(f, "listen", address);
    let listen = listen.unwrap_or_else(|| ([0, 0, 0, 0], 8080).into());
    let rules = top.get(f, "rules", filled).unwrap_or_else(|| "rules".to_owned());
    let database = top.get(f, "database", |key, value| database(key, value, base));
    let database = database.unwrap_or_else(|| sqlite(base, "wxreply.db"));
    let timezone = top.get(f, "timezone", zone);
    let timezone = timezone.unwrap_or_else(|| TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC));
    let admin = admin(top.section(f, "admin", "[admin]"), listen, vault, f);
    let push = push(top.section(f, "push", "[push]"), f);
    let outbox = outbox(top.section(f, "outbox", "[outbox]"), f);
    let webhook = webhook(top.section(f, "webhook", "[webhook]"), vault, f);
    let log = log(top.section(f, "log", "[log]"), f);
    let alarm = alarm(top.section(f, "alarm", "[alarm]"), vault, f);
    let listed_apps = top.raw("app");
    top.finish(f);
    let apps = apps(listed_apps, vault, f);
    Some(Config {
        path: path.to_owned(),
        listen,
        rules: base.join(rules),
        database,
        timezone,
        admin,
        push,
        outbox,
        webhook,
        log,
        alarm,
        apps: apps?,
    })
}

fn database(key: &str, value: &DeValue<'_>, base: &Path) -> Result<String, Problem> {
    let text = filled(key, value)?;
    match text.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() && !path.contains(['?', '#']) => Ok(sqlite(base, path)),
        _ => Err(
            Problem::new(codes::DATABASE, format!("`{key}` is not the address of a SQLite file"))
                .label("this version keeps its log in SQLite")
                .help("write it like \"sqlite://wxreply.db\" (relative to this file) or \"sqlite:///var/lib/wxreply/wxreply.db\""),
        ),
    }
}

fn sqlite(base: &Path, path: &str) -> String {
    format!("sqlite://{}", base.join(path).display())
}
