//! `wxreply push` and `wxreply simulate`: WeChat's side, by hand.

use wxreply::message::{Direction, Mode};

use super::{Running, run};
use crate::world::{Plan, reqwest_get, until};

const RULES: &str = "[[rule]]\nname = \"any\"\nreply = \"好\"\n";

/// The page without the time that the push took.
fn pushed(page: &str) -> String {
    regex::Regex::new("after [0-9.]+(m|µ)?s")
        .expect("a pattern")
        .replace(page, "after 1ms")
        .into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_taken_in_every_mode_and_form() {
    for mode in [Mode::Plain, Mode::Compat, Mode::Safe] {
        let world = Plan::rules(RULES).mode(mode).build().await;
        let daemon = world.daemon().await;
        let raw = "<xml><FromUserName>oRaw</FromUserName><MsgType>text</MsgType><Content>你好</Content><MsgId>1</MsgId></xml>";
        std::fs::write(world.path("push.xml"), raw).expect("writable");
        for what in [
            &["--text", "几点开门", "--openid", "oAnna"] as &[&str],
            &["--event", "user_enter_tempsession", "--format", "json"],
            &["--file", "push.xml", "--app", "shop"],
        ] {
            let page = pushed(&run(&world.path(""), &[&["push"], what].concat()));
            assert_eq!(page, "200 after 1ms: success\nexit 0", "{mode} {what:?}");
        }
        let log = world.log_of(Direction::In).await;
        let said: Vec<_> = log
            .iter()
            .map(|e| (e.openid.as_str(), e.event.as_deref(), e.content.as_deref()))
            .collect();
        assert_eq!(
            said,
            [
                ("oAnna", None, Some("几点开门")),
                (
                    "oTestCustomerOfWxreply000001",
                    Some("user_enter_tempsession"),
                    None
                ),
                ("oRaw", None, Some("你好")),
            ],
            "{mode}"
        );
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_not_taken_says_where_to_look() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    // The daemon keeps its token, the file has another one now.
    let config = std::fs::read_to_string(world.config()).expect("there");
    std::fs::write(world.config(), config.replace(&world.account.token, "another")).expect("writable");
    let run = |args: &[&str]| pushed(&run(&world.path(""), args));
    insta::assert_snapshot!(run(&["push", "--text", "hi"]), @r#"
    403 after 1ms: 403 Forbidden
    The daemon says why under last_refusals: http://127.0.0.1:8080/readyz
    exit 1
    "#);
    let (_, ready) = reqwest_get(&format!("{}/readyz", world.admin))
        .await
        .expect("a page");
    assert!(ready.contains("\"last_refusals\":{\"shop\""), "{ready}");
    let elsewhere = world.callback.replace("/shop", "/other");
    insta::assert_snapshot!(run(&["push", "--text", "hi", "--url", &elsewhere]), @r#"
    404 after 1ms: 404 Not Found
    Nothing takes pushes there: a daemon does at /wechat/<name of the app>
    exit 1
    "#);
    insta::assert_snapshot!(run(&["push", "--text", "hi", "--url", "shop"]), @r#"
    ! error: "shop" is no callback address; one looks like http://127.0.0.1:8080/wechat/shop
    exit 2
    "#);
    insta::assert_snapshot!(run(&["push", "--file", "gone.xml"]), @r#"
    ! error: can't read gone.xml: No such file or directory (os error 2)
    exit 2
    "#);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_serves_its_page_until_it_is_ended() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    for signal in ["TERM", "INT", "HUP"] {
        let simulator = Running::start(&world.path(""), &["simulate", "--listen", "127.0.0.1:0"]);
        let page = simulator.finds(r"chat page +(http://\S+)\n").await;
        simulator.prints("To see them here, write api_base").await;
        assert!(
            simulator.printed().contains(&world.callback),
            "{}",
            simulator.printed()
        );
        let (status, html) = reqwest_get(&page).await.expect("the page");
        assert!(status == 200 && html.contains("<html"), "{html}");
        let customer = format!("o{signal}");
        let says = crate::world::http()
            .post(format!("{page}sim/customers/{customer}/text"))
            .body("{\"text\": \"在吗\"}");
        assert_eq!(says.send().await.expect("an answer").status(), 200);
        until("the daemon has it", || async {
            world.log().await.iter().any(|e| e.openid.as_str() == customer)
        })
        .await;
        assert_eq!(simulator.end(signal).await.code(), Some(0));
    }
    daemon.stop().await;
}
