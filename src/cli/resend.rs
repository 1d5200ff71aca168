//! `wxreply resend`: replies that did not reach WeChat, once more.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::config::ConfigArg;
use super::print::count;
use super::{COMMAND_LINE, Exit, runtime};
use crate::clock::SystemClock;
use crate::message::{Direction, MessageId};
use crate::metrics::Metrics;
use crate::store::{Access, Store};

#[derive(Debug, Args)]
#[command(after_help = "\
The daemon sends them as if they had been made now. Replies that are queued or were sent are left alone. WeChat takes \
them only while the customer's window is open.")]
pub(super) struct Resend {
    /// Ids of replies, as `wxreply log` shows them
    #[arg(value_name = "ID", required_unless_present = "failed")]
    ids: Vec<MessageId>,
    /// All replies that failed
    #[arg(long, conflicts_with = "ids")]
    failed: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Resend {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        runtime()?.block_on(async {
            let metrics = Arc::new(Metrics::new());
            let store =
                Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await?;
            let exit = self.put_back(&store).await;
            store.close().await;
            exit
        })
    }

    async fn put_back(&self, store: &Store) -> anyhow::Result<Exit> {
        let now = Timestamp::now();
        let mut out = std::io::stdout().lock();
        if self.failed {
            let ids = store.resend_failed(None, now, COMMAND_LINE).await?;
            for id in &ids {
                writeln!(out, "{id} queued")?;
            }
            writeln!(out, "{} put back in the queue", count(ids.len(), "message"))?;
            return Ok(Exit::Fine);
        }
        let put_back = store.resend(&self.ids, now, COMMAND_LINE).await?;
        let mut exit = Exit::Fine;
        for id in &self.ids {
            if put_back.contains(id) {
                writeln!(out, "{id} queued")?;
                continue;
            }
            exit = Exit::Bad;
            let why = match store.entry(*id).await? {
                None => "there is no such message".to_owned(),
                Some(entry) if entry.direction == Direction::In => {
                    "a customer sent it; only replies can be resent".to_owned()
                }
                Some(entry) => format!("it is {} already", entry.status),
            };
            writeln!(out, "{id} left alone: {why}")?;
        }
        Ok(exit)
    }
}
