//! `wxreply fmt`: lay rule files out in the one canonical way.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use similar::{ChangeTag, TextDiff};

use super::Exit;
use super::check::{from_here, is_config};
use super::config::ConfigArg;
use super::print::{self, color, count};
use crate::diagnostic::{Diagnostic, Source};
use crate::reload::{RuleFiles, media_root, read_rule_files};
use crate::rules::{Scope, layout, same};

#[derive(Debug, Args)]
#[command(after_help = "\
Without PATH, the config's rules are laid out. PATH - reads one file from standard input and writes it to standard output, \
for editors. Comments stay, rules keep their order, the keys of a rule are put in one order, and lists longer than a line \
are broken. Before anything is written, both versions are compiled and compared: a layout never changes what is answered.

A file that is no TOML is left alone, and its errors are shown. A config (wxreply.toml) is nobody's business but its \
owner's: it is not laid out.

Exit code 1 when a file can't be read as TOML, or --check found one that would change.")]
pub(super) struct Fmt {
    /// Rule files, or folders of them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
    /// Write nothing; show what would change
    #[arg(long)]
    check: bool,
}

/// All files that were asked for, before and after.
#[derive(Default)]
struct Files {
    before: Vec<Source>,
    after: Vec<Source>,
    /// What they are compiled in, to be compared.
    scope: Scope,
    /// Why a file could not be laid out.
    findings: Vec<Diagnostic>,
    broken: usize,
}

impl Fmt {
    pub fn run(self) -> anyhow::Result<Exit> {
        if self.paths.iter().any(|path| path == Path::new("-")) {
            return self.standard_input();
        }
        let paths = if self.paths.is_empty() {
            vec![from_here(&self.config.load_without_secrets()?.rules)]
        } else {
            self.paths.clone()
        };
        if let Some(config) = paths.iter().find(|path| is_config(path)) {
            bail!("{} is a config; only rule files are laid out", config.display());
        }
        let mut read = BTreeMap::new();
        let mut files = Files::default();
        for path in &paths {
            let root = media_root(path);
            let RuleFiles { sources, media } = read_rule_files(path)?;
            read.extend(
                sources
                    .into_iter()
                    .map(|source| (root.join(source.path), source.text)),
            );
            files
                .scope
                .media
                .extend(media.into_iter().map(|(name, size)| (root.join(name), size)));
        }
        for (path, text) in read {
            // A rules folder may be all that there is, its config in it.
            if !crate::config::is_config(&text) {
                files.add(Source::new(path, text));
            }
        }
        files.prove()?;
        print::to_stderr(&files.findings);
        let changed = if self.check { files.show()? } else { files.write()? };
        self.sum_up(&files, changed)
    }

    fn standard_input(&self) -> anyhow::Result<Exit> {
        if self.paths.len() > 1 {
            bail!("- is for one file alone");
        }
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .context("can't read standard input")?;
        if crate::config::is_config(&text) {
            bail!("this is a config; only rule files are laid out");
        }
        let mut files = Files::default();
        files.add(Source::new("<stdin>", text));
        files.prove()?;
        print::to_stderr(&files.findings);
        if self.check {
            let changed = files.show()?;
            return self.sum_up(&files, changed);
        }
        if files.broken > 0 {
            return Ok(Exit::Bad);
        }
        for source in &files.after {
            io::stdout().lock().write_all(source.text.as_bytes())?;
        }
        Ok(Exit::Fine)
    }

    fn sum_up(&self, files: &Files, changed: usize) -> anyhow::Result<Exit> {
        let mut out = io::stdout().lock();
        let all = count(files.before.len(), "file");
        match (changed, self.check) {
            (0, _) => writeln!(out, "fine: {all}")?,
            (changed, true) => writeln!(out, "{changed} of {all} would change")?,
            (changed, false) => writeln!(out, "{changed} of {all} changed")?,
        }
        let bad = files.broken > 0 || self.check && changed > 0;
        if files.broken > 0 {
            writeln!(
                out,
                "{} left alone: not readable as TOML",
                count(files.broken, "file")
            )?;
        }
        Ok(if bad { Exit::Bad } else { Exit::Fine })
    }
}

impl Files {
    fn add(&mut self, source: Source) {
        match layout(&source) {
            Ok(text) => {
                self.after.push(Source::new(source.path.clone(), text));
                self.before.push(source);
            }
            Err(findings) => {
                self.broken += 1;
                self.findings.extend(findings);
            }
        }
    }

    /// Fails when a layout would change what a file means.
    fn prove(&self) -> anyhow::Result<()> {
        Ok(same(&self.before, &self.after, &self.scope)?)
    }

    /// The files that change.
    fn changed(&self) -> impl Iterator<Item = (&Source, &Source)> {
        let pairs = self.before.iter().zip(&self.after);
        pairs.filter(|(before, after)| before.text != after.text)
    }

    /// Shows what would change; says how many files.
    fn show(&self) -> anyhow::Result<usize> {
        let stdout = io::stdout();
        let color = color(&stdout);
        let mut out = stdout.lock();
        let mut changed = 0;
        for (before, after) in self.changed() {
            changed += 1;
            let path = before.path.display();
            writeln!(out, "--- {path}\n+++ {path}, laid out")?;
            let diff = TextDiff::from_lines(&*before.text, &*after.text);
            for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
                writeln!(out, "{}", hunk.header())?;
                for change in hunk.iter_changes() {
                    let (mark, paint) = match change.tag() {
                        ChangeTag::Delete => ('-', "\u{1b}[31m"),
                        ChangeTag::Insert => ('+', "\u{1b}[32m"),
                        ChangeTag::Equal => (' ', ""),
                    };
                    let line = change.value().trim_end_matches(['\n', '\r']);
                    if color && !paint.is_empty() {
                        writeln!(out, "{paint}{mark}{line}\u{1b}[0m")?;
                    } else {
                        writeln!(out, "{}", format!("{mark}{line}").trim_end())?;
                    }
                }
            }
            writeln!(out)?;
        }
        Ok(changed)
    }

    /// Writes what changes; says how many files.
    fn write(&self) -> anyhow::Result<usize> {
        let mut out = io::stdout().lock();
        let mut changed = 0;
        for (before, after) in self.changed() {
            replace(&before.path, &after.text)
                .with_context(|| format!("can't write {}", before.path.display()))?;
            writeln!(out, "laid out {}", before.path.display())?;
            changed += 1;
        }
        Ok(changed)
    }
}

/// Puts `text` in the place of a file, whole or not at all. The daemon watches the folder: it does not see the new file
/// before it has its name.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Behind a link lies the file that is meant.
    let path = fs::canonicalize(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let permissions = fs::metadata(&path)?.permissions();
    let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.set_permissions(permissions))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // What went wrong is told; that the rest of it stays there too is not worth a second complaint.
        let _ = fs::remove_file(&temporary);
    }
    written
}
