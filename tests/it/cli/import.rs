//! `wxreply import`: turn replies from WeChat's backend, or a table of keywords, into rules.

use std::fs;

use super::run;
use crate::world::Plan;

const CSV: &str = "关键词,回复\n几点开门,九点\n地址，在哪,青石巷 12 号\n空的,\n";

#[test]
fn a_table_becomes_rules_that_pass_their_tests() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    fs::write(dir.join("faq.csv"), CSV).expect("writable");
    insta::assert_snapshot!(run(dir, &["import", "faq.csv"]), @r#"
    wrote rules/imported.toml: 2 rules, 2 tests

    not carried over, or not as it was:
      - line 4 was left out: it has no reply
        write a keyword and a reply into it, and import it again or add the rule by hand

    Next: wxreply check, and wxreply test
    exit 0
    "#);
    insta::assert_snapshot!(fs::read_to_string(dir.join("rules/imported.toml")).expect("there"), @r#"
    # Imported from faq.csv by `wxreply import`.

    # Line 4 was left out: it has no reply. Write a keyword and a reply into it, and import it again or add the rule by hand.

    [[rule]]
    name = "几点开门"
    when.keywords = ["几点开门"]
    reply = "九点"

    [[test]]
    name = "几点开门"
    message = "几点开门"
    expect = { rule = "几点开门", reply = "九点" }

    [[rule]]
    name = "地址"
    when.keywords = ["地址", "在哪"]
    reply = "青石巷 12 号"

    [[test]]
    name = "地址"
    each = ["地址", "在哪"]
    expect = { rule = "地址", reply = "青石巷 12 号" }
    "#);
    let checked = run(dir, &["check", "rules"]);
    assert!(
        checked.contains("2 rules in rules") && checked.ends_with("exit 0"),
        "{checked}"
    );
    let tested = run(dir, &["test", "rules"]);
    assert!(tested.ends_with("exit 0"), "{tested}");
    assert!(run(dir, &["fmt", "--check", "rules"]).ends_with("exit 0"));
    // The same again is the same file; another one is not written over it.
    insta::assert_snapshot!(run(dir, &["import", "faq.csv"]).lines().next().unwrap_or_default(), @r#"there already: rules/imported.toml: 2 rules, 2 tests"#);
    fs::write(dir.join("faq.csv"), "茶,好\n").expect("writable");
    insta::assert_snapshot!(run(dir, &["import", "faq.csv"]), @r#"
    ! error: rules/imported.toml is there already; nothing was written. --out names another file
    exit 2
    "#);
    insta::assert_snapshot!(run(dir, &["import", "faq.csv", "--out", "-"]), @r#"
    # Imported from faq.csv by `wxreply import`.

    [[rule]]
    name = "茶"
    when.keywords = ["茶"]
    reply = "好"

    [[test]]
    name = "茶"
    message = "茶"
    expect = { rule = "茶", reply = "好" }
    ! on standard output: 1 rule, 1 test
    exit 0
    "#);
    assert!(run(dir, &["import", "faq.csv", "--out", "rules/more/tea.toml"]).ends_with("exit 0"));
    assert!(dir.join("rules/more/tea.toml").exists());
}

#[tokio::test]
async fn with_a_config_its_rules_are_the_place_and_their_names_are_taken() {
    let world = Plan::rules("[[rule]]\nname = \"茶\"\nwhen.keywords = [\"茶\"]\nreply = \"旧\"\n")
        .build()
        .await;
    fs::write(world.path("faq.csv"), "茶叶,新\n咖啡,没有\n茶,又新\n").expect("writable");
    insta::assert_snapshot!(run(&world.path(""), &["import", "faq.csv"]), @r#"
    wrote rules/imported.toml: 3 rules, 3 tests

    Next: wxreply check, and wxreply test
    exit 0
    "#);
    assert!(world.path("rules/imported.toml").exists());
    let checked = run(&world.path(""), &["check"]);
    assert!(
        checked.contains("4 rules in rules") && checked.ends_with("exit 0"),
        "{checked}"
    );
}

#[test]
fn beside_what_init_wrote_the_schema_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(run(folder.path(), &["init", "shop"]).ends_with("exit 0"));
    fs::write(folder.path().join("faq.csv"), CSV).expect("writable");
    // The config is not finished yet: its AppID is still to be filled in.
    let shop = folder.path().join("shop");
    assert!(run(&shop, &["import", "../faq.csv"]).ends_with("exit 0"));
    let text = fs::read_to_string(shop.join("rules/imported.toml")).expect("there");
    assert!(
        text.starts_with("#:schema ../.schema/rules.json\n\n# Imported from faq.csv"),
        "{text}"
    );
}

#[test]
fn what_can_not_be_imported_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let refused = |name: &str, bytes: &[u8]| {
        fs::write(dir.join(name), bytes).expect("writable");
        run(dir, &["import", name])
    };
    insta::assert_snapshot!(refused("gbk.csv", b"\xb2\xe8,\xba\xc3\n"), @r#"
    ! error: gbk.csv: the file is not in UTF-8; Excel and WPS in China save CSV in GBK: choose "CSV UTF-8" when saving, or run `iconv -f GB18030 -t UTF-8 FILE > new.csv`
    exit 1
    "#);
    insta::assert_snapshot!(refused("error.json", br#"{"errcode":48001,"errmsg":"api unauthorized"}"#), @r#"
    ! error: error.json: this is no list of replies, but an error of WeChat's API: 48001: this account may not ask for its auto-replies; only Official Accounts have them, mini programs have none (WeChat says: api unauthorized)
    exit 1
    "#);
    insta::assert_snapshot!(run(dir, &["import", "gone.csv"]), @r#"
    ! error: can't read gone.csv: No such file or directory (os error 2)
    exit 2
    "#);
    assert!(!dir.join("rules").exists());
}
