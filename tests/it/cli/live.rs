//! `wxreply serve`: how it begins and ends, and rules that change under it, in every way in which files change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;
use wxreply::clock::SystemClock;
use wxreply::message::Direction;
use wxreply::metrics::Metrics;
use wxreply::store::{Access, Store};

use super::Running;
use crate::world::{Plan, World, reqwest_get, until};

fn rules(answer: &str) -> String {
    format!("[[rule]]\nname = \"any\"\nreply = \"{answer}\"\n")
}

/// Waits until customers are answered so.
async fn answers(world: &World, answer: &str) {
    until(answer, || async {
        world.say("oAnna", "在吗").await;
        world
            .log_of(Direction::Out)
            .await
            .last()
            .is_some_and(|e| e.content.as_deref() == Some(answer))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_it_listens_and_ends_by_a_signal() {
    let world = Plan::rules(&rules("好")).build().await;
    for (signal, format) in [("TERM", "text"), ("INT", "json")] {
        let daemon = Running::start(&world.path(""), &["serve", "--log-format", format]);
        daemon.prints("ready").await;
        let (addr, admin) = (world.callback.replace("/wechat/shop", ""), &world.admin);
        for addr in [
            addr.trim_start_matches("http://"),
            admin.trim_start_matches("http://"),
        ] {
            daemon.prints(addr).await;
        }
        answers(&world, "好").await;
        assert_eq!(daemon.end(signal).await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_printed_or_shown_holds_a_secret() {
    let world = Plan::rules(&rules("好")).build().await;
    let config = fs::read_to_string(world.config()).expect("there");
    let api = format!("api_base = \"{}\"", world.api);
    let server = format!("{api}\naccess_token = {{ url = \"http://127.0.0.1:9/token?key=k3yOfTheServer\" }}");
    let mut printed = String::new();
    // First there is no token to be had, and broken rules lie in wait; then all is well.
    for (config, broken) in [(config.replace(&api, &server), true), (config, false)] {
        fs::write(world.config(), config).expect("writable");
        world.write_rules(&rules("好"));
        let daemon = Running::start(&world.path(""), &["serve"]);
        daemon.prints("ready").await;
        world.say("oAnna", "在吗").await;
        let refused = format!("{}?signature=0&timestamp=0&nonce=0", world.callback);
        let answer = crate::world::http()
            .post(refused)
            .body("<xml/>")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 403);
        if broken {
            daemon.prints("no new access token").await;
            world.write_rules(&rules("{{ nobody }}"));
            daemon
                .prints("were not reloaded; the old ones stay in force")
                .await;
        } else {
            world.outbox_empty().await;
        }
        for page in ["readyz", "metrics", "healthz"] {
            printed += &reqwest_get(&format!("{}/{page}", world.admin))
                .await
                .expect("a page")
                .1;
        }
        printed += &daemon.printed();
        assert!(daemon.end("TERM").await.success());
    }
    for word in [
        "last_refusals",
        "expires",
        "could not reach 127.0.0.1:9",
        "nobody",
    ] {
        assert!(printed.contains(word), "{word} is not in {printed}");
    }
    let account = &world.account;
    let issued = access_token(&world).await;
    for secret in [
        &account.app_secret,
        &account.token,
        &account.encoding_aes_key,
        &issued,
        "k3yOfTheServer",
    ] {
        assert!(
            secret.len() > 8 && !printed.contains(secret),
            "{secret} in {printed}"
        );
    }
}

/// The token that the daemon holds.
async fn access_token(world: &World) -> String {
    let url = format!("sqlite://{}", world.path("wxreply.db").display());
    let store = Store::open(
        &url,
        Access::Command,
        Arc::new(SystemClock),
        Arc::new(Metrics::new()),
    )
    .await;
    let store = store.expect("there is a database");
    let token = store
        .token(&"shop".into())
        .await
        .expect("readable")
        .expect("it was fetched");
    store.close().await;
    token.token.expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_may_be_replaced_or_written_in_place() {
    let world = Plan::rules(&rules("一")).build().await;
    let daemon = Running::start(&world.path(""), &["serve"]);
    daemon.prints("ready").await;
    answers(&world, "一").await;
    world.write_rules(&rules("二"));
    answers(&world, "二").await;
    fs::write(world.path("rules/rules.toml"), rules("三")).expect("writable");
    answers(&world, "三").await;
    // What a `git pull` may do: a file goes, another comes, in a new folder.
    fs::create_dir(world.path("rules/new")).expect("writable");
    fs::write(world.path("rules/new/more.toml"), rules("四")).expect("writable");
    fs::remove_file(world.path("rules/rules.toml")).expect("there");
    answers(&world, "四").await;
    fs::write(world.path("rules/new/more.toml"), rules("五")).expect("writable");
    answers(&world, "五").await;
    // The folder itself is replaced.
    fs::rename(world.path("rules"), world.path("old")).expect("there");
    fs::create_dir(world.path("rules")).expect("writable");
    world.write_rules(&rules("六"));
    answers(&world, "六").await;
    world.write_rules(&rules("七"));
    answers(&world, "七").await;
    assert!(
        daemon.printed().contains("the rules were reloaded"),
        "{}",
        daemon.printed()
    );
    assert!(daemon.end("TERM").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_is_swapped_by_its_link() {
    let world = Plan::rules("").build().await;
    let folder = world.path("rules");
    fs::remove_file(folder.join("rules.toml")).expect("there");
    // As Kubernetes lays it out: files are links into `..data`, which is a link to a folder of this version.
    let publish = |version: &str, answer: &str| {
        fs::create_dir(folder.join(version)).expect("writable");
        fs::write(folder.join(version).join("shop.toml"), rules(answer)).expect("writable");
        symlink(version, folder.join("..data_tmp")).expect("writable");
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("writable");
    };
    publish("..2026_01_05", "一");
    symlink(Path::new("..data").join("shop.toml"), folder.join("shop.toml")).expect("writable");
    let daemon = Running::start(&world.path(""), &["serve"]);
    daemon.prints("ready").await;
    answers(&world, "一").await;
    publish("..2026_01_06", "二");
    fs::remove_dir_all(folder.join("..2026_01_05")).expect("there");
    answers(&world, "二").await;
    publish("..2026_01_07", "三");
    answers(&world, "三").await;
    assert!(daemon.end("TERM").await.success());
}
