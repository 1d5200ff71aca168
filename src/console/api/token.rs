//! The access token, lent to the operator's other back ends: the central token server (中控) that WeChat's documentation
//! asks for.

use std::sync::Arc;

use http::{StatusCode, header};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use super::json;
use crate::clock::left;
use crate::console::Console;
use crate::console::data::app;
use crate::console::problem::Problem;
use crate::console::request::Request;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct Which {
    /// The app's name in the config.
    app: String,
}

/// A token, in WeChat's own form.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Lent {
    access_token: String,
    /// Seconds until it should be asked for again.
    expires_in: u64,
}

/// The app's access token, the same that the daemon uses. Ask again when `expires_in` is over, or when WeChat refuses it.
///
/// There only when `token_key` is configured; asked for with `Authorization: Bearer <token_key>`.
#[utoipa::path(
    get,
    path = "/api/token",
    tag = "token",
    params(Which),
    security(("token_key" = [])),
    responses(
        (status = 200, description = "The token", body = Lent),
        (status = 400, description = "No app is named", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The key is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such app, or tokens are not lent", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "There is no token at the moment", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn get(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let Some(key) = &console.token_key else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "tokens are not lent: no `token_key` is configured under [admin]",
        ));
    };
    let given = request.head.header(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let right = given.is_some_and(|given| given.as_bytes().ct_eq(key.expose_secret().as_bytes()).into());
    if !right {
        let detail = "send `Authorization: Bearer` and the configured `token_key`";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    }
    let which: Which = request.query()?;
    let app = app::named(&console, &which.app)?;
    let unavailable = |detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let lent = app
        .token
        .get()
        .await
        .map_err(|error| unavailable(error.to_string()))?;
    json(&Lent {
        access_token: lent.token.expose_secret().to_owned(),
        expires_in: left(console.clock.now(), lent.expires).as_secs(),
    })
}
