//! `wxreply import`: turn replies from WeChat's backend, or a table of keywords, into rules.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use jiff::tz::TimeZone;

use super::check::from_here;
use super::config::ConfigArg;
use super::print::{count, plain};
use super::{Exit, examples};
use crate::config::Config;
use crate::import::{Imported, Place, import};
use crate::reload::{RuleFiles, RulesSource, media_root, read_rule_files};
use crate::rules::Scope;

#[derive(Debug, Args)]
#[command(after_help = "\
FILE is either the answer of WeChat's get_current_autoreply_info (JSON), or a table in CSV, in UTF-8: the first column holds \
keywords (several in a cell are parted by ， , 、 ; | / or a line break), the second the reply; a first row that names the \
columns (关键词,回复 or keyword,reply) may put them elsewhere.

The rules are laid out as by `wxreply fmt`, with a test beside each; the report says what could not be carried over, why, \
and what to do about it. A file that is there already is never written over.

Exit code 1 when there is nothing in FILE that could be imported.")]
pub(super) struct Import {
    /// What to import
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The rule file to write, - for standard output [default: imported.toml in the config's rules, without a config
    /// rules/imported.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

/// Where the new file goes, and what is around it.
struct Target {
    /// The folder of the rules.
    root: PathBuf,
    /// The file in it.
    path: PathBuf,
}

impl Import {
    pub fn run(self) -> anyhow::Result<Exit> {
        let bytes =
            std::fs::read(&self.file).with_context(|| format!("can't read {}", self.file.display()))?;
        let config = self.config()?;
        let target = self.target(config.as_ref())?;
        let around = if target.root.is_dir() {
            read_rule_files(&target.root)?
        } else {
            RuleFiles::default()
        };
        let scope = config.as_ref().map(RulesSource::of);
        let scope = Scope {
            timezone: scope.as_ref().map_or_else(
                || TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC),
                |scope| scope.timezone.clone(),
            ),
            apps: scope.map(|scope| scope.apps).unwrap_or_default(),
            media: around.media,
            ..Scope::default()
        };
        let schema = schema_beside(&target);
        let place = Place {
            from: &self.file.file_name().unwrap_or_default().to_string_lossy(),
            path: target.path.clone(),
            others: &around.sources,
            scope: &scope,
            schema: schema.as_deref(),
        };
        let imported = match import(&bytes, &place) {
            Ok(imported) => imported,
            Err(refused) => {
                eprintln!("error: {}: {}", self.file.display(), plain(&refused.to_string()));
                return Ok(Exit::Bad);
            }
        };
        if self.to_stdout() {
            std::io::stdout().lock().write_all(imported.text.as_bytes())?;
            report(&mut std::io::stderr().lock(), "on standard output", &imported)?;
            return Ok(Exit::Fine);
        }
        let out = target.root.join(&target.path);
        let new = examples::create(&out, imported.text.as_bytes(), false)?;
        if !new && std::fs::read(&out).ok().as_deref() != Some(imported.text.as_bytes()) {
            bail!(
                "{} is there already; nothing was written. --out names another file",
                out.display()
            );
        }
        let mut stdout = std::io::stdout().lock();
        let how = if new { "wrote" } else { "there already:" };
        report(&mut stdout, &format!("{how} {}", out.display()), &imported)?;
        writeln!(stdout, "\nNext: wxreply check, and wxreply test")?;
        Ok(Exit::Fine)
    }

    fn to_stdout(&self) -> bool {
        self.out.as_deref() == Some(Path::new("-"))
    }

    /// The config, if there is one. One that was not named, and that `init` just wrote, need not be finished.
    fn config(&self) -> anyhow::Result<Option<Config>> {
        if self.config.named().is_some() {
            return Ok(Some(self.config.load_without_secrets()?));
        }
        let read = crate::config::read_without_secrets(self.config.path());
        Ok(read.ok().and_then(|read| read.config))
    }

    fn target(&self, config: Option<&Config>) -> anyhow::Result<Target> {
        let rules = config.map_or_else(|| PathBuf::from("rules"), |config| from_here(&config.rules));
        let default = rules.join("imported.toml");
        let out = match &self.out {
            Some(out) if !self.to_stdout() => out.clone(),
            _ if rules.is_file() => {
                // Beside a lone rule file the new one would never be read.
                if !self.to_stdout() {
                    bail!(
                        "the rules are the one file {}: say where to write by --out",
                        rules.display()
                    );
                }
                media_root(&rules).join("imported.toml")
            }
            _ => default,
        };
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(match absolute(&out).strip_prefix(absolute(&rules)) {
            Ok(within) if !rules.is_file() => Target {
                root: rules,
                path: within.to_owned(),
            },
            _ => Target {
                root: out.parent().unwrap_or(Path::new("")).to_owned(),
                path: out.file_name().map(PathBuf::from).unwrap_or_default(),
            },
        })
    }
}

/// The path from the new file to the schema that `init` wrote, if it lies beside the rules folder.
fn schema_beside(target: &Target) -> Option<String> {
    let schema = "../.schema/rules.json";
    let up = "../".repeat(target.path.components().count().saturating_sub(1));
    target.root.join(schema).exists().then(|| format!("{up}{schema}"))
}

fn report(out: &mut impl Write, place: &str, imported: &Imported) -> std::io::Result<()> {
    write!(out, "{place}: {}", count(imported.rules, "rule"))?;
    if imported.disabled > 0 {
        write!(out, " ({} disabled)", imported.disabled)?;
    }
    writeln!(out, ", {}", count(imported.tests, "test"))?;
    if !imported.notes.is_empty() {
        writeln!(out, "\nnot carried over, or not as it was:")?;
    }
    for note in &imported.notes {
        let rule = note.rule.as_ref().map(|rule| format!("{}: ", plain(rule)));
        writeln!(out, "  - {}{}", rule.unwrap_or_default(), plain(&note.what))?;
        writeln!(out, "    {}", plain(&note.advice))?;
    }
    Ok(())
}
