//! The indexer: a task of the daemon that keeps the index behind the log, and out of the way of pushes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio_util::sync::CancellationToken;

use super::{Fault, HOUR, Index, SETTLED, batch, file, seek, shrink};
use crate::clock::SharedClock;
use crate::latency::{Counts, RANGES};
use crate::metrics::Metrics;
use crate::store::StoreError;
use crate::store::row::to_json;

/// How often it looks when there is nothing to do.
const LOOK: Duration = Duration::from_secs(2);

/// How long it waits after a fault.
const FAULT: Duration = Duration::from_secs(10);

/// Rows of one batch while pushes come, and while none does.
const BUSY_ROWS: usize = 500;
const IDLE_ROWS: usize = 5000;

/// While pushes come it rests so many times as long as it worked: a tenth of one core is its share.
const BUSY_REST: u32 = 9;

/// So many pushes a second are a load.
const BUSY_PUSHES: f64 = 20.0;

/// How often it looks for what the log no longer has.
const SHRINK: Duration = Duration::from_secs(600);

/// Questions of webhooks that are looked at in one turn.
const QUESTIONS: usize = 500;

/// Keeps the index. One a database.
pub(in crate::store) struct Indexer {
    pub(in crate::store) index: Arc<Index>,
    pub(in crate::store) log: SqliteConnectOptions,
    pub(in crate::store) clock: SharedClock,
    pub(in crate::store) metrics: Arc<Metrics>,
}

/// What it remembers from turn to turn.
struct Memory {
    open: Option<Open>,
    /// The latencies that the index has, of those that this daemon observed.
    latencies: Counts,
    /// When it last looked how many pushes there were.
    pushes: (Instant, u64),
    shrunk: Option<Instant>,
    /// The last of the questions that were looked at; none to begin with the first.
    answered: Option<i64>,
}

/// The files that it works with.
struct Open {
    log: SqliteConnection,
    index: SqliteConnection,
}

impl Indexer {
    /// Works until `closing`.
    pub(in crate::store) async fn run(self, closing: CancellationToken) {
        let mut memory = Memory {
            open: None,
            latencies: [0; RANGES],
            pushes: (Instant::now(), self.pushes()),
            shrunk: None,
            answered: None,
        };
        loop {
            let pause = match self.turn(&mut memory).await {
                Ok(pause) => pause,
                Err(error) => {
                    self.fault(&mut memory, &error).await;
                    FAULT
                }
            };
            tokio::select! {
                () = closing.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                () = self.index.look.notified() => {}
            }
        }
        if let Some(open) = &mut memory.open
            && let Err(error) = self.add_latencies(&mut open.index, &memory.latencies).await
        {
            tracing::warn!(%error, "the last latencies are lost");
        }
        close(memory.open.take()).await;
    }

    /// One turn; gives how long to rest.
    async fn turn(&self, memory: &mut Memory) -> Result<Duration, Fault> {
        if !self.index.path.exists() {
            tracing::info!(index = %self.index.path.display(), "the index is gone; it is made again");
            self.remake(memory).await?;
        }
        if memory.open.is_none() {
            memory.open = Some(self.open().await?);
            self.compare(memory).await?;
        }
        let now = self.clock.now().as_millisecond();
        if now < seek::mark(&mut files(memory)?.index).await?.0 {
            tracing::warn!(
                "the clock was set back; the index is made again, for its order is that of the clock"
            );
            self.remake(memory).await?;
        }
        let busy = self.busy(memory);
        let limit = if busy { BUSY_ROWS } else { IDLE_ROWS };
        let began = Instant::now();
        let known = memory.latencies;
        let mut answered = memory.answered;
        let shrink = memory.shrunk.is_none_or(|last| last.elapsed() >= SHRINK);
        let Open { log, index } = files(memory)?;
        let rows = batch::take(log, index, now.saturating_sub(SETTLED), limit).await?;
        let full = rows == limit;
        if !full {
            if self.index.rebuilding.swap(false, Ordering::Relaxed) {
                tracing::info!("the index is complete");
            }
            answered = batch::answer(log, index, answered.unwrap_or_default(), QUESTIONS).await?;
        }
        // At once: if what follows fails, they must not be added again.
        let latencies = self.add_latencies(index, &known).await?;
        memory.latencies = latencies;
        memory.answered = answered;
        let Open { log, index } = files(memory)?;
        if !full && shrink {
            shrink::shrink(log, index).await?;
            memory.shrunk = Some(Instant::now());
        }
        let took = began.elapsed();
        Ok(match (full, busy) {
            (false, _) => LOOK,
            (true, true) => took * BUSY_REST,
            (true, false) => took / 20,
        })
    }

    async fn open(&self) -> Result<Open, Fault> {
        Ok(Open {
            log: SqliteConnection::connect_with(&self.log.clone().read_only(true))
                .await
                .map_err(Fault::log)?,
            index: file::writer(&self.index.path).await?,
        })
    }

    /// Sees to it that the index is one of this log.
    async fn compare(&self, memory: &mut Memory) -> Result<(), Fault> {
        let Open { log, index } = files(memory)?;
        let last: Option<(i64, i64)> =
            sqlx::query_as("select time, id from messages order by time desc, id desc limit 1")
                .fetch_optional(log)
                .await
                .map_err(Fault::log)?;
        let mark = seek::mark(index).await?;
        if mark.0 == i64::MIN {
            self.index.rebuilding.store(last.is_some(), Ordering::Relaxed);
        } else if last.is_none_or(|last| last < mark) {
            tracing::info!("the index knows rows that the log does not have; it is made again");
            self.remake(memory).await?;
        }
        Ok(())
    }

    fn pushes(&self) -> u64 {
        self.metrics.push_latencies.counts().iter().sum()
    }

    /// Whether pushes came since the last turn.
    fn busy(&self, memory: &mut Memory) -> bool {
        let now = (Instant::now(), self.pushes());
        let last = std::mem::replace(&mut memory.pushes, now);
        let seconds = (now.0 - last.0).as_secs_f64().max(0.001);
        (now.1 - last.1) as f64 / seconds > BUSY_PUSHES
    }

    /// Adds what was observed since `known` to the present hour; gives what is known now.
    async fn add_latencies(
        &self,
        index: &mut SqliteConnection,
        known: &Counts,
    ) -> Result<Counts, StoreError> {
        let all = self.metrics.push_latencies.counts();
        let mut growth: Counts = std::array::from_fn(|at| all[at] - known[at]);
        if growth == [0; RANGES] {
            return Ok(all);
        }
        let hour = self.clock.now().as_millisecond().div_euclid(HOUR);
        let there: Option<String> = sqlx::query_scalar("select counts from latencies where hour = $1")
            .bind(hour)
            .fetch_optional(&mut *index)
            .await?;
        let there: Vec<u64> = there
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        growth.iter_mut().zip(there).for_each(|(sum, more)| *sum += more);
        sqlx::query(
            "insert into latencies (hour, counts) values ($1, $2) \
             on conflict do update set counts = excluded.counts",
        )
        .bind(hour)
        .bind(to_json(&growth.as_slice())?)
        .execute(index)
        .await?;
        Ok(all)
    }

    /// After a fault: an index that is broken is made again.
    async fn fault(&self, memory: &mut Memory, error: &Fault) {
        if !error.is_broken_index() {
            tracing::warn!(%error, "the index stands still; the log serves alone meanwhile");
            close(memory.open.take()).await;
            return;
        }
        tracing::warn!(%error, "the index is broken; it is made again");
        if let Err(error) = self.remake(memory).await {
            tracing::error!(%error, index = %self.index.path.display(), "the index can't be made");
        }
    }

    /// Puts an empty file in the place of the one that is there, or was. What is known of latencies is kept where it can
    /// be read, for the log can't tell it.
    async fn remake(&self, memory: &mut Memory) -> Result<(), Fault> {
        let mut latencies: Vec<(i64, String)> = Vec::new();
        if let Some(open) = &mut memory.open {
            latencies = sqlx::query_as("select hour, counts from latencies")
                .fetch_all(&mut open.index)
                .await
                .unwrap_or_default();
        }
        // SQLite finds a file's WAL by its name: whoever has the old file open could delete that of the new one.
        self.index.close_readers().await;
        close(memory.open.take()).await;
        file::remake(&self.index.path).await?;
        let open = memory.open.insert(self.open().await?);
        sqlx::query("insert into latencies select value ->> 0, value ->> 1 from json_each($1)")
            .bind(to_json(&latencies)?)
            .execute(&mut open.index)
            .await?;
        self.index.rebuilding.store(true, Ordering::Relaxed);
        self.index.set_readers(Some(file::readers(&self.index.path)));
        Ok(())
    }
}

fn files(memory: &mut Memory) -> Result<&mut Open, Fault> {
    memory.open.as_mut().ok_or(Fault::Index(StoreError::Closed))
}

async fn close(open: Option<Open>) {
    let Some(Open { log, index }) = open else {
        return;
    };
    for conn in [index, log] {
        if let Err(error) = conn.close().await {
            tracing::warn!(%error, "closing the index failed");
        }
    }
}

impl Index {
    /// Makes the file if need be, for the daemon. Without an index the log serves alone.
    pub(in crate::store) async fn prepare(&self) {
        match file::prepare(&self.path).await {
            Ok(_) => drop(self.set_readers(Some(file::readers(&self.path)))),
            Err(error) => {
                tracing::error!(%error, index = %self.path.display(), "the index can't be made; reading the log will be slow");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::store::testing::Bench;

    fn nothing_known() -> Memory {
        Memory {
            open: None,
            latencies: [0; RANGES],
            pushes: (Instant::now(), 0),
            shrunk: None,
            answered: None,
        }
    }

    async fn indexer(bench: &Bench) -> Indexer {
        Indexer {
            index: Arc::new(Index::of(
                &bench.dir.path().join("other.db"),
                crate::store::Access::Daemon,
            )),
            log: SqliteConnectOptions::new().filename(bench.dir.path().join("t.db")),
            clock: Arc::new(SystemClock),
            metrics: Arc::clone(&bench.metrics),
        }
    }

    #[tokio::test]
    async fn an_index_that_goes_while_its_file_is_closed_is_made_again() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        let indexer = indexer(&bench).await;
        indexer.index.prepare().await;
        assert!(indexer.index.path.exists());
        file::remove(&indexer.index.path).expect("removed");
        let mut memory = nothing_known();
        indexer.turn(&mut memory).await.expect("works");
        let mark = seek::mark(&mut files(&mut memory).expect("open").index).await;
        assert!(mark.expect("read").0 > i64::MIN, "and the log is taken in");
        close(memory.open.take()).await;
    }

    #[tokio::test]
    async fn a_broken_log_does_not_cost_the_index() {
        let bench = Bench::new().await;
        let mut indexer = indexer(&bench).await;
        indexer.index.prepare().await;
        let other = bench.dir.path().join("no.db");
        std::fs::write(&other, "no database").expect("written");
        indexer.log = SqliteConnectOptions::new().filename(other);
        let mut memory = nothing_known();
        let error = indexer.turn(&mut memory).await.expect_err("no log");
        assert!(
            !error.is_broken_index() && error.to_string().contains("the log"),
            "{error}"
        );
    }
}
