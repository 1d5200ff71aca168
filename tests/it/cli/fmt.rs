//! `wxreply fmt`: lay rule files out in the one canonical way.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{run, told};
use crate::world::Plan;

const TIDY: &str = "[[rule]]\nname = \"a\"\nwhen.keywords = [\"茶\"]\nreply = \"好\"\n";
const CARELESS: &str =
    "# why\n[[rule]]\nreply='好'  # yes\nname  = \"b\"\n\n\nwhen.keywords=[\"@tea\",\n\"水\"]\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }
    folder
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect("readable")
}

#[test]
fn files_are_laid_out_and_what_is_tidy_is_not_touched() {
    let folder = folder(&[("rules/a.toml", TIDY), ("rules/sub/b.toml", CARELESS)]);
    let dir = folder.path();
    let modified = || {
        fs::metadata(dir.join("rules/a.toml"))
            .and_then(|m| m.modified())
            .expect("there")
    };
    let before = modified();
    insta::assert_snapshot!(run(dir, &["fmt", "--check", "rules"]), @r#"
    --- rules/sub/b.toml
    +++ rules/sub/b.toml, laid out
    @@ -1,8 +1,6 @@
     # why
     [[rule]]
    -reply='好'  # yes
    -name  = "b"
    -
    +name = "b"

    -when.keywords=["@tea",
    -"水"]
    +when.keywords = ["@tea", "水"]
    +reply = "好"  # yes

    1 of 2 files would change
    exit 1
    "#);
    assert_eq!(text(dir, "rules/sub/b.toml"), CARELESS, "--check writes nothing");
    insta::assert_snapshot!(run(dir, &["fmt", "rules"]), @r#"
    laid out rules/sub/b.toml
    1 of 2 files changed
    exit 0
    "#);
    insta::assert_snapshot!(text(dir, "rules/sub/b.toml"), @r#"
    # why
    [[rule]]
    name = "b"

    when.keywords = ["@tea", "水"]
    reply = "好"  # yes
    "#);
    insta::assert_snapshot!(run(dir, &["fmt", "rules"]), @r#"
    fine: 2 files
    exit 0
    "#);
    insta::assert_snapshot!(run(dir, &["fmt", "--check", "rules"]), @r#"
    fine: 2 files
    exit 0
    "#);
    assert_eq!(modified(), before);
    let left: Vec<_> = fs::read_dir(dir.join("rules/sub"))
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(left, ["b.toml"]);
}

#[tokio::test]
async fn without_a_path_the_rules_of_the_config_are_meant() {
    let world = Plan::rules(CARELESS).build().await;
    insta::assert_snapshot!(run(&world.path(""), &["fmt"]), @r#"
    laid out rules/rules.toml
    1 of 1 file changed
    exit 0
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["fmt", "wxreply.toml"]), @r#"
    ! error: wxreply.toml is a config; only rule files are laid out
    exit 2
    "#);
}

#[test]
fn a_broken_file_is_left_alone_and_the_others_are_not() {
    let folder = folder(&[
        ("a.toml", "[[rule]\nname = \"a\"\n"),
        ("b.toml", "a=1"),
        ("wxreply.toml", "app=[]"),
    ]);
    insta::assert_snapshot!(run(folder.path(), &["fmt", "."]), @r#"
    laid out ./b.toml
    1 of 1 file changed
    1 file left alone: not readable as TOML
    ! error[E001]: this can't be read as TOML
    !  --> ./a.toml:1:8
    !   |
    ! 1 | [[rule]
    !   |        ^ unclosed array table, expected `]`
    !   |
    !   = help: a text stands in quotes, a list in brackets, and every line is `key = value`
    !
    exit 1
    "#);
    assert_eq!(text(folder.path(), "a.toml"), "[[rule]\nname = \"a\"\n");
    assert_eq!(text(folder.path(), "b.toml"), "a = 1\n");
    assert_eq!(text(folder.path(), "wxreply.toml"), "app=[]");
    insta::assert_snapshot!(run(folder.path(), &["fmt", "gone.toml"]), @r#"
    ! error: the rules can't be read: gone.toml: No such file or directory (os error 2)
    exit 2
    "#);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = folder(&[("real/a.toml", CARELESS), ("rules/b.toml", TIDY)]);
    let (real, link) = (
        folder.path().join("real/a.toml"),
        folder.path().join("rules/a.toml"),
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("ours");
    symlink("../real/a.toml", &link).expect("linked");
    assert!(run(folder.path(), &["fmt", "rules"]).ends_with("exit 0"));
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_ne!(text(folder.path(), "real/a.toml"), CARELESS);
    let mode = fs::metadata(&real).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn an_editor_pipes_its_file_through() {
    let pipe = |args: &[&str], input: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_wxreply"))
            .args(args)
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        told(folder.path(), &child.wait_with_output().expect("it ends"))
    };
    insta::assert_snapshot!(pipe(&["fmt", "-"], CARELESS), @r#"
    # why
    [[rule]]
    name = "b"

    when.keywords = ["@tea", "水"]
    reply = "好"  # yes
    exit 0
    "#);
    insta::assert_snapshot!(pipe(&["fmt", "-", "--check"], TIDY), @r#"
    fine: 1 file
    exit 0
    "#);
    insta::assert_snapshot!(pipe(&["fmt", "-"], "name = "), @r#"
    ! error[E001]: this can't be read as TOML
    !  --> <stdin>:1:8
    !   |
    ! 1 | name =
    !   |        ^ string values must be quoted, expected literal string
    !   |
    !   = help: a text stands in quotes, a list in brackets, and every line is `key = value`
    !
    exit 1
    "#);
}
