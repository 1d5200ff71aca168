//! A shop to test: a folder with config and rules, the daemon, and WeChat beside it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;
use wxreply::clock::{Clock, SystemClock};
use wxreply::daemon::Daemon;
use wxreply::message::{AppKind, Direction, Entry, Format, Mode, OpenId};
use wxreply::metrics::Metrics;
use wxreply::simulator::{Account, PushAnswer, PushBody, Simulator, SimulatorConfig, deliver, signed_push};
use wxreply::store::{Access, Filter, Order, Store};

/// WeChat's patience with one push.
const PATIENCE: Duration = Duration::from_secs(5);

/// A clock that runs as the machine's does, but can be turned.
#[derive(Default)]
pub struct TurnedClock(AtomicI64);

impl TurnedClock {
    pub fn turn(&self, by: Duration) {
        self.0.fetch_add(
            i64::try_from(by.as_millis()).expect("a short while"),
            Ordering::SeqCst,
        );
    }
}

impl Clock for TurnedClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now().as_millisecond() + self.0.load(Ordering::SeqCst);
        Timestamp::from_millisecond(now).expect("a sane time")
    }
}

/// What differs from test to test.
pub struct Plan {
    pub rules: String,
    pub mode: Mode,
    pub format: Format,
    /// More lines for the config's tables, as `("outbox", "gap = \"0s\"")`.
    pub settings: Vec<(&'static str, String)>,
    /// Lines for the `[[app]]`.
    pub app: String,
}

impl Plan {
    pub fn rules(rules: &str) -> Self {
        Self {
            rules: rules.to_owned(),
            mode: Mode::Safe,
            format: Format::Xml,
            settings: Vec::new(),
            app: String::new(),
        }
    }

    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub fn format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    pub fn set(mut self, table: &'static str, line: &str) -> Self {
        self.settings.push((table, line.to_owned()));
        self
    }

    pub fn app(mut self, line: &str) -> Self {
        self.app.push_str(line);
        self.app.push('\n');
        self
    }

    /// Builds the folder and WeChat; starts no daemon yet.
    pub async fn build(self) -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let api = format!("http://{}", listener.local_addr().expect("bound"));
        let [port, admin] = free_ports();
        let account = Account {
            kind: AppKind::MiniProgram,
            app_id: "wx0123456789abcdef".into(),
            app_secret: "0123456789abcdef0123456789abcdef".into(),
            token: "t0kenOfTheShop".into(),
            encoding_aes_key: "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR".into(),
            mode: self.mode,
            format: self.format,
        };
        let callback = format!("http://127.0.0.1:{port}/wechat/shop");
        let config = SimulatorConfig {
            account: account.clone(),
            callback: callback.clone(),
        };
        let wechat = Simulator::start(config, listener).await.expect("WeChat starts");
        let lines_of = |table: &str| -> String {
            let lines = self.settings.iter().filter(|(t, _)| *t == table);
            lines.map(|(_, line)| line.clone() + "\n").collect()
        };
        let tables = ["push", "outbox", "webhook", "log", "alarm"];
        let tables = tables.map(|table| format!("[{table}]\n{}", lines_of(table)));
        let config = format!(
            "listen = \"127.0.0.1:{port}\"\nrules = \"rules\"\ndatabase = \"sqlite://wxreply.db\"\n\
             timezone = \"Asia/Shanghai\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n{}\n{}\
             [[app]]\nname = \"shop\"\nkind = \"mini-program\"\napp_id = \"{}\"\napp_secret = \"{}\"\ntoken = \"{}\"\n\
             encoding_aes_key = \"{}\"\nmode = \"{}\"\n{}\n{}",
            lines_of("admin"),
            tables.concat(),
            account.app_id,
            account.app_secret,
            account.token,
            account.encoding_aes_key,
            self.mode,
            if self.app.contains("api_base") {
                String::new()
            } else {
                format!("api_base = \"{api}\"")
            },
            self.app,
        );
        std::fs::write(folder.path().join("wxreply.toml"), config).expect("writable");
        std::fs::create_dir(folder.path().join("rules")).expect("writable");
        let world = World {
            folder,
            wechat,
            account,
            callback,
            api,
            admin: format!("http://127.0.0.1:{admin}"),
        };
        world.write_rules(&self.rules);
        world
    }
}

/// A shop without its daemon: what outlives a restart.
pub struct World {
    folder: TempDir,
    pub wechat: Simulator,
    pub account: Account,
    pub callback: String,
    /// The base URL of WeChat's API.
    pub api: String,
    /// The base URL of the admin listener.
    pub admin: String,
}

impl World {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("wxreply.toml")
    }

    /// Saves the rules as editors do: a new file, moved over the old one.
    pub fn write_rules(&self, rules: &str) {
        std::fs::write(self.path("rules/.new"), rules).expect("writable");
        std::fs::rename(self.path("rules/.new"), self.path("rules/rules.toml")).expect("writable");
    }

    /// Starts a daemon in this process.
    pub async fn daemon(&self) -> Daemon {
        self.daemon_at(Arc::new(SystemClock)).await
    }

    /// Starts a daemon in this process, by a clock of the test's own.
    pub async fn daemon_at(&self, clock: Arc<dyn Clock>) -> Daemon {
        let read = wxreply::config::read(&self.config()).expect("readable");
        let config = read
            .config
            .unwrap_or_else(|| panic!("the config is bad: {:?}", read.findings));
        Daemon::start(config, clock).await.expect("the daemon starts")
    }

    /// Starts the real binary and waits until it accepts.
    pub async fn process(&self) -> Process {
        Process::start(&self.config(), &self.admin).await
    }

    /// Runs a command of the real binary in the shop's folder, to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        run_in(self.folder.path(), args)
    }

    /// A customer's text, pushed once.
    pub async fn say(&self, openid: &str, text: &str) -> PushAnswer {
        self.push(&self.text(openid, text)).await
    }

    /// A customer's text with a `MsgId` of its own.
    pub fn text(&self, openid: &str, text: &str) -> PushBody {
        let now = Timestamp::now();
        let id = wxreply::simulator::msg_id(now, &mut rand::rng());
        PushBody::text(&self.account, &OpenId::from(openid), text, id, now)
    }

    /// Pushes once, signed now; panics when nothing comes back.
    pub async fn push(&self, body: &PushBody) -> PushAnswer {
        self.try_push(body).await.expect("the push is answered")
    }

    /// Pushes once, signed now.
    pub async fn try_push(&self, body: &PushBody) -> Option<PushAnswer> {
        self.push_at(body, Timestamp::now()).await
    }

    /// Pushes once, signed for `now`.
    pub async fn push_at(&self, body: &PushBody, now: Timestamp) -> Option<PushAnswer> {
        self.wechat.customer_acts(body);
        let push = signed_push(&self.account, body, now, &mut rand::rng()).expect("a good key");
        deliver(&self.callback, &push, PATIENCE).await.ok()
    }

    /// The whole log, oldest first.
    pub async fn log(&self) -> Vec<Entry> {
        self.log_in(&self.path("wxreply.db")).await
    }

    /// The whole log in a database, oldest first.
    pub async fn log_in(&self, database: &Path) -> Vec<Entry> {
        let url = format!("sqlite://{}", database.display());
        let metrics = Arc::new(Metrics::new());
        let store = Store::open(&url, Access::Command, Arc::new(SystemClock), metrics)
            .await
            .expect("there is a log");
        let entries = store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("readable");
        store.close().await;
        entries
    }

    /// The log's rows of one direction.
    pub async fn log_of(&self, direction: Direction) -> Vec<Entry> {
        self.log()
            .await
            .into_iter()
            .filter(|e| e.direction == direction)
            .collect()
    }

    /// Waits until no reply is queued.
    pub async fn outbox_empty(&self) {
        until("the outbox is empty", || async {
            self.log_of(Direction::Out)
                .await
                .iter()
                .all(|e| e.status != "queued")
        })
        .await;
    }
}

/// The real binary; killed when the test is over.
pub struct Process(Child);

impl Process {
    /// Starts the real binary with this config, and waits until it says at its admin listener that it is ready.
    pub async fn start(config: &Path, admin: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_wxreply"))
            .args(["serve", "--config"])
            .arg(config)
            .env("WXREPLY_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        let process = Self(child);
        let ready = format!("{admin}/readyz");
        until("the daemon is ready", || async {
            reqwest_get(&ready).await.is_some_and(|(status, _)| status == 200)
        })
        .await;
        process
    }

    /// `kill -9`
    pub fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }

    /// SIGTERM; gives the exit status.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        self.signal("TERM");
        self.0.wait().expect("it ends")
    }

    /// Any signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.0.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After `kill` and `terminate` there is nothing left to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command of the real binary in `folder`, to its end.
pub fn run_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wxreply"))
        .args(args)
        .current_dir(folder)
        .env_remove("WXREPLY_CONFIG")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// Waits until something is true, for at most 20 seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let start = Instant::now();
    while !check().await {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "waited in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The status and the body of a page, if something answers.
pub async fn reqwest_get(url: &str) -> Option<(u16, String)> {
    let answer = http().get(url).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// A client for pages and for pushes that no honest WeChat would make.
pub fn http() -> reqwest::Client {
    // A second call finds the provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Ports that are free and differ.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let bound = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"));
    bound.map(|listener| listener.local_addr().expect("bound").port())
}
