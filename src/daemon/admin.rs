//! The operator's listener: whether it lives, whether it is ready, what it counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Reply};

use crate::alarm::{Alarm, Alarms};
use crate::message::AppName;
use crate::metrics::Metrics;
use crate::receiver::{LastRefusal, Receiver};
use crate::reload::{Reloader, RulesStatus};
use crate::store::{Store, StoreError};

/// How long the database may take before we call it out of reach.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the pages show.
pub(super) struct Admin {
    pub store: Store,
    pub rules: Arc<Reloader>,
    pub receiver: Arc<Receiver>,
    pub metrics: Arc<Metrics>,
    pub apps: Vec<AppName>,
    pub alarms: Alarms,
}

/// `/readyz`
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// `ok`, or what is wrong.
    database: String,
    rules: RulesStatus,
    outbox: Outbox,
    tokens: BTreeMap<AppName, serde_json::Value>,
    last_refusals: BTreeMap<AppName, LastRefusal>,
    /// All trouble there is now.
    alarms: Vec<Alarm>,
}

#[derive(Serialize)]
struct Outbox {
    /// `None` when the database can't tell.
    queued: Option<u64>,
}

/// All routes of the admin listener.
pub(super) fn routes(admin: Arc<Admin>) -> BoxedFilter<(Response,)> {
    let alive = warp::path!("healthz")
        .and(warp::get())
        .map(|| "ok\n".into_response());
    let ready = {
        let admin = admin.clone();
        warp::path!("readyz").and(warp::get()).then(move || {
            let admin = admin.clone();
            async move { admin.readiness().await.into_response() }
        })
    };
    let metrics = warp::path!("metrics").and(warp::get()).map(move || {
        let mut response = Response::new(admin.metrics.page().into());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        );
        response
    });
    let known = warp::path!("healthz")
        .or(warp::path!("readyz"))
        .unify()
        .or(warp::path!("metrics"))
        .unify();
    let wrong_method = known.map(|| status(StatusCode::METHOD_NOT_ALLOWED));
    let unknown = warp::any().map(|| status(StatusCode::NOT_FOUND));
    alive
        .or(ready)
        .unify()
        .or(metrics)
        .unify()
        .or(wrong_method)
        .unify()
        .or(unknown)
        .unify()
        .boxed()
}

fn status(status: StatusCode) -> Response {
    warp::reply::with_status(format!("{status}\n"), status).into_response()
}

impl Admin {
    async fn readiness(&self) -> Readiness {
        let database = within(self.store.ping()).await;
        let mut tokens = BTreeMap::new();
        for app in &self.apps {
            let token = match within(self.store.token(app)).await {
                Ok(Some(token)) => json!({ "expires": token.expires }),
                Ok(None) => json!({ "error": "no token was fetched yet" }),
                Err(error) => json!({ "error": error }),
            };
            tokens.insert(app.clone(), token);
        }
        Readiness {
            ready: database.is_ok(),
            database: database.err().unwrap_or_else(|| "ok".to_owned()),
            rules: self.rules.status(),
            outbox: Outbox {
                queued: within(self.store.queued()).await.ok(),
            },
            tokens,
            last_refusals: self.receiver.last_refusals(),
            alarms: self.alarms.current(),
        }
    }
}

impl Reply for Readiness {
    fn into_response(self) -> Response {
        let status = if self.ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        warp::reply::with_status(warp::reply::json(&self), status).into_response()
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}
