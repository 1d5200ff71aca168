//! Who is let in by the console, from where, and what is done for whoever leaves before the answer.

use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::{Response, redirect};
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wxreply::password;

use crate::world::{Plan, World, http, until};

const RULES: &str = "[[rule]]\nname = \"hi\"\nwhen.exact = \"hi\"\nreply = \"hello\"\n";
const PASSWORD: &str = "correct horse";
const URL: &str = "https://console.example.com";

fn user(name: &str, role: &str, password: &str) -> String {
    let hash = password::hash(password).expect("hashable");
    format!("[[admin.user]]\nname = \"{name}\"\nrole = \"{role}\"\npassword_hash = '{hash}'\n")
}

/// A shop with an editor, behind a proxy.
async fn shop() -> World {
    Plan::rules(RULES)
        .set("admin", &format!("url = \"{URL}\""))
        .set("admin", &user("eve", "editor", PASSWORD))
        .build()
        .await
}

async fn ask(world: &World, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    http();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()
        .expect("a client");
    let mut request = client.request(method, format!("{}{path}", world.admin));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).send().await.expect("an answer")
}

async fn sign_in(world: &World, name: &str, password: &str, headers: &[(&str, &str)]) -> Response {
    let form = serde_urlencoded::to_string([("name", name), ("password", password)]).expect("a form");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    ask(
        world,
        Method::POST,
        "/sign-in",
        &[&[kind], headers].concat(),
        &form,
    )
    .await
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().expect("text"))
}

fn basic() -> String {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("eve:{PASSWORD}"));
    format!("Basic {pair}")
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_with_https_the_cookie_is_secure_and_its_address_is_ours() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    for origin in [
        URL,
        "https://CONSOLE.example.com",
        "https://console.example.com:443",
        &world.admin,
    ] {
        let answer = sign_in(&world, "eve", PASSWORD, &[("origin", origin)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{origin}");
        assert!(header(&answer, "set-cookie").ends_with("; Secure"), "{origin}");
    }
    for origin in [
        "http://console.example.com",
        "https://console.example.com:444",
        "https://example.com",
    ] {
        for (language, words) in [("en", "`url` under [admin]"), ("zh-CN", "[admin] 的 `url`")] {
            let headers = [("origin", origin), ("accept-language", language)];
            let answer = sign_in(&world, "eve", PASSWORD, &headers).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
            let page = answer.text().await.expect("a page");
            assert!(page.contains(words), "{page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_behind_a_proxy_does_not_lock_out_the_others() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    let from = |address: &'static str| [("x-forwarded-for", address)];
    let mut last = StatusCode::OK;
    for _ in 0..11 {
        last = sign_in(&world, "eve", "wrong", &from("192.0.2.1, 198.51.100.1"))
            .await
            .status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let other = sign_in(&world, "eve", PASSWORD, &from("192.0.2.1, 198.51.100.2")).await;
    assert_eq!(other.status(), StatusCode::SEE_OTHER);
    let metrics = ask(&world, Method::GET, "/metrics", &[], "")
        .await
        .text()
        .await
        .expect("metrics");
    for line in [
        "wxreply_sign_ins_total{outcome=\"wrong\"} 10",
        "wxreply_sign_ins_total{outcome=\"delayed\"} 1",
        "wxreply_sign_ins_total{outcome=\"right\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_the_sessions_of_the_old_one() {
    let world = shop().await;
    let daemon = world.daemon().await;
    let answer = sign_in(&world, "eve", PASSWORD, &[]).await;
    let (cookie, _) = header(&answer, "set-cookie").split_once(';').expect("attributes");
    let is_in = async || {
        let answer = ask(&world, Method::GET, "/api/system", &[("cookie", cookie)], "").await;
        answer.status() == StatusCode::OK
    };
    assert!(is_in().await);
    daemon.stop().await;
    let config = std::fs::read_to_string(world.config()).expect("readable");
    let (before, rest) = config.split_once("[[admin.user]]").expect("a user");
    let (_, rest) = rest.split_once("[push]").expect("more tables");
    let other = user("eve", "editor", "another horse");
    std::fs::write(world.config(), format!("{before}{other}[push]{rest}")).expect("writable");
    let _daemon = world.daemon().await;
    assert!(!is_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_led_back_to_where_they_wanted_to_go() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    let led = async |method, path, headers: &[(&str, &str)]| {
        let answer = ask(&world, method, path, headers, "").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        header(&answer, "location").to_owned()
    };
    assert_eq!(
        led(Method::GET, "/messages?app=shop&search=%E5%A5%BD", &[]).await,
        "/sign-in?next=%2Fmessages%3Fapp%3Dshop%26search%3D%25E5%25A5%25BD"
    );
    // A form leads back to its page: what it sent can't be sent again by following a link.
    let form = ("origin", URL);
    for (referer, next) in [
        (
            "https://console.example.com/outbox?status=failed",
            "%2Foutbox%3Fstatus%3Dfailed",
        ),
        ("https://evil.example/outbox", "%2F"),
        ("", "%2F"),
    ] {
        assert_eq!(
            led(Method::POST, "/outbox", &[form, ("referer", referer)]).await,
            format!("/sign-in?next={next}")
        );
    }
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let form = format!(
        "name=eve&password={}&next=/%09/evil.example",
        PASSWORD.replace(' ', "+")
    );
    let answer = ask(&world, Method::POST, "/sign-in", &[kind], &form).await;
    assert_eq!(header(&answer, "location"), "/");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_as_large_as_its_route_needs() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    let key = basic();
    let form = [
        ("authorization", key.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let text = "%E5%A5%BD".repeat(200_000);
    let large = format!("file=large.toml&base=&do=diff&text=%23{text}");
    let answer = ask(&world, Method::POST, "/rules/look", &form, &large).await;
    assert_eq!(answer.status(), StatusCode::OK, "200,000 Chinese characters");
    for (language, words) in [("en", "262144 bytes"), ("zh-CN", "内容太长")] {
        let headers = [&form[..], &[("accept-language", language)]].concat();
        let answer = ask(&world, Method::POST, "/snippets", &headers, &large).await;
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let page = answer.text().await.expect("a page");
        assert!(page.contains(words), "{page}");
    }
    let answer = sign_in(&world, &"x".repeat(20_000), PASSWORD, &[]).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_in_force_and_audited_though_the_browser_has_left() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    let key = basic();
    let headers = [("authorization", key.as_str())];
    // From now on the password is known, and takes no time.
    let answer = ask(&world, Method::GET, "/api/rules", &headers, "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let address = world.admin.strip_prefix("http://").expect("an address");
    // Many rules, so that it takes longer than the browser stays.
    const PER_FILE: usize = 2_000;
    let rules = |n: usize| -> String {
        let rule = |m| format!("[[rule]]\nname = \"{n} {m}\"\nwhen.exact = \"{n} {m}\"\nreply = \"x\"\n");
        (0..PER_FILE).map(rule).collect()
    };
    for n in 0..3 {
        let body = json!({ "text": rules(n) }).to_string();
        let request = format!(
            "PUT /api/rules/files/n{n}.toml HTTP/1.1\r\nhost: {address}\r\nauthorization: {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut browser = TcpStream::connect(address).await.expect("connected");
        browser.write_all(request.as_bytes()).await.expect("sent");
        // Long enough to be read, and too short to be answered.
        let answered = tokio::time::timeout(Duration::from_millis(60), browser.read_u8()).await;
        assert!(answered.is_err(), "it was quicker than the test thinks");
        drop(browser);
    }
    until("everything is saved and written down", || async {
        let answer = ask(&world, Method::GET, "/api/audit", &headers, "").await;
        let trail: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        let saved = trail["items"].as_array().expect("rows").iter();
        saved.filter(|row| row["action"] == "rules.save").count() == 3
    })
    .await;
    let ready = ask(&world, Method::GET, "/readyz", &headers, "")
        .await
        .text()
        .await
        .expect("a body");
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!(ready["rules"]["count"], 3 * PER_FILE + 1, "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_broken_are_not_loaded_by_hand_either() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    let key = basic();
    let headers = [("authorization", key.as_str())];
    world.write_rules("[[rule]]\nname = \"hi\"\nreply = \"\"\n");
    let answer = ask(&world, Method::POST, "/api/rules/reload", &headers, "").await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem = answer.text().await.expect("a body");
    assert!(problem.contains("rules.toml:3"), "{problem}");
    assert_eq!(world.say("oAnn", "hi").await.status, 200);
    world.outbox_empty().await;
    assert_eq!(world.wechat.received("oAnn").len(), 1, "the old rules answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_lent_to_whoever_has_the_key_and_to_nobody_else() {
    const KEY: &str = "a-key-for-the-order-system";
    let world = Plan::rules(RULES)
        .set("admin", &format!("token_key = \"{KEY}\""))
        .set("admin", &user("eve", "editor", PASSWORD))
        .build()
        .await;
    let daemon = world.daemon().await;
    let status = async |authorization: &str| {
        let headers = [("authorization", authorization)];
        ask(&world, Method::GET, "/api/token?app=shop", &headers, "").await
    };
    for refused in [
        "",
        &basic(),
        "Bearer",
        "Bearer wrong",
        &format!("Basic {KEY}"),
        &format!("Bearer {KEY}x"),
    ] {
        assert_eq!(
            status(refused).await.status(),
            StatusCode::UNAUTHORIZED,
            "{refused}"
        );
    }
    let lent = status(&format!("Bearer {KEY}")).await;
    assert_eq!(lent.status(), StatusCode::OK);
    let lent: Value = serde_json::from_slice(&lent.bytes().await.expect("a body")).expect("JSON");
    let token = lent["access_token"].as_str().expect("a token").to_owned();
    assert!(
        lent["expires_in"].as_u64().is_some_and(|seconds| seconds > 0),
        "{lent}"
    );
    let key = basic();
    for path in ["/system", "/api/system", "/readyz", "/api/overview"] {
        let page = ask(&world, Method::GET, path, &[("authorization", &key)], "").await;
        assert_eq!(page.status(), StatusCode::OK);
        let page = page.text().await.expect("a body");
        assert!(
            !page.contains(&token) && !page.contains(KEY),
            "{path} tells a secret"
        );
    }
    daemon.stop().await;

    let world = shop().await;
    let _daemon = world.daemon().await;
    let headers = [("authorization", "Bearer ")];
    let answer = ask(&world, Method::GET, "/api/token?app=shop", &headers, "").await;
    assert_eq!(
        answer.status(),
        StatusCode::NOT_FOUND,
        "without a key, nothing is lent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_database_and_not_for_other_sites() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    world.say("oAnn", "hi").await;
    world.outbox_empty().await;
    let key = basic();
    let auth = ("authorization", key.as_str());
    for site in ["cross-site", "same-site"] {
        let answer = ask(
            &world,
            Method::GET,
            "/api/backup",
            &[auth, ("sec-fetch-site", site)],
            "",
        )
        .await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{site}");
    }
    let answer = ask(&world, Method::HEAD, "/api/backup", &[auth], "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(header(&answer, "content-disposition").contains(".db"));
    let answer = ask(
        &world,
        Method::GET,
        "/api/backup",
        &[auth, ("sec-fetch-site", "same-origin")],
        "",
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    let copy = world.path("copy.db");
    std::fs::write(&copy, answer.bytes().await.expect("a body")).expect("writable");
    assert_eq!(world.log_in(&copy).await.len(), 2);
    let audit = ask(&world, Method::GET, "/api/audit", &[auth], "")
        .await
        .text()
        .await
        .expect("a body");
    assert_eq!(
        audit.matches("\"backup\"").count(),
        1,
        "only what was copied: {audit}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_can_not_be_written_is_not_ready_and_strangers_learn_no_more() {
    let world = shop().await;
    let _daemon = world.daemon().await;
    let url = format!("sqlite://{}", world.path("wxreply.db").display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.expect("opened");
    sqlx::query("begin immediate")
        .execute(&mut other)
        .await
        .expect("locked");
    world.say("oAnn", "hi").await;
    let ready = async |headers: &[(&str, &str)]| {
        let answer = ask(&world, Method::GET, "/readyz", headers, "").await;
        (answer.status(), answer.text().await.expect("a body"))
    };
    until("it is not ready", || async {
        ready(&[]).await.0 == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    assert_eq!(ready(&[]).await.1, "{\"ready\":false}");
    let key = basic();
    let (status, told) = ready(&[("authorization", &key)]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(told.contains("database is locked"), "{told}");
    // A probe with an old password is a stranger's.
    assert_eq!(
        ready(&[("authorization", "Basic ZXZlOm9sZA==")]).await.1,
        "{\"ready\":false}"
    );
    sqlx::query("rollback")
        .execute(&mut other)
        .await
        .expect("unlocked");
    until("it is ready again", || async {
        ready(&[]).await.0 == StatusCode::OK
    })
    .await;
}
