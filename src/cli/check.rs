//! `wxreply check`: every finding about config and rules.

#[cfg(test)]
mod page;

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Exit;
use super::config::{self, ConfigArg};
use super::print::{color, count};
use crate::clock::{Clock, SystemClock};
use crate::diagnostic::{Code, Diagnostic, Language, render, render_json, sarif, section};
use crate::reload::RulesSource;

#[derive(Debug, Args)]
#[command(after_help = "\
Without PATH, the config and its rules are checked. With PATH, these rules are (files or folders, taken together as one \
set); the apps they may speak of are those of the config that --config or WXREPLY_CONFIG names, else of ./wxreply.toml, \
else any. A file that holds [[app]], or is called wxreply.toml, is a config.

A warning that is meant to be silenced: `# wxreply: allow(W010) why` on the rule.

Exit code 1 when there is an error, or a warning and --deny warnings.")]
pub(super) struct Check {
    /// Rule files or folders, or configs, each of which is checked with its rules
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
    /// What is bad besides errors
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Say more about one code, with an example: what it means, why it matters, what to write instead
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "deny", "format"])]
    explain: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings count as errors
    Warnings,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// With the source line and a caret
    Human,
    /// One JSON array
    Json,
    /// SARIF 2.1.0, for code review
    Sarif,
}

/// What was found, and what it was found in.
#[derive(Default)]
struct Found {
    findings: Vec<Diagnostic>,
    /// What was checked, in words.
    checked: Vec<String>,
    /// Why something was not checked.
    skipped: Option<String>,
}

impl Check {
    pub fn run(self) -> anyhow::Result<Exit> {
        if let Some(code) = &self.explain {
            return explain(code);
        }
        let found = self.find()?;
        let errors = found.findings.iter().filter(|d| d.is_error()).count();
        let warnings = found.findings.len() - errors;
        let mut out = BufWriter::new(std::io::stdout().lock());
        match self.format {
            Format::Human => {
                let color = color(&std::io::stdout());
                for finding in &found.findings {
                    writeln!(out, "{}\n", render(finding, color).trim_end())?;
                }
                if let Some(skipped) = &found.skipped {
                    writeln!(out, "{skipped}\n")?;
                }
                let checked = found.checked.join(", ");
                if found.findings.is_empty() {
                    writeln!(out, "fine: {checked}")?;
                } else {
                    let (errors, warnings) = (count(errors, "error"), count(warnings, "warning"));
                    writeln!(out, "{errors}, {warnings}: {checked}")?;
                }
                if let Some(first) = found.findings.first() {
                    writeln!(
                        out,
                        "more about a finding: wxreply check --explain {}",
                        first.code
                    )?;
                }
            }
            Format::Json => {
                let findings: Vec<_> = found.findings.iter().map(render_json).collect();
                serde_json::to_writer_pretty(&mut out, &findings)?;
                writeln!(out)?;
            }
            Format::Sarif => {
                let codes: Vec<_> = codes().copied().collect();
                serde_json::to_writer_pretty(&mut out, &sarif(&found.findings, &codes))?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        let bad = errors > 0 || warnings > 0 && self.deny == Some(Deny::Warnings);
        Ok(if bad { Exit::Bad } else { Exit::Fine })
    }

    fn find(&self) -> anyhow::Result<Found> {
        let mut found = Found::default();
        let (configs, rules): (Vec<_>, Vec<_>) = self.paths.iter().cloned().partition(|path| is_config(path));
        if self.paths.is_empty() {
            found.config(self.config.path())?;
        }
        for config in configs {
            found.config(&config)?;
        }
        if !rules.is_empty() {
            let scope = match self.config.named() {
                Some(path) => {
                    let read = crate::config::read_without_secrets(path)?;
                    found.findings.extend(read.findings);
                    read.config.as_ref().map(RulesSource::of)
                }
                None => self.config.beside().as_ref().map(RulesSource::of),
            };
            let scope = scope.unwrap_or_else(RulesSource::without_config);
            found.rules(&scope, &rules)?;
        }
        Ok(found)
    }
}

impl Found {
    /// A config and its rules.
    fn config(&mut self, path: &Path) -> anyhow::Result<()> {
        let read = config::read(path)?;
        self.findings.extend(read.findings);
        self.checked.push(path.display().to_string());
        // Rules need no secret: where there is none, as in a build, they are checked all the same.
        let config = match read.config {
            None => crate::config::read_without_secrets(path)?.config,
            config => config,
        };
        match config {
            Some(config) => self.rules(&RulesSource::of(&config), &[from_here(&config.rules)]),
            None => {
                self.skipped =
                    Some("the rules were not checked, because the config can't be used".to_owned());
                Ok(())
            }
        }
    }

    /// Rules at several places, as one set.
    fn rules(&mut self, scope: &RulesSource, paths: &[PathBuf]) -> anyhow::Result<()> {
        let source = RulesSource {
            path: PathBuf::new(),
            ..scope.clone()
        };
        let loaded = source.check_all(paths, today(&scope.timezone))?;
        self.findings.extend(loaded.findings);
        let names: BTreeMap<_, _> = paths
            .iter()
            .map(|path| (path.display().to_string(), ()))
            .collect();
        let names: Vec<_> = names.into_keys().collect();
        self.checked.push(match loaded.set {
            Some(set) => format!("{} in {}", count(set.len(), "rule"), names.join(", ")),
            None => names.join(", "),
        });
        Ok(())
    }
}

/// Every code that `check` can find.
fn codes() -> impl Iterator<Item = &'static Code> {
    crate::rules::codes::ALL.iter().chain(crate::config::codes::ALL)
}

fn today(timezone: &TimeZone) -> Date {
    timezone.to_datetime(SystemClock.now()).date()
}

/// Prints what the page of findings says about one code.
fn explain(code: &str) -> anyhow::Result<Exit> {
    let known = codes().find(|known| known.code.eq_ignore_ascii_case(code));
    let Some(text) = known.and_then(|known| section(known.code, language())) else {
        bail!(
            "no finding has the code {code:?}; the codes stand in brackets in what `check` prints, as in [W010]"
        );
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(Exit::Fine)
}

/// The reader's language, as the environment has it.
fn language() -> Language {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    if named.is_some_and(|name| name.to_ascii_lowercase().starts_with("zh")) {
        Language::Chinese
    } else {
        Language::English
    }
}

/// Whether a path names a config, not rules.
pub(super) fn is_config(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "wxreply.toml")
        || path.is_file() && std::fs::read_to_string(path).is_ok_and(|text| crate::config::is_config(&text))
}

/// The path as one would type it: relative, if it lies below the working directory.
pub(super) fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(here) {
        Ok(below) if !below.as_os_str().is_empty() => below.to_owned(),
        _ => path.to_owned(),
    }
}
