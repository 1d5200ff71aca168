//! The back-end calls that we make: one client an app; beside `webhook` and `alarm` the only place that uses reqwest.

mod answer;
mod base;
mod media;
mod message;
#[cfg(test)]
mod tests;
mod token;

pub use media::{Downloaded, MAX_PICTURE, Uploaded};
pub use token::{FetchedToken, TokenRequest};

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};

use answer::{Answer, Quote};
use base::{Base, Preference};

/// How long a connection may take to come about: name, TCP and TLS.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a connection is kept for the next call. Shorter than any server's own patience, so that a call seldom
/// goes out on a connection that is just being closed, which would leave its message uncertain.
const IDLE: Duration = Duration::from_secs(20);

/// The longest answer that is read; WeChat's are a few hundred bytes.
const MAX_ANSWER: usize = 1 << 20;

/// A client for one app's calls. Cheap to clone. Holds no token: each call is given one.
#[derive(Clone, Debug)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    app_id: String,
    app_secret: SecretString,
    bases: Vec<Base>,
    preference: Preference,
    timeout: Duration,
    connect: Duration,
}

/// Why a call failed. No variant's text holds a URL, a token or a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// The request never left: no connection to any base URL.
    #[error("could not reach {host}: {cause}")]
    Unreached {
        /// The host that was tried last.
        host: String,
        /// Why.
        cause: String,
    },
    /// The request left (or may have left), and no whole answer came.
    #[error("{host} did not answer: {cause}")]
    Unanswered {
        /// The host.
        host: String,
        /// Why.
        cause: String,
    },
    /// Something answered, but not WeChat's API: a gateway's error page, or a status other than 200.
    #[error("{host} answered {status} with no JSON of WeChat's: {excerpt}")]
    Gateway {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        excerpt: String,
    },
    /// WeChat refused.
    #[error("errcode {errcode}: {errmsg}")]
    Refused {
        /// WeChat's code, never 0.
        errcode: i64,
        /// WeChat's words, with `rid`.
        errmsg: String,
    },
    /// A reply was to be sent that is none yet: its picture is still a file, or its webhook was not asked. Nothing
    /// left.
    #[error("{0}; this is a bug of wxreply")]
    NotReady(String),
}

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// The AppID, sent along where a call needs it.
    pub app_id: String,
    /// The AppSecret.
    pub app_secret: SecretString,
    /// Base URLs without a trailing slash (`https://api.weixin.qq.com`); the next is tried when one is out of reach.
    pub bases: Vec<String>,
    /// How long one call may take, its connection included.
    pub timeout: Duration,
}

/// What a request carries, in a form that can be sent to one base after the other.
enum Body {
    /// Nothing: it is a GET.
    None,
    Json(Bytes),
    /// One part named `media`.
    Media {
        /// In ASCII, and with the extension of its type.
        file_name: &'static str,
        content_type: &'static str,
        bytes: Bytes,
    },
}

/// One call of WeChat's API.
struct Call<'a> {
    path: &'static str,
    query: &'a [(&'a str, &'a str)],
    body: Body,
    /// What the call sends and nobody must read, besides the AppSecret.
    secret: &'a str,
    quote: Quote,
}

impl Api {
    /// A client; fails when a base URL is none or TLS can't be set up.
    pub fn new(config: ApiConfig) -> Result<Self, String> {
        if config.bases.is_empty() {
            return Err("no base URL".to_owned());
        }
        let bases = config
            .bases
            .iter()
            .map(|base| Base::parse(base))
            .collect::<Result<_, _>>()?;
        // A third, so that a call can still try another base, and wait for its answer, when connecting took its longest.
        let connect = CONNECT.min(config.timeout / 3);
        Ok(Self(Arc::new(Inner {
            client: client(connect)?,
            app_id: config.app_id,
            app_secret: config.app_secret,
            bases,
            preference: Preference::new(),
            timeout: config.timeout,
            connect,
        })))
    }

    /// Makes a call and gives the JSON object that WeChat answers.
    async fn call(&self, call: Call<'_>) -> Result<Answer<'_>, ApiError> {
        let secrets = [call.secret, self.0.app_secret.expose_secret()];
        let received = self.carry(&call, self.0.timeout, MAX_ANSWER).await?;
        received.read(call.quote, &secrets)
    }

    /// Makes a call and gives what comes back, up to `most` bytes of it.
    ///
    /// Another base is tried only when the request certainly never left. Whatever may have left is not sent again:
    /// that is for the outbox to decide, which knows that a customer could get a message twice.
    async fn carry(&self, call: &Call<'_>, timeout: Duration, most: usize) -> Result<Received<'_>, ApiError> {
        let Inner {
            bases, preference, ..
        } = &*self.0;
        let deadline = Instant::now() + timeout;
        let secrets = [call.secret, self.0.app_secret.expose_secret()];
        let mut unreached = None;
        for index in preference.order(bases.len()) {
            let left = deadline.saturating_duration_since(Instant::now());
            // With less than that, a time-out would no longer tell whether the request had left. The next call goes on
            // from here.
            if unreached.is_some() && left <= self.0.connect {
                preference.prefer(index);
                break;
            }
            let base = &bases[index];
            let request = call.request(&self.0.client, base);
            match self.exchange(request, &base.host, left, most, &secrets).await {
                Err(error @ ApiError::Unreached { .. }) => unreached = Some(error),
                received => {
                    preference.prefer(index);
                    return received;
                }
            }
        }
        Err(unreached.unwrap_or_else(|| ApiError::Unreached {
            host: "WeChat's API".to_owned(),
            cause: "no base URL".to_owned(),
        }))
    }

    /// One request and what comes back, up to `most` bytes of it.
    async fn exchange<'a>(
        &self,
        request: RequestBuilder,
        host: &'a str,
        timeout: Duration,
        most: usize,
        secrets: &[&str],
    ) -> Result<Received<'a>, ApiError> {
        let failed = |error| self.failure(host, error, timeout, secrets);
        let mut response = request.timeout(timeout).send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let kind = response.headers().get(CONTENT_TYPE);
        let html = kind.is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"));
        let mut body = Vec::new();
        let whole = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break true,
                // The status alone already says that it is not WeChat's API that answers.
                Err(_) if status != 200 => break true,
                Err(error) => return Err(failed(error)),
            }
            if body.len() > most {
                break false;
            }
        };
        Ok(Received {
            host,
            status,
            html,
            body,
            whole,
        })
    }

    /// What a failure means for the message that was to be sent.
    ///
    /// reqwest tells a failed connection (name, TCP, TLS, or too slow at these) from everything later, and a request
    /// that could not be built never left either. Of a time-out or a reset after that nobody knows.
    fn failure(&self, host: &str, error: reqwest::Error, timeout: Duration, secrets: &[&str]) -> ApiError {
        let error = error.without_url();
        let connecting = error.is_connect();
        let cause = match (error.is_timeout(), connecting) {
            (true, true) => format!("no connection within {:?}", self.0.connect),
            (true, false) => format!("no whole answer within {timeout:.1?}"),
            (false, _) => answer::redact(&causes(&error), secrets),
        };
        let host = host.to_owned();
        if connecting || error.is_builder() {
            ApiError::Unreached { host, cause }
        } else {
            ApiError::Unanswered { host, cause }
        }
    }
}

/// What came back.
struct Received<'a> {
    host: &'a str,
    status: u16,
    /// Whether it is called a page.
    html: bool,
    body: Vec<u8>,
    /// Whether that is all of it.
    whole: bool,
}

impl<'a> Received<'a> {
    /// Whether it is a page for a person, by what it is called or how it begins.
    fn is_page(&self) -> bool {
        self.html || self.body.trim_ascii_start().starts_with(b"<")
    }

    fn read(&self, quote: Quote, secrets: &[&str]) -> Result<Answer<'a>, ApiError> {
        if !self.whole {
            let excerpt = format!("(more than {MAX_ANSWER} bytes)");
            return Err(answer::gateway(self.host, self.status, excerpt));
        }
        answer::read(self.host, self.status, &self.body, quote, secrets)
    }
}

impl Call<'_> {
    fn request(&self, client: &Client, base: &Base) -> RequestBuilder {
        let url = base.at(self.path, self.query);
        match &self.body {
            Body::None => client.get(url),
            Body::Json(json) => client
                .post(url)
                .header(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/json; charset=utf-8"),
                )
                .body(json.clone()),
            Body::Media {
                file_name,
                content_type,
                bytes,
            } => {
                let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
                // Of known length: WeChat is said to refuse chunked uploads.
                let part = Part::stream_with_length(bytes.clone(), bytes.len() as u64)
                    .file_name(*file_name)
                    .headers(headers);
                client.post(url).multipart(Form::new().part("media", part))
            }
        }
    }
}

/// reqwest's own words ("error sending request") say nothing; what lies below them does.
fn causes(error: &reqwest::Error) -> String {
    let mut below = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        below.push(error.to_string());
        cause = error.source();
    }
    if below.is_empty() {
        error.to_string()
    } else {
        below.join(": ")
    }
}

fn client(connect: Duration) -> Result<Client, String> {
    // Fails when it is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("wxreply/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE)
        // A redirected or repeated POST is a message sent twice.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A proxy set in the environment for something else must not see our tokens, and WeChat would see its address
        // in place of the one in the allow-list. Who needs a relay names it in `api_base`.
        .no_proxy()
        .build()
        .map_err(|error| causes(&error))
}
