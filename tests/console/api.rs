//! The API against its own description: schemathesis makes requests from the OpenAPI document, good ones and bad ones, and compares.

use std::process::{Command, Stdio};

use crate::history;
use crate::people::OPS;
use crate::shop::Shop;
use crate::tools;

/// The key that lends tokens.
const TOKEN_KEY: &str = "a-key-for-the-order-system";

/// What is allowed where schemathesis would not allow it: a request that fits the schema, and yet says what can't be done.
const SETTINGS: &str =
    "[checks.positive_data_acceptance]\nexpected-statuses = [\"2xx\", \"3xx\", 404, 409, 422]\n";

/// What is not asked here: a stream that never ends, and what has a key of its own.
const APART: [&str; 2] = ["/api/events", "/api/token"];

#[tokio::test(flavor = "multi_thread")]
async fn the_api_does_what_its_description_says() {
    conforms("25").await;
}

/// The same, for longer: `WXREPLY_EXAMPLES` says how many requests of each kind are made for a route, else 200.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes many minutes; by hand"]
async fn the_api_does_what_its_description_says_at_length() {
    conforms(&std::env::var("WXREPLY_EXAMPLES").unwrap_or_else(|_| "200".to_owned())).await;
}

async fn conforms(examples: &str) {
    let shop = history::busy_shop_with(&format!("token_key = \"{TOKEN_KEY}\"\n")).await;
    let apart = APART.map(|path| format!("--exclude-path={path}"));
    let key = format!("--auth={}:{}", OPS.name, OPS.password);
    let mut everything: Vec<&str> = apart.iter().map(String::as_str).collect();
    everything.push(&key);
    run(&shop, examples, &everything).await;
    let bearer = format!("--header=Authorization: Bearer {TOKEN_KEY}");
    run(&shop, examples, &["--include-path=/api/token", &bearer]).await;
}

// `ignored_auth` guesses passwords, and is told to wait (429); `safety` asks every route without.
async fn run(shop: &Shop, examples: &str, more: &[&str]) {
    let settings = shop.world.path("schemathesis.toml");
    std::fs::write(&settings, SETTINGS).expect("writable");
    let mut command = Command::new(tools::schemathesis());
    command
        .arg("--config-file")
        .arg(settings)
        .args(["run", &format!("{}/api/openapi.json", shop.world.admin)])
        .args([
            "--checks=all",
            "--exclude-checks=ignored_auth",
            "--mode=all",
            "--phases=examples,coverage,fuzzing",
        ])
        .args([
            "--seed=1",
            "--generation-database=none",
            "--no-color",
            "--workers=1",
        ])
        .args([
            "--suppress-health-check=all",
            "--request-timeout=20",
            "--max-examples",
            examples,
        ])
        .args(more)
        .current_dir(tools::gallery("schemathesis"))
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic");
    let output = output.expect("schemathesis runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
