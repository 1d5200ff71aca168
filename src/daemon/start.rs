//! Starting: from the settings to rooms that are wired to each other, in the order in which they need each other.

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::http::Limits;
use super::receiving::Receiving;
use super::{Daemon, STOP_PUSHES, StartError, housekeeping, http, supervise};
use crate::alarm::{self, Addresses, Alarms, Messenger, WatchedApp};
use crate::clock::SharedClock;
use crate::config::{self, AccessTokenSource, Config};
use crate::console::{self, Console, ConsoleApp, Settings};
use crate::editing::RulesEditor;
use crate::intake::{Intake, policies_of};
use crate::metrics::Metrics;
use crate::outbox::{self, OnUncertain, OutboxConfig, Sender};
use crate::pictures::{self, Album};
use crate::receiver::{self, Receiver};
use crate::reload::{self, Reloader, RulesSource};
use crate::store::{Access, Store, StoreError};
use crate::token::{TokenKeeper, TokenSource};
use crate::webhook;
use crate::wechat::api::{Api, ApiConfig};
use crate::wechat::{AesKey, Credentials};

/// Connections to the admin listener at once: scrapers, probes, and a live stream for each page that somebody has open.
const ADMIN_CONNECTIONS: usize = 512;

impl Daemon {
    /// Starts everything; when it returns, both listeners accept. Rules with an error keep it from starting, unless the
    /// archive has those that were in force last.
    pub async fn start(config: Config, clock: SharedClock) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        let credentials = config
            .apps
            .iter()
            .map(credentials)
            .collect::<Result<Vec<_>, _>>()?;
        let apis = config
            .apps
            .iter()
            .map(|app| api(app, &config))
            .collect::<Result<Vec<_>, _>>()?;
        let webhook = webhook_client(&config)?;
        let messenger = messenger(&config, metrics.clone())?;
        let (listener, addr) = bind("listen", config.listen).await?;
        let (admin_listener, admin_addr) = bind("[admin] listen", config.admin.listen).await?;
        let store = Store::open(&config.database, Access::Daemon, clock.clone(), metrics.clone())
            .await
            .map_err(|error| {
                let path = config.path.display();
                StartError(format!(
                    "{error}\nIts path is `database` in {path}; wxreply must be able to write to it, and to the folder \
                     that it lies in"
                ))
            })?;
        let rules = Reloader::start(
            RulesSource::of(&config),
            policies_of(&config),
            store.clone(),
            clock.clone(),
            metrics.clone(),
        )
        .await
        .map_err(|findings| broken_rules(&config, &findings))?;
        let rules = Arc::new(rules);
        let intake = Intake::new(store.clone(), rules.live(), policies_of(&config));
        let names = config.apps.iter().map(|app| app.name.clone());
        let receiver = Arc::new(Receiver::new(
            names.clone().zip(credentials).collect(),
            &config.push,
            intake.clone(),
            clock.clone(),
            metrics.clone(),
        ));
        let known = receiver.clone();
        store
            .recent_nonces(receiver.nonces_since(), move |app, pair, id| {
                known.restore_nonce(app, pair, id);
            })
            .await
            .map_err(database)?;

        let rooms = CancellationToken::new();
        let mut others = Vec::new();
        let mut senders = Vec::new();
        let mut console_apps = Vec::new();
        let mut watched = Vec::new();
        let mut albums = Vec::new();
        for (app, api) in config.apps.iter().zip(apis) {
            let token = TokenKeeper::new(
                app.name.clone(),
                api.clone(),
                token_source(&app.access_token),
                store.clone(),
                clock.clone(),
                metrics.clone(),
            );
            console_apps.push(ConsoleApp {
                name: app.name.clone(),
                kind: app.kind,
                app_id: app.app_id.clone(),
                mode: app.mode,
                source: token_source(&app.access_token),
                token: token.clone(),
            });
            albums.push(Album {
                app: app.name.clone(),
                api: api.clone(),
                token: token.clone(),
            });
            senders.push(Sender {
                app: app.name.clone(),
                kind: app.kind,
                api,
                token: token.clone(),
            });
            watched.push(WatchedApp {
                name: app.name.clone(),
                token: token.clone(),
            });
            let stop = rooms.clone();
            let keep_fresh = move || token.clone().keep_fresh(stop.clone());
            others.push(tokio::spawn(supervise::keep_running(
                "token",
                rooms.clone(),
                keep_fresh,
            )));
        }
        let watch = {
            let (rules, stop) = (rules.clone(), rooms.clone());
            move || rules.clone().watch(stop.clone())
        };
        others.push(tokio::spawn(supervise::keep_running(
            "reload",
            rooms.clone(),
            watch,
        )));
        let alarms = Alarms::default();
        let look_out = {
            let stop = rooms.clone();
            let watch = alarm::Watch {
                store: store.clone(),
                rules: rules.clone(),
                apps: watched,
                metrics: metrics.clone(),
                clock: clock.clone(),
                cooldown: config.alarm.cooldown,
                messenger,
                alarms: alarms.clone(),
            };
            move || watch.clone().run(stop.clone())
        };
        others.push(tokio::spawn(supervise::keep_running(
            "alarm",
            rooms.clone(),
            look_out,
        )));
        if config.log.media {
            let (store, clock, stop) = (store.clone(), clock.clone(), rooms.clone());
            let fetch = move || pictures::run(store.clone(), albums.clone(), clock.clone(), stop.clone());
            others.push(tokio::spawn(supervise::keep_running(
                "pictures",
                rooms.clone(),
                fetch,
            )));
        }
        let keep_house = {
            let (store, retention, stop) = (store.clone(), config.log.retention, rooms.clone());
            move || housekeeping::run(store.clone(), retention, stop.clone())
        };
        others.push(tokio::spawn(supervise::keep_running(
            "housekeeping",
            rooms.clone(),
            keep_house,
        )));
        let deliver = {
            let (store, clock, metrics, stop) =
                (store.clone(), clock.clone(), metrics.clone(), rooms.clone());
            let config = outbox_config(&config, webhook);
            move || {
                let (senders, config) = (senders.clone(), config.clone());
                outbox::run(
                    store.clone(),
                    senders,
                    config,
                    clock.clone(),
                    metrics.clone(),
                    stop.clone(),
                )
            }
        };
        let outbox = tokio::spawn(supervise::keep_running("outbox", rooms.clone(), deliver));

        let doors = CancellationToken::new();
        let console = Console {
            settings: Settings {
                config: config.path.clone(),
                rules: config.rules.clone(),
                database: config.database.clone(),
                listen: addr,
                retention: config.log.retention,
                media: config.log.media,
                reserve: config.outbox.reserve,
                max_age: config.outbox.max_age,
                alarms_told: config.alarm.webhook.is_some() || config.alarm.wecom_robot.is_some(),
                started: clock.now(),
            },
            store: store.clone(),
            intake,
            editor: Arc::new(RulesEditor::new(rules.clone(), store.clone(), clock.clone())),
            rules: rules.clone(),
            receiver: receiver.clone(),
            metrics: metrics.clone(),
            clock,
            apps: console_apps,
            users: config.admin.users,
            token_key: config.admin.token_key,
            url: config.admin.url,
            timezone: config.timezone,
            stop: doors.clone(),
            attempts: Default::default(),
            last_grouped: Default::default(),
            alarms,
        };
        let receiving = Receiving::start().map_err(no_threads)?;
        let public = receiving.serve(listener, |listener| {
            http::serve(
                listener,
                receiver::routes(receiver),
                Limits::new(config.push.max_connections, STOP_PUSHES),
                doors.clone(),
            )
        });
        let private = http::serve(
            admin_listener,
            console::routes(Arc::new(console)),
            Limits::new(ADMIN_CONNECTIONS, STOP_PUSHES),
            doors.clone(),
        );
        let listeners = vec![public.map_err(no_threads)?, tokio::spawn(private)];
        info!(%addr, admin = %admin_addr, apps = config.apps.len(), rules = %config.rules.display(), "ready");
        Ok(Self {
            addr,
            admin_addr,
            metrics,
            rules,
            store,
            doors: doors.drop_guard(),
            _receiving: receiving,
            listeners,
            rooms: rooms.drop_guard(),
            outbox,
            others,
        })
    }
}

async fn bind(key: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let error = |error: std::io::Error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; is wxreply, or another program, running there already?",
            std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: take a higher one",
            _ => "",
        };
        StartError(format!(
            "can't listen at {address} (`{key}` in the config): {error}{advice}"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}

fn broken_rules(config: &Config, findings: &[String]) -> StartError {
    StartError(format!(
        "the rules in {} can't be used, so the daemon does not start\n\n{}",
        config.rules.display(),
        findings.join("\n\n")
    ))
}

fn no_threads(error: std::io::Error) -> StartError {
    StartError(format!("can't start the threads that take pushes in: {error}"))
}

fn database(error: StoreError) -> StartError {
    StartError(format!("the database failed: {error}"))
}

fn credentials(app: &config::App) -> Result<Credentials, StartError> {
    let key = app.encoding_aes_key.as_ref();
    let aes_key = key
        .map(|key| AesKey::decode(key.expose_secret()))
        .transpose()
        .map_err(|error| StartError(format!("app {}: `encoding_aes_key` {error}", app.name)))?;
    Ok(Credentials {
        app_id: app.app_id.clone(),
        token: app.token.clone(),
        aes_key,
        mode: app.mode,
    })
}

fn api(app: &config::App, config: &Config) -> Result<Api, StartError> {
    let api = ApiConfig {
        app_id: app.app_id.clone(),
        app_secret: app.app_secret.clone(),
        bases: app.api_base.clone(),
        timeout: config.outbox.timeout,
    };
    Api::new(api).map_err(|error| StartError(format!("app {}: {error}", app.name)))
}

fn token_source(source: &AccessTokenSource) -> TokenSource {
    match source {
        AccessTokenSource::Stable => TokenSource::Stable,
        AccessTokenSource::Classic => TokenSource::Classic,
        AccessTokenSource::Url(url) => TokenSource::Url(url.clone()),
    }
}

/// The client that asks webhooks, if there is a secret to sign with.
fn webhook_client(config: &Config) -> Result<Option<webhook::Client>, StartError> {
    let Some(secret) = &config.webhook.secret else {
        return Ok(None);
    };
    let key = webhook::Key::new(secret)
        .map_err(|error| StartError(format!("`secret` under `[webhook]` {error}")))?;
    let client = webhook::Client::new(key).map_err(|error| StartError(format!("webhooks: {error}")))?;
    Ok(Some(client))
}

fn messenger(config: &Config, metrics: Arc<Metrics>) -> Result<Messenger, StartError> {
    let addresses = Addresses {
        webhook: config.alarm.webhook.clone(),
        wecom_robot: config.alarm.wecom_robot.clone(),
        language: config.alarm.language,
        console: config.admin.url.clone(),
        timezone: config.timezone.clone(),
    };
    Messenger::new(addresses, metrics).map_err(|error| StartError(format!("[alarm]: {error}")))
}

fn outbox_config(config: &Config, webhook: Option<webhook::Client>) -> OutboxConfig {
    OutboxConfig {
        max_age: config.outbox.max_age,
        on_uncertain: if config.outbox.hold_uncertain {
            OnUncertain::Hold
        } else {
            OnUncertain::Resend
        },
        concurrency: config.outbox.concurrency,
        gap: config.outbox.gap,
        media_root: reload::media_root(&config.rules).to_owned(),
        reserve: config.outbox.reserve,
        webhook,
        webhook_concurrency: config.webhook.concurrency,
    }
}
