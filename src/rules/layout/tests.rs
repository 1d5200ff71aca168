//! What is laid out how, and that nothing is lost or changed on the way.

use proptest::prelude::*;

use super::*;
use crate::rules::tests::scope;

fn laid_out(text: &str) -> String {
    let source = Source::new("a.toml", text);
    let out = layout(&source).unwrap_or_else(|findings| panic!("{text}\n{findings:?}"));
    let again = layout(&Source::new("a.toml", out.as_str()));
    assert_eq!(
        again.as_deref(),
        Ok(out.as_str()),
        "laid out twice; at first\n{text}"
    );
    let proof = same(&[source], &[Source::new("a.toml", out.as_str())], &scope());
    assert_eq!(proof, Ok(()), "{text}\n→\n{out}");
    out
}

#[test]
fn a_careless_file_becomes_a_tidy_one() {
    let careless = r#"#:schema ../.schema/rules.json


# The shop.
#   Every day.
[lists]
hello=['你好',"在吗"   ,]   # greetings


# First.

# wxreply: allow(W010) on purpose
[[rule]]   # a header's
reply="您好"
   # by whom
owner = '小叶'


when . keywords=["@hello"]   # what
priority   =  0x10
name ="打招呼"
# commented = "out"

[[rule]]
name="查订单"

delay="1s"
when.regex="订单\\s*(?<order>\\d+)"
[rule.cooldown]
then="next"
time="1h"
[[rule]]
when={keywords=[
  "a",
]}
name = "c"
reply = """
几行
  字"""


# The end.
"#;
    insta::assert_snapshot!(laid_out(careless), @r#"
    #:schema ../.schema/rules.json

    # The shop.
    #   Every day.
    [lists]
    hello = ["你好", "在吗"]  # greetings

    # First.

    # wxreply: allow(W010) on purpose
    [[rule]]  # a header's
    name = "打招呼"
    # by whom
    owner = "小叶"
    priority = 0x10

    when.keywords = ["@hello"]  # what
    reply = "您好"
    # commented = "out"

    [[rule]]
    name = "查订单"
    when.regex = '订单\s*(?<order>\d+)'

    delay = "1s"

    [rule.cooldown]
    then = "next"
    time = "1h"

    [[rule]]
    name = "c"
    when = { keywords = ["a"] }
    reply = """
    几行
      字"""

    # The end.
    "#);
}

#[test]
fn long_lists_are_broken_and_short_ones_are_not() {
    let text = r#"[[rule]]
name = "a"
when.keywords = [
  "一",
  "二"
]
when.not_keywords = ["一二三四五六七八九十", "一二三四五六七八九十", "一二三四五六七八九十", "一二三"]
when.all_keywords = ["一二三四五六七八九十", "一二三四五六七八九十", "一二三四五六七八九十", "一二三四"]
when.time = { hours = "09:00-18:00", dates = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"] }
reply = [{ text = "short" }, """
几
行""", "x"]

[[rule]]
name = "b"
reply = [{ mini_program_page = { title = "订单", page_path = "pages/order/detail?id=1234567890123456789", thumb = "images/t.png" } }, "x"]

[[rule]]
name = "c"
when.time = { # in braces
  hours = "09:00-18:00", days = "mon-fri" # and here
  # at the end
}
reply = { link = {
  title = "t", description = "d",
  url = "https://example.com/a-long-way-to-go/and-further", thumb_url = "https://example.com/t.png" } }
"#;
    insta::assert_snapshot!(laid_out(text), @r#"
    [[rule]]
    name = "a"
    when.keywords = ["一", "二"]
    when.all_keywords = [
        "一二三四五六七八九十",
        "一二三四五六七八九十",
        "一二三四五六七八九十",
        "一二三四",
    ]
    when.not_keywords = [
        "一二三四五六七八九十",
        "一二三四五六七八九十",
        "一二三四五六七八九十",
        "一二三",
    ]
    when.time = { hours = "09:00-18:00", dates = [
        "2026-01-01",
        "2026-02-01",
        "2026-03-01",
        "2026-04-01",
    ] }
    reply = [
        { text = "short" },
        """
    几
    行""",
        "x",
    ]

    [[rule]]
    name = "b"
    reply = [
        { mini_program_page = { title = "订单", page_path = "pages/order/detail?id=1234567890123456789", thumb = "images/t.png" } },
        "x",
    ]

    [[rule]]
    name = "c"
    when.time = {  # in braces
        hours = "09:00-18:00",
        days = "mon-fri",  # and here
        # at the end
    }
    reply = { link = {
        title = "t",
        description = "d",
        url = "https://example.com/a-long-way-to-go/and-further",
        thumb_url = "https://example.com/t.png",
    } }
    "#);
}

#[test]
fn comments_within_lists_stay_where_they_are() {
    let text = r#"[[rule]]
name = "a"
when.keywords = [ # first
    # above one
  "one", # behind one

  "two" # behind two
  , "three",
  # above the end

] # behind all
when.exact = [
  # nothing yet, but this
  "x"]
reply = "r"
"#;
    insta::assert_snapshot!(laid_out(text), @r#"
    [[rule]]
    name = "a"
    when.exact = [
        # nothing yet, but this
        "x",
    ]
    when.keywords = [  # first
        # above one
        "one",  # behind one

        "two",  # behind two
        "three",
        # above the end
    ]  # behind all
    reply = "r"
    "#);
}

#[test]
fn quotes_are_double_unless_single_ones_save_backslashes() {
    let pairs = [
        ("'茶'", "\"茶\""),
        ("\"a\\\\b\"", "'a\\b'"),
        ("\"say \\\"hi\\\"\"", "'say \"hi\"'"),
        ("'\\d+'", "'\\d+'"),
        ("\"it's \\\"so\\\"\"", "\"it's \\\"so\\\"\""),
        ("\"a\\nb\"", "\"a\\nb\""),
        ("\"\\u8336\\\\\"", "\"\\u8336\\\\\""),
        ("'''x'''", "'''x'''"),
    ];
    for (written, wanted) in pairs {
        let out = laid_out(&format!("[[rule]]\nname = 'n'\nnote = {written}\n"));
        assert_eq!(out, format!("[[rule]]\nname = \"n\"\nnote = {wanted}\n"));
    }
}

#[test]
fn windows_leaves_no_trace() {
    let text = "\u{feff}[[rule]]\r\nname = \"a\"\r\n\r\n# c\r\nreply = \"\"\"\r\none\r\ntwo\"\"\"\r\n";
    assert_eq!(
        laid_out(text),
        "[[rule]]\nname = \"a\"\n\n# c\nreply = \"\"\"\none\ntwo\"\"\"\n"
    );
}

#[test]
fn small_files_keep_what_they_have() {
    for text in ["", "# only words\n", "[lists]\n", "# a\n\n# b\n", "a = 1\n"] {
        assert_eq!(laid_out(text), text);
    }
    assert_eq!(laid_out("\n\n# only words"), "# only words\n");
    assert_eq!(
        laid_out("x = [ ]\ny = { }\nz = [ # c\n]\n"),
        "x = []\ny = {}\nz = [  # c\n]\n"
    );
}

#[test]
fn what_is_no_toml_is_told_as_check_tells_it() {
    let findings = layout(&Source::new("a.toml", "[[rule]\nname = \"a\"\n")).expect_err("broken");
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, "E001");
    let place = findings[0].place.as_ref().expect("a place");
    assert_eq!(place.source.line_column(place.span.start).0, 1);
}

#[test]
fn the_repositorys_own_files_keep_their_meaning() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["rules", "docs"] {
        for entry in std::fs::read_dir(root.join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            let text = || std::fs::read_to_string(&path).expect("readable");
            match kind {
                Some("toml") => texts.push(text()),
                Some("md") => texts.extend(blocks(&text())),
                _ => {}
            }
        }
    }
    for page in ["README.md", "README.zh-CN.md"] {
        texts.extend(blocks(
            &std::fs::read_to_string(root.join(page)).expect("readable"),
        ));
    }
    assert!(texts.len() > 8, "{}", texts.len());
    for text in texts {
        let out = laid_out(&text);
        let count = |text: &str| text.matches('#').count();
        assert_eq!(count(&text), count(&out), "a comment was lost\n{text}\n→\n{out}");
    }
}

/// The blocks of a page that are TOML.
fn blocks(page: &str) -> Vec<String> {
    page.split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.parse::<DocumentMut>().is_ok())
        .map(str::to_owned)
        .collect()
}

/// A line end: nothing, blank lines, comments. `%` becomes a number, so that each comment is told from the others.
fn gap() -> impl Strategy<Value = String> {
    let pick = prop::sample::select(vec![
        "\n",
        "\n",
        "\n\n\n",
        " # c%\n",
        "\t#c%  \n# c%\n",
        "\n\n  # c%\n\n",
        "\r\n# c%\r\n\n\n# c%\n",
    ]);
    pick.prop_map(str::to_owned)
}

/// A list or a table between braces, with gaps between its items.
fn items(open: &'static str, item: &'static str, close: &'static str) -> impl Strategy<Value = String> {
    (prop::collection::vec((gap(), gap()), 0..5), gap(), any::<bool>()).prop_map(move |(gaps, end, comma)| {
        let mut text = open.to_owned();
        let last = gaps.len();
        for (at, (before, after)) in gaps.into_iter().enumerate() {
            let comma = if at + 1 < last || comma { "," } else { "" };
            text += &format!("{before}{}{after}{comma}", item.replace('@', &at.to_string()));
        }
        text + &end + close
    })
}

fn value() -> impl Strategy<Value = String> {
    let simple = prop::sample::select(vec![
        "'x'",
        "\"x\"",
        "\"a\\\\b\"",
        "'''\n x'''",
        "0x1F",
        "1_000",
        "true",
        "2026-01-05T10:00:00+08:00",
        "[ 'a','b' ]",
        "{a=1,b={c.d=[ ]}}",
        "[[1,2],[\"三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三三\"]]",
        "{ dates = ['2026-10-01..2026-10-07','2026-11-01..2026-11-07','2026-12-01..2026-12-07','2026-12-11..2026-12-17'] }",
        "{\n a = 1, b = [\n2 # c%\n] }",
    ]);
    prop_oneof![
        4 => simple.prop_map(str::to_owned),
        1 => items("[", "'item @ 一二三四五六七'", "]"),
        1 => items("[", "{ text = 'x' }", "]"),
        1 => items("{", "key@ = 'v'", "}"),
    ]
}

fn table() -> impl Strategy<Value = String> {
    let key = prop::sample::subsequence(
        vec![
            "name",
            "reply",
            "when.keywords",
            "when . time.hours",
            "\"priority\"",
            "when.\"fields\".A",
            "unknown",
            "note",
            "'中文'",
        ],
        0..9,
    );
    let header = prop::sample::select(vec!["[[rule]]", "[ [rule] ]", "[[ test ]]"]);
    let header = header.prop_map(|header| header.replace("[ [", "[[").replace("] ]", "]]"));
    let sub = prop::sample::select(vec!["", "", "[rule.cooldown]", "[rule.sub.deep]"]);
    (
        header,
        gap(),
        key.prop_shuffle(),
        prop::collection::vec((value(), gap()), 9),
        sub,
        gap(),
    )
        .prop_map(|(header, after, keys, values, sub, end)| {
            let mut text = header.clone() + &after;
            for (key, (value, gap)) in keys.iter().zip(values) {
                text += &format!("{key}={value}{gap}");
            }
            if header.contains("rule") && !sub.is_empty() {
                text += &format!("{sub}{end}z=1\na=2\n");
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_lost_and_the_second_time_changes_nothing(
        top in gap(),
        tables in prop::collection::vec(table(), 0..4),
        end in prop::sample::select(vec!["", "# c%", "\n\n# c%\n\n"]),
    ) {
        let mut text = String::new();
        let pieces = top + &tables.concat() + end;
        for (number, piece) in pieces.split('%').enumerate() {
            if number > 0 {
                text += &format!("<{number}>");
            }
            text += piece;
        }
        prop_assume!(text.replace("\r\n", "\n").parse::<DocumentMut>().is_ok());
        let out = laid_out(&text);
        for number in 1..pieces.split('%').count() {
            prop_assert_eq!(out.matches(&format!("<{number}>")).count(), 1, "{}\n→\n{}", text, out);
        }
        prop_assert!(!out.contains('\r') && !out.contains("\n\n\n") && !out.starts_with('\n'));
        prop_assert!(out.is_empty() || out.ends_with('\n') && !out.ends_with("\n\n"));
    }
}
