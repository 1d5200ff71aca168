//! wxreply answers WeChat customers' messages by rules.

pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod daemon;
pub mod diagnostic;
pub mod import;
pub mod intake;
pub mod latency;
pub mod message;
pub mod metrics;
pub mod outbox;
pub mod password;
pub mod pictures;
pub mod receiver;
pub mod rehearsal;
pub mod reload;
pub mod rules;
pub mod similar_texts;
pub mod simulator;
pub mod store;
pub mod story;
pub mod text;
pub mod token;
pub mod webhook;
pub mod wechat;
