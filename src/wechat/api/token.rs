//! `token` and `stable_token`: the calls that give an access token.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::answer::{Answer, Quote};
use super::{Api, ApiError, Body, Call, MAX_ANSWER, base};

/// Which call to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRequest {
    /// `GET /cgi-bin/token`: every call makes a new token and retires the old one.
    Classic,
    /// `POST /cgi-bin/stable_token`; `force` retires the present token.
    Stable {
        /// `force_refresh`
        force: bool,
    },
}

/// A token as WeChat gave it.
#[derive(Clone, Debug)]
pub struct FetchedToken {
    /// The token.
    pub token: SecretString,
    /// How long it is valid from now.
    pub expires_in: Duration,
}

impl Api {
    /// Asks for an access token.
    pub async fn token(&self, request: TokenRequest) -> Result<FetchedToken, ApiError> {
        let app_id = self.0.app_id.as_str();
        let secret = self.0.app_secret.expose_secret();
        let classic = [
            ("grant_type", "client_credential"),
            ("appid", app_id),
            ("secret", secret),
        ];
        let (path, query, body) = match request {
            TokenRequest::Classic => ("/cgi-bin/token", classic.as_slice(), Body::None),
            TokenRequest::Stable { force } => {
                let body = json!({
                    "grant_type": "client_credential",
                    "appid": app_id,
                    "secret": secret,
                    "force_refresh": force,
                });
                (
                    "/cgi-bin/stable_token",
                    [].as_slice(),
                    Body::Json(body.to_string().into()),
                )
            }
        };
        let call = Call {
            path,
            query,
            body,
            secret,
            quote: Quote::Nothing,
        };
        fetched(&self.call(call).await?)
    }

    /// Asks a central token server (中控): `GET url`, which answers `{"access_token": …, "expires_in": …}`.
    pub async fn token_from(&self, url: &str) -> Result<FetchedToken, ApiError> {
        let url = Url::parse(url).map_err(|error| ApiError::Unreached {
            host: "the central token server".to_owned(),
            cause: format!("its address is no URL: {error}"),
        })?;
        let host = base::host(&url);
        let secrets = [url.as_str(), url.query().unwrap_or_default()];
        let request = self.0.client.get(url.clone());
        let received = self
            .exchange(request, &host, self.0.timeout, MAX_ANSWER, &secrets)
            .await?;
        fetched(&received.read(Quote::Nothing, &secrets)?)
    }
}

fn fetched(answer: &Answer<'_>) -> Result<FetchedToken, ApiError> {
    let expires_in = answer
        .integer("expires_in")
        .and_then(|seconds| u64::try_from(seconds).ok());
    match (answer.text("access_token"), expires_in) {
        (Some(token), Some(seconds)) => Ok(FetchedToken {
            token: token.into(),
            expires_in: Duration::from_secs(seconds),
        }),
        _ => Err(answer.without("access_token and expires_in")),
    }
}
