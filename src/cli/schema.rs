//! `wxreply schema`: print a JSON Schema of rule files or of the config, for completion in editors.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::Exit;
use crate::{config, rules};

#[derive(Debug, Args)]
#[command(after_help = "\
Editors with a TOML plugin (Even Better TOML, taplo) complete keys, show what they mean and underline mistakes in a file \
whose first line names the schema, by its path from that file:

  #:schema ../.schema/rules.json

`wxreply init` writes that line and both schemas. After an upgrade, renew them:

  wxreply schema rules > .schema/rules.json
  wxreply schema config > .schema/config.json")]
pub(super) struct Schema {
    /// Of which files
    #[arg(value_enum)]
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// Rule files
    Rules,
    /// wxreply.toml
    Config,
}

impl Schema {
    pub fn run(self) -> anyhow::Result<Exit> {
        let text = match self.of {
            Of::Rules => of_rules()?,
            Of::Config => of_config()?,
        };
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(Exit::Fine)
    }
}

/// The schema of rule files, as a file.
pub(super) fn of_rules() -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&rules::schema())? + "\n")
}

/// The schema of the config, as a file.
pub(super) fn of_config() -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&config::schema())? + "\n")
}
