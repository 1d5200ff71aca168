//! What the daemon counts, named by Prometheus' conventions. One registry a daemon, none global.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::latency::Latencies;

/// The labels of a figure that is kept for each app and each way something can end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AppOutcome {
    /// The app, always one of the config's.
    pub app: String,
    /// How it ended; one of a small closed set.
    pub outcome: String,
}

/// The label of a figure that is kept for each app.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AppLabel {
    /// The app, always one of the config's.
    pub app: String,
}

/// The label of a figure that is kept for each way something can end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// How it ended; one of a small closed set.
    pub outcome: String,
}

/// The labels of a figure that is kept for each kind of alarm and each way telling it can end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindOutcome {
    /// What it is about; one of a small closed set.
    pub kind: String,
    /// How it ended; one of a small closed set.
    pub outcome: String,
}

/// The label of the figure that tells which rules are in force.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VersionLabel {
    /// The version of the rule set.
    pub version: String,
}

/// All figures of one daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Pushes by how they ended: `accepted`, `duplicate`, `malformed`, `refused`, `too_large`, `failed`.
    pub pushes: Family<AppOutcome, Counter>,
    /// Refused pushes by reason.
    pub refusals: Family<AppOutcome, Counter>,
    /// From the last byte of a push to its answer.
    pub push_duration: Histogram,
    /// The same, so that it can be read back.
    pub push_latencies: Latencies,
    /// Messages by the status that the log gives them.
    pub messages: Family<AppOutcome, Counter>,
    /// Those of them that nobody wrote: events.
    pub events: Family<AppOutcome, Counter>,
    /// Pushes, claims and settlements that one commit made durable.
    pub commit_size: Histogram,
    /// How long a commit took, its statements included.
    pub commit_duration: Histogram,
    /// Attempts to deliver by outcome: `sent`, `retry`, `failed`, `dropped`, `uncertain`.
    pub deliveries: Family<AppOutcome, Counter>,
    /// How long WeChat took to answer one attempt.
    pub delivery_duration: Histogram,
    /// Questions to webhooks by outcome: `answered`, `nothing`, `timed_out`, `unreached`, `broke_off`, `status`,
    /// `unusable`, `busy`.
    pub webhook_calls: Family<AppOutcome, Counter>,
    /// How long a webhook took to answer, or to fail.
    pub webhook_duration: Histogram,
    /// Replies that wait to be sent.
    pub outbox_queued: Gauge,
    /// Token renewals by outcome: `renewed`, `failed`.
    pub token_renewals: Family<AppOutcome, Counter>,
    /// When the token in use expires (Unix seconds).
    pub token_expiry: Family<AppLabel, Gauge>,
    /// Reloads of the rules by outcome: `loaded`, `refused`, `unchanged`.
    pub rules_reloads: Family<OutcomeLabel, Counter>,
    /// Whether the last reload worked, and the tests of the rules in force pass: 1 or 0.
    pub rules_last_reload_successful: Gauge,
    /// When the rules were last read (Unix seconds), whatever came of it.
    pub rules_last_reload: Gauge<f64, AtomicU64>,
    /// How long it took to load rules, once their files were at rest: read, compiled, tested, archived, swapped.
    pub rules_reload_duration: Histogram,
    /// When the rules in force were loaded (Unix seconds).
    pub rules_loaded: Gauge<f64, AtomicU64>,
    /// How many rules are in force.
    pub rules: Gauge,
    /// 1 for the version in force.
    pub rules_info: Family<VersionLabel, Gauge>,
    /// Whether the rules in force are those of the archive, because those on the disk could not be used at the start.
    pub rules_from_archive: Gauge,
    /// Alarms told to an address by kind and outcome: `sent`, `failed`.
    pub alarms: Family<KindOutcome, Counter>,
    /// Passwords that were tried at the console by outcome: `right`, `wrong`, `delayed`.
    pub sign_ins: Family<OutcomeLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All figures at zero.
    #[must_use]
    pub fn new() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.000_1, 2.0, 17)); // 0.1 ms to 6.5 s
        let mut metrics = Self {
            registry: Registry::with_prefix("wxreply"),
            pushes: Family::default(),
            refusals: Family::default(),
            push_duration: seconds(),
            push_latencies: Latencies::default(),
            messages: Family::default(),
            events: Family::default(),
            commit_size: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            commit_duration: seconds(),
            deliveries: Family::default(),
            delivery_duration: seconds(),
            webhook_calls: Family::default(),
            webhook_duration: seconds(),
            outbox_queued: Gauge::default(),
            token_renewals: Family::default(),
            token_expiry: Family::default(),
            rules_reloads: Family::default(),
            rules_last_reload_successful: Gauge::default(),
            rules_last_reload: Gauge::default(),
            rules_reload_duration: seconds(),
            rules_loaded: Gauge::default(),
            rules: Gauge::default(),
            rules_info: Family::default(),
            rules_from_archive: Gauge::default(),
            alarms: Family::default(),
            sign_ins: Family::default(),
        };
        let r = &mut metrics.registry;
        r.register("pushes", "Pushes by how they ended", metrics.pushes.clone());
        r.register(
            "push_refusals",
            "Refused pushes by reason",
            metrics.refusals.clone(),
        );
        r.register_with_unit(
            "push_duration",
            "From the last byte of a push to its answer",
            Unit::Seconds,
            metrics.push_duration.clone(),
        );
        r.register(
            "messages",
            "Messages by the status that the log gives them",
            metrics.messages.clone(),
        );
        r.register(
            "events",
            "Events among the messages, by the status that the log gives them",
            metrics.events.clone(),
        );
        r.register(
            "commit_size",
            "Requests that one commit made durable",
            metrics.commit_size.clone(),
        );
        r.register_with_unit(
            "commit_duration",
            "How long a commit took",
            Unit::Seconds,
            metrics.commit_duration.clone(),
        );
        r.register(
            "deliveries",
            "Attempts to deliver a reply by outcome",
            metrics.deliveries.clone(),
        );
        r.register_with_unit(
            "delivery_duration",
            "How long WeChat took to answer an attempt",
            Unit::Seconds,
            metrics.delivery_duration.clone(),
        );
        r.register(
            "webhook_calls",
            "Questions to rules' webhooks by outcome",
            metrics.webhook_calls.clone(),
        );
        r.register_with_unit(
            "webhook_duration",
            "How long a webhook took to answer, or to fail",
            Unit::Seconds,
            metrics.webhook_duration.clone(),
        );
        r.register(
            "outbox_queued",
            "Replies that wait to be sent",
            metrics.outbox_queued.clone(),
        );
        r.register(
            "token_renewals",
            "Renewals of the access token by outcome",
            metrics.token_renewals.clone(),
        );
        r.register(
            "token_expiry_timestamp_seconds",
            "When the access token in use expires",
            metrics.token_expiry.clone(),
        );
        r.register(
            "rules_reloads",
            "Reloads of the rules by outcome",
            metrics.rules_reloads.clone(),
        );
        r.register(
            "rules_last_reload_successful",
            "Whether the last reload of the rules worked and the tests of those in force pass",
            metrics.rules_last_reload_successful.clone(),
        );
        r.register(
            "rules_last_reload_timestamp_seconds",
            "When the rules were last read, whatever came of it",
            metrics.rules_last_reload.clone(),
        );
        r.register_with_unit(
            "rules_reload_duration",
            "How long it took to load rules, once their files were at rest",
            Unit::Seconds,
            metrics.rules_reload_duration.clone(),
        );
        r.register(
            "rules_loaded_timestamp_seconds",
            "When the rules in force were loaded",
            metrics.rules_loaded.clone(),
        );
        r.register("rules", "Rules in force", metrics.rules.clone());
        r.register(
            "rules_info",
            "The version of the rules in force",
            metrics.rules_info.clone(),
        );
        r.register(
            "rules_from_archive",
            "Whether the rules in force are the archive's, those on the disk being unusable since the start",
            metrics.rules_from_archive.clone(),
        );
        r.register(
            "alarms",
            "Alarms told to an address by kind and outcome",
            metrics.alarms.clone(),
        );
        r.register(
            "sign_ins",
            "Passwords that were tried at the console by outcome",
            metrics.sign_ins.clone(),
        );
        metrics
    }

    /// Counts one push of `app`.
    pub fn push(&self, app: &str, outcome: &str) {
        count(&self.pushes, app, outcome);
    }

    /// The figure behind [`Metrics::push`], for what happens too often to look it up each time.
    #[must_use]
    pub fn pushes_of(&self, app: &str, outcome: &str) -> Counter {
        let labels = AppOutcome {
            app: app.to_owned(),
            outcome: outcome.to_owned(),
        };
        self.pushes.get_or_create(&labels).clone()
    }

    /// Notes how long a push waited for its answer.
    pub fn push_answered(&self, after: Duration) {
        self.push_duration.observe(after.as_secs_f64());
        self.push_latencies.observe(after);
    }

    /// Counts one refused push of `app` under its reason.
    pub fn refusal(&self, app: &str, reason: &str) {
        self.push(app, "refused");
        count(&self.refusals, app, reason);
    }

    /// Counts messages of `app` that were written to the log.
    pub fn messages(&self, app: &str, status: &str, number: u64) {
        count_by(&self.messages, app, status, number);
    }

    /// Counts events among the messages of `app` that were written to the log.
    pub fn events(&self, app: &str, status: &str, number: u64) {
        count_by(&self.events, app, status, number);
    }

    /// Counts one attempt to deliver a reply of `app`.
    pub fn delivery(&self, app: &str, outcome: &str) {
        count(&self.deliveries, app, outcome);
    }

    /// Counts one question to a webhook of a rule of `app`.
    pub fn webhook_call(&self, app: &str, outcome: &str) {
        count(&self.webhook_calls, app, outcome);
    }

    /// Counts one renewal of the token of `app`.
    pub fn token_renewal(&self, app: &str, outcome: &str) {
        count(&self.token_renewals, app, outcome);
    }

    /// Counts one reload of the rules.
    pub fn rules_reload(&self, outcome: &str) {
        self.rules_reloads
            .get_or_create(&OutcomeLabel {
                outcome: outcome.to_owned(),
            })
            .inc();
    }

    /// Counts one alarm that was told, or could not be.
    pub fn alarm(&self, kind: &str, outcome: &str) {
        self.alarms
            .get_or_create(&KindOutcome {
                kind: kind.to_owned(),
                outcome: outcome.to_owned(),
            })
            .inc();
    }

    /// Counts one password that was tried at the console.
    pub fn sign_in(&self, outcome: &str) {
        self.sign_ins
            .get_or_create(&OutcomeLabel {
                outcome: outcome.to_owned(),
            })
            .inc();
    }

    /// Tells which version of the rules is in force.
    pub fn rules_version(&self, version: &str) {
        let label = VersionLabel {
            version: version.to_owned(),
        };
        if self.rules_info.get(&label).is_none() {
            self.rules_info.clear();
            self.rules_info.get_or_create(&label).set(1);
        }
    }

    /// The page that Prometheus reads (OpenMetrics text).
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a `String` can't fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

fn count(family: &Family<AppOutcome, Counter>, app: &str, outcome: &str) {
    count_by(family, app, outcome, 1);
}

fn count_by(family: &Family<AppOutcome, Counter>, app: &str, outcome: &str, number: u64) {
    family
        .get_or_create(&AppOutcome {
            app: app.to_owned(),
            outcome: outcome.to_owned(),
        })
        .inc_by(number);
}
