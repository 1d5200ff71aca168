//! The console's rules, versions and unanswered texts, through the real daemon over HTTP.

use std::fs;

use serde_json::{Value, json};
use wxreply::message::Direction;

use crate::world::{Plan, World, http, until};

const HELLO: &str = "\
# The shop's rules.
[[rule]]
name = \"营业时间\"   # shown in the log
when.keywords = [\"几点开门\"]
reply = \"9:00\"

[[test]]
name = \"hours\"
message = \"请问几点开门\"
expect = { rule = \"营业时间\" }
";

impl World {
    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = http()
            .get(format!("{}{path}", self.admin))
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let request = http().request(method, format!("{}{path}", self.admin));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Sends a form as a browser does; gives the status, where it leads, and the page.
    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let request = client.post(format!("{}{path}", self.admin));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        let answer = request.body(body).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let place = answer
            .headers()
            .get("location")
            .and_then(|place| place.to_str().ok());
        let place = place.unwrap_or_default().to_owned();
        (status, place, answer.text().await.expect("a body"))
    }

    fn rules_text(&self) -> String {
        fs::read_to_string(self.path("rules/rules.toml")).expect("readable")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_listed_with_hits_tests_and_source() {
    let world = Plan::rules(HELLO).build().await;
    let _daemon = world.daemon().await;
    world.say("oAnn", "你们几点开门啊").await;
    world.say("oBob", "几点开门").await;
    let (status, rules) = world.get("/api/rules").await;
    assert_eq!(status, 200);
    let rule = &rules["rules"][0];
    assert_eq!(rule["name"], "营业时间");
    assert_eq!(
        (&rule["hits"], &rule["line"], &rule["file"]),
        (&json!(2), &json!(2), &json!("rules.toml"))
    );
    until("the rules were looked at as a whole", || async {
        world.get("/api/rules").await.1["checked"] == true
    })
    .await;

    let (status, one) = world
        .get("/api/rules/shop/%E8%90%A5%E4%B8%9A%E6%97%B6%E9%97%B4")
        .await;
    assert_eq!(status, 200);
    assert!(
        one["source"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("# The shop's rules."))
    );
    assert_eq!(one["tests"][0]["name"], "hours");
    assert_eq!(one["simple"], true);
    assert_eq!(one["recent"].as_array().map(Vec::len), Some(2));
    assert_eq!(world.get("/api/rules/shop/none").await.0, 404);
    assert_eq!(world.get("/api/rules?days=0").await.0, 400);
    assert_eq!(world.get("/api/rules?nonsense=1").await.0, 400);

    for page in [
        "/rules",
        "/rules?by=file&q=开门",
        "/rules/shop/营业时间",
        "/rules/edit?file=rules.toml",
        "/rules/new",
    ] {
        let (status, page_text) = world.get(page).await;
        assert_eq!(status, 200, "{page}");
        assert!(
            page_text
                .as_str()
                .is_some_and(|text| text.contains("营业时间") || page == "/rules/new"),
            "{page}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_checked_replayed_and_saved_and_answers_the_next_message() {
    let world = Plan::rules(HELLO).build().await;
    let _daemon = world.daemon().await;
    world.say("oAnn", "怎么退款").await;
    world.say("oBob", "我要退款").await;

    let (_, unanswered) = world.get("/api/unanswered").await;
    assert_eq!(
        (&unanswered["messages"], &unanswered["complete"]),
        (&json!(2), &json!(true))
    );
    let texts: Vec<String> = unanswered["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["texts"].as_array().expect("texts"))
        .map(|text| text["text"].as_str().expect("a text").to_owned())
        .collect();
    let (status, draft) = world
        .send(
            "POST",
            "/api/rules/draft",
            &json!({ "texts": texts, "reply": "请在订单页申请退款" }),
        )
        .await;
    assert_eq!((status, &draft["words"]), (200, &json!(["退款"])));

    let (_, file) = world.get("/api/rules/files/rules.toml").await;
    let new = format!(
        "{}\n{}",
        file["text"].as_str().expect("a text"),
        draft["toml"].as_str().expect("a text")
    );
    let edit = json!({ "files": [{ "path": "rules.toml", "text": new }] });
    let (status, check) = world.send("POST", "/api/rules/check", &edit).await;
    assert_eq!(
        (status, &check["usable"], &check["tests"]["passed"]),
        (200, &json!(true), &json!(2))
    );
    let (_, replay) = world.send("POST", "/api/rules/replay", &edit).await;
    assert_eq!(
        (&replay["messages"], &replay["changed"], &replay["complete"]),
        (&json!(2), &json!(2), &json!(true))
    );
    assert_eq!(replay["changes"][0]["kind"], "newly_answered");
    let attempt = json!({ "files": edit["files"], "text": "退款要多久" });
    let (_, trial) = world.send("POST", "/api/rules/try", &attempt).await;
    assert_eq!(
        (&trial["status"], &trial["replies"][0]["text"]),
        (&json!("matched"), &json!("请在订单页申请退款"))
    );
    let (_, trial) = world
        .send("POST", "/api/rules/try", &json!({ "text": "退款要多久" }))
        .await;
    assert_eq!(
        trial["status"], "unmatched",
        "the rules in force know nothing of it yet"
    );

    let before = check["version"].as_str().expect("a version").to_owned();
    let save = json!({ "base": file["hash"], "text": new });
    let (status, saved) = world.send("PUT", "/api/rules/files/rules.toml", &save).await;
    assert_eq!((status, &saved["version"]), (200, &json!(before)));
    world.say("oAnn", "退款要多久").await;
    let answers = world.log_of(Direction::Out).await;
    assert_eq!(
        answers.last().and_then(|last| last.content.as_deref()),
        Some("请在订单页申请退款")
    );

    // Again from the old text: somebody else's work would be lost.
    let (status, problem) = world.send("PUT", "/api/rules/files/rules.toml", &save).await;
    assert_eq!((status, problem["status"].as_u64()), (409, Some(409)));
    let broken = json!({ "base": null, "text": "[[rule]]\nname = \"x\"\nreply = \"\"\n" });
    let (status, problem) = world.send("PUT", "/api/rules/files/b.toml", &broken).await;
    assert_eq!((status, &problem["findings"][0]["code"]), (422, &json!("E007")));
    assert_eq!(
        world.send("PUT", "/api/rules/files/..%2Fb.toml", &broken).await.0,
        422
    );
    assert_eq!(
        world
            .send("PUT", "/api/rules/files/b.toml", &json!({ "x": 1 }))
            .await
            .0,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_and_restored() {
    let world = Plan::rules(HELLO).build().await;
    let _daemon = world.daemon().await;
    let first = world.get("/api/rules").await.1["version"]
        .as_str()
        .expect("a version")
        .to_owned();
    let hash = world.get("/api/rules/files/rules.toml").await.1["hash"].clone();
    let new = HELLO.replace("reply = \"9:00\"", "reply = \"10:00\"");
    let (status, _) = world
        .send(
            "PUT",
            "/api/rules/files/rules.toml",
            &json!({ "base": hash, "text": new }),
        )
        .await;
    assert_eq!(status, 200);
    let (_, history) = world.get("/api/versions").await;
    assert_eq!(history["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(history["versions"][1]["version"], first);
    let (_, diff) = world.get(&format!("/api/versions/{first}/diff")).await;
    assert_eq!(
        (&diff["files"][0]["change"], &diff["files"][0]["diff"]["added"]),
        (&json!("changed"), &json!(1))
    );
    let page = world.get(&format!("/versions/{first}?with=disk")).await.1;
    assert!(
        page.as_str().is_some_and(|page| page.contains("<mark>9</mark>")),
        "{page}"
    );
    let (status, restored) = world
        .send("POST", &format!("/api/versions/{first}/restore"), &json!({}))
        .await;
    assert_eq!((status, &restored["version"]), (200, &json!(first)));
    assert_eq!(world.rules_text(), HELLO);
    assert_eq!(world.get("/api/versions/0000/diff").await.0, 404);
    assert_eq!(
        world
            .send("POST", "/api/versions/0000/restore", &json!({}))
            .await
            .0,
        404
    );
    let (status, place, _) = world.form(&format!("/versions/{first}/restore"), &[]).await;
    assert_eq!((status, place.as_str()), (303, "/versions?restored=1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_save_without_a_script_and_never_over_somebody_else() {
    let world = Plan::rules(HELLO).build().await;
    let _daemon = world.daemon().await;
    let hash = world.get("/api/rules/files/rules.toml").await.1["hash"]
        .as_str()
        .expect("a hash")
        .to_owned();
    // A browser ends the lines of a form as Windows does.
    let sent = HELLO.replace("9:00", "10:00").replace('\n', "\r\n");
    let fields = |text, base, what| {
        [
            ("file", "rules.toml"),
            ("base", base),
            ("windows", "false"),
            ("text", text),
            ("do", what),
        ]
    };
    let (status, _, page) = world.form("/rules/look", &fields(&sent, &hash, "diff")).await;
    assert_eq!(status, 200);
    assert!(page.contains("<mark>10</mark>"), "{page}");
    let (status, place, _) = world.form("/rules/edit", &fields(&sent, &hash, "save")).await;
    assert_eq!(
        (status, place.as_str()),
        (303, "/rules/edit?file=rules.toml&saved=1")
    );
    assert_eq!(world.rules_text(), HELLO.replace("9:00", "10:00"));

    let late = sent.replace("10:00", "11:00");
    let (status, _, page) = world.form("/rules/edit", &fields(&late, &hash, "save")).await;
    assert_eq!(status, 409);
    assert!(
        page.contains("11:00") && page.contains("<mark>11</mark>"),
        "what was typed is still there"
    );
    let wrong = "[[rule]]\r\nname = \"<script>\"\r\nreply = \"\"\r\n";
    let now = world.get("/api/rules/files/rules.toml").await.1["hash"]
        .as_str()
        .expect("a hash")
        .to_owned();
    let (status, _, page) = world.form("/rules/edit", &fields(wrong, &now, "save")).await;
    assert_eq!(status, 422);
    assert!(
        !page.contains("<script>\"") && page.contains("&#60;script&#62;"),
        "{page}"
    );

    let form = [
        ("file", "rules.toml"),
        ("name", "停车"),
        ("keywords", "停车\r\n车位"),
        ("reply", "门口可停"),
        ("priority", "0"),
        ("enabled", "yes"),
    ];
    let (status, place, _) = world.form("/rules/form", &form).await;
    assert_eq!((status, place.as_str()), (303, "/rules/shop/%E5%81%9C%E8%BD%A6"));
    assert!(
        world.rules_text().starts_with(&HELLO.replace("9:00", "10:00")),
        "the rest stays as it was"
    );
    let (status, _, page) = world.form("/rules/form", &form).await;
    assert_eq!(status, 422, "two rules of one name");
    assert!(page.contains("E006"), "{page}");
    let (status, place, _) = world.form("/rules/reload", &[]).await;
    assert_eq!((status, place.as_str()), (303, "/rules?reloaded=1"));
}
