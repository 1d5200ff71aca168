//! What `check` finds in rules that load, as a person reads it.

use jiff::civil::Date;

use super::*;
use crate::rules::check;

/// The findings of one file that also has a default rule, as the command line prints them.
fn findings(text: &str) -> String {
    findings_of(&format!("{DEFAULT}\n{text}"))
}

const DEFAULT: &str = "[[rule]]\nname = \"z\"\npriority = -9\nwhen.msg_type = \"text\"\nreply = \"?\"\n";

fn findings_of(text: &str) -> String {
    let mut scope = scope();
    scope.today = Some(Date::constant(2026, 3, 10));
    scope.quota = Some(|kind, msg_type, event| match (kind, msg_type, event) {
        (AppKind::MiniProgram, "event", Some("user_enter_tempsession")) => 2,
        (_, "event", _) => 0,
        _ => 5,
    });
    let jpeg = MediaFile::new(10, Some(b"\xff\xd8\xff\xe0"));
    scope.media.insert("jpeg.png".into(), jpeg);
    scope
        .media
        .insert("logo.svg".into(), MediaFile::new(10, Some(b"<svg/>")));
    scope
        .media
        .insert("empty.png".into(), MediaFile::new(0, Some(b"")));
    scope.media.insert("unread.png".into(), MediaFile::new(9, None));
    scope
        .media
        .insert("huge.gif".into(), MediaFile::new((10 << 20) + 1, Some(b"GIF89a")));
    let loaded = check(&[Source::new("shop.toml", text)], &scope);
    let findings: Vec<String> = loaded
        .findings
        .iter()
        .map(|finding| render(finding, false))
        .collect();
    findings.join("\n\n")
}

#[test]
fn common_characters() {
    insta::assert_snapshot!(findings(r#"[lists]
particles = ["嗎", "茶"]
greetings = ["嗯"]

[[rule]]
name = "a"
when.keywords = ["的", "叶", "@particles", "1"]
when.not_keywords = ["？"]
reply = "x"

[[rule]]
name = "b"
when.exact = ["好", "@greetings"]
reply = "x"
"#), @r#"
    warning[W010]: "嗎" stands in a great many messages
     --> shop.toml:8:14
      |
    8 | particles = ["嗎", "茶"]
      |              ^^^^ one very common character
      |
      = help: write a whole word; for messages that are only this character, use `when.exact`

    warning[W010]: "的" stands in a great many messages
      --> shop.toml:13:18
       |
    13 | when.keywords = ["的", "叶", "@particles", "1"]
       |                  ^^^^ one very common character
       |
       = help: write a whole word; for messages that are only this character, use `when.exact`

    warning[W010]: "？" stands in a great many messages
      --> shop.toml:14:22
       |
    14 | when.not_keywords = ["？"]
       |                      ^^^^ one very common character
       |
       = help: write a whole word; for messages that are only this character, use `when.exact`
    "#);
}

#[test]
fn several_keywords_in_one() {
    insta::assert_snapshot!(findings(r#"[lists]
hours = ["几点开门|几点关门"]

[[rule]]
name = "a"
when.keywords = ["营业时间，几点开门", "@hours", "wi-fi", "24/7"]
reply = "x"

[[rule]]
name = "b"
when.exact = ["你好，在吗", "菜单/点单", "@hours"]
reply = "x"
"#), @r#"
    warning[W011]: "几点开门|几点关门" is one keyword, and is found only as it stands
     --> shop.toml:8:10
      |
    8 | hours = ["几点开门|几点关门"]
      |          ^^^^^^^^^^^^^^^^^^^ probably 2 keywords
      |
      = help: write each one by itself: "几点开门", "几点关门"

    warning[W011]: "营业时间，几点开门" is one keyword, and is found only as it stands
      --> shop.toml:12:18
       |
    12 | when.keywords = ["营业时间，几点开门", "@hours", "wi-fi", "24/7"]
       |                  ^^^^^^^^^^^^^^^^^^^^ probably 2 keywords
       |
       = help: write each one by itself: "营业时间", "几点开门"

    warning[W011]: "菜单/点单" is one keyword, and is found only as it stands
      --> shop.toml:17:24
       |
    17 | when.exact = ["你好，在吗", "菜单/点单", "@hours"]
       |                             ^^^^^^^^^^^ probably 2 keywords
       |
       = help: write each one by itself: "菜单", "点单"
    "#);
}

#[test]
fn a_regex_among_keywords() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keywords = [".*(价格|多少钱).*", "价格"]
reply = "x"
"#), @r#"
    warning[W013]: ".*(价格|多少钱).*" is looked for as it stands, sign by sign
     --> shop.toml:9:18
      |
    9 | when.keywords = [".*(价格|多少钱).*", "价格"]
      |                  ^^^^^^^^^^^^^^^^^^^ looks like a regular expression
      |
      = help: write `when.regex = '.*(价格|多少钱).*'`
    "#);
}

#[test]
fn the_same_keyword_twice() {
    insta::assert_snapshot!(findings(r#"[lists]
price = ["多少钱", "价格"]

[[rule]]
name = "a"
when.keywords = ["WiFi", "多少錢", "@price", "ｗｉｆｉ"]
when.not_keywords = ["wifi"]
reply = "x"

[[rule]]
name = "b"
when.exact = ["在吗", "在吗？"]
reply = "x"
"#), @r#"
    warning[W012]: "多少錢" is the same keyword as "多少钱"
      --> shop.toml:12:26
       |
     8 | price = ["多少钱", "价格"]
       |          -------- first here
    ...
    12 | when.keywords = ["WiFi", "多少錢", "@price", "ｗｉｆｉ"]
       |                          ^^^^^^^^ again here
       |
       = help: leave one out: full width, traditional characters and capitals make no difference

    warning[W012]: "ｗｉｆｉ" is the same keyword as "WiFi"
      --> shop.toml:12:43
       |
    12 | when.keywords = ["WiFi", "多少錢", "@price", "ｗｉｆｉ"]
       |                  ------ first here           ^^^^^^^^^^ again here
       |
       = help: leave one out: full width, traditional characters and capitals make no difference

    warning[W012]: "在吗？" is the same keyword as "在吗"
      --> shop.toml:18:21
       |
    18 | when.exact = ["在吗", "在吗？"]
       |               ------  ^^^^^^^^ again here
       |               |
       |               first here
       |
       = help: leave one out: full width, traditional characters and capitals make no difference
    "#);
}

#[test]
fn a_rule_that_does_nothing() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keywords = ["广告"]

[[rule]]
name = "counted"
when.keywords = ["会员"]
continue = true

[[rule]]
name = "watched"
when.keywords = ["积分"]
observe = true

[[rule]]
name = "not yet"
enabled = false
"#), @r#"
    warning[W014]: this rule takes messages and does nothing with them
     --> shop.toml:8:8
      |
    8 | name = "a"
      |        ^^^ no reply, no action
      |
      = help: write a `reply`, or `continue = true` if it is there to be counted; silence that is meant wants `# wxreply: allow(W014) why`
    "#);
}

#[test]
fn pictures_that_wechat_would_refuse() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keywords = ["菜单"]
reply = [{ image = "jpeg.png" }, { image = "logo.svg" }, { image = "empty.png" }, { image = "unread.png" }, { image = "huge.gif" }]
"#), @r#"
    warning[W015]: `jpeg.png` is a JPEG by its content
      --> shop.toml:10:20
       |
    10 | reply = [{ image = "jpeg.png" }, { image = "logo.svg" }, { image = "empty.png" }, { image = "unread.png" }, { image = "huge.gif" }]
       |                    ^^^^^^^^^^ the name does not say .jpg
       |
       = help: rename it to end in .jpg, here too: it is sent as JPEG

    error[E023]: `logo.svg` is no picture that WeChat takes
      --> shop.toml:10:44
       |
    10 | reply = [{ image = "jpeg.png" }, { image = "logo.svg" }, { image = "empty.png" }, { image = "unread.png" }, { image = "huge.gif" }]
       |                                            ^^^^^^^^^^ no PNG, JPEG or GIF
       |
       = help: save it as PNG or JPEG; another ending of its name alone does not change what it is

    error[E023]: `empty.png` is no picture that WeChat takes
      --> shop.toml:10:68
       |
    10 | reply = [{ image = "jpeg.png" }, { image = "logo.svg" }, { image = "empty.png" }, { image = "unread.png" }, { image = "huge.gif" }]
       |                                                                    ^^^^^^^^^^^ an empty file
       |
       = help: save it as PNG or JPEG; another ending of its name alone does not change what it is

    error[E022]: `huge.gif` has 10.1 MB; WeChat takes at most 10 MB
      --> shop.toml:10:119
       |
    10 | reply = [{ image = "jpeg.png" }, { image = "logo.svg" }, { image = "empty.png" }, { image = "unread.png" }, { image = "huge.gif" }]
       |                                                                                                                       ^^^^^^^^^^ too large
       |
       = help: save it smaller: a phone shows 1080 pixels across, which as JPEG is well under 1 MB
    "#);
}

#[test]
fn one_rule_over_the_quota() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "many"
when.keywords = ["菜单"]
reply = ["1", "2", "3", "4", "5", "6"]

[[rule]]
name = "welcome"
when.event = "user_enter_tempsession"
reply = ["1", "2", "3"]

[[rule]]
name = "gone"
when.event = "unsubscribe"
reply = "bye"

[[rule]]
name = "one of many"
when.keywords = ["绿茶"]
pick = "random"
reply = ["1", "2", "3", "4", "5", "6"]
"#), @r#"
    warning[W016]: WeChat lets 5 replies to one message through, and this rule sends 6
      --> shop.toml:10:9
       |
    10 | reply = ["1", "2", "3", "4", "5", "6"]
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1 too many
       |
       = help: put several texts into one, or send one of them with `pick = "random"`

    warning[W016]: WeChat lets 2 replies to the event `user_enter_tempsession` through, and this rule sends 3
      --> shop.toml:15:9
       |
    15 | reply = ["1", "2", "3"]
       |         ^^^^^^^^^^^^^^^ 1 too many
       |
       = help: put several texts into one, or send one of them with `pick = "random"`

    warning[W016]: WeChat lets no reply to the event `unsubscribe` through
      --> shop.toml:20:9
       |
    20 | reply = "bye"
       |         ^^^^^ never sent
       |
       = help: leave `reply` out, or answer what the customer does next
    "#);
}

#[test]
fn rules_that_go_on_over_the_quota() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "one"
priority = 2
when.keywords = ["茶"]
continue = true
reply = ["1", "2", "3"]

[[rule]]
name = "elsewhere"
priority = 2
app = "club"
when.keywords = ["茶"]
continue = true
reply = ["1", "2", "3"]

[[rule]]
name = "fits"
priority = 1
app = "shop"
when.keywords = ["叶"]
reply = ["1", "2"]

[[rule]]
name = "another dialog"
app = "shop"
when.keywords = ["叶"]
reply = ["1", "2", "3"]
"#), @r#"
    warning[W016]: one message can cause 6 replies here, and WeChat lets 5 through
      --> shop.toml:15:8
       |
     8 | name = "one"
       |        ----- 3 from this one, which goes on
    ...
    15 | name = "elsewhere"
       |        ^^^^^^^^^^^ 3 from this rule
       |
       = help: this is the worst case, when a message matches all of them: let fewer of them `continue`, or say less

    warning[W030]: `another dialog` can never answer: for example, `叶` to the app `shop` goes to `fits` (shop.toml:22)
      --> shop.toml:30:8
       |
    23 | name = "fits"
       |        ------ takes them first
    ...
    30 | name = "another dialog"
       |        ^^^^^^^^^^^^^^^^ rules above always take its messages first
       |
       = help: give it a `priority` above 1, narrow `fits`, or remove it
    "#);
}

#[test]
fn rules_that_exclude_each_other_are_not_added_up() {
    assert_eq!(
        findings(
            r#"[[rule]]
name = "one"
when.exact = "1"
continue = true
reply = ["1", "2", "3"]

[[rule]]
name = "two"
when.exact = ["2", "二"]
reply = ["1", "2", "3"]
"#
        ),
        ""
    );
}

#[test]
fn a_hand_over_at_any_hour() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keywords = ["人工", "客服"]
transfer = true

[[rule]]
name = "too late"
when.keywords = ["人工", "客服"]
when.time = { hours = "21:00-09:00" }
reply = "明天"
"#), @r#"
    warning[W017]: this rule hands over to an agent at any hour
      --> shop.toml:10:12
       |
    10 | transfer = true
       |            ^^^^ also when nobody is there
       |
       = help: WeChat lets the customer wait without a word: add `when.time = { hours = "09:00-21:00" }`, and a second rule with `not = true` that says when somebody is back

    warning[W030]: `too late` can never answer: for example, `人工` on mon 2026-01-05 at 00:00 goes to `a` (shop.toml:7)
      --> shop.toml:13:8
       |
     8 | name = "a"
       |        --- takes them first
    ...
    13 | name = "too late"
       |        ^^^^^^^^^^ rules above always take its messages first
       |
       = help: give it a higher `priority`, or write it above `a`; or narrow that rule, or remove this one
    "#);
    // A rule above it that takes at least the same messages at some hours is what is wanted.
    let night = |when: &str| {
        format!(
            "[[rule]]\nname = \"night\"\n{when}\nwhen.time = {{ hours = \"21:00-09:00\" }}\nreply = \"明天\"\n\n\
             [[rule]]\nname = \"a\"\nwhen.keywords = [\"人工\", \"客服\"]\ntransfer = true\n"
        )
    };
    for wide in [
        "when.keywords = [\"人工\", \"客服\"]",
        "when.keywords = [\"客服\", \"人工\", \"真人\"]",
        "when.msg_type = \"text\"",
        "app = [\"shop\", \"club\"]",
    ] {
        let found = findings(&night(wide));
        assert_eq!(found.contains("W017"), wide.starts_with("app"), "{wide}\n{found}");
    }
    for narrow in [
        "when.keywords = [\"人工\"]",
        "when.keywords = [\"人工\", \"客服\"]\nwhen.misses = 1",
        "when.exact = \"人工\"",
    ] {
        assert!(findings(&night(narrow)).contains("W017"), "{narrow}");
    }
}

#[test]
fn silence_for_what_no_rule_knows() {
    insta::assert_snapshot!(findings_of(r#"[[rule]]
name = "a"
when.keywords = ["几点"]
reply = "x"
"#), @r#"
    warning[W018]: a text that no rule knows is met with silence: there is no default rule for `shop`, `club`
     |
     = help: add a rule that takes any text when no other does: `priority = -100`, `when.msg_type = "text"`, and a `reply` that says what you can help with
    "#);
    insta::assert_snapshot!(findings_of(r#"[[rule]]
name = "day"
app = "shop"
when.msg_type = "text"
when.time = { hours = "09:00-21:00" }
reply = "x"

[[rule]]
name = "all"
app = "club"
when.regex = ".+"
reply = "x"
"#), @r#"
    warning[W018]: a text that no rule knows is met with silence, as on a Monday at 00:00: there is no default rule for `shop`
     |
     = help: add a rule that takes any text when no other does: `priority = -100`, `when.msg_type = "text"`, and a `reply` that says what you can help with
    "#);
    for answered in [
        "when.msg_type = \"text\"\nreply = \"x\"",
        "when.regex = '.'\nreply = \"x\"",
        "when.msg_type = \"text\"\nwhen.time = { hours = \"09:00-21:00\" }\nreply = \"x\"\n[[rule]]\nname = \"b\"\nwhen.msg_type = \"text\"\nwhen.time = { hours = \"09:00-21:00\", not = true }\nreply = \"y\"",
        "when.msg_type = \"text\"\nset_state = \"x\"",
    ] {
        let found = findings_of(&format!("[[rule]]\nname = \"a\"\n{answered}\n"));
        assert!(!found.contains("W018"), "{found}");
    }
    for silent in [
        "observe = true\nreply = \"x\"",
        "enabled = false\nreply = \"x\"",
        "when.msg_type = \"image\"\nreply = \"x\"",
        "when.msg_type = \"text\"\nwhen.misses = 2\nreply = \"x\"",
        "when.msg_type = \"text\"\nwhen.first_message = true\nreply = \"x\"",
        "when.msg_type = \"text\"\ncontinue = true\nset_state = \"x\"",
    ] {
        let found = findings_of(&format!(
            "[[rule]]\nname = \"a\"\n{silent}\n[[rule]]\nname = \"b\"\nwhen.exact = \"x\"\nreply = \"x\""
        ));
        assert!(found.contains("W018"), "{silent}: {found}");
    }
}

#[test]
fn a_template_whose_fixed_part_is_too_long() {
    let long = "好".repeat(683);
    let found = |text: &str| {
        findings(&format!(
            "[[rule]]\nname = \"a\"\nwhen.keywords = [\"菜单\"]\nreply = \"{text}\"\n"
        ))
    };
    let warned = found(&format!("{long}{{{{ now.time }}}}"));
    assert!(
        warned
            .starts_with("warning[W002]: what never changes in this template has 2049 bytes; WeChat refuses"),
        "{warned}"
    );
    assert_eq!(found(&format!("{{% if now.hour > 12 %}}{long}{{% endif %}}")), "");
}

#[test]
fn what_is_allowed_is_silent() {
    let rule = "name = \"a\"\nwhen.keywords = [\"的\", \"广告，推销\"]\nreply = \"x\"\n";
    let codes = |text: &str| -> Vec<String> {
        let found = findings_of(text);
        let codes = found.split("[").filter_map(|part| part.split_once("]: "));
        codes
            .map(|(code, _)| code.to_owned())
            .filter(|code| code.len() == 4)
            .collect()
    };
    let all = format!("{DEFAULT}\n[[rule]]\n{rule}");
    assert_eq!(codes(&all), ["W010", "W011"]);
    for (text, left) in [
        (
            format!("{DEFAULT}\n# wxreply: allow(W010) a shop of that name\n[[rule]]\n{rule}"),
            vec!["W011"],
        ),
        (
            format!("{DEFAULT}\n[[rule]]\n# wxreply: allow(W010, W011) both are meant\n{rule}"),
            vec![],
        ),
        (
            format!("{DEFAULT}\n[[rule]]\n{rule}# wxreply: allow( W011 ) meant\n"),
            vec!["W010"],
        ),
        (
            format!("# wxreply: allow(W010,W011) all meant\n\n{DEFAULT}\n[[rule]]\n{rule}"),
            vec![],
        ),
        // Another rule's comment, or a text that looks like one, allows nothing.
        (
            format!(
                "{DEFAULT}\n# wxreply: allow(W010) not here\n[[rule]]\nname = \"b\"\nreply = \"x\"\nwhen.exact = \"b\"\n[[rule]]\n{rule}"
            ),
            vec!["W021", "W010", "W011"],
        ),
        (
            format!("{DEFAULT}\n[[rule]]\nnote = \"\"\"\n# wxreply: allow(W010) no\"\"\"\n{rule}"),
            vec!["W010", "W011"],
        ),
        (
            format!("# wxreply: allow(W018) silence is meant\n\n[[rule]]\n{rule}"),
            vec!["W010", "W011"],
        ),
    ] {
        assert_eq!(codes(&text), left, "{text}");
    }
}

#[test]
fn comments_that_allow_nothing() {
    insta::assert_snapshot!(findings(r#"# wxreply: allow(W010)
[[rule]]
name = "a"
when.keywords = ["的"]
reply = "x"

[[rule]]
name = "b" # wxreply: allow(E010, W999, W014) because
when.keywords = ["价格"]
reply = "x" # wxreply: ignore W010
"#), @r#"
    warning[W019]: this comment says no reason
     --> shop.toml:7:12
      |
    7 | # wxreply: allow(W010)
      |            ^^^^^^^^^^^ why is it allowed?
      |
      = help: write it like `# wxreply: allow(W010, W011) why it is meant so`

    warning[W020]: E010 is an error, and errors can't be allowed
      --> shop.toml:14:29
       |
    14 | name = "b" # wxreply: allow(E010, W999, W014) because
       |                             ^^^^ can't be allowed
       |
       = help: with an error the rules can't be used: mend what it speaks of

    warning[W020]: no finding about rules has the code `W999`
      --> shop.toml:14:35
       |
    14 | name = "b" # wxreply: allow(E010, W999, W014) because
       |                                   ^^^^ can't be allowed
       |
       = help: write it like `# wxreply: allow(W010, W011) why it is meant so`

    warning[W021]: there is no W014 here to allow
      --> shop.toml:14:41
       |
    14 | name = "b" # wxreply: allow(E010, W999, W014) because
       |                                         ^^^^ silences nothing
       |
       = help: take it away: it would hide the next one, which nobody has seen yet

    warning[W020]: this comment can't be followed
      --> shop.toml:16:24
       |
    16 | reply = "x" # wxreply: ignore W010
       |                        ^^^^^^^^^^^ not understood
       |
       = help: write it like `# wxreply: allow(W010, W011) why it is meant so`
    "#);
}

#[test]
fn a_daemon_reads_allow_comments_but_does_not_judge_what_it_did_not_look_for() {
    let text = "# wxreply: allow(W010, W003) meant\n[[rule]]\nname = \"a\"\nwhen.keywords = [\"的\"]\ndelay = \"1s\"\n";
    assert_eq!(load(&[Source::new("shop.toml", text)], &scope()).findings, []);
}

#[test]
fn one_finding_a_cause() {
    let codes = |text: &str| -> Vec<&str> {
        let sources = [Source::new("shop.toml", text)];
        check(&sources, &scope())
            .findings
            .iter()
            .map(|finding| finding.code)
            .collect()
    };
    let mut wrong = Vec::new();
    for (text, wanted) in [
        // Keys before the first rule, in the part that can't be read.
        (
            "name = \"a\nwhen.keywords = [\"x\"]\nreply = \"x\"\n",
            vec!["E001"],
        ),
        (
            "name = \"a\nreply = 'x'\n[[rule]]\nname = \"b\"\nreply = \"x\"\n",
            vec!["E001"],
        ),
        ("[[rule]]\nname = \"a\"\npick = \"one\"\n", vec!["W014", "E004"]),
        (
            "[[rule]]\nname = \"a\"\nreply = \"x\"\npick = \"one\"\n",
            vec!["E004"],
        ),
        (
            "[[rule]]\nname = \"a\"\nreply = \"x\"\ntyping = \"yes\"\n",
            vec!["E003"],
        ),
        ("[[rule]]\nname = “a”\nreply = \"x\"\n", vec!["E001"]),
        ("[[rule]]\nname = \"a\"\nreply = {{ x }}\n", vec!["E001"]),
        (
            "[[rule]]\nname = \"a\"\nwhen.keywords = [\"x\" \"y\"]\nreply = \"x\"\n",
            vec!["E001"],
        ),
        ("[[rule]\nname = \"a\"\nreply = \"x\"\n", vec!["E001"]),
        ("[[rules]]\nname = \"a\"\nreply = \"x\"\n", vec!["E002"]),
        ("[[rule]]\nname = \"a\"\nreply: \"x\"\n", vec!["E001"]),
        (
            "[[rule]]\nname = \"a\"\nreply = \"\"\"x\n[[rule]]\nname = \"b\"\nreply = \"y\"\n",
            vec!["E001"],
        ),
        ("rule = \"x\"\n", vec!["E003"]),
        ("[[rule]]\nname = 营业\nreply = \"x\"\n", vec!["E001"]),
        (
            "[[rule]]\nname = \"a\"\nwhen.keywords = \"x\"\nwhen = 3\nreply = \"x\"\n",
            vec!["E001"],
        ),
    ] {
        let found = codes(text);
        if found != wanted {
            wrong.push(format!("{found:?} instead of {wanted:?}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_hand_over_that_nobody_stands_in_for() {
    let agent = "[[rule]]\nname = \"agent\"\nwhen.keywords = [\"人工\"]\nwhen.time = { hours = \"09:00-21:00\" }\ntransfer = true\n\n";
    let night = "[[rule]]\nname = \"night\"\nwhen.keywords = [\"人工\"]\nwhen.time = { hours = \"09:00-21:00\", not = true }\nreply = \"明天\"\n\n";
    let default = "[[rule]]\nname = \"default\"\npriority = -9\nwhen.msg_type = \"text\"\nreply = \"?\"\n";
    for rules in [agent.to_owned(), format!("{agent}{default}")] {
        let told = findings(&rules);
        assert!(told.contains("W022") && told.contains("`人工`"), "{told}");
    }
    for rules in [format!("{agent}{night}"), format!("{agent}{night}{default}")] {
        let told = findings(&rules);
        assert!(!told.contains("W022"), "{told}");
    }
    let weekend = night.replace("hours = \"09:00-21:00\", not = true", "days = \"sat,sun\"");
    assert!(
        findings(&format!("{agent}{weekend}")).contains("W022"),
        "Monday night"
    );
}
