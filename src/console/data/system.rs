//! The machinery: apps, database, who is signed in, who did what.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Page;
use super::health::Health;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::message::{AppKind, Mode};
use crate::metrics::AppOutcome;
use crate::store::{Audit, StoreError};
use crate::wechat::Refusal;

/// The machinery.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct System {
    /// The version of wxreply.
    pub version: &'static str,
    /// When the daemon started.
    pub started: Timestamp,
    /// The settings' file.
    pub config: String,
    /// Where the rules are.
    pub rules_path: String,
    /// Where pushes come in.
    pub listen: String,
    /// Rules in force, tokens, alarms.
    pub health: Health,
    /// Whether anybody is told of alarms.
    pub alarms_told: bool,
    /// The apps.
    pub apps: Vec<AppState>,
    /// The database.
    pub database: Database,
    /// Who is signed in, the latest first.
    pub sessions: Vec<SignedIn>,
}

/// One app.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct AppState {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[schema(value_type = String, example = "mini-program")]
    pub kind: AppKind,
    /// Its AppID.
    pub app_id: String,
    /// The mode below which no push is taken.
    #[schema(value_type = String, example = "safe")]
    pub mode: Mode,
    /// The path of the URL that WeChat's backend is given.
    pub callback: String,
    /// How many of a customer's replies are kept for a person.
    pub reserve: u32,
    /// How many pushes were refused since the daemon started, by reason; the most frequent first.
    pub refused: Vec<Refused>,
    /// The last push that was refused.
    pub last_refusal: Option<RefusedPush>,
}

/// How often pushes were refused for a reason.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::console) struct Refused {
    /// The reason, in a word.
    #[schema(example = "signature")]
    pub reason: &'static str,
    /// How often.
    pub count: u64,
}

/// A push that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct RefusedPush {
    /// When.
    pub time: Timestamp,
    /// Why.
    pub reason: String,
    /// Who connected; a proxy, if one stands before the daemon.
    pub peer: Option<String>,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Database {
    /// Where it is.
    pub path: String,
    /// The size of its file, in bytes.
    pub bytes: u64,
    /// What is written and not yet in that file, in bytes.
    pub wal_bytes: u64,
    /// The size of the search index beside it, in bytes.
    pub index_bytes: u64,
    /// Every message up to this time is in the index.
    pub indexed_until: Option<Timestamp>,
    /// Messages that are not in the index yet; at most 100,000 are counted.
    pub unindexed: u64,
    /// Whether the index is being made anew.
    pub rebuilding: bool,
    /// Messages in the log, both ways.
    pub messages: u64,
    /// When the oldest of them came.
    pub oldest: Option<Timestamp>,
    /// How long messages are kept, in seconds; absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<u64>,
    /// Customers' pictures.
    pub pictures: Pictures,
}

/// Customers' pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Pictures {
    /// Whether they are kept at all.
    pub wanted: bool,
    /// Kept.
    pub kept: u64,
    /// To be fetched.
    pub waiting: u64,
    /// Gone before they could be fetched.
    pub lost: u64,
}

/// Somebody who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct SignedIn {
    /// Their name.
    pub user: String,
    /// When they signed in.
    pub since: Timestamp,
    /// When they have to sign in again.
    pub until: Timestamp,
}

impl System {
    pub async fn gather(console: &Console) -> Result<Self, StoreError> {
        let (health, database, sessions) = tokio::try_join!(
            async { Ok(Health::gather(console, None).await) },
            Database::gather(console),
            console.store.sessions(),
        )?;
        let settings = &console.settings;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            started: settings.started,
            config: settings.config.display().to_string(),
            rules_path: settings.rules.display().to_string(),
            listen: settings.listen.to_string(),
            health,
            alarms_told: settings.alarms_told,
            apps: apps(console),
            database,
            sessions: sessions
                .into_iter()
                // Who is not in the config any more is signed in no longer.
                .filter(|session| console.users.iter().any(|user| user.name == session.user))
                .map(|session| SignedIn {
                    user: session.user,
                    since: session.created,
                    until: session.expires,
                })
                .collect(),
        })
    }
}

impl Database {
    async fn gather(console: &Console) -> Result<Self, StoreError> {
        let extent = console.store.extent().await?;
        let index = extent.index;
        let settings = &console.settings;
        let [kept, waiting, lost] = extent.pictures;
        Ok(Self {
            path: settings.database.clone(),
            bytes: extent.bytes,
            wal_bytes: extent.wal_bytes,
            index_bytes: extent.index_bytes,
            indexed_until: index.watermark,
            unindexed: index.behind,
            rebuilding: index.rebuilding,
            messages: extent.rows,
            oldest: extent.oldest,
            retention: settings.retention.map(|retention| retention.as_secs()),
            pictures: Pictures {
                wanted: settings.media,
                kept,
                waiting,
                lost,
            },
        })
    }
}

fn apps(console: &Console) -> Vec<AppState> {
    let mut last = console.receiver.last_refusals();
    let state = |app: &crate::console::ConsoleApp| AppState {
        name: app.name.to_string(),
        kind: app.kind,
        app_id: app.app_id.clone(),
        mode: app.mode,
        callback: format!("/wechat/{}", app.name),
        reserve: console.settings.reserve,
        refused: refused(console, app.name.as_str()),
        last_refusal: last.remove(&app.name).map(|refusal| RefusedPush {
            time: refusal.time,
            reason: refusal.reason,
            peer: refusal.peer.map(|peer| peer.to_string()),
        }),
    };
    console.apps.iter().map(state).collect()
}

fn refused(console: &Console, app: &str) -> Vec<Refused> {
    let count = |reason: &'static str| {
        // Only what is there is read: a look must not make the page of metrics longer.
        let label = AppOutcome {
            app: app.to_owned(),
            outcome: reason.to_owned(),
        };
        let count = console.metrics.refusals.get(&label)?.get();
        (count > 0).then_some(Refused { reason, count })
    };
    let mut refused: Vec<Refused> = Refusal::LABELS.into_iter().filter_map(count).collect();
    refused.sort_by_key(|refused| std::cmp::Reverse(refused.count));
    refused
}

/// One thing that somebody did by hand.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Deed {
    /// Its place in the list.
    pub id: i64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub user: String,
    /// What, in a word.
    #[schema(example = "rules.save")]
    pub action: String,
    /// To what: an openid, a file, a message's id.
    pub subject: String,
    /// What else there is to know.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

impl From<Audit> for Deed {
    fn from(audit: Audit) -> Self {
        Self {
            id: audit.id,
            time: audit.time,
            user: audit.user,
            action: audit.action,
            subject: audit.subject,
            detail: audit.detail,
        }
    }
}

/// What was done, the latest first, `before` a place in the list.
pub(in crate::console) async fn deeds(
    console: &Console,
    before: Option<i64>,
    limit: u32,
) -> Result<Page<Deed>, StoreError> {
    let mut audits = console.store.audits(before, limit.saturating_add(1)).await?;
    let limit = limit as usize;
    let more = audits.len() > limit;
    audits.truncate(limit);
    let next = audits.last().filter(|_| more).map(|audit| audit.id.to_string());
    Ok(Page {
        items: audits.into_iter().map(Into::into).collect(),
        next,
    })
}

/// Behind which row of the trail to go on.
pub(in crate::console) fn place(cursor: &str) -> Result<i64, Problem> {
    cursor.parse().map_err(|_| {
        Problem::unprocessable("`cursor` is not one that this list gave: leave it out to begin anew")
    })
}
