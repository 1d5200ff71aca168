//! A bench for tests: a store on a real file, a clock that a test turns, messages to put in.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tempfile::TempDir;

use super::{Access, Arrival, Judge, OpenError, RecordError, Recorded, Store};
use crate::clock::ManualClock;
use crate::message::{
    Answer, Contact, Decision, Delivery, DropReason, Entry, Facts, Fields, Inbound, InboundStatus, MessageId,
    OpenId, Outbound, Outcome, Reply, Settlement, Verdict,
};
use crate::metrics::Metrics;

const BEGIN: i64 = 1_732_250_000;

/// So many seconds after the bench's clock began.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + seconds).expect("in range")
}

pub(super) struct Bench {
    pub(super) dir: TempDir,
    pub(super) store: Store,
    pub(super) clock: Arc<ManualClock>,
    pub(super) metrics: Arc<Metrics>,
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::in_dir(TempDir::new().expect("a folder")).await
    }

    async fn in_dir(dir: TempDir) -> Self {
        let clock = Arc::new(ManualClock::at(at(0)));
        let metrics = Arc::new(Metrics::new());
        let url = format!("sqlite://{}", dir.path().join("t.db").display());
        let store = Store::open(&url, Access::Daemon, clock.clone(), metrics.clone())
            .await
            .expect("opens");
        Self {
            dir,
            store,
            clock,
            metrics,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite://{}", self.dir.path().join("t.db").display())
    }

    /// Another handle on the same file, as a second process has it.
    pub(super) async fn open(&self, access: Access) -> Result<Store, OpenError> {
        Store::open(&self.url(), access, self.clock.clone(), Arc::new(Metrics::new())).await
    }

    /// The daemon stopped and started again.
    pub(super) async fn reopen(self) -> Self {
        self.store.close().await;
        Self::in_dir(self.dir).await
    }

    pub(super) fn turn_to(&self, seconds: i64) {
        self.clock.set(at(seconds));
    }

    /// Records message `n` of a user, answered with `replies` that are due at once.
    pub(super) async fn receive(&self, n: u64, openid: &str, replies: &[&str]) -> Recorded {
        self.record(inbound(n, openid), answering(replies))
            .await
            .expect("recorded")
    }

    pub(super) async fn record(&self, inbound: Inbound, judge: Judge) -> Result<Recorded, RecordError> {
        self.store.record(arrival(inbound, judge)).await
    }

    pub(super) async fn claim(&self, seconds: i64) -> Vec<Delivery> {
        self.store
            .claim(at(seconds), 100, 100, Duration::from_secs(30))
            .await
            .expect("claimed")
    }

    pub(super) async fn settle(&self, delivery: &Delivery, outcome: Outcome) {
        self.store
            .settle(vec![settlement(delivery, outcome)], std::time::Duration::ZERO)
            .await
            .expect("settled");
    }

    pub(super) async fn entry(&self, id: MessageId) -> Entry {
        self.store.entry(id).await.expect("read").expect("is there")
    }

    /// Turns the clock to `seconds`, and waits until the index has every row that is old enough by then.
    pub(super) async fn index_at(&self, seconds: i64) {
        self.turn_to(seconds);
        let old_enough = seconds - 10;
        for _ in 0..1000 {
            self.store.index().look_now();
            let last: Option<i64> = sqlx::query_scalar("select max(time) from messages where time <= $1")
                .bind(at(old_enough).as_millisecond())
                .fetch_one(&mut self.raw().await)
                .await
                .expect("read");
            let status = self.store.index_status().await.expect("read");
            if !status.rebuilding && status.watermark.map(Timestamp::as_millisecond) == last {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "the index does not get there: {:?}",
            self.store.index_status().await
        );
    }

    /// A connection of the test's own, for what no daemon would do.
    pub(super) async fn raw(&self) -> SqliteConnection {
        SqliteConnection::connect(&self.url()).await.expect("connects")
    }

    /// The steps of SQLite's plan for a statement.
    pub(super) async fn plan(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(format!("explain query plan {sql}")))
            .fetch_all(&mut self.raw().await)
            .await
            .expect("a plan");
        rows.iter().map(|row| row.get("detail")).collect()
    }
}

pub(super) fn arrival(inbound: Inbound, judge: Judge) -> Arrival {
    Arrival {
        inbound,
        nonce: None,
        needs_app_cooldowns: false,
        judge,
    }
}

pub(super) fn inbound(n: u64, openid: &str) -> Inbound {
    let content = format!("message {n}");
    Inbound {
        id: MessageId::new(BEGIN, n),
        app: "shop".into(),
        openid: openid.into(),
        dedup_key: n.to_string(),
        received: at(0),
        msg_type: "text".into(),
        event: None,
        fields: [("MsgType", "text"), ("Content", &content)]
            .into_iter()
            .collect::<Fields>(),
        content: Some(content),
    }
}

/// Answers with these texts, due at once, and counts a miss (so that a test sees which contact a judge was shown).
pub(super) fn answering(replies: &[&str]) -> Judge {
    let replies: Vec<String> = replies.iter().map(|text| (*text).to_owned()).collect();
    Box::new(move |_, facts| verdict(facts, &replies))
}

pub(super) fn verdict(facts: &Facts<'_>, replies: &[String]) -> Verdict {
    let outbound = replies.iter().map(|text| Outbound {
        rule: "greeting".into(),
        reply: Reply::Text(text.clone()),
        due: facts.now,
        typing: false,
        dropped: None,
    });
    Verdict {
        outbound: outbound.collect(),
        decision: Decision {
            status: InboundStatus::Matched,
            rule: Some("greeting".into()),
            rule_set: "v1".into(),
            observed: Vec::new(),
            answer: Answer::Success,
            replies: Vec::new(),
            contact: Contact {
                misses: facts.contact.misses + 1,
                last_message: Some(facts.now),
                ..facts.contact.clone()
            },
            app_cooldowns: Vec::new(),
        },
    }
}

pub(super) fn settlement(delivery: &Delivery, outcome: Outcome) -> Settlement {
    Settlement {
        id: delivery.id,
        app: delivery.app.clone(),
        openid: delivery.openid.clone(),
        outcome,
        at: at(500),
        quota_spent: false,
    }
}

pub(super) fn retry(due: i64) -> Outcome {
    Outcome::Retry {
        due: at(due),
        uncertain: false,
        errcode: Some(-1),
        error: "system busy".into(),
    }
}

pub(super) fn texts(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| match &delivery.reply {
            Reply::Text(text) => text.as_str(),
            _ => "",
        })
        .collect()
}

pub(super) fn alice() -> OpenId {
    "oAlice".into()
}

const WORDS: [&str; 12] = [
    "营业时间",
    "營業",
    "几点",
    "开门",
    "？",
    "多少钱",
    "Wi-Fi",
    "退款",
    " ",
    "100%",
    "_'\"",
    "👍",
];

/// Messages of all kinds, one every `step` seconds, in two apps, of nine users; by their number.
pub(super) async fn shop(bench: &Bench, numbers: std::ops::Range<u64>, step: i64) {
    for n in numbers {
        let second = n as i64 * step;
        let text = |salt: u64| -> String {
            let words = (0..=n % 4).map(|k| WORDS[((n * 7 + k * 5 + salt) % 12) as usize]);
            words.collect()
        };
        let (status, rule) = match n % 5 {
            0 | 1 => (InboundStatus::Unmatched, None),
            2 => (InboundStatus::Cooldown, Some("hours".into())),
            _ => (
                InboundStatus::Matched,
                Some(if n % 2 == 0 { "hours" } else { "a-b" }.into()),
            ),
        };
        let replies = if status == InboundStatus::Matched {
            vec![text(3); n as usize % 3]
        } else {
            vec![]
        };
        let judge: Judge = Box::new(move |_, facts| {
            let mut verdict = verdict(facts, &replies);
            verdict.decision.status = status;
            verdict.decision.rule = rule.clone();
            if n % 6 == 0 {
                verdict.decision.observed = vec!["watch".into()];
            }
            verdict
        });
        let message = Inbound {
            app: if n % 7 == 0 { "other" } else { "shop" }.into(),
            msg_type: if n % 11 == 0 { "event" } else { "text" }.into(),
            content: Some(text(0)),
            received: at(second),
            id: MessageId::new(at(second).as_second(), n * 7919),
            ..inbound(n, &format!("o{}", n % 9))
        };
        bench.turn_to(second);
        bench.record(message, judge).await.expect("recorded");
        for claimed in bench.claim(second).await {
            let outcome = match n % 4 {
                0 => Outcome::Dropped(DropReason::Quota),
                1 => continue,
                _ => Outcome::Sent,
            };
            bench.settle(&claimed, outcome).await;
        }
    }
}
