//! The page of findings tells the truth: each code has its section in both languages, the first example of which gives
//! exactly this finding, and the second none at all.

use std::fs;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::codes;
use crate::diagnostic::{Diagnostic, Language, page, section};
use crate::message::AppKind;
use crate::reload::RulesSource;
use crate::rules::AppScope;

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

/// Codes that no example can show: one is about a set as a whole, the other is found by running tests.
const WITHOUT_EXAMPLE: &[&str] = &["E020", "E030"];

#[test]
fn every_code_in_the_source_is_in_the_table() {
    let known: Vec<_> = codes().map(|code| code.code).collect();
    for source in [
        include_str!("../../rules/codes.rs"),
        include_str!("../../config/codes.rs"),
    ] {
        let written = source.split('"').filter(|text| {
            text.len() == 4
                && text[1..].bytes().all(|b| b.is_ascii_digit())
                && text.starts_with(['E', 'W', 'C'])
        });
        let strays: Vec<_> = written.filter(|code| !known.contains(code)).collect();
        assert!(
            strays.is_empty(),
            "write these inside of `codes! {{ … }}`: {strays:?}"
        );
    }
    let mut unique = known.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), known.len(), "a code is given out twice");
}

#[test]
fn every_code_has_its_section_and_every_section_its_code() {
    for language in LANGUAGES {
        let missing: Vec<_> = codes()
            .filter(|code| section(code.code, language).is_none())
            .map(|code| format!("## {} {}", code.code, code.title()))
            .collect();
        assert!(
            missing.is_empty(),
            "the page of findings ({language:?}) lacks these sections:\n{}",
            missing.join("\n")
        );
        let headings = page(language).lines().filter_map(|line| line.strip_prefix("## "));
        for heading in headings {
            let known = codes().any(|code| heading.starts_with(&format!("{} ", code.code)));
            assert!(
                known,
                "{language:?}: no finding has the code of this section: {heading}"
            );
        }
    }
    for code in codes() {
        let section = section(code.code, Language::English).expect("looked at above");
        let heading = format!("## {} {}", code.code, code.title());
        assert_eq!(
            section.lines().next(),
            Some(heading.as_str()),
            "the title stands in codes.rs"
        );
    }
}

#[test]
fn the_first_example_gives_the_finding_and_the_second_none() {
    let mut wrong = Vec::new();
    for language in LANGUAGES {
        for code in codes().filter(|code| !WITHOUT_EXAMPLE.contains(&code.code)) {
            let Some(section) = section(code.code, language) else {
                continue;
            };
            let examples: Vec<_> = section
                .split("```toml\n")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once("```")?.0))
                .collect();
            let [bad, good] = examples[..] else {
                wrong.push(format!(
                    "{language:?} {}: {} examples instead of two",
                    code.code,
                    examples.len()
                ));
                continue;
            };
            let found = findings(code.code, bad, false);
            if found.iter().any(|finding| finding.severity != code.severity) {
                wrong.push(format!("{} weighs otherwise than the table says", code.code));
            }
            let mut found: Vec<_> = found.iter().map(|finding| finding.code).collect();
            found.dedup();
            if found != [code.code] {
                wrong.push(format!(
                    "{language:?} {}: the first example gives {found:?}",
                    code.code
                ));
            }
            let left = findings(code.code, good, true);
            if !left.is_empty() {
                wrong.push(format!(
                    "{language:?} {}: the second example gives {left:#?}",
                    code.code
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `check` finds in an example, among the other files that it needs.
fn findings(code: &str, example: &str, is_good: bool) -> Vec<Diagnostic> {
    let folder = tempfile::tempdir().expect("a folder");
    if code.starts_with('C') && code != "C022" {
        return config(folder.path(), example);
    }
    let rules = folder.path().join("rules");
    fs::create_dir_all(rules.join("images")).expect("made");
    for (name, head) in [
        ("menu.png", &b"\x89PNG\r\n\x1a\n"[..]),
        ("huge.png", b"\x89PNG\r\n\x1a\n"),
        ("photo.png", b"\xff\xd8\xff\xe0"),
        ("photo.jpg", b"\xff\xd8\xff\xe0"),
        ("logo.svg", b"<svg/>"),
    ] {
        fs::write(rules.join("images").join(name), head).expect("written");
    }
    let huge = fs::File::options()
        .write(true)
        .open(rules.join("images/huge.png"));
    huge.expect("there").set_len(11 << 20).expect("a sparse file");
    fs::write(rules.join("a.toml"), example).expect("written");
    // What an example is not about: something answers all else.
    if code != "W018" && (code != "C022" || is_good) {
        let default =
            "[[rule]]\nname = \"兜底\"\npriority = -100\nwhen.msg_type = \"text\"\nreply = \"您好\"\n";
        fs::write(rules.join("b.toml"), default).expect("written");
    }
    let app = |name: &str, kind| AppScope {
        name: name.into(),
        kind,
        vars: [("shop".to_owned(), "小店".to_owned())].into(),
    };
    let source = RulesSource {
        path: rules.clone(),
        apps: vec![
            app("shop", AppKind::MiniProgram),
            app("club", AppKind::OfficialAccount),
        ],
        timezone: TimeZone::get("Asia/Shanghai").expect("bundled"),
        webhook_secret: code != "E041",
    };
    let today = Date::constant(2026, 3, 10);
    source.check_all(&[rules], today).expect("readable").findings
}

/// The example as a part of a config that is fine otherwise.
fn config(folder: &Path, example: &str) -> Vec<Diagnostic> {
    const APP: &str = r#"
name = "shop"
kind = "mini-program"
app_id = "wx3d289323f5900f8e"
app_secret = "s3cret"
token = "AAAAA"
encoding_aes_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
"#;
    let base: toml::Table = toml::from_str(APP).expect("valid");
    let text = match toml::from_str::<toml::Table>(example) {
        Err(_) => format!("{example}\n[[app]]{APP}"),
        Ok(mut table) => {
            let apps = table
                .entry("app")
                .or_insert_with(|| vec![toml::Table::new()].into())
                .as_array_mut()
                .expect("a list of apps");
            for app in apps {
                let app = app.as_table_mut().expect("a table");
                for (key, value) in &base {
                    app.entry(key).or_insert_with(|| value.clone());
                }
            }
            table.to_string()
        }
    };
    fs::create_dir(folder.join("secrets")).expect("made");
    fs::write(folder.join("secrets/shop.app_secret"), "s3cret").expect("written");
    let path = folder.join("wxreply.toml");
    fs::write(&path, text).expect("written");
    crate::config::read(&path).expect("readable").findings
}
