//! wxreply answers WeChat customers' messages by rules.

pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod diagnostic;
pub mod intake;
pub mod message;
pub mod metrics;
pub mod outbox;
pub mod receiver;
pub mod rules;
pub mod simulator;
pub mod store;
pub mod token;
pub mod wechat;
