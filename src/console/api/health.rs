//! For whoever watches the process: whether it lives, whether it is ready, what it counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use warp::Reply;
use warp::reply::Response;

use super::json_with;
use crate::alarm::Alarm;
use crate::config::Role;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::message::AppName;
use crate::receiver::LastRefusal;
use crate::reload::RulesStatus;
use crate::store::StoreError;

/// How long the database may take before we call it out of reach.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// `GET /healthz`
pub(in crate::console) async fn alive(_: Arc<Console>, _: Request) -> Result<Response, Problem> {
    Ok("ok\n".into_response())
}

/// `GET /readyz`
pub(in crate::console) async fn ready(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let database = console.store.answers_within(PATIENCE).await;
    let status = if database.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if request.who.may(Role::Viewer) {
        json_with(status, &console.readiness(database).await)
    } else {
        // Rules' texts and senders' addresses are for those who may see them.
        json_with(status, &json!({ "ready": database.is_ok() }))
    }
}

/// `GET /metrics`
pub(in crate::console) async fn metrics(console: Arc<Console>, _: Request) -> Result<Response, Problem> {
    let mut response = Response::new(console.metrics.page().into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    );
    Ok(response)
}

impl Console {
    async fn readiness(&self, database: Result<(), String>) -> Readiness {
        let tokens = join_all(self.apps.iter().map(|app| async {
            let token = match within(self.store.token(&app.name)).await {
                Ok(Some(token)) => json!({ "expires": token.expires }),
                Ok(None) => json!({ "error": "no token was fetched yet" }),
                Err(error) => json!({ "error": error }),
            };
            (app.name.clone(), token)
        }));
        let (tokens, queued) = tokio::join!(tokens, within(self.store.queued()));
        Readiness {
            ready: database.is_ok(),
            database: database.err().unwrap_or_else(|| "ok".to_owned()),
            rules: self.rules.status(),
            outbox: Outbox { queued: queued.ok() },
            tokens: tokens.into_iter().collect(),
            last_refusals: self.receiver.last_refusals(),
            alarms: self.alarms.current(),
        }
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}
