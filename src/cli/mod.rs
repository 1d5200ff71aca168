//! The command line: the only room that prints.
//!
//! One file a command. What a command says goes to standard output, what went wrong to standard error, and the exit
//! code tells which of the two it was.

mod backup;
mod check;
mod config;
mod demo;
mod examples;
mod explain;
mod fmt;
mod forget;
mod hash_password;
mod import;
mod init;
mod log;
mod log_format;
mod print;
mod push;
mod replay;
mod replay_format;
mod resend;
mod rules;
mod schema;
mod serve;
mod simulate;
mod stats;
mod stats_format;
mod test;
mod test_junit;
mod time;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Answers WeChat customers' messages by rules.
#[derive(Debug, Parser)]
#[command(name = "wxreply", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  what was checked is bad: a finding, a failed test, a message that no rule answers, more
     changes than allowed, a push that was not taken, a reply that could not be resent, a user
     whom nobody knows
  2  it could not run: usage, config, database, a port that is taken";

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: daemon and WeChat simulator in one process; chat on a web page, no account needed
    Demo(demo::Demo),
    /// Run the daemon
    Serve(serve::Serve),
    /// Write a commented wxreply.toml, rules to begin with, and fresh secrets
    Init(init::Init),
    /// Check config and rules: every problem, where it is, and what to write instead
    Check(check::Check),
    /// Run the tests that stand beside the rules
    Test(test::Test),
    /// Say which rule answers a message, and why the others do not
    Explain(explain::Explain),
    /// Show all rules in the order in which they are tried, and whether they are in force
    Rules(rules::Rules),
    /// Run recorded traffic through candidate rules, and show what would change
    Replay(replay::Replay),
    /// Lay rule files out in the one canonical way
    Fmt(fmt::Fmt),
    /// Turn replies from WeChat's backend, or a table of keywords, into rules
    Import(import::Import),
    /// Print a JSON Schema of rule files or of the config, for completion in editors
    Schema(schema::Schema),
    /// Review the message log
    Log(Box<log::Log>),
    /// Count messages, hits of rules and keywords, unanswered texts, failed deliveries
    Stats(stats::Stats),
    /// Put failed, dropped or uncertain replies back in the queue
    Resend(resend::Resend),
    /// Erase one user's messages and all that is known of the user
    Forget(forget::Forget),
    /// Copy the database while the daemon runs
    Backup(backup::Backup),
    /// Turn a password into the hash that stands in the config
    HashPassword(hash_password::HashPassword),
    /// Push one message to a running daemon, as WeChat would
    Push(push::Push),
    /// Play WeChat for a running daemon: a page to chat on, and an API that takes its replies
    Simulate(simulate::Simulate),
}

/// Who did it, in the audit trail, when it was done from here.
const COMMAND_LINE: &str = "(command line)";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Fine.
    Fine = 0,
    /// What was checked is bad.
    Bad = 1,
    /// It could not run.
    Failed = 2,
}

/// Runs the command that the process was given.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Init(init) => init.run(),
        Command::Check(check) => check.run(),
        Command::Test(test) => test.run(),
        Command::Explain(explain) => explain.run(),
        Command::Rules(rules) => rules.run(),
        Command::Replay(replay) => replay.run(),
        Command::Fmt(fmt) => fmt.run(),
        Command::Import(import) => import.run(),
        Command::Schema(schema) => schema.run(),
        Command::Log(log) => log.run(),
        Command::Stats(stats) => stats.run(),
        Command::Resend(resend) => resend.run(),
        Command::HashPassword(hash) => hash.run(),
        Command::Forget(forget) => forget.run(),
        Command::Backup(backup) => backup.run(),
        Command::Push(push) => push.run(),
        Command::Simulate(simulate) => simulate.run(),
    };
    let exit = done.unwrap_or_else(|error| {
        if nobody_reads(&error) {
            return Exit::Fine;
        }
        eprintln!("error: {error:#}");
        Exit::Failed
    });
    ExitCode::from(exit as u8)
}

/// Whether it failed because whoever read our output has read enough: `wxreply log | head`.
fn nobody_reads(error: &anyhow::Error) -> bool {
    let kind = if let Some(error) = error.downcast_ref::<std::io::Error>() {
        Some(error.kind())
    } else if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        error.io_error_kind()
    } else if let Some(csv::ErrorKind::Io(error)) = error.downcast_ref().map(csv::Error::kind) {
        Some(error.kind())
    } else {
        None
    };
    kind == Some(ErrorKind::BrokenPipe)
}

/// A runtime for a command that does one thing after another.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}
