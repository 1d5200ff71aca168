//! The image: it is built from all that the program is compiled from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::page::root;

/// The Rust files of a folder, those of its folders included.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The path without its `..`.
fn resolved(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, part| {
        if part.as_os_str() == ".." {
            path.pop();
        } else {
            path.push(part);
        }
        path
    })
}

/// What a source file takes in while it is compiled, relative to the repository.
fn taken_in(file: &Path) -> Vec<PathBuf> {
    let beside = Regex::new(r#"include_(?:str|bytes)!\(\s*"([^"]+)""#).expect("a regex");
    let at_top =
        r#"(?:include_dir!\(\s*"\$CARGO_MANIFEST_DIR/|migrate!\(\s*"|#\[folder = "|config = ")([^"]+)""#;
    let at_top = Regex::new(at_top).expect("a regex");
    let source = std::fs::read_to_string(file).expect("readable");
    let file = file.strip_prefix(root()).expect("of the repository");
    let folder = file.parent().expect("a folder");
    let found = |regex: &Regex| -> Vec<String> {
        let found = regex.captures_iter(&source);
        found.map(|captures| captures[1].to_owned()).collect()
    };
    let beside = found(&beside)
        .into_iter()
        .map(|path| resolved(&folder.join(path)));
    beside
        .chain(found(&at_top).into_iter().map(PathBuf::from))
        .collect()
}

#[test]
fn the_image_is_built_from_all_that_is_compiled_in() {
    let dockerfile = std::fs::read_to_string(root().join("deploy/Dockerfile")).expect("readable");
    let copied: BTreeSet<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split_whitespace().rev().skip(1))
        .collect();
    let mut outside = BTreeSet::new();
    for file in sources(&root().join("src")) {
        for path in taken_in(&file) {
            assert!(
                root().join(&path).exists(),
                "{} names {}",
                file.display(),
                path.display()
            );
            let top = path.iter().next().and_then(|top| top.to_str()).expect("a path");
            assert!(
                copied.contains(top),
                "no COPY of {} for {}",
                path.display(),
                file.display()
            );
            outside.extend((top != "src").then(|| top.to_owned()));
        }
    }
    assert!(outside.len() >= 3, "only {outside:?} is found");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("readable");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    assert!(manifest.contains_key("bench") && copied.contains("benches"));
}
