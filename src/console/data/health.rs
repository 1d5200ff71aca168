//! How the daemon fares: rules in force, tokens, what is wrong.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::alarm::Alarm;
use crate::clock::left;
use crate::console::{Console, ConsoleApp};
use crate::reload::RulesStatus;
use crate::token::TokenSource;

/// How long the database may take before it counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the daemon fares.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Health {
    /// Which rules are in force.
    pub rules: RulesState,
    /// Why the database does not answer; nothing while it does.
    pub database: Option<String>,
    /// Each app's access token.
    pub tokens: Vec<TokenState>,
    /// All that is wrong, the gravest first.
    pub alarms: Vec<AlarmState>,
}

/// Which rules are in force, and what is wrong with those on the disk.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct RulesState {
    /// The version in force.
    pub version: String,
    /// How many rules it has.
    pub count: usize,
    /// Since when it is in force in this process.
    pub since: Timestamp,
    /// When the files were last read.
    pub read: Timestamp,
    /// Whether it comes from the archive, because the files could not be used when the daemon started.
    pub from_archive: bool,
    /// The tests of the set in force that fail.
    pub failing_tests: Vec<String>,
    /// Since when the files on the disk can't be used, if they can't.
    pub refused_since: Option<Timestamp>,
    /// What is wrong with them, and where.
    pub findings: Vec<String>,
}

impl RulesState {
    /// Whether what is on the disk is in force, and passes its tests.
    pub fn is_fine(&self) -> bool {
        self.refused_since.is_none() && self.failing_tests.is_empty() && !self.from_archive
    }

    /// The version as people tell it.
    pub fn short(&self) -> &str {
        self.version.get(..8).unwrap_or(&self.version)
    }
}

impl From<RulesStatus> for RulesState {
    fn from(status: RulesStatus) -> Self {
        let (refused_since, findings) = match status.last_error {
            Some(failure) => (Some(failure.since), failure.findings),
            None => (None, Vec::new()),
        };
        Self {
            version: status.version.into(),
            count: status.count,
            since: status.loaded,
            read: status.last_attempt,
            from_archive: status.from_archive,
            failing_tests: status.failing_tests,
            refused_since,
            findings,
        }
    }
}

/// An app's access token; never the token itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct TokenState {
    /// The app.
    pub app: String,
    /// Where it comes from.
    pub source: Source,
    /// When it was fetched.
    pub fetched: Option<Timestamp>,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// Renewals of the last 24 hours that had to be forced; WeChat allows 20.
    pub forced: usize,
    /// Why there is none, or no newer one; nothing while all is well.
    pub trouble: Option<String>,
}

/// Where an access token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum Source {
    /// WeChat's `stable_token`.
    Stable,
    /// WeChat's `token`.
    Classic,
    /// A central token server.
    Server,
}

/// Something that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct AlarmState {
    /// What it is about.
    #[schema(example = "dead_letters")]
    pub kind: &'static str,
    /// Whose trouble it is, if it is one app's.
    pub app: Option<String>,
    /// When it began.
    pub since: Timestamp,
    /// What is wrong, in English.
    pub text_en: String,
    /// The same in Chinese.
    pub text_zh: String,
}

impl From<Alarm> for AlarmState {
    fn from(alarm: Alarm) -> Self {
        Self {
            kind: alarm.kind.as_str(),
            app: alarm.app.map(Into::into),
            since: alarm.since,
            text_en: alarm.text_en,
            text_zh: alarm.text_zh,
        }
    }
}

impl Health {
    /// Of the daemon and of one app, or of all.
    pub async fn gather(console: &Console, app: Option<&str>) -> Self {
        let ours = |name: &str| app.is_none_or(|app| app == name);
        let apps = console.apps.iter().filter(|app| ours(app.name.as_str()));
        let tokens = join_all(apps.map(|app| token(console, app)));
        let (database, tokens) = tokio::join!(console.store.answers_within(PATIENCE), tokens);
        let alarms = console.alarms.current().into_iter();
        Self {
            rules: console.rules.status().into(),
            database: database.err(),
            tokens,
            alarms: alarms
                .filter(|alarm| alarm.app.as_ref().is_none_or(|app| ours(app.as_str())))
                .map(Into::into)
                .collect(),
        }
    }
}

async fn token(console: &Console, app: &ConsoleApp) -> TokenState {
    // That the database does not answer is told by itself, and the rest of the page is worth more then than ever.
    let stored = timeout(PATIENCE, console.store.token(&app.name)).await;
    let stored = stored.ok().and_then(Result::ok).flatten();
    let now = console.clock.now();
    let source = match app.source {
        TokenSource::Stable => Source::Stable,
        TokenSource::Classic => Source::Classic,
        TokenSource::Url(_) => Source::Server,
    };
    let day = Duration::from_hours(24);
    TokenState {
        app: app.name.to_string(),
        source,
        fetched: stored.as_ref().map(|token| token.fetched),
        expires: stored.as_ref().map(|token| token.expires),
        forced: stored.map_or(0, |token| {
            let recent = token.forced.iter().filter(|at| left(**at, now) < day);
            recent.count()
        }),
        trouble: app.token.trouble(),
    }
}
