//! Trouble, told by a real daemon to an address of the operator's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use warp::Filter;
use wxreply::simulator::{Fault, FaultSetting};

use crate::world::{Plan, TurnedClock, World, reqwest_get, until};

const RULES: &str = "[[rule]]\nname = \"any\"\nreply = \"好的\"\n";

/// Longer than what passes by itself may take.
const A_WHILE: Duration = Duration::from_secs(60);

/// Where alarms go.
#[derive(Clone, Default)]
struct Address(Arc<Mutex<Vec<Value>>>);

impl Address {
    /// Its URL.
    async fn start(&self) -> String {
        let this = self.clone();
        let routes = warp::post().and(warp::body::json()).map(move |body: Value| {
            this.0.lock().expect("unpoisoned").push(body);
            "ok"
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let addr = listener.local_addr().expect("bound");
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        format!("http://{addr}/alarm?key=s3cret")
    }

    /// All that was told, as `kind state`.
    fn told(&self) -> Vec<String> {
        let told = self.0.lock().expect("unpoisoned");
        let line = |body: &Value| format!("{} {}", body["kind"], body["state"]).replace('"', "");
        told.iter().map(line).collect()
    }

    /// Waits until this is all that was told; gives the last.
    async fn tells(&self, all: &[&str]) -> Value {
        until(&format!("{all:?} is told"), || async {
            self.told().len() >= all.len()
        })
        .await;
        assert_eq!(self.told(), all);
        self.0
            .lock()
            .expect("unpoisoned")
            .last()
            .cloned()
            .unwrap_or_default()
    }
}

async fn shop(address: &Address) -> Plan {
    let url = address.start().await;
    Plan::rules(RULES)
        .set("alarm", &format!("webhook = \"{url}\""))
        .set("alarm", "language = \"en\"")
        .set("admin", "url = \"https://console.example.com\"")
}

async fn ready(world: &World) -> Value {
    let (_, body) = reqwest_get(&format!("{}/readyz", world.admin))
        .await
        .expect("an answer");
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_break_are_told_of_once_and_so_is_their_mending() {
    let address = Address::default();
    let world = shop(&address).await.build().await;
    let clock = Arc::new(TurnedClock::default());
    let daemon = world.daemon_at(clock.clone()).await;
    assert_eq!(ready(&world).await["alarms"], Value::Array(Vec::new()));

    world.write_rules("[[rule]]\nname = \"any\"\nreplay = \"好的\"\n");
    until("the rules are refused", || async {
        ready(&world).await["rules"]["last_error"].is_object()
    })
    .await;
    assert_eq!(address.told(), [""; 0], "somebody may still be writing");
    clock.turn(A_WHILE);
    let alarm = address.tells(&["rules_refused firing"]).await;
    let text = alarm["text"].as_str().expect("a text");
    assert!(
        text.contains("error[E002]") && text.contains("rules.toml:3:1"),
        "{text}"
    );
    assert_eq!(alarm["url"], "https://console.example.com");
    assert!(alarm.get("app").is_none(), "{alarm}");
    let shown = ready(&world).await["alarms"].clone();
    assert_eq!(shown[0]["kind"], "rules_refused", "{shown}");
    assert_eq!(shown[0]["text_en"], alarm["text"], "{shown}");
    assert_eq!(shown[0]["since"], alarm["since"], "{shown}");

    world.write_rules(RULES);
    let end = address
        .tells(&["rules_refused firing", "rules_refused resolved"])
        .await;
    assert_eq!(end["since"], alarm["since"]);
    until("nothing is wrong", || async {
        ready(&world).await["alarms"] == Value::Array(Vec::new())
    })
    .await;
    let (_, metrics) = reqwest_get(&format!("{}/metrics", world.admin))
        .await
        .expect("metrics");
    let counted = "wxreply_alarms_total{kind=\"rules_refused\",outcome=\"sent\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_told_of_without_what_it_says() {
    let address = Address::default();
    let world = shop(&address).await.build().await;
    let daemon = world.daemon().await;
    world.wechat.set_fault(Fault::Quota, FaultSetting::times(1));
    world.say("oAnna", "我的电话是 123456").await;
    world.outbox_empty().await;
    let alarm = address.tells(&["dead_letters firing"]).await;
    assert_eq!(alarm["app"], "shop");
    let text = alarm["text"].as_str().expect("a text");
    assert!(
        text.starts_with("1 reply to a customer failed for good."),
        "{text}"
    );
    assert!(!alarm.to_string().contains("oAnna"), "{alarm}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_given_no_token_is_told_of_by_name() {
    let address = Address::default();
    let plan = shop(&address).await.app("api_base = \"http://127.0.0.1:9\"");
    let world = plan.build().await;
    let clock = Arc::new(TurnedClock::default());
    let daemon = world.daemon_at(clock.clone()).await;
    // It looks every five seconds; trouble must have been seen before it can have lasted.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(address.told(), [""; 0]);
    clock.turn(A_WHILE);
    let alarm = address.tells(&["token firing"]).await;
    assert_eq!(alarm["app"], "shop");
    let text = alarm["text"].as_str().expect("a text");
    assert!(text.contains("could not reach 127.0.0.1:9"), "{text}");
    daemon.stop().await;
}
