//! `wxreply log` and `wxreply resend`: what came and went, in every form, and what did not go out.

use serde_json::Value;
use wxreply::message::{Direction, Entry, Fields, Format, OpenId};
use wxreply::simulator::{Fault, FaultSetting, PushBody};

use super::{Running, run};
use crate::world::{Plan, World, run_in};

const RULES: &str = r#"
[[rule]]
name = "hours"
when.keywords = ["几点开门"]
reply = "九点"

[[rule]]
name = "welcome"
when.event = "user_enter_tempsession"
reply = "欢迎"
"#;

/// A shop with a short past: Anna asks twice, once in vain; Ben enters.
async fn shop() -> World {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.say("oAnna", "请问几点开门？").await;
    world.say("oAnna", "=1+1, \"多少钱\"\n？").await;
    let now = jiff::Timestamp::now();
    let enters = PushBody::event(
        &world.account,
        &OpenId::from("oBen"),
        "user_enter_tempsession",
        Fields::new(),
        now,
    );
    world.push(&enters).await;
    world.outbox_empty().await;
    daemon.stop().await;
    world
}

/// The rows that `wxreply log --format jsonl` prints with these filters.
fn rows(world: &World, filters: &[&str]) -> Vec<Entry> {
    let output = run_in(
        &world.path(""),
        &[&["log", "--format", "jsonl"], filters].concat(),
    );
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_keeps_what_it_names() {
    let world = shop().await;
    let all = rows(&world, &[]);
    assert_eq!(all, world.log().await);
    assert_eq!(all.len(), 5);
    let third = all[2].time.to_string();
    let since = all.iter().filter(|e| e.time >= all[2].time).count();
    let filters: [(&[&str], usize); 16] = [
        (&["--app", "shop"], 5),
        (&["--app", "other"], 0),
        (&["--openid", "oAnna"], 3),
        (&["--rule", "hours"], 2),
        (&["--direction", "in"], 3),
        (&["--direction", "out"], 2),
        (&["--status", "sent"], 2),
        (&["--unmatched"], 1),
        (&["--search", "几点"], 1),
        (&["--search", "九"], 1),
        (&["--since", "1h"], 5),
        (&["--until", "1h"], 0),
        (&["--since", &third], since),
        (&["--until", &third], 5 - since),
        (&["--limit", "2"], 2),
        (&["--openid", "oAnna", "--direction", "in", "--rule", "hours"], 1),
    ];
    for (filter, count) in filters {
        assert_eq!(rows(&world, filter).len(), count, "{filter:?}");
    }
    assert_eq!(
        rows(&world, &["--limit", "2"]),
        all[3..],
        "the newest, the oldest of them first"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_says_the_same() {
    let world = shop().await;
    let printed = |format: &str| {
        let output = run_in(&world.path(""), &["log", "--format", format]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    const FIELDS: [&str; 16] = [
        "id",
        "time",
        "app",
        "direction",
        "openid",
        "msg_type",
        "event",
        "content",
        "fields",
        "rule",
        "rule_set",
        "status",
        "reply_to",
        "attempts",
        "errcode",
        "error",
    ];
    let jsonl = printed("jsonl");
    for line in jsonl.lines() {
        let row: serde_json::Map<String, Value> = serde_json::from_str(line).expect("JSON");
        assert_eq!(row.len(), FIELDS.len());
        let places = FIELDS.map(|field| line.find(&format!("\"{field}\":")).expect("the field"));
        assert!(places.is_sorted(), "{line}");
    }
    let json: Vec<Value> = serde_json::from_str(&printed("json")).expect("JSON");
    let lines: Vec<Value> = jsonl
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(json, lines);

    let csv = printed("csv");
    let mut csv = csv::Reader::from_reader(
        csv.strip_prefix('\u{feff}')
            .expect("a byte-order mark")
            .as_bytes(),
    );
    let headers: Vec<&str> = csv.headers().expect("headers").iter().collect();
    assert_eq!(headers.split_last(), Some((&"author", &FIELDS[..])));
    let records: Vec<_> = csv.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.len(), json.len());
    for (record, row) in records.iter().zip(&json) {
        assert_eq!(
            (&record[0], &record[11]),
            (
                row["id"].as_str().expect("text"),
                row["status"].as_str().expect("text")
            )
        );
    }
    assert!(
        records.iter().any(|record| &record[7] == "'=1+1, \"多少钱\"\n？"),
        "no formula"
    );

    insta::assert_snapshot!(run(&world.path(""), &["log", "--openid", "oAnna"]), @r#"
     id             time                 app      openid  message            rule   status
     0123456789abc  2026-01-05 10:00:00  shop  →  oAnna   请问几点开门？     hours  matched
     0123456789abc  2026-01-05 10:00:00  shop  ←  oAnna   九点               hours  sent
     0123456789abc  2026-01-05 10:00:00  shop  →  oAnna   =1+1, "多少钱"⏎？         unmatched
    exit 0
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["log", "--app", "other"]), @r#"
    no such messages
    exit 0
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_shows_what_comes_until_it_is_ended() {
    // XML can't carry an escape character, JSON can.
    let world = Plan::rules(RULES).format(Format::Json).build().await;
    let daemon = world.daemon().await;
    world.say("oAnna", "几点开门").await;
    world.outbox_empty().await;
    let table = Running::start(&world.path(""), &["log", "--follow", "--direction", "in"]);
    let lines = Running::start(
        &world.path(""),
        &["log", "--follow", "--format", "jsonl", "--openid", "oBen"],
    );
    table.prints("几点开门").await;
    world.say("oBen", "有\u{1b}[31m茶吗").await;
    table.prints("有·[31m茶吗").await;
    lines.prints("茶吗").await;
    assert!(!table.printed().contains("九点") && !lines.printed().contains("oAnna"));
    assert!(
        !table.printed().contains('\u{1b}'),
        "NO_COLOR, and a customer paints nothing"
    );
    assert_eq!(lines.printed().lines().count(), 1);
    for following in [table, lines] {
        assert_eq!(
            // Not INT, which is ignored by whatever a script has started in the background.
            following.end("TERM").await.code(),
            None,
            "ended by the signal itself"
        );
    }
    daemon.stop().await;
    insta::assert_snapshot!(run(&world.path(""), &["log", "--follow", "--format", "json"]), @r#"
    ! error: a JSON array has an end, --follow has none: take --format jsonl
    exit 2
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_has_read_enough_is_no_error() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    // More than any buffer on the way holds.
    for _ in 0..3 {
        world.say("oAnna", &"茶".repeat(30_000)).await;
    }
    daemon.stop().await;
    for format in ["table", "json", "jsonl", "csv"] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_wxreply"))
            .args(["log", "--format", format, "--config"])
            .arg(world.config())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            (output.status.code(), &*output.stderr),
            (Some(0), &b""[..]),
            "{format}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_put_back_and_sent() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.wechat.set_fault(Fault::Quota, FaultSetting::times(2));
    world.say("oAnna", "几点开门").await;
    world.say("oBen", "几点开门").await;
    world.outbox_empty().await;
    let dead = world.log_of(Direction::Out).await;
    assert!(dead.iter().all(|e| e.status == "failed"), "{dead:?}");

    let (message, reply) = (
        dead[0].reply_to.expect("a message").to_string(),
        dead[0].id.to_string(),
    );
    insta::assert_snapshot!(run(&world.path(""), &["resend", &reply, &message, "0000000000000"]), @r#"
    0123456789abc queued
    0123456789abc left alone: a customer sent it; only replies can be resent
    0123456789abc left alone: there is no such message
    exit 1
    "#);
    world.outbox_empty().await;
    insta::assert_snapshot!(run(&world.path(""), &["resend", &reply]), @r#"
    0123456789abc left alone: it is sent already
    exit 1
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["resend", "--failed"]), @r#"
    0123456789abc queued
    1 message put back in the queue
    exit 0
    "#);
    world.outbox_empty().await;
    insta::assert_snapshot!(run(&world.path(""), &["resend", "--failed"]), @r#"
    0 messages put back in the queue
    exit 0
    "#);
    for customer in ["oAnna", "oBen"] {
        assert_eq!(world.wechat.received(customer).len(), 1, "{customer}");
    }
    daemon.stop().await;
}
