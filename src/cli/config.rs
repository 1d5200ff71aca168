//! `--config`: finding the config, reading it, and saying what is wrong with it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::print;
use crate::config::{self, App, Config, Read};
use crate::diagnostic::Diagnostic;
use crate::message::AppName;

const DEFAULT: &str = "wxreply.toml";

#[derive(Debug, Args)]
pub(super) struct ConfigArg {
    /// The config file [default: wxreply.toml]
    #[arg(long, value_name = "FILE", env = "WXREPLY_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigArg {
    /// As if `path` had been named.
    pub fn at(path: PathBuf) -> Self {
        Self { config: Some(path) }
    }

    /// The file, named or not.
    pub fn path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT))
    }

    /// The file, if it was named.
    pub fn named(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The config of the working directory, if none was named and that one can be used: rules that are looked at there
    /// probably belong to it.
    pub fn beside(&self) -> Option<Config> {
        match self.config {
            Some(_) => None,
            None => config::read_without_secrets(Path::new(DEFAULT)).ok()?.config,
        }
    }

    /// The settings; errors go to standard error. Warnings are for `serve` and `check`: who reads the log, say, has
    /// other things in mind.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(self.load_and_warn()?.0)
    }

    /// The settings, and what there is to warn of.
    pub fn load_and_warn(&self) -> anyhow::Result<(Config, Vec<Diagnostic>)> {
        let path = self.path();
        usable(path, read(path)?)
    }

    /// The settings without their secrets, for commands that need none.
    pub fn load_without_secrets(&self) -> anyhow::Result<Config> {
        let path = self.path();
        let read = config::read_without_secrets(path).with_context(|| unreadable(path))?;
        Ok(usable(path, read)?.0)
    }
}

/// Reads a config file.
pub(super) fn read(path: &Path) -> anyhow::Result<Read> {
    config::read(path).with_context(|| unreadable(path))
}

fn unreadable(path: &Path) -> String {
    let advice = if path == Path::new(DEFAULT) {
        " (`wxreply init` writes one, `--config FILE` names another)"
    } else {
        ""
    };
    format!("can't read the config {}{advice}", path.display())
}

fn usable(path: &Path, read: Read) -> anyhow::Result<(Config, Vec<Diagnostic>)> {
    let (errors, warnings): (Vec<_>, Vec<_>) = read.findings.into_iter().partition(Diagnostic::is_error);
    match read.config {
        Some(config) => Ok((config, warnings)),
        None => {
            print::to_stderr(&errors);
            let errors = print::count(errors.len(), "error");
            bail!("the config {} can't be used: {errors}", path.display())
        }
    }
}

/// The app of this name; the only one there is when none is named.
pub(super) fn app<'a>(config: &'a Config, name: Option<&AppName>) -> anyhow::Result<&'a App> {
    let names = || {
        let names: Vec<_> = config.apps.iter().map(|app| app.name.as_str()).collect();
        names.join(", ")
    };
    match (name, config.apps.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!("the config has several apps: say which by --app ({})", names()),
        (Some(name), apps) => match apps.iter().find(|app| app.name == *name) {
            Some(app) => Ok(app),
            None => bail!("the config has no app {name:?}; there is {}", names()),
        },
    }
}
