//! Conversations in the console, through the whole daemon: what customers wrote is found and shown as text, people answer
//! and pause the bot, each by their role, and the log leaves as a file.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use wxreply::password;

use crate::world::{Plan, World, http, until};

const RULES: &str =
    "[[rule]]\nname = \"价格/一\"\nwhen.keywords = [\"多少钱\"]\nreply = \"价目表在这里。\"\n";

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand what is left of a picture";

/// A daemon with a user of each role; their passwords are their names.
async fn world() -> World {
    let users = ["viewer", "agent", "editor"].map(|role| {
        let hash = password::hash(role).expect("hashable");
        format!("[[admin.user]]\nname = \"{role}\"\npassword_hash = \"{hash}\"\nrole = \"{role}\"")
    });
    let plan = Plan::rules(RULES).set("outbox", "gap = \"0s\"");
    let plan = users.iter().fold(plan, |plan, user| plan.set("admin", user));
    plan.build().await
}

/// Somebody who asks the console.
struct Asker<'a> {
    world: &'a World,
    client: Client,
    role: &'static str,
}

impl<'a> Asker<'a> {
    fn new(world: &'a World, role: &'static str) -> Self {
        Self {
            world,
            client: http(),
            role,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        let request = request.basic_auth(self.role, Some(self.role));
        request.send().await.expect("the console answers")
    }

    async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.world.admin);
        self.send(self.client.get(url)).await
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.expect("a page")
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.world.admin);
        let request = self.client.post(url).header("content-type", "application/json");
        let answer = self.send(request.body(body.to_string())).await;
        let status = answer.status();
        let body = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn submit(&self, path: &str, form: &str) -> Response {
        let url = format!("{}{path}", self.world.admin);
        let request = self
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        self.send(request).await
    }
}

fn received(world: &World, openid: &str) -> Vec<String> {
    let received = world.wechat.received(openid);
    received
        .iter()
        .filter_map(|reply| reply.text().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn a_conversation_is_found_and_shown_and_nothing_of_it_is_markup() {
    let world = world().await;
    let daemon = world.daemon().await;
    world.say("oAnn", "這個多少錢？").await;
    world.say("oBob", "<script>alert('x')</script> & 发货了吗").await;
    world.outbox_empty().await;
    let viewer = Asker::new(&world, "viewer");

    let all = viewer.json("/api/conversations").await;
    assert_eq!(all["items"][0]["openid"], "oBob");
    assert_eq!(all["items"][0]["unanswered"], true);
    assert_eq!(
        (&all["items"][1]["openid"], &all["items"][1]["unanswered"]),
        (&json!("oAnn"), &json!(false))
    );
    let unanswered = viewer.json("/api/conversations?show=unanswered").await;
    assert_eq!(unanswered["items"].as_array().map(Vec::len), Some(1));

    // 发货 and 多少钱, as the customers wrote them.
    let found = viewer.json("/api/conversations?q=%E5%8F%91%E8%B4%A7").await;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["items"][0]["openid"], "oBob");
    let list = viewer.page("/conversations?q=%E5%A4%9A%E5%B0%91%E9%92%B1").await;
    assert!(list.contains("<mark>多少錢</mark>"), "{list}");
    let by_name = viewer.json("/api/conversations?q=oAn").await;
    assert_eq!(by_name["items"][0]["openid"], "oAnn", "{by_name}");

    let thread = viewer.page("/conversations/shop/oAnn").await;
    assert!(
        thread.contains("這個多少錢？") && thread.contains("价目表在这里。"),
        "{thread}"
    );
    assert!(
        thread.contains("/rules/shop/%E4%BB%B7%E6%A0%BC%2F%E4%B8%80"),
        "{thread}"
    );
    assert!(!thread.contains("<textarea"), "a viewer does not write");
    for path in [
        "/conversations/shop/oBob",
        "/conversations",
        "/messages",
        "/conversations?q=alert",
    ] {
        let page = viewer.page(path).await;
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("alert"), "{path}");
    }
    for path in [
        "/conversations/shop/oNobody",
        "/api/conversations/shop/oNobody",
        "/api/messages/0000000000000",
    ] {
        assert_eq!(viewer.get(path).await.status(), 404, "{path}");
    }
    assert_eq!(viewer.get("/api/conversations?shou=all").await.status(), 400);
    daemon.stop().await;
}

#[tokio::test]
async fn why_is_told_by_the_rules_of_then_and_by_those_of_now() {
    let world = world().await;
    let daemon = world.daemon().await;
    world.say("oAnn", "能开发票吗").await;
    let viewer = Asker::new(&world, "viewer");
    let log = viewer.json("/api/messages?unmatched=true").await;
    let id = log["items"][0]["id"].as_str().expect("an id").to_owned();
    let page = viewer.page(&format!("/messages/{id}")).await;
    assert!(
        page.contains("没有出现") && page.contains("/rules/draft?app=shop&#38;text="),
        "{page}"
    );

    world.write_rules(&format!(
        "{RULES}[[rule]]\nname = \"发票\"\nwhen.keywords = [\"发票\"]\nreply = \"能开\"\n"
    ));
    until("the rules are live", || async {
        let now = viewer
            .json(&format!("/api/messages/{id}/explain?as_logged=false"))
            .await;
        now["rule"] == "发票"
    })
    .await;
    let then = viewer.json(&format!("/api/messages/{id}/explain")).await;
    assert_eq!(
        (&then["rules_of"], &then["status"]),
        (&json!("then"), &json!("unmatched"))
    );
    assert_eq!(then["rules"].as_array().map(Vec::len), Some(1));
    let now = viewer
        .json(&format!("/api/messages/{id}/explain?as_logged=false"))
        .await;
    assert_eq!((&now["rules_of"], &now["same"]), (&json!("now"), &json!(false)));
    assert_eq!(now["replies"][0]["content"], "能开");
    daemon.stop().await;
}

#[tokio::test]
async fn an_agent_answers_and_pauses_the_bot_and_a_viewer_does_not() {
    let world = world().await;
    let daemon = world.daemon().await;
    world.say("oAnn", "多少钱").await;
    world.outbox_empty().await;
    let [viewer, agent] = ["viewer", "agent"].map(|role| Asker::new(&world, role));
    let path = "/api/conversations/shop/oAnn";
    let replies = format!("{path}/replies");

    let (status, problem) = viewer.post(&replies, json!({ "text": "x" })).await;
    assert_eq!(status, 403, "{problem}");
    let (status, queued) = agent
        .post(&replies, json!({ "text": "您好，我是小王", "mute": "30m" }))
        .await;
    assert_eq!(status, 201, "{queued}");
    until("it reaches the customer", || async {
        received(&world, "oAnn") == ["价目表在这里。", "您好，我是小王"]
    })
    .await;
    let id = queued["ids"][0].as_str().expect("an id");
    let reply = viewer.json(&format!("/api/messages/{id}")).await;
    assert_eq!(reply["author"], "agent");

    // The bot is silent now, and the message waits for a person.
    world.say("oAnn", "多少钱").await;
    let user = viewer.json(path).await;
    assert!(user["muted_until"].is_string(), "{user}");
    assert_eq!(user["quota"]["of"], 5, "{user}");
    let muted = viewer.json("/api/conversations?show=muted").await;
    assert_eq!(
        (
            &muted["items"][0]["last"]["status"],
            &muted["items"][0]["unanswered"]
        ),
        (&json!("muted"), &json!(true))
    );
    let (status, user) = agent.post(&format!("{path}/unmute"), Value::Null).await;
    assert_eq!((status.as_u16(), &user["muted_until"]), (200, &Value::Null));
    world.say("oAnn", "多少钱").await;
    until("the bot answers again", || async {
        received(&world, "oAnn").len() == 3
    })
    .await;

    // What can't be sent stays where it was typed, with what is wrong.
    let long = "长".repeat(700);
    let answer = agent
        .submit("/conversations/shop/oAnn/reply", &format!("text={long}"))
        .await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.expect("a page");
    assert!(page.contains(&long) && page.contains("2048"), "{page}");
    let (status, _) = agent.post(&replies, json!({ "text": long })).await;
    assert_eq!(status, 422);
    let (status, _) = agent.post(&replies, json!({ "text": "x", "mute": "31d" })).await;
    assert_eq!(status, 422);
    for _ in 0..4 {
        assert_eq!(agent.post(&replies, json!({ "text": "再等等" })).await.0, 201);
    }
    let (status, problem) = agent.post(&replies, json!({ "text": "一条太多" })).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(
        agent
            .post("/api/conversations/shop/oNobody/replies", json!({ "text": "x" }))
            .await
            .0,
        404
    );
    daemon.stop().await;
}

#[tokio::test]
async fn pictures_are_shown_and_do_nothing_else() {
    let world = world().await;
    let daemon = world.daemon().await;
    let picture = PNG.to_vec();
    world
        .wechat
        .customer_sends_image("oAnn", picture.into())
        .expect("a picture");
    let viewer = Asker::new(&world, "viewer");
    let mut id = String::new();
    until("the picture came", || async {
        viewer.json("/api/messages").await["items"][0].is_object()
    })
    .await;
    let log = viewer.json("/api/messages").await;
    id.push_str(log["items"][0]["id"].as_str().expect("an id"));
    until("the picture is fetched", || async {
        viewer.get(&format!("/pictures/{id}")).await.status() == 200
    })
    .await;
    let shown = viewer.get(&format!("/api/messages/{id}/picture")).await;
    let header = |name: &str| shown.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(shown.bytes().await.expect("a body"), PNG);
    let thread = viewer.page("/conversations/shop/oAnn").await;
    assert!(thread.contains(&format!("src=\"/pictures/{id}\"")), "{thread}");
    daemon.stop().await;
}

#[tokio::test]
async fn the_log_leaves_as_a_file_that_spreadsheets_take_for_text() {
    let world = world().await;
    let daemon = world.daemon().await;
    for n in 0..30 {
        world.say(&format!("oUser{n}"), &format!("=HYPERLINK({n})")).await;
    }
    world.say("oAnn", "多少钱").await;
    world.outbox_empty().await;
    let viewer = Asker::new(&world, "viewer");
    let answer = viewer.get("/api/messages/export?format=csv&unmatched=true").await;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    let file = answer.text_bytes().await;
    assert!(file.starts_with("\u{feff}id,time,app,"), "{file}");
    assert_eq!(file.lines().count(), 31);
    assert_eq!(file.matches(",'=HYPERLINK(").count(), 30);
    let lines = viewer
        .get("/api/messages/export?format=jsonl&rule=%E4%BB%B7%E6%A0%BC%2F%E4%B8%80")
        .await;
    let lines = lines.text_bytes().await;
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 2, "the question and its answer");
    assert_eq!(viewer.get("/api/messages/export?format=xls").await.status(), 400);
    assert_eq!(
        viewer.get("/api/messages/export?format=csv&x=1").await.status(),
        400
    );
    daemon.stop().await;
}

/// The body as it came: `text` would drop the byte-order mark.
trait TextBytes {
    async fn text_bytes(self) -> String;
}

impl TextBytes for Response {
    async fn text_bytes(self) -> String {
        String::from_utf8(self.bytes().await.expect("a body").to_vec()).expect("UTF-8")
    }
}

#[tokio::test]
async fn only_an_editor_forgets_and_only_who_was_named() {
    let world = world().await;
    let daemon = world.daemon().await;
    world.say("oAnn", "多少钱").await;
    world.say("oBob", "多少钱").await;
    world.outbox_empty().await;
    let [agent, editor] = ["agent", "editor"].map(|role| Asker::new(&world, role));
    let page = "/conversations/shop/oAnn/forget";
    assert_eq!(agent.get(page).await.status(), 403);
    assert_eq!(
        agent
            .post("/api/conversations/shop/oAnn/forget", Value::Null)
            .await
            .0,
        403
    );
    assert!(editor.page(page).await.contains("oAnn"));
    assert_eq!(editor.submit(page, "openid=oBob").await.status(), 422);
    assert_eq!(
        editor.json("/api/conversations").await["items"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    // The form leads to the list.
    let after = editor.submit(page, "openid=oAnn").await;
    assert!(after.url().path() == "/conversations" && after.status() == 200);
    let (status, erased) = editor
        .post("/api/conversations/shop/oBob/forget", Value::Null)
        .await;
    assert_eq!(
        (status.as_u16(), &erased["messages"], &erased["replies"]),
        (200, &json!(1), &json!(1))
    );
    assert_eq!(editor.json("/api/conversations").await["items"], json!([]));
    assert_eq!(editor.get("/conversations/shop/oAnn").await.status(), 404);
    daemon.stop().await;
}

#[tokio::test]
async fn snippets_are_kept_renamed_and_deleted() {
    let world = world().await;
    let daemon = world.daemon().await;
    world.say("oAnn", "多少钱").await;
    let [viewer, agent] = ["viewer", "agent"].map(|role| Asker::new(&world, role));
    let client = http();
    let url = format!("{}/api/snippets/%E9%97%AE%E5%80%99", world.admin);
    let put = |asker: &'static str, text: &str| {
        let body = json!({ "text": text }).to_string();
        let request = client
            .put(&url)
            .header("content-type", "application/json")
            .body(body);
        request.basic_auth(asker, Some(asker)).send()
    };
    assert_eq!(put("viewer", "您好").await.expect("answered").status(), 403);
    assert_eq!(put("agent", "").await.expect("answered").status(), 422);
    assert_eq!(put("agent", "您好<b>").await.expect("answered").status(), 200);
    assert_eq!(
        viewer.json("/api/snippets").await,
        json!({ "items": [{ "name": "问候", "text": "您好<b>" }] })
    );
    let thread = agent.page("/conversations/shop/oAnn").await;
    assert!(thread.contains("您好") && !thread.contains("您好<b>"), "{thread}");
    let saved = agent
        .submit("/snippets", "was=%E9%97%AE%E5%80%99&name=hello&text=hi")
        .await;
    assert_eq!(saved.status(), 200);
    assert_eq!(
        viewer.json("/api/snippets").await,
        json!({ "items": [{ "name": "hello", "text": "hi" }] })
    );
    let url = format!("{}/api/snippets/hello", world.admin);
    let delete = async || agent.send(client.delete(&url)).await.status();
    assert_eq!(delete().await, 204);
    assert_eq!(delete().await, 404);
    tokio::time::timeout(Duration::from_secs(10), daemon.stop())
        .await
        .expect("it stops");
}

#[tokio::test]
async fn a_search_keeps_to_the_filter_and_the_limit_and_comes_to_an_end() {
    let world = world().await;
    let daemon = world.daemon().await;
    for (who, text) in [
        ("oAnn", "怎么退款"),
        ("oAnn", "多少钱"),
        ("oBob", "退款"),
        ("oBea", "退款呢"),
        ("退款", "oB"),
    ] {
        world.say(who, text).await;
    }
    world.outbox_empty().await;
    let viewer = Asker::new(&world, "viewer");
    let found = async |limit: usize, query: &str| {
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page = viewer
                .json(&format!("/api/conversations?limit={limit}&{query}&cursor={next}"))
                .await;
            let items = page["items"].as_array().expect("items");
            assert!(items.len() <= limit, "{page}");
            found.extend(
                items
                    .iter()
                    .map(|item| item["openid"].as_str().expect("a text").to_owned()),
            );
            match page["next"].as_str() {
                Some(more) => next = more.replace(':', "%3A"),
                None => break found,
            }
        }
    };
    let refund = "q=%E9%80%80%E6%AC%BE";
    assert_eq!(found(1, refund).await, ["oBea", "oBob", "oAnn"]);
    // What was asked last of oAnn was answered, though the row that has the text was not.
    assert_eq!(
        found(1, &format!("{refund}&show=unanswered")).await,
        ["oBea", "oBob"]
    );
    assert_eq!(found(1, &format!("{refund}&show=muted")).await, [""; 0]);
    assert_eq!(
        found(2, "q=oB").await,
        ["oBea", "oBob", "退款"],
        "by openid, then by text"
    );
    daemon.stop().await;
}
