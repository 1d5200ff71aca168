//! From texts that nobody answered to a rule that would, and the tests that show it.
//!
//! How the keywords are chosen. Each text's normal form is cut into stretches of letters and digits; every stretch of two
//! to eight characters (a Latin word counts as one) may become a keyword, unless it cuts a common word in two, begins or
//! ends with a word of mere politeness, or holds somebody's number. Then, again and again, that one is taken which most
//! of the texts share that have none yet; longer ones count more (`几点开门` says more than `开门`), those made only of words
//! like `怎么` less, and so do those that stand in texts which other rules answer. What another one makes needless is
//! dropped. Where a text has no such stretch at all (`在吗`, `1`), the rule takes exactly these texts instead.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{EditError, RulesEditor};
use crate::import::{many, names_in, quoted, unique};
use crate::message::AppName;
use crate::reload::read_rule_files;
use crate::similar_texts::POLITE;
use crate::text::{contains_keyword, ends_free, exact_form, is_latin, normal_form};

/// Texts beyond these, the rarest, are left out.
const MAX_TEXTS: usize = 100;

/// What is looked at of one text.
const MAX_CHARS: usize = 60;

/// The longest keyword, in characters; a Latin word counts as one.
const LONGEST: usize = 8;

/// So many digits in a row are somebody's number.
const LONG_NUMBER: usize = 4;

/// The longest name, in characters.
const MAX_NAME: usize = 16;

/// Words that stand in questions of any kind.
const COMMON: &[&str] = &[
    "怎么",
    "怎样",
    "什么",
    "多少",
    "哪里",
    "哪儿",
    "哪个",
    "几点",
    "几个",
    "有没有",
    "是不是",
    "这个",
    "那个",
    "为什么",
    "可以",
    "现在",
    "今天",
    "明天",
    "时候",
    "一个",
    "需要",
    "想要",
    "告诉",
    "知道",
    "我们",
    "你们",
    "the",
    "is",
    "what",
    "how",
    "do",
    "you",
    "and",
    "for",
];

/// Characters at whose side a keyword rarely ends well.
const WEAK: &str = "我你您他她它是有在要的了吗么这那就都也还很个和跟给把被会能想请去来";

/// A drafted rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drafted {
    /// Its name, which nothing else has.
    pub name: String,
    /// What it takes: `when.keywords`, or `when.exact` when there is no word to look for.
    pub words: Vec<String>,
    /// Whether it takes exactly the words.
    pub exact: bool,
    /// The texts that it answers, as its tests say.
    pub texts: Vec<String>,
    /// The texts that it does not.
    pub left_out: Vec<String>,
    app: Option<AppName>,
}

impl Drafted {
    /// The rule and its tests as TOML. Without a reply, `reply = ""` stands there: an error that `check` tells of, so
    /// that nobody saves it by accident.
    #[must_use]
    pub fn toml(&self, reply: &str) -> String {
        let name = quoted(&self.name);
        let app = self
            .app
            .as_ref()
            .map(|app| format!("app = {}\n", quoted(app.as_str())));
        let app = app.unwrap_or_default();
        let key = if self.exact { "exact" } else { "keywords" };
        let texts = match self.texts.as_slice() {
            [only] => format!("message = {}", quoted(only)),
            several => format!("each = {}", broken(several)),
        };
        format!(
            "[[rule]]\nname = {name}\n{app}when.{key} = {}\nreply = {}\n\n\
             [[test]]\nname = {name}\n{app}{texts}\nexpect = {{ rule = {name} }}\n",
            many(&self.words),
            quoted(reply),
        )
    }
}

/// A list with a line for each text.
fn broken(texts: &[String]) -> String {
    let lines: String = texts
        .iter()
        .map(|text| format!("  {},\n", quoted(text)))
        .collect();
    format!("[\n{lines}]")
}

impl RulesEditor {
    /// Drafts a rule that answers texts, the commonest first, and has a name of its own. `answered` are texts that other
    /// rules answer.
    pub async fn draft(
        &self,
        texts: Vec<String>,
        app: Option<AppName>,
        answered: Vec<String>,
    ) -> Result<Option<Drafted>, EditError> {
        let rules = self.reloader.source().path.clone();
        let work = move || {
            let files = read_rule_files(&rules)?;
            Ok(draft(&texts, app, &answered, &mut names_in(&files.sources)))
        };
        self.alone(work).await?
    }
}

/// Drafts a rule that answers texts, the commonest first; nothing when there is no text that a rule could ask for. It
/// gets a name that is not `taken`.
#[must_use]
pub fn draft(
    texts: &[String],
    app: Option<AppName>,
    answered: &[String],
    taken: &mut BTreeSet<String>,
) -> Option<Drafted> {
    let mut drafted = Drafted {
        name: String::new(),
        words: Vec::new(),
        exact: false,
        texts: Vec::new(),
        left_out: Vec::new(),
        app,
    };
    let mut forms: Vec<String> = Vec::new();
    for text in texts {
        let form = normal_form(text);
        if forms.contains(&form) && drafted.texts.contains(text) {
            continue;
        }
        if form.is_empty() || forms.len() == MAX_TEXTS {
            drafted.left_out.push(text.clone());
        } else {
            forms.push(form);
            drafted.texts.push(text.clone());
        }
    }
    let answered: Vec<String> = answered
        .iter()
        .map(|text| normal_form(text).chars().take(MAX_CHARS).collect())
        .collect();
    match keywords(&forms, &answered) {
        Some(words) => drafted.words = words,
        None => {
            drafted.exact = true;
            // "@" at its beginning would call for a list.
            let (texts, lists) = std::mem::take(&mut drafted.texts)
                .into_iter()
                .partition(|text| !text.trim().starts_with('@'));
            drafted.texts = texts;
            drafted.left_out.extend::<Vec<String>>(lists);
            let mut seen = BTreeSet::new();
            let words = drafted.texts.iter().filter(|text| seen.insert(exact_form(text)));
            drafted.words = words.map(|text| text.trim().to_owned()).collect();
        }
    }
    let first = drafted.texts.first()?;
    drafted.name = unique(&name(first), taken);
    Some(drafted)
}

/// What a rule for a text is called: the text without politeness around it.
fn name(text: &str) -> String {
    let outside = |c: char| !c.is_alphanumeric();
    let mut rest = text.trim_matches(outside);
    loop {
        let before = rest;
        for word in POLITE {
            rest = rest
                .strip_prefix(word)
                .filter(|_| word.chars().count() > 1)
                .unwrap_or(rest);
            rest = rest.strip_suffix(word).unwrap_or(rest);
        }
        rest = rest.trim_matches(outside);
        if rest == before {
            break;
        }
    }
    let kept = if rest.is_empty() { text.trim() } else { rest };
    let words = kept.split(|c: char| c.is_whitespace() || c.is_control());
    let kept = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    kept.chars().take(MAX_NAME).collect()
}

/// Where a stretch stands in one text.
struct Place {
    text: usize,
    start: usize,
    /// What it is worth to find it there: more where a word seems to begin and to end.
    worth: f64,
}

/// Few keywords, one of which is in each text; none when that is not possible. All in normal form.
fn keywords(texts: &[String], answered: &[String]) -> Option<Vec<String>> {
    let mut found: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for (at, text) in texts.iter().enumerate() {
        for (word, start, worth) in stretches(text) {
            let places = found.entry(word).or_default();
            match places.last_mut().filter(|last| last.text == at) {
                Some(last) => last.worth = last.worth.max(worth),
                None => places.push(Place {
                    text: at,
                    start,
                    worth,
                }),
            }
        }
    }
    let elsewhere = standing_in(found.keys().map(String::as_str), answered);
    let candidates: Vec<(&str, &[Place], f64)> = found
        .iter()
        .map(|(word, places)| {
            let elsewhere = elsewhere.get(word.as_str()).copied().unwrap_or(0);
            let weight = weight(word) / (1.0 + elsewhere as f64);
            (word.as_str(), places.as_slice(), weight)
        })
        .collect();
    let mut open: BTreeSet<usize> = (0..texts.len()).collect();
    let mut chosen: Vec<&str> = Vec::new();
    while !open.is_empty() {
        let score = |places: &[Place], weight: f64| {
            let gained = places.iter().filter(|place| open.contains(&place.text));
            gained.map(|place| place.worth).sum::<f64>() * weight
        };
        // Of equals the longest, then the one that comes first: the same texts always give the same words.
        let best = candidates
            .iter()
            .map(|(word, places, weight)| (score(places, *weight), *word, *places))
            .filter(|(score, ..)| *score > 0.0)
            .max_by(|(a, word, places), (b, other, others)| {
                let first = |places: &[Place]| places.first().map(|place| (place.text, place.start));
                let length = word.chars().count().cmp(&other.chars().count());
                let earlier = first(others).cmp(&first(places));
                a.total_cmp(b).then(length).then(earlier)
            });
        let (_, word, places) = best?;
        chosen.push(word);
        open.retain(|at| places.iter().all(|place| place.text != *at));
    }
    let needed = |chosen: &[&str], without: usize| {
        let others = || chosen.iter().enumerate().filter(|(at, _)| *at != without);
        texts
            .iter()
            .any(|text| others().all(|(_, word)| !contains_keyword(text, word)))
    };
    let mut at = 0;
    while at < chosen.len() {
        if needed(&chosen, at) {
            at += 1;
        } else {
            chosen.remove(at);
        }
    }
    (!chosen.is_empty()).then(|| chosen.into_iter().map(str::to_owned).collect())
}

/// In how many texts each of the words stands, all in normal form, the words of letters and digits. Words and texts may be
/// thousands each, so every stretch of a text is looked up, instead of every word looked for.
fn standing_in<'a>(words: impl Iterator<Item = &'a str>, texts: &[String]) -> HashMap<&'a str, usize> {
    // Beside each number, the text that was counted last.
    let mut counts: HashMap<&str, (usize, usize)> = words.map(|word| (word, (0, usize::MAX))).collect();
    let longest = counts.keys().map(|word| word.chars().count()).max().unwrap_or(0);
    for (at, text) in texts.iter().enumerate() {
        for (start, _) in text.char_indices() {
            let said = text[start..].char_indices().take(longest);
            for (last, c) in said.take_while(|(_, c)| c.is_alphanumeric()) {
                let end = start + last + c.len_utf8();
                if let Some((count, counted)) = counts.get_mut(&text[start..end])
                    && *counted != at
                    && ends_free(text, start, end)
                {
                    (*count, *counted) = (*count + 1, at);
                }
            }
        }
    }
    counts
        .into_iter()
        .map(|(word, (count, _))| (word, count))
        .collect()
}

/// What a keyword is worth by itself: what it says beside words of any question counts.
fn weight(word: &str) -> f64 {
    let mut said = word.to_owned();
    for common in COMMON {
        said = said.replace(common, "");
    }
    let length = match units(&said.chars().collect::<Vec<_>>()) {
        0 => 0.2,
        1 if said.is_ascii() => 1.1,
        1 => 0.8,
        2 => 1.0,
        3 => 1.25,
        4 => 1.35,
        5 => 1.3,
        6 => 1.2,
        _ => 1.1,
    };
    let weak = |c: Option<char>| c.is_some_and(|c| WEAK.contains(c));
    let ends = [weak(word.chars().next()), weak(word.chars().next_back())];
    let ends = ends.into_iter().filter(|weak| *weak).count();
    length * [1.0, 0.7, 0.5][ends]
}

/// Characters, Latin words counted as one.
fn units(chars: &[char]) -> usize {
    let latin = |at: usize| chars.get(at).is_some_and(|c| is_latin(*c));
    (0..chars.len())
        .filter(|&at| !latin(at) || at == 0 || !latin(at - 1))
        .count()
}

/// The stretches of a normal form that may become a keyword: where each begins, and what it is worth there.
fn stretches(text: &str) -> Vec<(String, usize, f64)> {
    let chars: Vec<char> = text.chars().take(MAX_CHARS).collect();
    let Seams { cuts, words } = Seams::of(&chars);
    let mut all = Vec::new();
    for start in (0..chars.len()).filter(|start| cuts[*start]) {
        for end in start + 2..=chars.len() {
            let word = &chars[start..end];
            if !word.iter().all(|c| c.is_alphanumeric()) || units(word) > LONGEST {
                break;
            }
            if cuts[end] && is_telling(word) {
                let weak = |at: usize| chars.get(at).is_some_and(|c| WEAK.contains(*c));
                let begins = words[start] || start > 0 && weak(start - 1);
                let ends = words[end] || weak(end);
                let worth = match (begins, ends) {
                    (true, true) => 1.0,
                    (false, false) => 0.7,
                    _ => 0.85,
                };
                all.push((word.iter().collect(), start, worth));
            }
        }
    }
    all
}

/// The places between the characters of a text.
struct Seams {
    /// Where it may be cut: not within a Latin word, nor within a common one.
    cuts: Vec<bool>,
    /// Where a word begins or ends, as far as that can be told.
    words: Vec<bool>,
}

impl Seams {
    fn of(chars: &[char]) -> Self {
        let latin = |at: usize| chars.get(at).is_some_and(|c| is_latin(*c));
        let letter = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric());
        let places = || 0..=chars.len();
        let mut seams = Self {
            cuts: places()
                .map(|at| at == 0 || !(latin(at - 1) && latin(at)))
                .collect(),
            words: places()
                .map(|at| at == 0 || !letter(at - 1) || !letter(at) || latin(at - 1) != latin(at))
                .collect(),
        };
        // Where the text was broken off, a word may go on.
        if chars.len() == MAX_CHARS {
            seams.cuts[chars.len()] = false;
        }
        for word in POLITE.iter().chain(COMMON) {
            let word: Vec<char> = word.chars().collect();
            let found = chars
                .windows(word.len())
                .enumerate()
                .filter(|(_, found)| *found == word);
            for (at, _) in found {
                seams.cuts[at + 1..at + word.len()].fill(false);
                seams.words[at] = true;
                seams.words[at + word.len()] = true;
            }
        }
        seams
    }
}

fn is_telling(word: &[char]) -> bool {
    let text: String = word.iter().collect();
    let digits = |run: &[char]| run.iter().all(char::is_ascii_digit);
    let particle = |end: &str| end.chars().count() == 1;
    let polite = |word: &&&str| {
        // A particle ends a question; at a beginning the same character is a part of some other word.
        text.ends_with(**word) || text.starts_with(**word) && !particle(word)
    };
    !digits(word) && !word.windows(LONG_NUMBER).any(digits) && POLITE.iter().find(polite).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::{Diagnostic, Source};
    use crate::intake::Policies;
    use crate::rehearsal::run_tests;
    use crate::rules::{Loaded, Scope, check};

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn drafted(texts: &[&str]) -> Drafted {
        draft(&owned(texts), None, &[], &mut BTreeSet::new()).expect("a draft")
    }

    /// The errors and failing tests of a draft in an empty set.
    fn wrong(drafted: &Drafted) -> Vec<Diagnostic> {
        let source = Source::new("draft.toml", drafted.toml("好的"));
        let Loaded {
            set,
            tests,
            mut findings,
        } = check(&[source], &Scope::default());
        findings.retain(Diagnostic::is_error);
        if let Some(set) = &set {
            assert_eq!(tests.len(), 1);
            assert_eq!(tests[0].talks.len(), drafted.texts.len());
            findings.extend(run_tests(set, &tests, &Policies::default()));
        }
        findings
    }

    #[test]
    fn the_words_that_questions_share_become_keywords() {
        for (texts, name, words) in [
            (
                &["几点开门", "你们几点开门啊", "请问幾點開門？"][..],
                "几点开门",
                &["几点开门"][..],
            ),
            (&["怎么退款", "我要退款", "退款怎么弄"], "怎么退款", &["退款"]),
            (&["多少钱", "这个多少钱一杯", "請問多少錢"], "多少钱", &["多少钱"]),
            (&["可以打包吗"], "打包", &["打包"]),
            (&["有WiFi吗", "wifi密码是多少", "ＷＩＦＩ"], "有WiFi", &["wifi"]),
            (
                &["订单 20260105001 到哪了", "订单 33018 到哪了？"],
                "订单 20260105001 到",
                &["订单"],
            ),
            (
                &["能开发票吗", "发票怎么开", "可以开发票吗？"],
                "能开发票",
                &["发票"],
            ),
            (
                &["停车方便吗", "有停车场吗", "车停哪里"],
                "停车方便",
                &["停车", "车停哪里"],
            ),
        ] {
            let drafted = drafted(texts);
            assert_eq!((drafted.name.as_str(), drafted.exact), (name, false), "{texts:?}");
            assert_eq!(drafted.words, words, "{texts:?}");
            assert_eq!(wrong(&drafted), [], "{texts:?}");
        }
    }

    #[test]
    fn without_a_word_to_look_for_the_texts_are_taken_as_they_are() {
        for (texts, words) in [
            (&["在吗", "在吗？", "在么"][..], &["在吗", "在么"][..]),
            (&["1", "１"], &["1"]),
            (&["？？？"], &["？？？"]),
            (&["👍"], &["👍"]),
        ] {
            let drafted = drafted(texts);
            assert!(drafted.exact, "{drafted:?}");
            assert_eq!(drafted.words, words);
            assert_eq!(wrong(&drafted), [], "{texts:?}");
        }
    }

    #[test]
    fn what_no_rule_can_ask_for_is_left_out() {
        let drafted = drafted(&["　", "@", "在吗"]);
        assert_eq!(drafted.left_out, ["　", "@"]);
        assert_eq!(drafted.texts, ["在吗"]);
        assert_eq!(draft(&owned(&[" "]), None, &[], &mut BTreeSet::new()), None);
        assert_eq!(draft(&[], None, &[], &mut BTreeSet::new()), None);
    }

    #[test]
    fn words_of_other_rules_and_their_names_are_kept_clear_of() {
        let texts = owned(&["会员卡怎么办理"]);
        let plain = draft(&texts, None, &[], &mut BTreeSet::new()).expect("a draft");
        let answered = owned(&["会员卡多少钱", "我的会员卡丢了"]);
        let mut taken = BTreeSet::from(["会员卡怎么办理".to_owned()]);
        let clear = draft(&texts, Some("shop".into()), &answered, &mut taken).expect("a draft");
        assert_eq!(clear.name, "会员卡怎么办理 2");
        for word in &clear.words {
            assert!(
                answered.iter().all(|text| !text.contains(word.as_str())),
                "{word}"
            );
        }
        assert!(!plain.words.is_empty());
        assert_eq!(clear.toml("x").matches("app = \"shop\"").count(), 2);
    }

    #[test]
    fn without_a_reply_it_can_not_be_saved() {
        let source = Source::new("draft.toml", drafted(&["几点开门"]).toml(""));
        let loaded = check(&[source], &Scope::default());
        assert!(loaded.set.is_none());
        let errors: Vec<_> = loaded
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .collect();
        assert_eq!(
            errors.iter().map(|error| error.code).collect::<Vec<_>>(),
            ["E007"]
        );
    }

    fn question() -> impl Strategy<Value = String> {
        const PARTS: &[&str] = &[
            "请问",
            "你们",
            "几点",
            "幾點",
            "开门",
            "開門",
            "多少钱",
            "ＷｉＦｉ",
            "wifi",
            " ",
            "，",
            "？",
            "的",
            "吗",
            "退款",
            "怎么",
            "@",
            "1",
            "20260105",
            "a",
            "vip卡",
            "👍",
            "é",
            "\n",
            "\"",
            "{{",
            "店",
            "可以",
        ];
        prop_oneof![
            4 => prop::collection::vec(prop::sample::select(PARTS), 1..6).prop_map(|parts| parts.concat()),
            1 => any::<String>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn words_are_counted_as_rules_find_them(
            texts in prop::collection::vec(question(), 1..8),
            answered in prop::collection::vec(question(), 0..8),
        ) {
            let forms = |texts: &[String]| -> Vec<String> { texts.iter().map(|text| normal_form(text)).collect() };
            let (texts, answered) = (forms(&texts), forms(&answered));
            let words: BTreeSet<String> =
                texts.iter().flat_map(|text| stretches(text)).map(|(word, ..)| word).collect();
            let counted = standing_in(words.iter().map(String::as_str), &answered);
            for word in &words {
                let found = answered.iter().filter(|text| contains_keyword(text, word)).count();
                prop_assert_eq!(counted.get(word.as_str()), Some(&found), "{}", word);
            }
        }

        #[test]
        fn every_draft_answers_its_texts(texts in prop::collection::vec(question(), 1..8)) {
            let Some(drafted) = draft(&texts, None, &[], &mut BTreeSet::new()) else {
                prop_assert!(texts.iter().all(|text| normal_form(text).is_empty() || text.trim().starts_with('@')));
                return Ok(());
            };
            prop_assert_eq!(wrong(&drafted), [], "{}", drafted.toml("好的"));
            for text in &texts {
                prop_assert!(drafted.texts.contains(text) || drafted.left_out.contains(text));
            }
        }
    }
}
