//! The door that the operator knocks on: pages for people, an API for programs, both over the same data.
//!
//! `routes` lists every route with who may take it; `data` gathers what is shown; `pages` draws it and `api` gives it as
//! JSON. `access` knows who is asking. Leaves deciding to `rules`, rows to `store`, writing to customers to `intake`.

mod access;
mod api;
mod assets;
mod attempts;
mod chart;
mod data;
mod html;
mod live;
mod pages;
mod problem;
mod request;
mod router;
mod routes;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::alarm::Alarms;
use crate::clock::SharedClock;
use crate::config::AdminUser;
use crate::editing::RulesEditor;
use crate::intake::Intake;
use crate::message::{AppKind, AppName, Mode};
use crate::metrics::Metrics;
use crate::receiver::Receiver;
use crate::reload::Reloader;
use crate::store::Store;
use crate::token::{TokenKeeper, TokenSource};
use attempts::Attempts;
use data::unanswered::LastGrouped;

/// What the console needs. One a daemon.
pub struct Console {
    /// The database.
    pub store: Store,
    /// Writes to customers.
    pub intake: Intake,
    /// The rules in force and those on the disk.
    pub rules: Arc<Reloader>,
    /// Changes the rules.
    pub editor: Arc<RulesEditor>,
    /// Knows which pushes were refused.
    pub receiver: Arc<Receiver>,
    /// What the daemon counts.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: SharedClock,
    /// The apps, in the order of the config.
    pub apps: Vec<ConsoleApp>,
    /// Who may come in. Nobody named: whoever reaches the loopback, which then is all that the listener listens to.
    pub users: Vec<AdminUser>,
    /// What lets other back ends of the operator borrow access tokens; without it they can't.
    pub token_key: Option<SecretString>,
    /// The address that operators type, when it is not that of the listener: behind a proxy that speaks TLS.
    pub url: Option<String>,
    /// The zone that times are shown in.
    pub timezone: TimeZone,
    /// Ends live streams.
    pub stop: CancellationToken,
    /// What is wrong at the moment.
    pub alarms: Alarms,
    /// What is shown of the settings.
    pub settings: Settings,
    /// Failed sign-ins, to slow down whoever guesses.
    pub attempts: Attempts,
    /// Unanswered texts as they were grouped last.
    pub last_grouped: LastGrouped,
}

/// What is shown of the settings: nothing that is secret.
pub struct Settings {
    /// The file that they were read from.
    pub config: PathBuf,
    /// Where the rules are.
    pub rules: PathBuf,
    /// The database.
    pub database: String,
    /// Where pushes come in.
    pub listen: SocketAddr,
    /// How long messages are kept; `None`: for ever.
    pub retention: Option<Duration>,
    /// Whether customers' pictures are kept.
    pub media: bool,
    /// Replies of each window kept for a person.
    pub reserve: u32,
    /// How long a reply is tried.
    pub max_age: Duration,
    /// Whether anybody is told of alarms.
    pub alarms_told: bool,
    /// When the daemon started.
    pub started: Timestamp,
}

/// One app as the console knows it.
pub struct ConsoleApp {
    /// Its name.
    pub name: AppName,
    /// Its kind.
    pub kind: AppKind,
    /// Its AppID.
    pub app_id: String,
    /// The mode below which no push is taken.
    pub mode: Mode,
    /// Where its access token comes from.
    pub source: TokenSource,
    /// Its access token.
    pub token: TokenKeeper,
}

/// All routes of the console; answers every request that reaches it.
pub fn routes(console: Arc<Console>) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional())
        .and(warp::body::stream())
        .then(
            move |method, path: warp::path::FullPath, query, headers, peer, body| {
                let console = console.clone();
                async move {
                    let head = request::Head {
                        method,
                        path: path.as_str().to_owned(),
                        query,
                        from: request::origin(peer, &headers, console.url.is_some()),
                        headers,
                    };
                    router::answer(console, head, body).await
                }
            },
        )
        .boxed()
}
