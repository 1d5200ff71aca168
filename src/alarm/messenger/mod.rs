//! Carrying alarms out of the house: to a web address as JSON, and to a group robot of 企业微信.
//!
//! Both addresses hold keys: no error that is shown or logged has them in it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures_util::StreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tracing::warn;

use super::{Kind, Notice};
use crate::diagnostic::Language;
use crate::metrics::Metrics;

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How often it is tried again.
const RETRIES: usize = 2;

/// Posts to the webhook at once.
const AT_ONCE: usize = 4;

/// The most that is read of an answer.
const MAX_ANSWER: usize = 64 * 1024;

/// The most that a robot takes in one message, in bytes (企业微信: markdown, 4096), with room for the link below.
const MAX_ROBOT_TEXT: usize = 3500;

/// The robot's code for "too many messages" (企业微信全局错误码).
const TOO_OFTEN: i64 = 45009;

/// Who is told, and how. The addresses are there or not, each for itself.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Takes JSON.
    pub webhook: Option<SecretString>,
    /// A group robot of 企业微信.
    pub wecom_robot: Option<SecretString>,
    /// What alarms are written in.
    pub language: Language,
    /// The console's address, without a trailing slash.
    pub console: Option<String>,
    /// The zone that times are shown in.
    pub timezone: TimeZone,
}

/// Carries alarms. Cheap to clone.
#[derive(Clone)]
pub struct Messenger(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    limit: Duration,
    webhook: Option<Url>,
    robot: Option<Url>,
    language: Language,
    console: Option<String>,
    timezone: TimeZone,
    metrics: Arc<Metrics>,
}

/// Why an alarm was not taken. No variant's text holds the address.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("{0}")]
    Broken(String),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("it answered errcode {errcode}: {errmsg}")]
    Refused { errcode: i64, errmsg: String },
    #[error("its answer is not that of a group robot; is the address right?")]
    NoRobot,
}

/// What a robot answers.
#[derive(Deserialize)]
struct RobotAnswer {
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

impl Undelivered {
    fn may_pass(&self) -> bool {
        match self {
            Self::TimedOut(_) | Self::Broken(_) => true,
            Self::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Refused { errcode, .. } => *errcode == -1 || *errcode == TOO_OFTEN,
            Self::NoRobot => false,
        }
    }
}

impl Messenger {
    /// A messenger; fails when an address is none or TLS can't be set up. The reason holds no address.
    pub fn new(addresses: Addresses, metrics: Arc<Metrics>) -> Result<Self, String> {
        Self::with_limit(LIMIT, addresses, metrics)
    }

    fn with_limit(limit: Duration, addresses: Addresses, metrics: Arc<Metrics>) -> Result<Self, String> {
        // Fails when it is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("wxreply/", env!("CARGO_PKG_VERSION")))
            .timeout(limit)
            // Whoever answers in the receiver's place must not send alarms elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .map_err(|error| causes(&error))?;
        let url = |key: &str, secret: Option<SecretString>| {
            let parse = |secret: SecretString| {
                Url::parse(secret.expose_secret())
                    .map_err(|error| format!("`{key}` is no web address: {error}"))
            };
            secret.map(parse).transpose()
        };
        Ok(Self(Arc::new(Inner {
            http,
            limit,
            webhook: url("webhook", addresses.webhook)?,
            robot: url("wecom_robot", addresses.wecom_robot)?,
            language: addresses.language,
            console: addresses.console,
            timezone: addresses.timezone,
            metrics,
        })))
    }

    /// Tells everybody, and waits until that is done or was tried often enough; what fails is logged and counted. Gives
    /// what reached nobody, though somebody was to be told.
    pub(super) async fn tell(&self, notices: &[Notice], now: Timestamp) -> Vec<Notice> {
        let (posted, shown) = tokio::join!(self.tell_webhook(notices, now), self.tell_robot(notices));
        let addresses = [posted, shown].into_iter().flatten();
        let reached = addresses.reduce(|one, other| {
            let both = one.into_iter().zip(other);
            both.map(|(one, other)| one || other).collect()
        });
        let told = reached.into_iter().flatten().zip(notices);
        told.filter(|(reached, _)| !reached)
            .map(|(_, notice)| notice.clone())
            .collect()
    }

    /// Whether each was taken; none without a webhook.
    async fn tell_webhook(&self, notices: &[Notice], now: Timestamp) -> Option<Vec<bool>> {
        let url = self.0.webhook.as_ref()?;
        let posts: Vec<_> = notices
            .iter()
            .map(|notice| (notice.alarm.kind, self.0.json(notice, now)))
            .collect();
        let posts = futures_util::stream::iter(posts).map(|(kind, body)| async move {
            let sent = persist(|| self.0.post(url, &body)).await;
            self.0.settle("webhook", &[kind], sent.map(drop))
        });
        Some(posts.buffered(AT_ONCE).collect().await)
    }

    /// One message for all, since a robot takes only 20 a minute. Whether it took it; none without a robot.
    async fn tell_robot(&self, notices: &[Notice]) -> Option<Vec<bool>> {
        self.0.robot.as_ref()?;
        let body = json!({ "msgtype": "markdown", "markdown": { "content": self.0.markdown(notices) } });
        let body = body.to_string();
        let sent = persist(|| self.0.ask_robot(&body)).await;
        let kinds: Vec<_> = notices.iter().map(|notice| notice.alarm.kind).collect();
        Some(vec![self.0.settle("wecom_robot", &kinds, sent); notices.len()])
    }
}

/// Tries until it works or can't, three times at most.
async fn persist<T, F: Future<Output = Result<T, Undelivered>>>(
    attempt: impl FnMut() -> F,
) -> Result<T, Undelivered> {
    let schedule = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_times(RETRIES)
        .with_jitter();
    attempt.retry(schedule).when(Undelivered::may_pass).await
}

impl Inner {
    async fn post(&self, url: &Url, body: &str) -> Result<Vec<u8>, Undelivered> {
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        let response = request.send().await.map_err(|error| self.broken(error))?;
        if !response.status().is_success() {
            return Err(Undelivered::Status(response.status()));
        }
        self.read(response).await
    }

    /// One message to the robot, if there is one: it answers 200 whatever comes of it, and says what in the body.
    async fn ask_robot(&self, body: &str) -> Result<(), Undelivered> {
        let Some(url) = &self.robot else { return Ok(()) };
        let answer = self.post(url, body).await?;
        let answer: RobotAnswer = serde_json::from_slice(&answer).map_err(|_| Undelivered::NoRobot)?;
        match answer.errcode {
            0 => Ok(()),
            errcode => Err(Undelivered::Refused {
                errcode,
                errmsg: answer.errmsg,
            }),
        }
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Undelivered> {
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER
            && let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn broken(&self, error: reqwest::Error) -> Undelivered {
        if error.is_timeout() {
            return Undelivered::TimedOut(self.limit);
        }
        Undelivered::Broken(causes(&error.without_url()))
    }

    /// Logs and counts how it ended; gives whether it was taken.
    fn settle(&self, to: &str, kinds: &[Kind], sent: Result<(), Undelivered>) -> bool {
        let is_taken = sent.is_ok();
        let outcome = if is_taken { "sent" } else { "failed" };
        for kind in kinds {
            self.metrics.alarm(kind.as_str(), outcome);
        }
        if let Err(error) = sent {
            warn!(alarms = kinds.len(), %error, "`{to}` under [alarm] could not be told");
        }
        is_taken
    }

    fn json(&self, notice: &Notice, now: Timestamp) -> String {
        let alarm = &notice.alarm;
        let mut body = json!({
            "kind": alarm.kind,
            "state": if notice.resolved { "resolved" } else { "firing" },
            "since": alarm.since,
            "time": now,
            "text": alarm.text(self.language),
        });
        if let Some(app) = &alarm.app {
            body["app"] = json!(app);
        }
        if let Some(console) = &self.console {
            body["url"] = json!(console);
        }
        body.to_string()
    }

    /// All notices in one message, in the markdown that a robot understands.
    fn markdown(&self, notices: &[Notice]) -> String {
        let chinese = self.language == Language::Chinese;
        let mut text = if chinese {
            "**wxreply 告警**"
        } else {
            "**wxreply alarm**"
        }
        .to_owned();
        for (index, notice) in notices.iter().enumerate() {
            let line = self.line(notice, chinese);
            if text.len() + line.len() > MAX_ROBOT_TEXT {
                let left = notices.len() - index;
                text += &if chinese {
                    format!("\n> 还有 {left} 条")
                } else {
                    format!("\n> and {left} more")
                };
                break;
            }
            text += &line;
        }
        if let Some(console) = &self.console {
            let words = if chinese {
                "打开控制台"
            } else {
                "Open the console"
            };
            text += &format!("\n[{words}]({console})");
        }
        text
    }

    fn line(&self, notice: &Notice, chinese: bool) -> String {
        let alarm = &notice.alarm;
        let (color, state) = match (notice.resolved, chinese) {
            (false, true) => ("warning", "告警"),
            (false, false) => ("warning", "firing"),
            (true, true) => ("info", "已恢复"),
            (true, false) => ("info", "resolved"),
        };
        let app = alarm
            .app
            .as_ref()
            .map(|app| format!(" {app}"))
            .unwrap_or_default();
        let since = alarm
            .since
            .to_zoned(self.timezone.clone())
            .strftime("%m-%d %H:%M")
            .to_string();
        let since = if chinese {
            format!("{since} 起")
        } else {
            format!("since {since}")
        };
        // What is quoted may hold what the robot would take for markup.
        let words = alarm.text(self.language).replace('<', "‹").replace('>', "›");
        format!(
            "\n> <font color=\"{color}\">{state}</font>{app} {words} <font color=\"comment\">({since})</font>"
        )
    }
}

/// reqwest's own words ("error sending request") say nothing; what lies below them does.
fn causes(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = error.to_string();
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests;
