//! The console, tested as its users meet it: the real binary, WeChat simulated beside it, and Chromium in between.
//!
//! What these tests need beyond Rust, `tools` installs where it is missing.

mod browser;
mod driver;
mod people;
mod shop;
mod sign_in;
mod tools;
#[path = "../it/world.rs"]
#[allow(
    dead_code,
    reason = "tests/it needs more of it, and a helper has no crate of its own"
)]
mod world;
