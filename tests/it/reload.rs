//! Rules that change while messages come in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wxreply::clock::SystemClock;
use wxreply::daemon::Daemon;
use wxreply::message::{Direction, RuleSetVersion};
use wxreply::metrics::Metrics;
use wxreply::reload::archived;
use wxreply::store::{Access, Store};

use crate::world::{Plan, World, reqwest_get, until};

fn rules(version: usize) -> String {
    format!("[[rule]]\nname = \"any\"\nreply = \"版本 {version}\"\n")
}

impl World {
    /// What `/readyz` says of the rules.
    async fn rules_status(&self) -> Value {
        let (status, body) = reqwest_get(&format!("{}/readyz", self.admin))
            .await
            .expect("a page");
        assert_eq!(
            status, 200,
            "rules that can't be used are no reason to send nobody here"
        );
        let page: Value = serde_json::from_str(&body).expect("JSON");
        page["rules"].clone()
    }

    /// The archive, as a command beside the daemon sees it.
    async fn store(&self) -> Store {
        let url = format!("sqlite://{}", self.path("wxreply.db").display());
        Store::open(
            &url,
            Access::Command,
            Arc::new(SystemClock),
            Arc::new(Metrics::new()),
        )
        .await
        .expect("there is a database")
    }

    /// What the version in force is made of, as the archive has it.
    async fn in_force(&self, store: &Store) -> String {
        let version = self.rules_status().await["version"]
            .as_str()
            .expect("a version")
            .into();
        let body = store.rule_set(&version).await.expect("readable");
        body.expect("archived before it went live")
    }

    /// Waits until a set that holds `text` is in force.
    async fn goes_live(&self, store: &Store, text: &str) {
        until(&format!("rules with {text} are in force"), || async {
            self.in_force(store).await.contains(text)
        })
        .await;
    }
}

/// How many reloads ended so.
fn reloads(daemon: &Daemon, outcome: &str) -> u32 {
    let name = format!("wxreply_rules_reloads_total{{outcome=\"{outcome}\"}} ");
    let page = daemon.metrics().page();
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().expect("a number"))
}

/// Writes a file in two goes, with `pause` between them.
fn write_slowly(path: &Path, text: &str, pause: Duration) {
    use std::io::Write;
    let half = text.find("# half").expect("a mark at the half");
    let mut file = fs::File::create(path).expect("writable");
    std::thread::sleep(pause);
    file.write_all(&text.as_bytes()[..half]).expect("writable");
    std::thread::sleep(pause);
    file.write_all(&text.as_bytes()[half..]).expect("writable");
}

type Saving = fn(&Path, &str);

/// How programs change `rules.toml` in a folder. Each writes the same text in the end.
const SAVINGS: [(&str, Saving); 8] = [
    ("a new file moved over the old one", |folder, text| {
        fs::write(folder.join(".rules.toml.tmp"), text).expect("writable");
        fs::rename(folder.join(".rules.toml.tmp"), folder.join("rules.toml")).expect("writable");
    }),
    (
        "vim: a probe, the old one aside, a new one, the old one removed",
        |folder, text| {
            let (file, backup) = (folder.join("rules.toml"), folder.join("rules.toml~"));
            fs::write(folder.join("4913"), "").expect("writable");
            fs::remove_file(folder.join("4913")).expect("removed");
            fs::rename(&file, &backup).expect("moved");
            fs::write(&file, text).expect("writable");
            fs::remove_file(&backup).expect("removed");
        },
    ),
    (
        "vim with backupcopy: a copy aside, then in place",
        |folder, text| {
            let file = folder.join("rules.toml");
            fs::copy(&file, folder.join("rules.toml~")).expect("copied");
            fs::write(&file, text).expect("writable");
            fs::remove_file(folder.join("rules.toml~")).expect("removed");
        },
    ),
    ("in place, at once", |folder, text| {
        fs::write(folder.join("rules.toml"), text).expect("writable")
    }),
    // The first half alone would be a valid set.
    ("in place, slowly", |folder, text| {
        write_slowly(&folder.join("rules.toml"), text, Duration::from_millis(300));
    }),
    ("emptied, and written a moment later", |folder, text| {
        fs::write(folder.join("rules.toml"), "").expect("writable");
        std::thread::sleep(Duration::from_millis(500));
        fs::write(folder.join("rules.toml"), text).expect("writable");
    }),
    ("removed, and put back a moment later", |folder, text| {
        fs::remove_file(folder.join("rules.toml")).expect("removed");
        fs::write(folder.join("rules.toml"), text).expect("writable");
    }),
    ("git: many files, one after the other", |folder, text| {
        for n in 0..20 {
            fs::create_dir_all(folder.join(format!("part{}", n % 3))).expect("made");
            let name = folder.join(format!("part{}/{n}.toml", n % 3));
            fs::write(
                name,
                format!("[[rule]]\nname = \"part {n}\"\nwhen.exact = \"{n}\"\nreply = \"x\"\n"),
            )
            .expect("writable");
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::write(folder.join(".rules.toml.lock"), text).expect("writable");
        fs::rename(folder.join(".rules.toml.lock"), folder.join("rules.toml")).expect("moved");
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_saving_is_one_reload() {
    let world = Plan::rules(&rules(0)).build().await;
    let daemon = world.daemon().await;
    let store = world.store().await;
    for (n, (name, save)) in (1..).zip(SAVINGS) {
        let text = format!(
            "{}# half\n[[rule]]\nname = \"other\"\nreply = \"{name}\"\n",
            rules(n)
        );
        let folder = world.path("rules");
        tokio::task::spawn_blocking(move || save(&folder, &text))
            .await
            .expect("saved");
        world.goes_live(&store, name).await;
        let counts = ["loaded", "refused", "unchanged"].map(|outcome| reloads(&daemon, outcome));
        let loaded = u32::try_from(n).expect("a few");
        assert_eq!(counts, [loaded, 0, 0], "{name}");
    }
    let swaps = store.rule_set_swaps(100).await.expect("readable");
    assert_eq!(swaps.len(), 1 + SAVINGS.len(), "one at the start, one for each");
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_again_is_no_reload() {
    let world = Plan::rules(&rules(1)).build().await;
    let daemon = world.daemon().await;
    let before = world.rules_status().await;
    for times in 1..=2 {
        world.write_rules(&rules(1));
        until("it was read", || async { reloads(&daemon, "unchanged") == times }).await;
    }
    assert_eq!(
        daemon.reload().await.expect("fine"),
        before["version"].as_str().expect("a version")
    );
    let after = world.rules_status().await;
    assert_eq!(
        (&after["version"], &after["loaded"]),
        (&before["version"], &before["loaded"])
    );
    assert_ne!(after["last_attempt"], before["last_attempt"]);
    assert_eq!((reloads(&daemon, "loaded"), reloads(&daemon, "refused")), (0, 0));
    let store = world.store().await;
    assert_eq!(store.rule_set_swaps(9).await.expect("readable").len(), 1);
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configmap_is_swapped_by_its_link() {
    let world = Plan::rules("").build().await;
    let folder = world.path("rules");
    fs::remove_file(folder.join("rules.toml")).expect("removed");
    let mount = |n: usize| {
        let data = format!("..2026_{n}");
        fs::create_dir(folder.join(&data)).expect("made");
        fs::write(folder.join(&data).join("rules.toml"), rules(n)).expect("written");
        symlink(&data, folder.join("..data_tmp")).expect("linked");
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("swapped");
        if n > 0 {
            fs::remove_dir_all(folder.join(format!("..2026_{}", n - 1))).expect("removed");
        }
    };
    mount(0);
    symlink("..data/rules.toml", folder.join("rules.toml")).expect("linked");
    let daemon = world.daemon().await;
    let store = world.store().await;
    for n in 1..=3 {
        mount(n);
        world.goes_live(&store, &format!("版本 {n}")).await;
    }
    assert_eq!((reloads(&daemon, "loaded"), reloads(&daemon, "refused")), (3, 0));
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_goes_and_comes_back_is_followed_again() {
    let world = Plan::rules(&rules(1)).build().await;
    let daemon = world.daemon().await;
    let store = world.store().await;
    let folder = world.path("rules");
    let before = world.rules_status().await;

    fs::rename(&folder, world.path("elsewhere")).expect("moved");
    until("it is missed", || async {
        let status = world.rules_status().await;
        status["last_error"]["findings"]
            .to_string()
            .contains("rules: No such file")
    })
    .await;
    assert_eq!(world.rules_status().await["version"], before["version"]);
    world.say("oAnna", "在吗").await;
    assert_eq!(
        world.log_of(Direction::Out).await[0].content.as_deref(),
        Some("版本 1")
    );
    fs::rename(world.path("elsewhere"), &folder).expect("moved back");
    until("it is found again", || async {
        world.rules_status().await["last_error"] == Value::Null
    })
    .await;
    assert_eq!(reloads(&daemon, "loaded"), 0, "nothing in it changed");

    fs::remove_dir_all(&folder).expect("removed");
    fs::create_dir(&folder).expect("made");
    world.write_rules(&rules(2));
    world.goes_live(&store, "版本 2").await;
    // The new folder is watched like the old one: no change waits for the next look, which is two seconds away.
    let saved = Instant::now();
    world.write_rules(&rules(3));
    world.goes_live(&store, "版本 3").await;
    assert!(
        saved.elapsed() < Duration::from_millis(1500),
        "{:?}",
        saved.elapsed()
    );
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_can_be_one_file_or_lie_behind_a_link() {
    let world = Plan::rules(&rules(1)).build().await;
    let config = fs::read_to_string(world.config()).expect("readable");
    let config = config.replace("rules = \"rules\"", "rules = \"current.toml\"");
    fs::write(world.config(), config).expect("writable");
    symlink("rules/rules.toml", world.path("current.toml")).expect("linked");
    let daemon = world.daemon().await;
    let store = world.store().await;
    // A link that leads elsewhere.
    fs::write(world.path("rules/two.toml"), rules(2)).expect("writable");
    symlink("rules/two.toml", world.path("current.new")).expect("linked");
    fs::rename(world.path("current.new"), world.path("current.toml")).expect("swapped");
    world.goes_live(&store, "版本 2").await;
    // A file in its place, in place, and moved over.
    fs::remove_file(world.path("current.toml")).expect("removed");
    fs::write(world.path("current.toml"), rules(3)).expect("writable");
    world.goes_live(&store, "版本 3").await;
    fs::write(world.path("current.toml"), rules(4)).expect("writable");
    world.goes_live(&store, "版本 4").await;
    fs::write(world.path("draft"), rules(5)).expect("writable");
    fs::rename(world.path("draft"), world.path("current.toml")).expect("moved");
    world.goes_live(&store, "版本 5").await;
    assert_eq!((reloads(&daemon, "loaded"), reloads(&daemon, "refused")), (4, 0));
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_at_all_never_replaces_rules() {
    let world = Plan::rules(&rules(1)).build().await;
    let daemon = world.daemon().await;
    let store = world.store().await;
    let missing = || async {
        let error = &world.rules_status().await["last_error"];
        error.to_string().contains("there is no rule in")
    };
    // A folder where something should be mounted; then a file that stays empty.
    fs::remove_file(world.path("rules/rules.toml")).expect("removed");
    until("the empty folder is refused", missing).await;
    let since = world.rules_status().await["last_error"]["since"].clone();
    fs::write(world.path("rules/rules.toml"), "# nothing\n").expect("writable");
    until("the empty file is refused", || async {
        reloads(&daemon, "refused") == 2
    })
    .await;
    let error = world.rules_status().await["last_error"].clone();
    assert_eq!(error["since"], since, "it is one trouble");
    assert_ne!(error["time"], since);
    world.say("oAnna", "在吗").await;
    assert_eq!(
        world.log_of(Direction::Out).await[0].content.as_deref(),
        Some("版本 1")
    );
    // To answer nothing is possible, but must be said.
    world.write_rules(&format!("{}enabled = false\n", rules(2)));
    world.goes_live(&store, "enabled = false").await;
    assert_eq!(world.rules_status().await["count"], 0);
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_broken_rules_goes_on_with_the_last_good_ones() {
    let world = Plan::rules(&rules(1)).build().await;
    let process = world.process().await;
    let good = world.rules_status().await["version"].clone();
    world.write_rules("[[rule]]\nname = \"any\"\nrepyl = \"oops\"\n");
    process.kill();

    let process = world.process().await;
    let status = world.rules_status().await;
    assert_eq!(
        (&status["version"], &status["from_archive"]),
        (&good, &json!(true))
    );
    assert!(
        status["last_error"]["findings"][0]
            .as_str()
            .is_some_and(|f| f.contains("rules.toml:3")),
        "{status}"
    );
    let (_, metrics) = reqwest_get(&format!("{}/metrics", world.admin))
        .await
        .expect("a page");
    for line in [
        "wxreply_rules_from_archive 1",
        "wxreply_rules_last_reload_successful 0",
        &format!("wxreply_rules_info{{version={good}}} 1"),
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    world.say("oAnna", "在吗").await;
    assert_eq!(
        world.log_of(Direction::Out).await[0].content.as_deref(),
        Some("版本 1")
    );

    // Mended: the very same as before, then another.
    world.write_rules(&rules(1));
    until("the disk has what is in force", || async {
        world.rules_status().await["from_archive"] == false
    })
    .await;
    assert_eq!(world.rules_status().await["last_error"], Value::Null);
    world.write_rules(&rules(2));
    let store = world.store().await;
    world.goes_live(&store, "版本 2").await;
    let swaps = store.rule_set_swaps(9).await.expect("readable");
    assert_eq!(swaps.len(), 2, "a restart with the same rules is no swap");
    store.close().await;
    // Nothing on the disk at all is no reason to fall silent either.
    assert!(process.terminate().success());
    fs::remove_dir_all(world.path("rules")).expect("removed");
    let process = world.process().await;
    world.say("oBen", "在吗").await;
    let replies = world.log_of(Direction::Out).await;
    assert_eq!(replies[1].content.as_deref(), Some("版本 2"));
    assert!(process.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_rules_is_a_beginning_but_no_end() {
    let world = Plan::rules("# soon\n").build().await;
    let daemon = world.daemon().await;
    let status = world.rules_status().await;
    assert_eq!(
        (&status["count"], &status["from_archive"]),
        (&json!(0), &json!(false))
    );
    assert_eq!(
        (&status["last_error"], &status["failing_tests"]),
        (&Value::Null, &json!([]))
    );
    daemon.stop().await;

    // Nothing before it is worth going back to.
    world.write_rules("# later\n");
    let daemon = world.daemon().await;
    let store = world.store().await;
    assert_eq!(world.rules_status().await["from_archive"], false);
    assert!(world.in_force(&store).await.contains("later"));
    world.write_rules(&rules(1));
    world.goes_live(&store, "版本 1").await;
    daemon.stop().await;

    world.write_rules("# nothing is left\n");
    let daemon = world.daemon().await;
    let status = world.rules_status().await;
    assert_eq!(
        (&status["count"], &status["from_archive"]),
        (&json!(1), &json!(true))
    );
    assert!(
        status["last_error"].to_string().contains("there is no rule in"),
        "{status}"
    );
    store.close().await;
    daemon.stop().await;
}

/// The rules of one version, with a test that expects another's answer.
fn tested(version: usize, expected: usize) -> String {
    format!(
        "{}[[test]]\nname = \"greets\"\nmessage = \"在吗\"\nexpect = {{ reply = \"版本 {expected}\" }}\n",
        rules(version)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_breaks_its_own_test_does_not_go_live_nor_after_a_restart() {
    let world = Plan::rules(&tested(1, 1)).build().await;
    let daemon = world.daemon().await;
    world.write_rules(&tested(2, 1));
    until("the change is refused", || async {
        reloads(&daemon, "refused") == 1
    })
    .await;
    let status = world.rules_status().await;
    let finding = status["last_error"]["findings"][0].as_str().expect("a finding");
    assert!(
        finding.contains("greets") && finding.contains("rules.toml:"),
        "{finding}"
    );
    daemon.stop().await;

    // What a reload keeps out does not come in by a restart.
    let daemon = world.daemon().await;
    let status = world.rules_status().await;
    assert_eq!(status["from_archive"], true);
    assert_eq!(status["failing_tests"], json!([]), "those in force pass");
    assert!(
        status["last_error"]["findings"][0]
            .as_str()
            .is_some_and(|f| f.contains("greets"))
    );
    world.say("oAnna", "在吗").await;
    assert_eq!(
        world.log_of(Direction::Out).await[0].content.as_deref(),
        Some("版本 1")
    );
    world.write_rules(&tested(2, 2));
    let store = world.store().await;
    world.goes_live(&store, "版本 2").await;
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_with_failing_tests_answers_and_says_so() {
    let world = Plan::rules(&tested(1, 7)).build().await;
    for start in ["the first", "another"] {
        let daemon = world.daemon().await;
        world.say("oAnna", "在吗").await;
        let replies = world.log_of(Direction::Out).await;
        assert!(
            replies.iter().all(|e| e.content.as_deref() == Some("版本 1")),
            "{start}"
        );
        daemon.reload().await.expect("the same as before");
        let status = world.rules_status().await;
        assert_eq!(status["from_archive"], false);
        assert!(
            status["failing_tests"][0]
                .as_str()
                .is_some_and(|f| f.contains("greets")),
            "{start}: {status}"
        );
        let page = daemon.metrics().page();
        assert!(page.contains("wxreply_rules_last_reload_successful 0"), "{page}");
        if start == "another" {
            world.write_rules(&tested(1, 1));
            until("the tests pass", || async { reloads(&daemon, "loaded") == 1 }).await;
            assert_eq!(world.rules_status().await["failing_tests"], json!([]));
            let page = daemon.metrics().page();
            assert!(page.contains("wxreply_rules_last_reload_successful 1"), "{page}");
        }
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_fifty_times_under_load_loses_and_delays_nothing() {
    let world = Plan::rules(&rules(0)).set("outbox", "gap = \"0s\"").build().await;
    let daemon = world.daemon().await;
    let over = AtomicBool::new(false);
    let customers = async {
        let mut worst = Duration::ZERO;
        let mut said = 0;
        while !over.load(Ordering::SeqCst) {
            let openids: Vec<_> = (0..4).map(|n| format!("oUser{}", said + n)).collect();
            let start = Instant::now();
            for answer in futures_util::future::join_all(openids.iter().map(|o| world.say(o, "在吗"))).await
            {
                assert_eq!((answer.status, &*answer.body), (200, &b"success"[..]));
            }
            worst = worst.max(start.elapsed());
            said += openids.len();
        }
        (said, worst)
    };
    let editor = async {
        for version in 1..=50 {
            if version % 3 == 0 {
                world.write_rules("[[rule]]\nname = \"any\"\nrepyl = \"oops\"\n");
            } else {
                world.write_rules(&rules(version));
            }
            // Now and then the editor pauses, and what is there goes live.
            tokio::time::sleep(Duration::from_millis(if version % 5 == 0 { 300 } else { 60 })).await;
        }
        until("the last good version is live", || async {
            world.say("oProbe", "在吗").await;
            world
                .log_of(Direction::Out)
                .await
                .iter()
                .any(|e| e.content.as_deref() == Some("版本 50"))
        })
        .await;
        over.store(true, Ordering::SeqCst);
    };
    let ((said, worst), ()) = tokio::join!(customers, editor);
    assert!(worst < Duration::from_secs(1), "a push took {worst:?}");
    let log = world.log().await;
    let inbound: Vec<_> = log
        .iter()
        .filter(|e| e.direction == Direction::In && e.openid.as_str() != "oProbe")
        .collect();
    assert_eq!(inbound.len(), said);
    assert!(
        inbound.iter().all(|e| e.status == "matched"),
        "no message fell between two versions"
    );
    // Each version of the set answered with its own text, and only with that.
    let mut texts = BTreeMap::new();
    for entry in log.iter().filter(|e| e.direction == Direction::Out) {
        let version = entry.rule_set.clone().expect("a version");
        let text = entry.content.clone();
        assert_eq!(*texts.entry(version).or_insert_with(|| text.clone()), text);
    }
    // Each can be looked up, and is the set that it was.
    let store = world.store().await;
    let named: BTreeSet<RuleSetVersion> = log.iter().filter_map(|e| e.rule_set.clone()).collect();
    assert!(named.len() >= 4, "{named:?}");
    for version in named {
        let set = archived(&store, &version)
            .await
            .expect("loads")
            .expect("archived");
        assert_eq!(*set.version(), version);
        let body = store
            .rule_set(&version)
            .await
            .expect("readable")
            .expect("archived");
        if let Some(Some(text)) = texts.get(&version) {
            assert!(body.contains(text.as_str()), "{text}: {body}");
        }
        assert!(
            !body.contains(&world.account.app_secret) && !body.contains(&world.account.token),
            "{body}"
        );
    }
    store.close().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_and_is_shown_to_the_operator() {
    let world = Plan::rules(&rules(1)).build().await;
    let process = world.process().await;
    world.write_rules("[[rule]]\nname = \"any\"\nreply = \"{{ nobody }}\"\n");
    let ready = format!("{}/readyz", world.admin);
    until("the refusal is shown", || async {
        reqwest_get(&ready)
            .await
            .is_some_and(|(status, body)| status == 200 && body.contains("rules.toml:3"))
    })
    .await;
    let (_, metrics) = reqwest_get(&format!("{}/metrics", world.admin))
        .await
        .expect("a page");
    assert!(
        metrics.contains("wxreply_rules_reloads_total{outcome=\"refused\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("wxreply_rules_last_reload_successful 0"),
        "{metrics}"
    );
    let status = world.rules_status().await;
    assert_eq!(status["last_error"]["since"], status["last_attempt"], "{status}");
    assert_eq!(status["failing_tests"], json!([]));
    world.say("oAnna", "在吗").await;
    assert_eq!(
        world.log_of(Direction::Out).await[0].content.as_deref(),
        Some("版本 1")
    );
    // Mended in place, and announced by SIGHUP.
    std::fs::write(world.path("rules/rules.toml"), rules(2)).expect("writable");
    process.signal("HUP");
    until("the new version answers", || async {
        world.say("oBen", "在吗").await;
        world
            .log_of(Direction::Out)
            .await
            .iter()
            .any(|e| e.content.as_deref() == Some("版本 2"))
    })
    .await;
    assert!(process.terminate().success());
}
