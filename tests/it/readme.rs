//! The documentation, fed to the program: what it shows must work, and what the program knows must stand in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use jiff::tz::TimeZone;
use wxreply::config;
use wxreply::diagnostic::{Diagnostic, Source};
use wxreply::intake::Policies;
use wxreply::message::AppKind;
use wxreply::metrics::Metrics;
use wxreply::rehearsal::run_tests;
use wxreply::rules::{AppScope, MediaFile, Scope, load};
use wxreply::simulator::FAULTS;
use wxreply::spreadsheet::COLUMNS;

use crate::page::{Block, Page};

fn both() -> [Page; 2] {
    ["README.md", "README.zh-CN.md"].map(Page::read)
}

/// What the rules of the documentation may refer to.
pub fn scope() -> Scope {
    let vars = [("shop", "小店"), ("phone", "400-000-0000")];
    Scope {
        apps: vec![AppScope {
            name: "shop".into(),
            kind: AppKind::MiniProgram,
            vars: vars.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        }],
        timezone: TimeZone::get("Asia/Shanghai").expect("a zone"),
        media: ["images/menu.png", "images/cover.png"]
            .map(|path| (PathBuf::from(path), MediaFile::new(1000, None)))
            .into(),
        ..Scope::default()
    }
}

/// The findings about rules, and their tests that fail.
fn rule_findings(text: &str) -> Vec<Diagnostic> {
    let mut loaded = load(&[Source::new("readme.toml", text)], &scope());
    if let Some(set) = &loaded.set {
        let failed = run_tests(set, &loaded.tests, &Policies::default());
        loaded.findings.extend(failed);
    }
    loaded.findings
}

/// The findings about a config, the secrets that it speaks of being there.
fn config_findings(text: &str) -> Vec<Diagnostic> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("secrets")).expect("made");
    let secrets = [
        ("shop.app_secret", 32),
        ("shop.token", 32),
        ("shop.aes_key", 43),
        ("webhook", 43),
    ];
    for (name, length) in secrets {
        std::fs::write(folder.path().join("secrets").join(name), "a".repeat(length)).expect("written");
    }
    let path = folder.path().join("wxreply.toml");
    std::fs::write(&path, text).expect("written");
    let read = if text.contains("{ env =") {
        config::read_without_secrets
    } else {
        config::read
    };
    read(&path).expect("readable").findings
}

fn wxreply(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_wxreply"))
        .args(arguments)
        .output()
        .expect("wxreply runs")
}

fn help(command: &str) -> String {
    let output = wxreply(&[command, "--help"]);
    assert!(output.status.success(), "there is no command `{command}`");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The long options that a text names.
fn options(text: &str) -> BTreeSet<&str> {
    text.match_indices("--")
        .filter(|(at, _)| !text[..*at].ends_with('-'))
        .map(|(at, _)| {
            let rest = &text[at..];
            let end = rest
                .find(|c: char| !c.is_ascii_lowercase() && c != '-')
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|option| option.len() > 2)
        .collect()
}

/// The words that the help of the finding about an unknown key lists.
fn listed(findings: &[Diagnostic], code: &str, before: &str) -> Vec<String> {
    let help = findings
        .iter()
        .find(|d| d.code == code)
        .and_then(|d| d.help.as_deref());
    let list = help.and_then(|help| help.strip_prefix(before));
    let list = list.unwrap_or_else(|| panic!("no list in {findings:?}"));
    list.split(", ").map(str::to_owned).collect()
}

/// A key that is like no other.
const ODD: &str = "qqqqqqqqqqqqqqqq = 1";

#[test]
fn every_toml_block_works() {
    for readme in both() {
        for Block { text, .. } in readme.blocks("toml") {
            let findings = match (text.contains("[[rule]]"), text.contains("[[app]]")) {
                (true, _) => rule_findings(&text),
                (_, true) => config_findings(&text),
                _ => panic!("{}: neither rules nor a config:\n{text}", readme.name),
            };
            assert_eq!(findings, [], "{}:\n{text}", readme.name);
        }
    }
}

#[test]
fn both_languages_say_the_same() {
    let [english, chinese] = both();
    let levels = |readme: &Page| -> Vec<usize> {
        let level = |heading: &&str| heading.chars().take_while(|c| *c == '#').count();
        readme.headings().iter().map(level).collect()
    };
    assert_eq!(levels(&english), levels(&chinese), "the headings");
    // Comments differ.
    let toml = |readme: &Page| -> Vec<toml::Table> {
        readme
            .blocks("toml")
            .iter()
            .map(|block| block.text.parse().expect("TOML"))
            .collect()
    };
    assert_eq!(toml(&english), toml(&chinese), "the TOML blocks");
    let commands =
        |readme: &Page| -> Vec<String> { readme.blocks("sh").into_iter().map(|block| block.text).collect() };
    assert_eq!(commands(&english), commands(&chinese), "the commands");
    let (english, chinese) = (english.tables(), chinese.tables());
    assert!(english.len() > 20, "only {} tables are found", english.len());
    for (english, chinese) in english.iter().zip(&chinese) {
        assert_eq!(english, chinese, "the rows of a table");
    }
    assert_eq!(english.len(), chinese.len(), "the tables");
}

#[test]
fn every_command_line_works() {
    for readme in both() {
        let blocks = readme.blocks("sh");
        let lines = blocks.iter().flat_map(|block| block.text.lines());
        let mut seen = 0;
        for line in lines {
            let Some(arguments) = line
                .strip_prefix("wxreply ")
                .or(line.strip_prefix("cargo run --release -- "))
            else {
                continue;
            };
            let help = help(arguments.split(' ').next().expect("a command"));
            for option in options(arguments) {
                assert!(options(&help).contains(option), "{}: {line}", readme.name);
            }
            seen += 1;
        }
        assert!(seen >= 8, "{}: only {seen} commands", readme.name);
    }
}

#[test]
fn every_command_and_option_is_named() {
    let commands = String::from_utf8(wxreply(&["--help"]).stdout).expect("UTF-8");
    let commands = commands.lines().skip_while(|line| *line != "Commands:").skip(1);
    // A long description goes on in lines that begin further right.
    let commands = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "));
    let names = commands
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next());
    let commands: Vec<_> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(commands.len() >= 9, "{commands:?}");
    for readme in both() {
        for command in &commands {
            let row = readme
                .text
                .lines()
                .find(|line| line.starts_with(&format!("| `wxreply {command}")));
            let row = row.unwrap_or_else(|| panic!("{} has no row for {command}", readme.name));
            // What the help says of them may name other commands' options.
            let help = help(command);
            let own = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
            let everywhere = ["--help", "--config"];
            let own: BTreeSet<_> = own
                .filter_map(|line| options(line).into_iter().next())
                .filter(|option| !everywhere.contains(option))
                .collect();
            assert_eq!(options(row), own, "{}: {command}", readme.name);
        }
    }
}

#[test]
fn every_key_of_the_config_is_explained() {
    let app = "[[app]]\nname = 'shop'\nkind = 'mini-program'\n";
    let asked = [format!("{ODD}\n{app}"), format!("{app}{ODD}\n")];
    let keys = |text: &str| listed(&config_findings(text), "C002", "it may hold: ");
    for readme in both() {
        for text in &asked {
            readme.must_say("keys", keys(text).iter().map(String::as_str));
        }
        let tables = [
            "[admin]",
            "[[admin.user]]",
            "[push]",
            "[outbox]",
            "[webhook]",
            "[log]",
            "[alarm]",
        ];
        for table in tables {
            for key in keys(&format!("{table}\n{ODD}\n{app}")) {
                let row = format!("\n| `{table}` `{key}` | ");
                assert!(readme.text.contains(&row), "{} lacks{row}", readme.name);
            }
        }
    }
}

#[test]
fn every_key_of_a_rule_is_explained() {
    let of_a_rule = [
        ("", ODD.to_owned()),
        ("when.", format!("when.{ODD}")),
        ("", format!("when.time = {{ hours = '09:00-18:00', {ODD} }}")),
        ("", format!("cooldown = {{ time = '1m', {ODD} }}")),
        ("", format!("reply = {{ {ODD} }}")),
        ("", format!("reply = {{ link = {{ {ODD} }} }}")),
        ("", format!("reply = {{ mini_program_page = {{ {ODD} }} }}")),
        ("", format!("reply = {{ image = {{ {ODD} }} }}")),
    ];
    let of_a_test = [
        ("", ODD.to_owned()),
        ("", format!("steps = [{{ message = 'x', {ODD} }}]")),
        ("given.", format!("given = {{ {ODD} }}")),
        ("expect.", format!("expect = {{ {ODD} }}")),
    ];
    let rule = "[[rule]]\nname = 'r'\n";
    let mut asked = vec![
        ("", format!("{ODD}\n{rule}")),
        ("", format!("{rule}[calendar.x]\n{ODD}\n")),
    ];
    asked.extend(of_a_rule.map(|(prefix, line)| (prefix, format!("{rule}{line}\n"))));
    asked.extend(of_a_test.map(|(prefix, line)| (prefix, format!("{rule}[[test]]\nname = 't'\n{line}\n"))));
    for readme in both() {
        for (prefix, text) in &asked {
            let keys = listed(&rule_findings(text), "E002", "known here: ");
            let keys: Vec<_> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
            readme.must_say("keys", keys.iter().map(String::as_str));
        }
    }
}

#[test]
fn every_metric_status_and_fault_is_explained() {
    let metrics = Metrics::new();
    metrics.refusal("shop", "signature");
    metrics.messages("shop", "matched", 1);
    metrics.events("shop", "matched", 1);
    metrics.delivery("shop", "sent");
    metrics.token_renewal("shop", "renewed");
    metrics.rules_reload("loaded");
    metrics.rules_version("0123456789abcdef");
    metrics.webhook_call("shop", "answered");
    metrics.alarm("token", "sent");
    metrics.sign_in("right");
    let page = metrics.page();
    let names: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| match line.split_once(' ') {
            Some((name, "counter")) => format!("{name}_total"),
            Some((name, _)) => name.to_owned(),
            None => panic!("no type: {line}"),
        })
        .collect();
    assert!(names.len() > 10, "{names:?}");
    let help = help("log").replace('\n', " ");
    let statuses = help
        .split("[possible values: matched")
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    let statuses: Vec<_> = statuses
        .expect("a list")
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .collect();
    assert_eq!(statuses.len(), 9, "{statuses:?}");
    for readme in both() {
        readme.must_say("metrics", names.iter().map(String::as_str));
        readme.must_say("statuses", statuses.iter().copied());
        readme.must_say("faults", FAULTS.iter().map(|help| help.name));
    }
}

#[test]
fn every_field_of_the_log_is_explained() {
    for readme in both() {
        readme.must_say("fields", COLUMNS);
    }
}

#[test]
fn links_lead_somewhere() {
    both().iter().for_each(Page::must_lead_somewhere);
}
