//! The daemon's log: to standard error, for a person or for a machine.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of text.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Sets the log up for the whole process. `WXREPLY_LOG`, else `RUST_LOG`, says what is written (`debug`,
/// `wxreply::outbox=debug,warn`); else `default`. A second call does nothing.
pub fn init(format: LogFormat, default: &str) {
    let wanted = ["WXREPLY_LOG", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    let filter = EnvFilter::new(wanted.as_deref().unwrap_or(default));
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color);
    // Fails when another subscriber is set up already, as in tests.
    let _ = match format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
