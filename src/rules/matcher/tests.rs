//! The documented semantics one by one, and all together against a linear evaluation that is plainly right.

use std::cell::RefCell;
use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;

use super::*;
use crate::message::Value;
use crate::text::{is_latin, normal_form};

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

fn keywords(list: &[&str]) -> TextConditions {
    TextConditions {
        keywords: strings(list),
        ..TextConditions::default()
    }
}

fn regex(list: &[&str]) -> TextConditions {
    TextConditions {
        regex: strings(list),
        ..TextConditions::default()
    }
}

/// The rules that match each text.
#[track_caller]
fn check(rules: &[TextConditions], cases: &[(&str, &[u32])]) {
    let rules: Vec<_> = rules.iter().cloned().map(Some).collect();
    let matcher = Matcher::build(&rules).expect("valid rules");
    let mut out = vec![99];
    for (text, expected) in cases {
        matcher.matches(Some(text), &Fields::new(), &mut out);
        assert_eq!(out, *expected, "{text:?}");
    }
}

#[test]
fn exact_is_the_whole_text_without_its_closing_punctuation() {
    let exact = TextConditions {
        exact: strings(&["你好", "Hello！"]),
        ..TextConditions::default()
    };
    check(
        &[exact],
        &[
            ("你好", &[0]),
            (" 你好！！ ", &[0]),
            ("hello", &[0]),
            ("ＨＥＬＬＯ", &[0]),
            ("你好吗", &[]),
            ("", &[]),
        ],
    );
}

#[test]
fn keywords_overlap_and_nest_and_are_found_all() {
    check(
        &[
            keywords(&["退款"]),
            keywords(&["退", "款"]),
            keywords(&["怎么退款"]),
            keywords(&["么退"]),
        ],
        &[
            ("怎么退款", &[0, 1, 2, 3]),
            ("退錢", &[1]),
            ("怎麼退款？", &[0, 1, 2, 3]),
            ("你好", &[]),
        ],
    );
}

#[test]
fn a_latin_end_needs_a_free_place() {
    check(
        &[
            keywords(&["hi"]),
            keywords(&["vip卡"]),
            keywords(&["4G"]),
            keywords(&["1 1"]),
        ],
        &[
            ("this", &[]),
            ("this is high, hi", &[0]),
            ("HI你好", &[0]),
            ("svip卡", &[]),
            ("办vip卡2", &[1]),
            ("14G", &[]),
            ("４Ｇ套餐", &[2]),
            ("01 1 1", &[3]),
            ("hié", &[]),
        ],
    );
}

#[test]
fn kinds_combine_by_and() {
    let all = TextConditions {
        all_keywords: strings(&["订单", "退款"]),
        not_keywords: strings(&["已"]),
        ..TextConditions::default()
    };
    let exact_too = TextConditions {
        exact: strings(&["订单退款"]),
        ..keywords(&["订单"])
    };
    let regex_too = TextConditions {
        regex: strings(&[r"\d{3}", "号$"]),
        ..keywords(&["订单"])
    };
    check(
        &[all, exact_too, regex_too],
        &[
            ("退款的订单", &[0]),
            ("订单退款。", &[0, 1]),
            ("订单已退款", &[]),
            ("订单123", &[2]),
            ("订单号", &[2]),
            ("订单", &[]),
            ("123", &[]),
        ],
    );
}

#[test]
fn only_negative_conditions_hold_for_any_other_text_but_not_for_none() {
    let not = TextConditions {
        not_keywords: strings(&["退款"]),
        ..TextConditions::default()
    };
    let matcher = Matcher::build(&[Some(not), None, Some(TextConditions::default())]).expect("valid");
    let mut out = Vec::new();
    matcher.matches(Some("你好"), &Fields::new(), &mut out);
    assert_eq!(out, [0, 2]);
    matcher.matches(Some("退款"), &Fields::new(), &mut out);
    assert_eq!(out, [2]);
    matcher.matches(None, &Fields::new(), &mut out);
    assert_eq!(out, [2], "a condition on the text does not hold without a text");
}

#[test]
fn regexes_see_the_original() {
    check(
        &[
            regex(&["^Abc$"]),
            regex(&["錢"]),
            regex(&["(?i)kiss"]),
            regex(&["Ａ"]),
            regex(&["é"]),
            regex(&["^.$"]),
        ],
        &[
            ("Abc", &[0]),
            ("abc", &[]),
            ("多少錢", &[1]),
            ("多少钱", &[]),
            ("\u{212a}IſS", &[2]),
            ("Ａ", &[3, 5]),
            ("A", &[5]),
            ("é", &[4, 5]),
            ("e\u{301}", &[]),
            ("é錢Ａ kiss", &[1, 2, 3, 4]),
        ],
    );
}

#[test]
fn every_field_must_find_a_value() {
    let fields = |list: &[(&str, &str)]| TextConditions {
        fields: list
            .iter()
            .map(|(p, r)| ((*p).to_owned(), (*r).to_owned()))
            .collect(),
        ..TextConditions::default()
    };
    let rules = [
        Some(fields(&[("SessionFrom", "^home"), ("Info.Id", r"^\d+$")])),
        Some(fields(&[("Title", "home")])),
        Some(TextConditions {
            keywords: strings(&["你好"]),
            ..fields(&[("SessionFrom", "shop")])
        }),
        Some(fields(&[("Shop", "no [0-9]{3}")])),
    ];
    let matcher = Matcher::build(&rules).expect("valid");
    let mut out = Vec::new();
    let mut run = |text: Option<&str>, json: &str| {
        matcher.matches(text, &serde_json::from_str(json).expect("valid"), &mut out);
        out.clone()
    };
    assert_eq!(
        run(None, r#"{"SessionFrom":"home/1","Info":[{"Id":"x"},{"Id":12}]}"#),
        [0]
    );
    assert_eq!(run(None, r#"{"SessionFrom":"home/1","Info":{"Id":"x"}}"#), [0; 0]);
    assert_eq!(run(None, r#"{"SessionFrom":"home/1"}"#), [0; 0]);
    assert_eq!(run(None, r#"{"Title":["a","at home"]}"#), [1]);
    assert_eq!(
        run(None, r#"{"Shop":["no 12","no 1","no 123"]}"#),
        [3],
        "the last value, after two that were tried"
    );
    assert_eq!(run(Some("home"), r#"{"Other":"home"}"#), [0; 0]);
    assert_eq!(run(Some("你好"), r#"{"SessionFrom":"shop"}"#), [2]);
    assert_eq!(run(None, r#"{"SessionFrom":"shop"}"#), [0; 0]);
}

#[test]
fn errors_name_the_rule_and_the_pattern() {
    let error = Matcher::build(&[None, Some(keywords(&["好", "　"]))]).expect_err("an empty keyword");
    assert_eq!((error.rule, error.what.as_str()), (1, "keyword \"\\u{3000}\""));
    assert!(matches!(error.error, PatternError::EmptyKeyword));
    let error = Matcher::build(&[Some(regex(&["a", "(b"]))]).expect_err("no regex");
    assert_eq!((error.rule, error.what.as_str()), (0, "regex \"(b\""));
}

#[test]
fn a_matcher_is_shared_between_threads_and_threads_between_matchers() {
    fn shared<T: Send + Sync>() {}
    shared::<Matcher>();
    let small = Matcher::build(&[Some(keywords(&["a"]))]).expect("valid");
    let large =
        Matcher::build(&[Some(keywords(&["b", "c", "d"])), Some(regex(&["a+", "[0-9]"]))]).expect("valid");
    let mut out = Vec::new();
    for _ in 0..3 {
        large.matches(Some("c 1"), &Fields::new(), &mut out);
        assert_eq!(out, [0, 1]);
        small.matches(Some("c 1"), &Fields::new(), &mut out);
        assert_eq!(out, [0; 0]);
        small.matches(Some("a"), &Fields::new(), &mut out);
        assert_eq!(out, [0]);
    }
}

#[test]
fn the_explanation_names_what_hit_and_what_missed() {
    let rule = TextConditions {
        exact: strings(&["退款"]),
        keywords: strings(&["退", "换"]),
        all_keywords: strings(&["订单", "退"]),
        not_keywords: strings(&["谢谢"]),
        regex: strings(&[r"\d"]),
        fields: vec![("Title".to_owned(), "^x".to_owned())],
    };
    let matcher = Matcher::build(&[Some(rule.clone())]).expect("valid");
    let fields: Fields = [("Title", "yx")].into_iter().collect();
    let lines = matcher.explain(&rule, Some("退订 2"), &fields);
    let expected = [
        (false, r#"exact: the text "退订 2" is not "退款""#),
        (true, r#"keywords: found "退""#),
        (false, r#"all_keywords: did not find "订单""#),
        (true, r#"not_keywords: found none of "谢谢""#),
        (true, r#"regex: "\\d" matches"#),
        (false, r#"fields.Title: "^x" does not match "yx""#),
    ];
    assert_eq!(lines, expected.map(|(holds, line)| (holds, line.to_owned())));
    assert!(
        matcher
            .explain(&rule, None, &Fields::new())
            .iter()
            .all(|(holds, _)| !holds)
    );
}

#[test]
fn required_literals_are_found_inside() {
    for (pattern, expected) in [
        ("订单.*(?:取消|退掉)", vec![vec!["取消", "退掉"], vec!["订单"]]),
        ("(?i)KISS", vec![vec!["kiss"]]),
        ("订单(?:号|编号)?[0-9]+", vec![vec!["订单"]]),
        ("a(?:b|c)d", vec![vec!["abd", "acd"]]),
        ("(?:哈){3}", vec![vec!["哈哈哈"]]),
        ("(?:哈哈)+x?", vec![vec!["哈哈"]]),
        ("(?:好的\\d+|行吧).", vec![vec!["好的", "行吧"]]),
        ("(?:好的|[0-9]+)吗", vec![vec!["吗"]]),
        ("價錢É多少", vec![vec!["价钱"], vec!["多少"]]),
        (
            "(?:refund|return).*word|退款",
            vec![vec!["refund", "return", "退款"], vec!["word", "退款"]],
        ),
        ("(?:好的\\d+)*吗", vec![vec!["吗"]]),
        ("(?:好的\\d+)?吗", vec![vec!["吗"]]),
        ("[0-9]+|a", vec![]),
        ("a?", vec![]),
        ("[甲乙]店", vec![vec!["乙店", "甲店"]]),
    ] {
        let hir = regex_syntax::parse(pattern).expect("valid");
        assert_eq!(literals::required(&hir), expected, "{pattern}");
    }
}

/// Bits of text that touch, nest and fold into each other.
const ATOMS: [&str; 44] = [
    "订单", "订", "单", "單", "号", "號", "退款", "退", "款", "好", "哈", "哈哈", "hi", "h", "i", "this",
    "A", "a", "ａ", "Ａ", "1", "12", "１", "3", " ", "　", "。", "!", "？", "…", ".", "-", "é", "e\u{301}",
    "É", "K", "k", "\u{212a}", "ſ", "s", "ﾊﾞ", "👍", "㎏", "\n",
];

/// Regexes, `A` `B` and `C` to be replaced by atoms.
const TEMPLATES: [&str; 36] = [
    r"(?:A\d+)*B",
    "(?:A.B)?C",
    "A",
    "A.*B",
    "^A$",
    "^(?:A|B)$",
    "(?i)A",
    "(?i)AB",
    r"A\d+",
    r"\d{2,}",
    "^[0-9]{1,3}$",
    "A(?:B)?C",
    "[0-9a]A",
    "A|B|C",
    r"(?:A|\w+)B",
    r"\bA\b",
    "(?:A){2,3}",
    "(?m)^A$",
    "(?i)[k-s]A",
    r"\p{Han}+A",
    r"A.{0,3}(?:B|C)\s*",
    "(?s).A",
    "(?:A.)+",
    "[^0-9]A",
    "(?i:A)?B",
    "A??",
    "(?:AB|C.)+$",
    "[a-h]{2}",
    "A.?$",
    "(?:A|B.|.C)A",
    "^A",
    r"(?:A|\s)(?:B|C){2}",
    "(?-u:[a-k])A",
    r"\BA",
    "[[:alpha:]]{2,}B",
    "(?:A|B)(?:C|A)(?:B|C)",
];

fn atom() -> impl Strategy<Value = &'static str> {
    select(&ATOMS[..])
}

fn phrase(atoms: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = String> {
    vec(atom(), atoms).prop_map(|atoms| atoms.concat())
}

fn keyword() -> impl Strategy<Value = String> {
    phrase(1..4).prop_filter("not empty", |keyword| !normal_form(keyword).is_empty())
}

fn pattern() -> impl Strategy<Value = String> {
    (select(&TEMPLATES[..]), [atom(), atom(), atom()])
        .prop_map(|(template, atoms)| {
            let escaped = atoms.map(regex_syntax::escape);
            template
                .chars()
                .map(|c| match c {
                    'A' => escaped[0].clone(),
                    'B' => escaped[1].clone(),
                    'C' => escaped[2].clone(),
                    // Kept apart, so that `\B` stays what it is.
                    _ => c.to_string(),
                })
                .collect::<String>()
        })
        .prop_filter("a regex", |pattern| Regex::new(pattern).is_ok())
}

const PATHS: [&str; 3] = ["Title", "Info.Id", "Content"];

fn conditions() -> impl Strategy<Value = Option<TextConditions>> {
    let some = |weight: f64, len: usize| {
        (prop::bool::weighted(weight), 1..=len).prop_map(|(on, n)| if on { n } else { 0 })
    };
    let lists = (
        some(0.15, 2),
        some(0.4, 3),
        some(0.2, 2),
        some(0.2, 2),
        some(0.4, 2),
        some(0.2, 2),
    );
    let lists = lists.prop_flat_map(|(exact, any, all, none, regex, fields)| {
        (
            vec(phrase(1..4), exact),
            vec(keyword(), any),
            vec(keyword(), all),
            vec(keyword(), none),
            vec(pattern(), regex),
            vec((select(&PATHS[..]).prop_map(str::to_owned), pattern()), fields),
        )
    });
    let conditions =
        lists.prop_map(
            |(exact, keywords, all_keywords, not_keywords, regex, fields)| TextConditions {
                exact,
                keywords,
                all_keywords,
                not_keywords,
                regex,
                fields,
            },
        );
    prop::option::weighted(0.95, conditions)
}

fn message() -> impl Strategy<Value = (Option<String>, Fields)> {
    let info = vec(phrase(0..4), 0..3).prop_map(|ids| {
        let table = |id: String| Value::Table([("Id", id)].into_iter().collect());
        Value::List(ids.into_iter().map(table).collect())
    });
    (prop::option::weighted(0.9, phrase(0..9)), phrase(0..4), info).prop_map(|(text, title, info)| {
        let content = Value::Text(text.clone().unwrap_or_default());
        let fields = [
            ("Title", Value::Text(title)),
            ("Info", info),
            ("Content", content),
        ];
        (text, fields.into_iter().collect())
    })
}

/// What the documentation says, word by word.
fn plainly(rule: &TextConditions, text: Option<&str>, fields: &Fields) -> bool {
    let on_text = [
        &rule.exact,
        &rule.keywords,
        &rule.all_keywords,
        &rule.not_keywords,
        &rule.regex,
    ];
    let text_holds = on_text.iter().all(|list| list.is_empty())
        || text.is_some_and(|text| {
            let has = |keyword: &String| plainly_contains(&normal_form(text), &normal_form(keyword));
            let same = |exact: &String| plainly_exact(text) == plainly_exact(exact);
            (rule.exact.is_empty() || rule.exact.iter().any(same))
                && (rule.keywords.is_empty() || rule.keywords.iter().any(has))
                && rule.all_keywords.iter().all(has)
                && !rule.not_keywords.iter().any(has)
                && (rule.regex.is_empty() || rule.regex.iter().any(|pattern| plainly_matches(pattern, text)))
        });
    let field_holds = |(path, pattern): &(String, String)| {
        fields
            .path(path)
            .iter()
            .any(|value| plainly_matches(pattern, value))
    };
    text_holds && rule.fields.iter().all(field_holds)
}

fn plainly_contains(text: &str, keyword: &str) -> bool {
    let (text, keyword): (Vec<char>, Vec<char>) = (text.chars().collect(), keyword.chars().collect());
    (0..text.len()).any(|at| {
        let end = at + keyword.len();
        let touches =
            |a: Option<&char>, b: Option<&char>| [a, b].iter().all(|c| c.is_some_and(|c| is_latin(*c)));
        text[at..].starts_with(&keyword)
            && !touches(at.checked_sub(1).map(|before| &text[before]), keyword.first())
            && !touches(text.get(end), keyword.last())
    })
}

fn plainly_exact(text: &str) -> String {
    let normal = normal_form(text);
    let end = normal.trim_end_matches(|c: char| ".!?~。 \n".contains(c)).len();
    normal[..if end == 0 { normal.len() } else { end }].to_owned()
}

fn plainly_matches(pattern: &str, text: &str) -> bool {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        let regex = compiled
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).expect("valid"));
        regex.is_match(text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_matcher_finds_what_a_linear_evaluation_finds(
        rules in vec(conditions(), 1..12),
        messages in vec(message(), 1..12),
    ) {
        let matcher = Matcher::build(&rules).expect("valid rules");
        let mut out = Vec::new();
        for (text, fields) in &messages {
            let text = text.as_deref();
            matcher.matches(text, fields, &mut out);
            let holds = |rule: &Option<TextConditions>| rule.as_ref().is_some_and(|r| plainly(r, text, fields));
            let expected: Vec<u32> = (0..).zip(&rules).filter(|(_, rule)| holds(rule)).map(|(id, _)| id).collect();
            prop_assert_eq!(&out, &expected, "{:?} {:?}", text, fields);
            // One rule of them: explaining compiles all patterns anew.
            for (id, rule) in (0..).zip(&rules).take(1) {
                let Some(rule) = rule else { continue };
                let explained = matcher.explain(rule, text, fields).iter().all(|(holds, _)| *holds);
                prop_assert_eq!(explained, out.contains(&id), "the explanation of {:?} for {:?}", rule, text);
            }
        }
    }
}
