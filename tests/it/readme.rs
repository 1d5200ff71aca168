//! The documentation, fed to the program: what it shows must work, and what the program knows must stand in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::tz::TimeZone;
use wxreply::config;
use wxreply::diagnostic::{Diagnostic, Source};
use wxreply::message::AppKind;
use wxreply::metrics::Metrics;
use wxreply::rules::{AppScope, Scope, load};
use wxreply::simulator::FAULTS;

/// One of the two languages.
struct Readme {
    name: &'static str,
    text: String,
}

/// A fenced block: its language and its text.
struct Block {
    language: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn both() -> [Readme; 2] {
    ["README.md", "README.zh-CN.md"].map(|name| {
        let text = std::fs::read_to_string(root().join(name)).expect("readable");
        Readme { name, text }
    })
}

impl Readme {
    fn blocks(&self, language: &str) -> Vec<Block> {
        self.parts()
            .1
            .into_iter()
            .filter(|block| block.language == language)
            .collect()
    }

    /// The lines outside of fenced blocks, and the blocks.
    fn parts(&self) -> (Vec<&str>, Vec<Block>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::<Block>::new());
        let mut open = false;
        for line in self.text.lines() {
            match (line.strip_prefix("```"), blocks.last_mut()) {
                (Some(_), _) if open => open = false,
                (Some(language), _) => {
                    open = true;
                    blocks.push(Block {
                        language: language.to_owned(),
                        text: String::new(),
                    });
                }
                (None, Some(block)) if open => block.text.extend([line, "\n"]),
                _ => prose.push(line),
            }
        }
        assert!(!open, "{}: a block is not closed", self.name);
        (prose, blocks)
    }

    fn headings(&self) -> Vec<&str> {
        self.parts()
            .0
            .into_iter()
            .filter(|line| line.starts_with('#'))
            .collect()
    }

    /// Where its links lead that lead into the repository.
    fn links(&self) -> Vec<&str> {
        let targets = self
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        targets.filter(|target| !target.starts_with("http")).collect()
    }

    /// Whether a name stands in it as `code`, alone or as a part of something longer.
    fn says(&self, name: &str) -> bool {
        let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let found = |code: &str| {
            code.match_indices(name).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                let after = code[at + name.len()..].chars().next();
                !before.is_some_and(inside) && !after.is_some_and(inside)
            })
        };
        let prose = self.parts().0;
        prose
            .into_iter()
            .flat_map(|line| line.split('`').skip(1).step_by(2))
            .any(found)
    }

    fn must_say<'n>(&self, what: &str, names: impl IntoIterator<Item = &'n str>) {
        let missing: Vec<_> = names.into_iter().filter(|name| !self.says(name)).collect();
        assert!(missing.is_empty(), "{} lacks {what}: {missing:?}", self.name);
    }
}

/// What the rules of the documentation may refer to.
fn scope() -> Scope {
    let vars = [("shop", "小店"), ("phone", "400-000-0000")];
    Scope {
        apps: vec![AppScope {
            name: "shop".into(),
            kind: AppKind::MiniProgram,
            vars: vars.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        }],
        timezone: TimeZone::get("Asia/Shanghai").expect("a zone"),
        media: ["images/menu.png", "images/cover.png"]
            .map(|path| (PathBuf::from(path), 1000))
            .into(),
    }
}

fn rule_findings(text: &str) -> Vec<Diagnostic> {
    load(&[Source::new("readme.toml", text)], &scope()).findings
}

/// The findings about a config, the secrets that it speaks of being there.
fn config_findings(text: &str) -> Vec<Diagnostic> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("secrets")).expect("made");
    for (name, length) in [("shop.app_secret", 32), ("shop.token", 32), ("shop.aes_key", 43)] {
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
    let levels = |readme: &Readme| -> Vec<usize> {
        let level = |heading: &&str| heading.chars().take_while(|c| *c == '#').count();
        readme.headings().iter().map(level).collect()
    };
    assert_eq!(levels(&english), levels(&chinese), "the headings");
    // Comments differ.
    let toml = |readme: &Readme| -> Vec<toml::Table> {
        readme
            .blocks("toml")
            .iter()
            .map(|block| block.text.parse().expect("TOML"))
            .collect()
    };
    assert_eq!(toml(&english), toml(&chinese), "the TOML blocks");
    let commands = |readme: &Readme| -> Vec<String> {
        readme.blocks("sh").into_iter().map(|block| block.text).collect()
    };
    assert_eq!(commands(&english), commands(&chinese), "the commands");
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
            let everywhere = ["--help", "--config"];
            for option in options(&help(command))
                .into_iter()
                .filter(|o| !everywhere.contains(o))
            {
                assert!(
                    options(row).contains(option),
                    "{}: {command} has {option}",
                    readme.name
                );
            }
        }
    }
}

#[test]
fn every_key_of_the_config_is_explained() {
    let app = "[[app]]\nname = 'shop'\nkind = 'mini-program'\n";
    let asked = [
        format!("{ODD}\n{app}"),
        format!("[admin]\n{ODD}\n{app}"),
        format!("[push]\n{ODD}\n{app}"),
        format!("[outbox]\n{ODD}\n{app}"),
        format!("{app}{ODD}\n"),
    ];
    for readme in both() {
        for text in &asked {
            let keys = listed(&config_findings(text), "C002", "it may hold: ");
            readme.must_say("keys", keys.iter().map(String::as_str));
        }
    }
}

#[test]
fn every_key_of_a_rule_is_explained() {
    let asked = [
        ("", ODD.to_owned()),
        ("when.", format!("when.{ODD}")),
        ("", format!("when.time = {{ hours = '09:00-18:00', {ODD} }}")),
        ("", format!("cooldown = {{ time = '1m', {ODD} }}")),
        ("", format!("reply = {{ {ODD} }}")),
        ("", format!("reply = {{ link = {{ {ODD} }} }}")),
        ("", format!("reply = {{ mini_program_page = {{ {ODD} }} }}")),
        ("", format!("reply = {{ image = {{ {ODD} }} }}")),
    ];
    for readme in both() {
        for (prefix, line) in &asked {
            let findings = rule_findings(&format!("[[rule]]\nname = 'r'\n{line}\n"));
            let keys = listed(&findings, "E002", "known here: ");
            let keys: Vec<_> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
            readme.must_say("keys", keys.iter().map(String::as_str));
        }
    }
}

#[test]
fn every_code_is_explained_and_no_other() {
    let sources = ["src/rules/codes.rs", "src/config/codes.rs"]
        .map(|path| std::fs::read_to_string(root().join(path)).expect("readable"));
    let known: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.split('"').skip(1).step_by(2))
        .filter(|text| text.len() == 4 && text[1..].bytes().all(|b| b.is_ascii_digit()))
        .collect();
    assert!(known.len() > 40, "{known:?}");
    for readme in both() {
        let rows = readme
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.get(..4));
        let explained: BTreeSet<&str> = rows
            .filter(|code| {
                code.get(1..)
                    .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            })
            .collect();
        assert_eq!(explained, known, "{}", readme.name);
    }
}

#[test]
fn every_metric_status_and_fault_is_explained() {
    let metrics = Metrics::new();
    metrics.refusal("shop", "signature");
    metrics.messages("shop", "matched", 1);
    metrics.delivery("shop", "sent");
    metrics.token_renewal("shop", "renewed");
    metrics.rules_reload("loaded");
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
    let file = root().join("src/cli/log_format.rs");
    let source = std::fs::read_to_string(file).expect("readable");
    let columns = source
        .split("const COLUMNS")
        .nth(1)
        .and_then(|rest| rest.split("];").next());
    let columns: Vec<_> = columns
        .expect("the columns")
        .split('"')
        .skip(1)
        .step_by(2)
        .collect();
    assert_eq!(columns.len(), 16, "{columns:?}");
    for readme in both() {
        readme.must_say("fields", columns.iter().copied());
    }
}

#[test]
fn links_lead_somewhere() {
    for readme in both() {
        let anchors: BTreeSet<String> = readme.headings().into_iter().map(anchor).collect();
        for link in readme.links() {
            match link.strip_prefix('#') {
                Some(name) => assert!(anchors.contains(name), "{}: #{name}", readme.name),
                None => assert!(root().join(link).exists(), "{}: {link}", readme.name),
            }
        }
    }
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
