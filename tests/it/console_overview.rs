//! Overview, outbox and system: what the pages and the API say is what the log says, and who may do what.

use serde_json::{Value, json};
use wxreply::password;
use wxreply::simulator::{Fault, FaultSetting};

use crate::world::{Plan, World, http, until};

const RULES: &str = "[[rule]]\nname = \"营业时间\"\nwhen.keywords = [\"几点\"]\nreply = \"九点开门\"\n";
const PASSWORD: &str = "correct horse";

/// A shop with a viewer, an agent and an editor.
async fn shop() -> World {
    let hash = password::hash(PASSWORD).expect("hashed");
    let users = ["vic:viewer", "ann:agent", "eve:editor"].map(|user| {
        let (name, role) = user.split_once(':').expect("two parts");
        format!("[[admin.user]]\nname = \"{name}\"\nrole = \"{role}\"\npassword_hash = '{hash}'\n")
    });
    Plan::rules(RULES)
        .set("admin", &users.concat())
        .set("outbox", "gap = \"0s\"")
        .build()
        .await
}

/// A page in Chinese, or an answer of the API: its status and text.
async fn get(world: &World, user: &str, path: &str) -> (u16, String) {
    let answer = http()
        .get(format!("{}{path}", world.admin))
        .header("accept-language", "zh-CN")
        .basic_auth(user, Some(PASSWORD))
        .send()
        .await
        .expect("answered");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

async fn api(world: &World, user: &str, path: &str) -> Value {
    let (status, text) = get(world, user, path).await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

async fn post(world: &World, user: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = http()
        .post(format!("{}{path}", world.admin))
        .basic_auth(user, Some(PASSWORD))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .expect("answered");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a text");
    (status, serde_json::from_str(&text).expect("JSON"))
}

/// What the form of the outbox's page sends; gives the status and where it leads.
async fn send_form(world: &World, user: &str, form: &str) -> (u16, String) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let answer = client
        .post(format!("{}/outbox", world.admin))
        .basic_auth(user, Some(PASSWORD))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned())
        .send()
        .await
        .expect("answered");
    let place = answer.headers().get("location");
    let place = place.map(|place| place.to_str().expect("a text").to_owned());
    (answer.status().as_u16(), place.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_says_what_the_log_says() {
    let world = shop().await;
    let daemon = world.daemon().await;
    for text in ["几点开门", "几点关门", "今天几点开门"] {
        world.say("o1", text).await;
    }
    for text in [
        "怎么退款",
        "请问怎么退款啊",
        "怎么退款",
        "<img src=x onerror=alert(1)>",
    ] {
        world.say("o2", text).await;
    }
    world.outbox_empty().await;

    for window in ["24h", "7d", "14d", "30d"] {
        let overview = api(&world, "vic", &format!("/api/overview?window={window}&app=shop")).await;
        let now = &overview["now"];
        let figures = ["messages", "matched", "unmatched", "other", "sent", "failed"];
        let figures = figures.map(|name| now[name].as_u64().expect("a number"));
        assert_eq!(figures, [7, 3, 4, 0, 3, 0], "{window}: {now}");
        let parts = overview["parts"].as_array().expect("parts");
        let count = |name: &str| parts.iter().filter_map(|part| part[name].as_u64()).sum::<u64>();
        assert_eq!((count("messages"), count("sent")), (7, 3), "{window}");
        // There is no log of the time before.
        assert!(overview.get("before").is_none());
        assert_eq!(overview["rules"][0]["rule"], "营业时间");
        assert_eq!(overview["rules"][0]["hits"], 3);
        let groups = overview["unanswered"]["groups"].as_array().expect("groups");
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0]["texts"], json!(["怎么退款", "请问怎么退款啊"]));
        assert_eq!(groups[0]["count"], 3);
        assert_eq!(overview["health"]["rules"]["count"], 1);
        assert_eq!(overview["health"]["tokens"][0]["trouble"], Value::Null);
    }

    let (status, page) = get(&world, "vic", "/").await;
    assert_eq!(status, 200);
    for text in [
        "概览",
        "营业时间",
        "怎么退款",
        "&#60;img src=x",
        "<svg class=\"chart\"",
        "42.9%",
    ] {
        assert!(page.contains(text), "{text} is not on the page");
    }
    assert!(!page.contains("<img"), "a customer's text is markup");
    // A viewer is not invited to change rules, an editor is.
    assert!(!page.contains("/rules/draft?"));
    let (_, page) = get(&world, "eve", "/").await;
    assert!(page.contains("/rules/draft?text="));

    for (path, expected) in [
        ("/api/overview?app=nobody", 404),
        ("/api/overview?window=1y", 400),
        ("/api/overview?colour=red", 400),
        ("/?app=nobody", 404),
        ("/?window=1y", 400),
    ] {
        assert_eq!(get(&world, "vic", path).await.0, expected, "{path}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_failed_are_sent_again_or_dropped_by_hand() {
    let world = shop().await;
    let daemon = world.daemon().await;
    world.wechat.set_fault(Fault::Quota, FaultSetting::ALWAYS);
    for openid in ["o1", "o2", "o3"] {
        world.say(openid, "几点开门").await;
    }
    world.outbox_empty().await;
    world.wechat.set_fault(Fault::Quota, FaultSetting::OFF);

    let failed = api(&world, "vic", "/api/outbox?status=failed&app=shop&limit=2").await;
    assert_eq!(failed["counts"]["failed"], 3);
    let items = failed["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    let item = &items[0];
    assert_eq!((&item["errcode"], &item["openid"]), (&json!(45047), &json!("o3")));
    assert!(
        item["meaning"]
            .as_str()
            .is_some_and(|meaning| meaning.contains("must write first"))
    );
    let rid = item["rid"].as_str().expect("a rid");
    assert!(item["error"].as_str().is_some_and(|error| error.contains(rid)));
    let next = failed["next"].as_str().expect("more");
    let rest = api(&world, "vic", &format!("/api/outbox?status=failed&cursor={next}")).await;
    assert_eq!(rest["items"][0]["openid"], "o1");
    assert!(rest.get("next").is_none());

    // The page shows them in Chinese, without a tab having been chosen; buttons are for who may press them.
    let (status, page) = get(&world, "vic", "/outbox").await;
    assert_eq!(status, 200);
    assert!(
        page.contains("对用户上次操作的回复条数已用完") && page.contains(rid),
        "{page}"
    );
    assert!(!page.contains("name=\"action\""));
    let (_, page) = get(&world, "ann", "/outbox").await;
    assert!(page.contains("value=\"resend-all\""));

    let id = |item: &Value| item["id"].as_str().expect("an id").to_owned();
    let (first, second) = (id(&items[0]), id(&items[1]));
    let this = json!({ "ids": [first] });
    for path in ["/api/outbox/resend", "/api/outbox/drop"] {
        assert_eq!(post(&world, "vic", path, &this).await.0, 403);
    }
    assert_eq!(send_form(&world, "vic", "action=resend-all").await.0, 403);
    let (status, changed) = post(&world, "ann", "/api/outbox/resend", &this).await;
    assert_eq!((status, &changed), (200, &this));
    world.outbox_empty().await;
    let received: Vec<_> = world.wechat.all_received();
    assert_eq!(received.len(), 1, "it reached the customer");

    let (status, changed) = post(&world, "ann", "/api/outbox/drop", &json!({ "ids": [second] })).await;
    assert_eq!((status, &changed), (200, &json!({ "ids": [second] })));
    let dropped = api(&world, "vic", "/api/outbox?status=dropped").await;
    assert_eq!(dropped["items"][0]["error"], "by hand: ann");
    // What was sent is left alone.
    let (_, changed) = post(&world, "ann", "/api/outbox/drop", &this).await;
    assert_eq!(changed, json!({ "ids": [] }));

    let (status, place) = send_form(&world, "ann", "action=resend-all&status=failed&app=shop").await;
    assert_eq!(status, 303);
    assert_eq!(place, "/outbox?status=failed&app=shop&did=resend-all&done=1&of=1");
    world.outbox_empty().await;
    let (_, page) = get(&world, "ann", &place).await;
    assert!(page.contains("已有 1 条重新排队") && page.contains("没有失败的回复"));
    let (status, place) = send_form(&world, "ann", &format!("action=resend&id={second}&id={first}")).await;
    assert_eq!((status, &place[..]), (303, "/outbox?did=resend&done=1&of=2"));
    world.outbox_empty().await;
    assert_eq!(world.wechat.all_received().len(), 3);

    let trail = api(&world, "vic", "/api/audit").await;
    let deeds = trail["items"].as_array().expect("items");
    let deeds: Vec<_> = deeds
        .iter()
        .map(|deed| (deed["user"].as_str(), deed["action"].as_str()))
        .collect();
    let by_ann = |action| (Some("ann"), Some(action));
    assert_eq!(
        deeds,
        [
            by_ann("resend"),
            by_ann("resend"),
            by_ann("drop"),
            by_ann("resend")
        ]
    );

    for (body, status) in [
        (json!({}), 422),
        (json!({ "ids": [first], "all": "failed" }), 422),
        (json!({ "ids": [] }), 400),
        (json!({ "ids": ["x"] }), 400),
        (json!({ "all": "sent" }), 400),
        (json!({ "ids": [first], "more": 1 }), 400),
    ] {
        assert_eq!(
            post(&world, "ann", "/api/outbox/resend", &body).await.0,
            status,
            "{body}"
        );
    }
    let nobodys = json!({ "all": "failed", "app": "nobody" });
    assert_eq!(post(&world, "ann", "/api/outbox/resend", &nobodys).await.0, 404);
    for (path, status) in [
        ("/api/outbox?status=sent", 400),
        ("/api/outbox?limit=0", 400),
        ("/api/outbox?cursor=x", 422),
        ("/outbox?cursor=x", 422),
    ] {
        assert_eq!(get(&world, "ann", path).await.0, status, "{path}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_page_tells_the_machinery_and_no_secret() {
    let world = shop().await;
    let daemon = world.daemon().await;
    world.say("o1", "几点开门").await;
    world.outbox_empty().await;
    let forged = format!("{}?signature=x&timestamp=1&nonce=2&echostr=3", world.callback);
    assert_eq!(http().get(forged).send().await.expect("answered").status(), 403);
    world.write_rules("[[rule]]\nname = \"broken\n");
    until("the reload is refused", || async {
        let system = api(&world, "vic", "/api/system").await;
        system["health"]["rules"]["refused_since"].is_string()
    })
    .await;

    let system = api(&world, "vic", "/api/system").await;
    let app = &system["apps"][0];
    assert_eq!(
        (&app["name"], &app["kind"], &app["mode"], &app["callback"]),
        (
            &json!("shop"),
            &json!("mini-program"),
            &json!("safe"),
            &json!("/wechat/shop")
        )
    );
    let refused: u64 = app["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|refused| refused["count"].as_u64())
        .sum();
    assert_eq!(refused, 1, "{app}");
    assert!(app["last_refusal"]["reason"].is_string());
    assert!(system["health"]["tokens"][0]["expires"].is_string());
    assert_eq!(system["database"]["messages"], 2);
    assert_eq!(system["database"]["retention"], 180 * 86_400);
    assert!(
        system["database"]["bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0)
    );

    let (status, page) = get(&world, "vic", "/system").await;
    assert_eq!(status, 200);
    for text in [
        "小程序",
        "安全模式",
        "磁盘上的规则无法使用",
        "rules.toml",
        "180 天",
    ] {
        assert!(page.contains(text), "{text} is not on the page");
    }
    let account = &world.account;
    let log = world.wechat.calls();
    assert!(log.values().sum::<u64>() > 0, "a token was fetched");
    for secret in [
        account.app_secret.as_str(),
        account.token.as_str(),
        account.encoding_aes_key.as_str(),
        "$argon2id$",
    ] {
        assert!(
            !page.contains(secret) && !system.to_string().contains(secret),
            "{secret}"
        );
    }

    let (status, overview) = get(&world, "vic", "/").await;
    assert_eq!(status, 200);
    assert!(overview.contains("/system#rules"), "the trouble is a link");

    let stranger = http().get(format!("{}/api/system", world.admin)).send().await;
    assert_eq!(stranger.expect("answered").status(), 401);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_and_the_page_of_unanswered_texts_tell_the_same() {
    let world = shop().await;
    world.write_rules(&format!(
        "{RULES}[[rule]]\nname = \"default\"\npriority = -1\nwhen.msg_type = \"text\"\nreply = \"请稍等\"\n"
    ));
    let daemon = world.daemon().await;
    for text in ["几点开门", "怎么退款", "请问怎么退款啊", "有没有蓝色的"] {
        world.say("o1", text).await;
    }
    world.outbox_empty().await;
    let overview = api(&world, "vic", "/api/overview?window=14d").await;
    let page = api(&world, "vic", "/api/unanswered?days=14").await;
    assert_eq!(overview["unanswered"]["messages"], 3, "{overview}");
    assert_eq!(overview["unanswered"]["messages"], page["messages"]);
    let (short, long) = (&overview["unanswered"]["groups"], &page["groups"]);
    assert_eq!(short.as_array().map(Vec::len), Some(2), "{short}");
    for n in 0..2 {
        assert_eq!(short[n]["count"], long[n]["count"]);
        assert_eq!(short[n]["texts"][0], long[n]["texts"][0]["text"]);
    }
    // What comes now is not hidden by what was known.
    world.say("o1", "有没有蓝色的").await;
    let overview = api(&world, "vic", "/api/overview?window=14d").await;
    assert_eq!(overview["unanswered"]["messages"], 4);
    daemon.stop().await;
}
