//! Where a text has what was searched for, by the meaning of the search: letter case, width and traditional characters
//! aside.

use crate::text::normal_form;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::console) struct Piece {
    pub text: String,
    /// Whether it is what was searched for.
    pub hit: bool,
}

/// Characters of a text that are shown before a match, where there is room for one line only.
const BEFORE: usize = 5;

/// A text in pieces: what is `wanted`, and what stands between.
pub(in crate::console) fn marked(text: &str, wanted: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut done = 0;
    for (start, end) in found(text, wanted) {
        push(&mut pieces, &text[done..start], false);
        push(&mut pieces, &text[start..end], true);
        done = end;
    }
    push(&mut pieces, &text[done..], false);
    pieces
}

/// The same for one line that begins shortly before the first match, and has at most `length` characters.
pub(in crate::console) fn excerpt(text: &str, wanted: &str, length: usize) -> Vec<Piece> {
    let first = found(text, wanted).first().map_or(0, |(start, _)| *start);
    let before: Vec<usize> = text[..first].char_indices().map(|(at, _)| at).collect();
    let skip = before.len().saturating_sub(BEFORE);
    let from = before.get(skip).copied().unwrap_or(first);
    let part = &text[from..];
    let end = part.char_indices().nth(length).map_or(part.len(), |(at, _)| at);
    let mut pieces = marked(&part[..end], wanted);
    if skip > 0 {
        pieces.insert(0, piece("…", false));
    }
    if end < part.len() {
        pieces.push(piece("…", false));
    }
    pieces
}

fn piece(text: &str, hit: bool) -> Piece {
    Piece {
        text: text.to_owned(),
        hit,
    }
}

fn push(pieces: &mut Vec<Piece>, text: &str, hit: bool) {
    if !text.is_empty() {
        pieces.push(piece(text, hit));
    }
}

/// The places of `text`, in bytes, that are `wanted`. Characters are folded one by one, so those whose form depends on
/// their neighbours are not found here, though the search finds them.
fn found(text: &str, wanted: &str) -> Vec<(usize, usize)> {
    let wanted = normal_form(wanted);
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut folded = String::with_capacity(text.len());
    // For each byte of `folded`, the character of `text` that it comes from.
    let mut origin = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let form = if c.is_whitespace() {
            if c == '\u{3000}' {
                " ".to_owned()
            } else {
                c.to_string()
            }
        } else {
            normal_form(c.encode_utf8(&mut [0; 4]))
        };
        origin.extend(std::iter::repeat_n((at, at + c.len_utf8()), form.len()));
        folded.push_str(&form);
    }
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (start, _) in folded.match_indices(&wanted) {
        let (first, last) = (origin[start], origin[start + wanted.len() - 1]);
        // `㎏` holds both of "kg": matches may share a character.
        if places.last().is_none_or(|(_, end)| *end <= first.0) {
            places.push((first.0, last.1));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[Piece]) -> String {
        let pieces = pieces.iter().map(|piece| match piece.hit {
            true => format!("[{}]", piece.text),
            false => piece.text.clone(),
        });
        pieces.collect()
    }

    #[test]
    fn what_was_searched_for_is_marked_as_the_search_means_it() {
        for (text, wanted, expected) in [
            ("请问营业时间是几点", "营业", "请问[营业]时间是几点"),
            ("請問營業時間", "营业", "請問[營業]時間"),
            ("ＯＰＥＮ open Open", "open", "[ＯＰＥＮ] [open] [Open]"),
            ("一 共　多少", "共 多", "一 [共　多]少"),
            ("5㎏ 的米", "kg", "5[㎏] 的米"),
            ("aaaa", "aa", "[aa][aa]"),
            ("<b>", "b", "<[b]>"),
            ("什么都没有", "发货", "什么都没有"),
            ("空", " ", "空"),
            ("", "x", ""),
        ] {
            assert_eq!(told(&marked(text, wanted)), expected);
        }
    }

    #[test]
    fn one_line_begins_shortly_before_the_match() {
        let text = format!("{}发货{}", "很".repeat(30), "吧".repeat(30));
        let line = told(&excerpt(&text, "发货", 20));
        assert_eq!(line, format!("…{}[发货]{}…", "很".repeat(5), "吧".repeat(13)));
        assert_eq!(told(&excerpt("短", "发货", 20)), "短");
    }
}
