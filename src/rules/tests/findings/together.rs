//! Rules and files beside each other.

use super::*;

#[test]
fn two_rules_of_one_name() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "营业时间"
reply = "x"

[[rule]]
name = "营业时间"
app = "shop"
reply = "y"
"#), @r#"
    error[E006]: two rules are named `营业时间`
     --> shop.toml:6:8
      |
    2 | name = "营业时间"
      |        ---------- first here
    ...
    6 | name = "营业时间"
      |        ^^^^^^^^^^ again here
      |
      = help: the log tells rules apart by their names: rename one
    "#);
}

#[test]
fn findings_of_all_files_come_in_their_order() {
    let sources = [
        Source::new("a.toml", "[[rule]]\nname = 'a'\nreply = 1\npriority = 'x'\n"),
        Source::new("b.toml", "[[rule]]\nname = 'b'\nreply = '{{ c }}'\nfoo = 1\n"),
    ];
    let loaded = load(&sources, &scope());
    let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["E003", "E003", "E015", "E002"]);
}

#[test]
fn two_lists_of_one_name() {
    let sources = [
        Source::new("a.toml", "[lists]\nhi = ['你好']\n"),
        Source::new("b.toml", "[lists]\nhi = ['您好']\n"),
    ];
    let loaded = load(&sources, &scope());
    insta::assert_snapshot!(render(&loaded.findings[0], false), @"
    error[E006]: there are two lists `hi`
     --> b.toml:2:1
      |
    2 | hi = ['您好']
      | ^^ again here
      |
     ::: a.toml:2:1
      |
    2 | hi = ['你好']
      | -- first here
      |
      = help: a list is written once, in any file: put the words together, or rename one
    ");
}

#[test]
fn a_broken_file_causes_no_echo_in_others() {
    let sources = [
        Source::new(
            "a.toml",
            "[lists]\nhi = ['你好'\n\n[[rule]]\nname = 'c'\nset_state = 's'\n",
        ),
        Source::new(
            "b.toml",
            "[[rule]]\nname = 'b'\nwhen.keywords = '@hi'\nwhen.state = 's'\nreply = 'x'\n",
        ),
    ];
    let loaded = load(&sources, &scope());
    let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["E001"]);
}

#[test]
fn a_rule_that_could_not_be_read_is_not_missed_by_its_tests() {
    let test = "[[test]]\nname = \"t\"\neach = [\"1\", \"2\"]\nexpect = { rule = \"b\" }\n";
    let rule =
        |head: &str, name: &str| format!("{head}\nname = \"{name}\"\nwhen.exact = \"1\"\nreply = \"R\"\n");
    for (rules, code) in [
        (rule("[[rules]]", "b"), "E002"),
        (rule("[[rule]]", "a") + &rule("[[rule]]", "a"), "E006"),
        (rule("[[rule]]", "a"), "E032"),
    ] {
        let told = findings(&format!("{rules}{test}"));
        assert!(
            told.contains(code) && told.matches("error[").count() == 1,
            "{code}\n{told}"
        );
    }
}
