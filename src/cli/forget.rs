//! `wxreply forget`: erases one user's messages and state.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anyhow::bail;
use clap::Args;

use super::config::ConfigArg;
use super::print::{count, plain};
use super::{COMMAND_LINE, Exit, runtime};
use crate::clock::SystemClock;
use crate::message::{AppName, OpenId};
use crate::metrics::Metrics;
use crate::store::{Access, Store};

#[derive(Debug, Args)]
#[command(after_help = "\
Works while the daemon runs. Messages, replies, pictures and what is known of the user are overwritten in the database. \
Not touched are other places that may name the user: backups, rules with when.users, what the daemon printed.")]
pub(super) struct Forget {
    /// The user
    #[arg(value_parser = |s: &str| anyhow::Ok(OpenId::from(s)))]
    openid: OpenId,
    /// Only in this app
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Forget {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        if !self.yes && !self.confirmed()? {
            writeln!(std::io::stdout(), "nothing was erased")?;
            return Ok(Exit::Fine);
        }
        runtime()?.block_on(async {
            let metrics = Arc::new(Metrics::new());
            let store =
                Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await?;
            let exit = self.forget(&store).await;
            store.close().await;
            exit
        })
    }

    fn confirmed(&self) -> anyhow::Result<bool> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            bail!("this can't be undone: say --yes, or run it on a terminal, where it asks");
        }
        let place = match &self.app {
            Some(app) => format!("app {app}"),
            None => "all apps".to_owned(),
        };
        let mut out = std::io::stdout().lock();
        write!(
            out,
            "Erase all messages and the state of {} in {place}? This can't be undone. [y/N] ",
            plain(self.openid.as_str())
        )?;
        out.flush()?;
        let mut answer = String::new();
        stdin.read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    async fn forget(&self, store: &Store) -> anyhow::Result<Exit> {
        let forgotten = store
            .forget(self.app.as_ref(), &self.openid, COMMAND_LINE)
            .await?;
        let who = plain(self.openid.as_str());
        let mut out = std::io::stdout().lock();
        if forgotten.contacts == 0 {
            writeln!(out, "nothing is known of {who}")?;
            return Ok(Exit::Bad);
        }
        let erased = forgotten.erased;
        writeln!(
            out,
            "{who} is forgotten: {}, {}, {}, in {}",
            number(erased.messages, "message"),
            match erased.replies {
                1 => "1 reply".to_owned(),
                replies => format!("{replies} replies"),
            },
            number(erased.pictures, "picture"),
            number(forgotten.contacts, "app"),
        )?;
        if !forgotten.wal_cut {
            writeln!(
                out,
                "somebody is reading the database, so its journal (-wal) still holds a copy; it is overwritten as the \
                 daemon goes on writing"
            )?;
        }
        Ok(Exit::Fine)
    }
}

fn number(number: u64, noun: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}
