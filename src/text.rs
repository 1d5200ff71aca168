//! The normal form: what `exact` and `keywords` compare, and what a search of the log compares too.
//!
//! Nearly every message is made of characters whose normal form does not depend on their neighbours; such text is
//! folded character by character in one pass ([`fold`]). Only where another character occurs (a combining mark,
//! an accented letter, `㎏`) the whole text takes the way through Unicode's normalisation.

use std::ops::{Range, RangeInclusive};
use std::sync::LazyLock;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;
use unicode_normalization::UnicodeNormalization;

/// NFKC, lower case, traditional → simplified (character by character), white space around it dropped.
#[must_use]
pub fn normal_form(text: &str) -> String {
    let mut buffer = String::new();
    match fold(text, &mut buffer) {
        Folded { text, whole: true } => text.trim().to_owned(),
        Folded { whole: false, .. } => full_form(text),
    }
}

/// The normal form for `exact`: closing punctuation (`。！？!?.…~～` and the like, and white space between) is
/// dropped as well.
#[must_use]
pub(crate) fn exact_form(text: &str) -> String {
    without_closing(&normal_form(text)).to_owned()
}

/// Drops the closing punctuation of a normal form. One that is nothing else stays, so that `？` can be a rule.
pub(crate) fn without_closing(normal: &str) -> &str {
    match normal.trim_end_matches(is_closing) {
        "" => normal,
        rest => rest,
    }
}

fn is_closing(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '!' | '?' | '~' | ',' | ';' | ':' | '。' | '、' | '〜')
}

/// Drops what [`exact_form`] drops of a text that was folded whole: white space around it, closing punctuation.
pub(crate) fn exact_chars(folded: &[char]) -> Range<usize> {
    let is_space = |c: &char| c.is_whitespace();
    let start = folded.iter().position(|c| !is_space(c)).unwrap_or(folded.len());
    let last = |keep: &dyn Fn(&char) -> bool| folded.iter().rposition(keep).map_or(start, |last| last + 1);
    match last(&|c| !is_closing(*c)) {
        end if end > start => start..end,
        _ => start..last(&|c| !is_space(c)).max(start),
    }
}

/// Whether `keyword` is in `text`, both in normal form, at a place where its Latin ends are free.
pub(crate) fn contains_keyword(text: &str, keyword: &str) -> bool {
    // Occurrences may overlap: any character may begin one.
    text.char_indices()
        .map(|(start, _)| start)
        .any(|start| text[start..].starts_with(keyword) && ends_free(text, start, start + keyword.len()))
}

/// Whether no Latin letter or digit goes on where `text[start..end]` begins or ends with one: "hi" is not in "this".
pub(crate) fn ends_free(text: &str, start: usize, end: usize) -> bool {
    let (before, inside, after) = (&text[..start], &text[start..end], &text[end..]);
    are_ends_free(
        [before.chars().next_back(), inside.chars().next()],
        [inside.chars().next_back(), after.chars().next()],
    )
}

/// As [`ends_free`], of a text's characters.
pub(crate) fn char_ends_free(text: &[char], start: usize, end: usize) -> bool {
    let at = |place: Option<usize>| text.get(place?).copied();
    are_ends_free(
        [at(start.checked_sub(1)), at(Some(start))],
        [at(end.checked_sub(1)), at(Some(end))],
    )
}

/// The characters on either side of the beginning, and of the end.
#[inline]
fn are_ends_free(beginning: [Option<char>; 2], end: [Option<char>; 2]) -> bool {
    let goes_on = |sides: [Option<char>; 2]| sides.iter().all(|c| c.is_some_and(is_latin));
    !goes_on(beginning) && !goes_on(end)
}

/// A Latin letter, accented or not, or a digit, in normal form.
pub(crate) fn is_latin(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && !matches!(c, '×' | '÷')
}

/// What [`fold`] makes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Folded<'a> {
    /// The folded text. Characters that depend on their neighbours stand as they were.
    pub text: &'a str,
    /// There are none of those: trimmed, this is the normal form.
    pub whole: bool,
}

/// Folds each character by itself, so that `fold(a) + fold(b) == fold(a + b)` always. `buffer` is overwritten when
/// the text is not its own fold.
pub(crate) fn fold<'a>(text: &'a str, buffer: &'a mut String) -> Folded<'a> {
    let han = &*HAN;
    let mut whole = true;
    let mut same = text.len();
    for (at, c) in text.char_indices() {
        match fold_char(han, c) {
            Some(folded) if folded == c => {}
            None if c != ELLIPSIS => whole = false,
            _ => {
                same = at;
                break;
            }
        }
    }
    if same == text.len() {
        return Folded { text, whole };
    }
    buffer.clear();
    buffer.reserve(text.len());
    buffer.push_str(&text[..same]);
    for c in text[same..].chars() {
        match fold_char(han, c) {
            Some(folded) => buffer.push(folded),
            None if c == ELLIPSIS => buffer.push_str("..."),
            None => {
                whole = false;
                buffer.push(c);
            }
        }
    }
    Folded { text: buffer, whole }
}

/// What [`fold_chars`] makes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoldedChars {
    /// No character depends on its neighbours: trimmed, this is the normal form.
    pub whole: bool,
    /// The text is its own fold.
    pub same: bool,
}

/// As [`fold`], into the characters themselves; `out` is overwritten.
pub(crate) fn fold_chars(text: &str, out: &mut Vec<char>) -> FoldedChars {
    let han = &*HAN;
    out.clear();
    // No character becomes more than it has bytes.
    out.reserve(text.len());
    let (mut whole, mut changed) = (true, 0);
    for c in text.chars() {
        match fold_char(han, c) {
            Some(folded) => {
                changed |= folded as u32 ^ c as u32;
                out.push(folded);
            }
            None if c == ELLIPSIS => {
                changed = 1;
                out.extend(['.', '.', '.']);
            }
            None => {
                whole = false;
                out.push(c);
            }
        }
    }
    FoldedChars {
        whole,
        same: changed == 0,
    }
}

/// The way through Unicode's tables. Lowering can undo NFKC (`H̱` has no letter of its own, `ẖ` has), hence again
/// until nothing changes; that takes two passes for any text known, and never more than four.
fn full_form(text: &str) -> String {
    let pass = |text: &str| -> String {
        let lower = text
            .nfkc()
            .flat_map(char::to_lowercase)
            .map(simplified)
            .collect::<String>();
        lower.trim().to_owned()
    };
    let mut form = pass(text);
    for _ in 0..3 {
        let next = pass(&form);
        if next == form {
            break;
        }
        form = next;
    }
    form
}

/// `…`, so common in Chinese, is the one character with a longer form that is folded by itself.
const ELLIPSIS: char = '…';

/// The form of a character that neither depends on its neighbours nor changes theirs; none for any other.
#[inline]
fn fold_char(han: &Han, c: char) -> Option<char> {
    match c {
        '\0'..='\x7f' => Some(c.to_ascii_lowercase()),
        '\u{4e00}'..='\u{9fff}' => Some(han.simplified(c)),
        '\u{3000}' => Some(' '),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).map(|c| c.to_ascii_lowercase()),
        // Punctuation, kana, symbols, emoji with their joiner and their variation selector.
        '·'
        | '\u{200d}'
        | '\u{2013}'..='\u{2014}'
        | '\u{2018}'..='\u{201e}'
        | '\u{2022}'
        | '\u{2600}'..='\u{27bf}'
        | '\u{3001}'..='\u{3029}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fe}'
        | '\u{fe0f}'
        | '\u{1f300}'..='\u{1faff}' => Some(c),
        // Case-insensitive regexes know these two as `k` and `s`.
        '\u{212a}' => Some('k'),
        '\u{17f}' => Some('s'),
        _ => None,
    }
}

fn simplified(c: char) -> char {
    if HAN_RANGE.contains(&c) {
        HAN.simplified(c)
    } else {
        c
    }
}

/// The simplified form of every character in [`HAN_RANGE`], by its distance from [`FIRST_HAN`].
struct Han {
    /// One bit for each character that changes. Most do not, and these 3 KB stay in the fastest cache, where the
    /// table (84 KB) has no room.
    changes: Box<[u64]>,
    table: Box<[char]>,
}

impl Han {
    /// `c` lies in [`HAN_RANGE`].
    #[inline]
    fn simplified(&self, c: char) -> char {
        let at = c as usize - FIRST_HAN;
        if self.changes[at / 64] >> (at % 64) & 1 == 0 {
            c
        } else {
            self.table[at]
        }
    }
}

const FIRST_HAN: usize = 0x4e00;
const HAN_RANGE: RangeInclusive<char> = '\u{4e00}'..='\u{9fff}';

/// Characters whose simplified form depends on the word (瞭解 → 了解, 瞭望 stays): that of the words that customers
/// use is taken always, in rules and messages alike.
const BY_WORD: [(char, char); 10] = [
    ('著', '着'),
    ('瞭', '了'),
    ('藉', '借'),
    ('覆', '复'),
    ('鍊', '链'),
    ('彷', '仿'),
    ('牴', '抵'),
    ('祇', '只'),
    ('衹', '只'),
    ('妳', '你'),
];

/// From OpenCC's table. Made once, when the first text comes.
static HAN: LazyLock<Han> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the dictionary is part of the program")]
    let opencc = OpenCC::from_config(BuiltinConfig::T2s).expect("a built-in dictionary");
    // Line breaks between them keep the characters from forming OpenCC's phrases.
    let every: String = HAN_RANGE.flat_map(|c| [c, '\n']).collect();
    let mut table: Box<[char]> = opencc.convert(&every).chars().step_by(2).collect();
    debug_assert_eq!(table.len(), HAN_RANGE.count());
    for (traditional, simplified) in BY_WORD {
        table[traditional as usize - FIRST_HAN] = simplified;
    }
    // 薴 → 苧 → 苎: go to the end, so that the normal form of a normal form is itself.
    for i in 0..table.len() {
        for _ in 0..4 {
            if HAN_RANGE.contains(&table[i]) {
                table[i] = table[table[i] as usize - FIRST_HAN];
            }
        }
    }
    let mut changes = vec![0; table.len().div_ceil(64)].into_boxed_slice();
    for (at, (c, simplified)) in HAN_RANGE.zip(&table).enumerate() {
        changes[at / 64] |= u64::from(c != *simplified) << (at % 64);
    }
    Han { changes, table }
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::{IsNormalized, is_nfkc_quick};

    use super::*;

    #[test]
    fn width_case_and_script_do_not_matter() {
        for (text, expected) in [
            ("ＡＢＣ１２３，！？～", "abc123,!?~"),
            ("　营业时间 ", "营业时间"),
            ("多少錢", "多少钱"),
            ("諮詢瀋陽門市", "咨询沈阳门市"),
            ("想瞭解、請回覆", "想了解、请回复"),
            ("摺疊傘、項鍊", "折叠伞、项链"),
            ("WiFi 密码…", "wifi 密码..."),
            ("ｶﾞｲﾄﾞ", "ガイド"),
            ("Ａ\u{301}", "á"),
            ("e\u{301}", "é"),
            ("É", "é"),
            ("25㎏", "25kg"),
            ("①", "1"),
            ("👍🏽❤️", "👍🏽❤️"),
            ("", ""),
            (" \u{a0}\n", ""),
        ] {
            assert_eq!(normal_form(text), expected, "{text:?}");
        }
    }

    #[test]
    fn exact_drops_what_closes_a_sentence() {
        for text in [
            "你好",
            "你好。",
            "你好！！",
            "你好 ～",
            "　你好…… ",
            "你好?!",
            "你好，",
            "你好｡",
        ] {
            assert_eq!(exact_form(text), "你好", "{text:?}");
        }
        assert_eq!(exact_form("3.5"), "3.5");
        assert_eq!(exact_form("“你好”"), "“你好”");
        assert_eq!(exact_form("？"), "?", "nothing but punctuation stays");
    }

    #[test]
    fn a_keyword_with_a_latin_end_is_a_word() {
        for (text, keyword, found) in [
            ("this", "hi", false),
            ("hi", "hi", true),
            ("say hi!", "hi", true),
            ("你hi你", "hi", true),
            ("this hi", "hi", true),
            ("a12", "a1", false),
            ("éa", "a", false),
            ("会员vip卡", "vip卡", true),
            ("会员svip卡", "vip卡", false),
            ("vip卡2", "vip卡", true),
            ("01 1 1", "1 1", true),
            ("哈哈", "哈", true),
        ] {
            assert_eq!(contains_keyword(text, keyword), found, "{keyword:?} in {text:?}");
        }
    }

    #[test]
    fn the_quick_way_gives_what_unicode_gives() {
        let mut quick = 0;
        for c in '\0'..=char::MAX {
            let Some(folded) = fold_char(&HAN, c) else {
                continue;
            };
            quick += 1;
            let full: String = c.nfkc().flat_map(char::to_lowercase).map(simplified).collect();
            assert_eq!(full, folded.to_string(), "{c:?}");
            assert!(
                fold_char(&HAN, folded).is_none_or(|again| again == folded),
                "{c:?} goes on"
            );
            assert_eq!(
                is_nfkc_quick([folded].into_iter()),
                IsNormalized::Yes,
                "{c:?} may compose"
            );
        }
        assert!(quick > 22_000);
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9 !?。，！？…～你好多少錢钱諮詢Ａ-Ｚ０-９　]{0,20}",
            "[a-zA-ZÀ-ſİẞΣς\u{300}-\u{36f}\u{3099}かハﾊ-ﾟ㎏①가-힣ᄀ-ᇿ ]{0,12}",
            any::<String>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_normal_form_is_its_own_normal_form(text in text()) {
            let normal = normal_form(&text);
            prop_assert_eq!(normal_form(&normal), normal.clone());
            prop_assert_eq!(full_form(&text), normal, "both ways agree");
            let exact = exact_form(&text);
            prop_assert_eq!(exact_form(&exact), exact);
        }

        #[test]
        fn characters_are_folded_and_cut_as_texts_are(text in text(), start in 0_usize..20, length in 1_usize..5) {
            let (mut buffer, mut chars) = (String::new(), Vec::new());
            let folded = fold(&text, &mut buffer);
            let FoldedChars { whole, same } = fold_chars(&text, &mut chars);
            prop_assert_eq!(chars.iter().collect::<String>(), folded.text);
            prop_assert_eq!((whole, same), (folded.whole, folded.text == text));
            if whole {
                let exact: String = chars[exact_chars(&chars)].iter().collect();
                prop_assert_eq!(exact, exact_form(&text));
            }
            let end = start + length;
            if end <= chars.len() {
                let bytes = |range: &[char]| range.iter().map(|c| c.len_utf8()).sum::<usize>();
                let (start_byte, end_byte) = (bytes(&chars[..start]), bytes(&chars[..end]));
                prop_assert_eq!(
                    char_ends_free(&chars, start, end),
                    ends_free(folded.text, start_byte, end_byte)
                );
            }
        }

        #[test]
        fn folding_knows_no_neighbours(a in text(), b in text()) {
            let fold = |text: &str| fold(text, &mut String::new()).text.to_owned();
            prop_assert_eq!(fold(&(a.clone() + &b)), fold(&a) + &fold(&b));
        }
    }
}
