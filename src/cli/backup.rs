//! `wxreply backup`: a copy of the database while the daemon runs.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::config::ConfigArg;
use super::{Exit, runtime};
use crate::clock::SystemClock;
use crate::metrics::Metrics;
use crate::store::{Access, Store};

#[derive(Debug, Args)]
#[command(after_help = "\
The copy is of one moment, complete, and was checked. It holds customers' messages and access tokens: only its owner can \
read it, keep it so. To put it back, stop the daemon, move the database and the files beside it (-wal, -shm) away, and \
copy the backup to the database's place.")]
pub(super) struct Backup {
    /// The file to write; it must not be there
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
}

impl Backup {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        runtime()?.block_on(async {
            let metrics = Arc::new(Metrics::new());
            let store =
                Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await?;
            let size = store.backup(&self.file).await;
            store.close().await;
            let (file, size) = (self.file.display(), size_of(size?));
            writeln!(std::io::stdout(), "{file}: {size}, checked")?;
            Ok(Exit::Fine)
        })
    }
}

/// `1.5 MiB`
#[allow(clippy::cast_precision_loss)] // one decimal is shown
fn size_of(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} bytes"),
        0x400..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1024.0 / 1024.0 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        let sizes = [7, 1536, 3 << 20, 5 << 29].map(size_of);
        assert_eq!(sizes, ["7 bytes", "1.5 KiB", "3.0 MiB", "2.5 GiB"]);
    }
}
