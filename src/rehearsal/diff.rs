//! Two texts, line by line, and what differs within a line.

use similar::{Algorithm, ChangeTag, DiffTag, TextDiff, capture_diff_slices};

/// Lines less alike than this are not set beside each other: nobody could read it.
const ALIKE: f32 = 0.4;

/// The replies expected and those that came: `-` before a line that is missing, `+` before one that is too much, `~`
/// before a line that shows what differs in the two above it.
pub(super) fn replies(expected: &[String], got: &[String]) -> Vec<String> {
    // The last line ends as the others do, or it would differ from the same line further up.
    let text = |replies: &[String]| replies.iter().flat_map(|reply| [reply, "\n"]).collect::<String>();
    let (expected, got) = (text(expected), text(got));
    let diff = TextDiff::from_lines(&expected, &got);
    let mut lines = Vec::new();
    for op in diff.ops() {
        let of = |tag: ChangeTag| {
            let changes = diff.iter_changes(op).filter(move |change| change.tag() == tag);
            changes.map(|change| change.value().trim_end_matches('\n').to_owned())
        };
        let (gone, new): (Vec<_>, Vec<_>) =
            (of(ChangeTag::Delete).collect(), of(ChangeTag::Insert).collect());
        lines.extend(of(ChangeTag::Equal).map(|line| format!("  {line}")));
        lines.extend(gone.iter().map(|line| format!("- {line}")));
        lines.extend(new.iter().map(|line| format!("+ {line}")));
        if let ([gone], [new]) = (&gone[..], &new[..]) {
            lines.extend(within(gone, new).map(|line| format!("~ {line}")));
        }
    }
    lines
}

/// One line in which `[-…-]` is missing and `{+…+}` is new; nothing when the two are hardly alike.
fn within(gone: &str, new: &str) -> Option<String> {
    let (old, new) = (words(gone), words(new));
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    if similar::diff_ratio(&ops, old.len(), new.len()) < ALIKE {
        return None;
    }
    let mut line = String::new();
    for op in ops {
        let (tag, from, to) = op.as_tag_tuple();
        let (gone, new) = (old[from].concat(), new[to].concat());
        match tag {
            DiffTag::Equal => line.push_str(&gone),
            DiffTag::Delete => line.push_str(&format!("[-{gone}-]")),
            DiffTag::Insert => line.push_str(&format!("{{+{new}+}}")),
            DiffTag::Replace => line.push_str(&format!("[-{gone}-]{{+{new}+}}")),
        }
    }
    Some(line)
}

/// Latin words and numbers whole, all else by characters, as Chinese has no spaces.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let latin = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(latin.max(first.len_utf8()));
        words.push(word);
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(expected: &[&str], got: &[&str]) -> String {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        replies(&owned(expected), &owned(got)).join("\n")
    }

    #[test]
    fn a_changed_number_is_shown_within_its_line() {
        insta::assert_snapshot!(diff(&["我们每天 9:00–21:00 营业。"], &["我们每天 10:00–21:00 营业！"]), @"
        - 我们每天 9:00–21:00 营业。
        + 我们每天 10:00–21:00 营业！
        ~ 我们每天 [-9-]{+10+}:00–21:00 营业[-。-]{+！+}
        ");
    }

    #[test]
    fn lines_that_stay_are_shown_around_those_that_do_not() {
        insta::assert_snapshot!(diff(&["今天有：\n1 绿茶\n2 红茶", "图"], &["今天有：\n2 红茶", "图", "再见"]), @"
          今天有：
        - 1 绿茶
          2 红茶
          图
        + 再见
        ");
    }

    #[test]
    fn texts_that_have_nothing_in_common_are_only_set_below_each_other() {
        insta::assert_snapshot!(diff(&["您好"], &["这句我还没学会。"]), @"
        - 您好
        + 这句我还没学会。
        ");
        assert_eq!(diff(&[], &["您好"]), "+ 您好");
        assert_eq!(diff(&["您好"], &[]), "- 您好");
    }
}
