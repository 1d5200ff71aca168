//! `wxreply demo`: a visitor's first minute.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::Running;
use crate::world::{http, reqwest_get, until};

/// What the page shows of a customer's chat: who said it, and what.
async fn chat(page: &str, openid: &str) -> Vec<(String, String)> {
    let (_, state) = reqwest_get(&format!("{page}sim/state")).await.expect("the state");
    let state: Value = serde_json::from_str(&state).expect("JSON");
    let customers = state["customers"].as_array().expect("a list");
    let customer = customers
        .iter()
        .find(|c| c["customer"]["openid"] == openid)
        .expect("the customer");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = customer["entries"].as_array().expect("a list").iter();
    entries
        .map(|entry| (text(&entry["side"]), text(&entry["bubble"]["text"])))
        .collect()
}

/// Does on the page what its buttons do.
async fn act(page: &str, path: &str, body: Value) -> Value {
    let answer = http()
        .post(format!("{page}sim/{path}"))
        .body(body.to_string())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
}

/// Says something as a customer; gives what the shop answers.
async fn ask(page: &str, openid: &str, text: &str) -> String {
    let before = chat(page, openid).await.len();
    act(page, &format!("customers/{openid}/text"), json!({ "text": text })).await;
    until("the shop answers", || async {
        chat(page, openid).await.len() > before + 1
    })
    .await;
    chat(page, openid).await.pop().expect("an answer").1
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("there").next().is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_chats_changes_a_rule_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let tmp = folder.path().join("tmp");
    for signal in ["TERM", "INT", "HUP"] {
        let demo = Running::start(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
        let page = demo.finds(r"Chat as a customer +(http://\S+/)\n").await;
        demo.prints("Ctrl-C ends it.").await;
        let (status, html) = reqwest_get(&page).await.expect("the page");
        assert!(status == 200 && html.contains("<html"), "{html}");

        let openid = act(&page, "customers", json!({})).await["openid"]
            .as_str()
            .expect("an openid")
            .to_owned();
        assert_eq!(
            ask(&page, &openid, "几点开门").await,
            "我们每天 9:00–21:00 营业，春节照常。"
        );
        // The first answer waits for a token; the second shows how quick it is.
        let began = Instant::now();
        assert_eq!(ask(&page, &openid, "謝謝！").await, "不客气，祝您喝得开心！");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

        let rules = demo.finds(r"edit a file in (\S+)\n").await;
        assert!(
            Path::new(&rules).starts_with(&tmp),
            "there is no ./rules: {rules}"
        );
        let shop = Path::new(&rules).join("shop.toml");
        let text = std::fs::read_to_string(&shop).expect("readable");
        std::fs::write(&shop, text.replace("9:00–21:00", "8:00–22:00")).expect("writable");
        demo.prints("the rules were reloaded").await;
        assert_eq!(
            ask(&page, &openid, "几点开门").await,
            "我们每天 8:00–22:00 营业，春节照常。"
        );

        let config = demo.finds(r"wxreply log --follow --config (\S+)\n").await;
        let log = crate::world::run_in(folder.path(), &["log", "--config", &config, "--format", "jsonl"]);
        assert_eq!(String::from_utf8_lossy(&log.stdout).lines().count(), 6);
        assert_eq!(demo.end(signal).await.code(), Some(0));
        assert!(is_empty(&tmp), "all is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_beside_it_or_those_that_are_named_are_the_live_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, answer) in [("rules", "近"), ("other", "远")] {
        std::fs::create_dir(folder.path().join(name)).expect("writable");
        let rule = format!("[[rule]]\nname = \"any\"\nreply = \"{answer}\"\n");
        std::fs::write(folder.path().join(name).join("a.toml"), rule).expect("writable");
    }
    for (args, answer) in [(&[] as &[&str], "近"), (&["--rules", "other"], "远")] {
        let demo = Running::start(
            folder.path(),
            &[&["demo", "--listen", "127.0.0.1:0"], args].concat(),
        );
        let page = demo.finds(r"Chat as a customer +(http://\S+/)\n").await;
        let openid = act(&page, "customers", json!({})).await["openid"]
            .as_str()
            .expect("an openid")
            .to_owned();
        assert_eq!(ask(&page, &openid, "在吗").await, answer);
        assert_eq!(demo.end("TERM").await.code(), Some(0));
    }
    assert!(
        folder.path().join("rules/a.toml").exists(),
        "what is not the demo's stays"
    );
}

#[tokio::test]
async fn rules_that_can_not_be_used_end_it_with_words_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("rules")).expect("writable");
    std::fs::write(folder.path().join("rules/a.toml"), "[[rule]]\nnam = \"a\"\n").expect("writable");
    let demo = Running::start(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    demo.prints("a.toml:2:1").await;
    until("it ends", || async { is_empty(&folder.path().join("tmp")) }).await;
}
