//! The console, tested as its users meet it: the real binary, WeChat simulated beside it, and Chromium in between.
//!
//! What these tests need beyond Rust, `tools` installs where it is missing.

mod api;
mod browser;
mod conversations;
mod driver;
mod export;
mod history;
mod outbox;
mod people;
mod pictures;
mod routes;
mod rules;
mod safety;
mod shop;
mod sign_in;
mod speed;
mod story;
mod tools;
mod tour;
mod walk;
#[path = "../it/world.rs"]
#[allow(
    dead_code,
    reason = "tests/it needs more of it, and a helper has no crate of its own"
)]
mod world;
mod xss;
