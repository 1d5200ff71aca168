//! The pairs that recent pushes were signed with, for a receiver that begins anew.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::row::ceil_millis;
use super::{Store, StoreError};
use crate::message::MessageId;

const RECENT: &str = "select app, nonce, id from messages where time >= ?1 and nonce is not null";

impl Store {
    /// Gives `bind` the app, the hash of the (timestamp, nonce) pair and the key of each push received from `since` on.
    ///
    /// One by one and past the driver: after twenty minutes of a thousand pushes a second there are more than a million,
    /// and nothing is served before they are known. For 274,000 of them, a start took 0.9 s and 237 MB with the driver,
    /// 0.3 s and 100 MB without.
    pub async fn recent_nonces(
        &self,
        since: Timestamp,
        bind: impl FnMut(&str, i64, MessageId) + Send + 'static,
    ) -> Result<(), StoreError> {
        let path = self.options().get_filename().to_owned();
        let read = tokio::task::spawn_blocking(move || read(&path, since, bind));
        match read.await {
            Ok(read) => Ok(read?),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is ending.
            Err(_) => Err(StoreError::Closed),
        }
    }
}

fn read(
    path: &Path,
    since: Timestamp,
    mut bind: impl FnMut(&str, i64, MessageId),
) -> Result<(), rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    let mut select = db.prepare(RECENT)?;
    let mut rows = select.query([ceil_millis(since)])?;
    while let Some(row) = rows.next()? {
        let app = row.get_ref(0)?;
        bind(app.as_str()?, row.get(1)?, MessageId::from_i64(row.get(2)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::message::Inbound;
    use crate::store::Arrival;
    use crate::store::testing::{Bench, answering, arrival, at, inbound};

    #[tokio::test]
    async fn nonces_are_given_back_to_a_restarted_receiver() {
        let bench = Bench::new().await;
        for (n, nonce) in [(1, Some(i64::MIN)), (2, None), (3, Some(42))] {
            let one = Inbound {
                received: at(n),
                ..inbound(n as u64, "oAlice")
            };
            let one = Arrival {
                nonce,
                ..arrival(one, answering(&["x"]))
            };
            bench.store.record(one).await.expect("recorded");
        }
        let recent = async |seconds| {
            let (tell, told) = mpsc::channel();
            let bind = move |app: &str, nonce, id| tell.send((app.to_owned(), nonce, id)).expect("is heard");
            bench.store.recent_nonces(at(seconds), bind).await.expect("read");
            told.into_iter().collect::<Vec<_>>()
        };
        let (first, third) = (inbound(1, "").id, inbound(3, "").id);
        assert_eq!(
            recent(1).await,
            [
                ("shop".to_owned(), i64::MIN, first),
                ("shop".to_owned(), 42, third)
            ]
        );
        assert_eq!(recent(2).await, [("shop".to_owned(), 42, third)]);
        assert_eq!(recent(4).await, []);
    }

    #[tokio::test]
    async fn only_recent_rows_are_read() {
        let bench = Bench::new().await;
        let plan = bench.plan(RECENT).await.join("\n");
        assert!(plan.contains("messages_by_time (time>?)"), "{plan}");
    }
}
