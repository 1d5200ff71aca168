//! Two texts, line by line, with what differs within a line: as data, for whoever draws it.

use std::time::{Duration, Instant};

use serde::Serialize;
use similar::{Algorithm, DiffTag, TextDiff, capture_diff_slices_deadline};
use utoipa::ToSchema;

use crate::rehearsal::words;

/// Lines around a change that stay.
const CONTEXT: usize = 3;

/// Lines less alike than this are shown without emphasis: it would be on nearly everything.
const ALIKE: f32 = 0.4;

/// Texts, and lines, so different that comparing takes longer are shown as replaced.
const PATIENCE: Duration = Duration::from_millis(500);

/// How two texts differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Diff {
    /// Lines that are new.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
    /// Where they are; none when the texts are the same.
    pub hunks: Vec<Hunk>,
}

/// Changes that stand close together, with the lines around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hunk {
    /// Its lines, from top to bottom.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Line {
    /// What became of it.
    pub kind: LineKind,
    /// Its number in the old text, from 1.
    pub old: Option<usize>,
    /// Its number in the new text, from 1.
    pub new: Option<usize>,
    /// The line without its end, in pieces.
    pub pieces: Vec<Piece>,
    /// Whether it is the last one and ends without a newline.
    pub unended: bool,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// It stands in both.
    Same,
    /// It stands in the old text only.
    Removed,
    /// It stands in the new text only.
    Added,
}

/// A stretch of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Piece {
    /// Its text.
    pub text: String,
    /// Whether it differs from the line that this one takes the place of.
    pub changed: bool,
}

/// How `new` differs from `old`. Ends of lines count: a file with other ones differs in every line.
#[must_use]
pub fn diff(old: &str, new: &str) -> Diff {
    diff_until(Instant::now() + PATIENCE, old, new)
}

fn diff_until(deadline: Instant, old: &str, new: &str) -> Diff {
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .deadline(deadline)
        .diff_lines(old, new);
    let olds: Vec<&str> = diff.iter_old_slices().collect();
    let news: Vec<&str> = diff.iter_new_slices().collect();
    let mut told = Diff::default();
    for group in diff.grouped_ops(CONTEXT) {
        let mut hunk = Hunk { lines: Vec::new() };
        for op in &group {
            let (tag, old, new) = op.as_tag_tuple();
            if tag == DiffTag::Equal {
                let both = old.clone().zip(new.clone());
                hunk.lines.extend(both.map(|(old, new)| {
                    Line::of(
                        LineKind::Same,
                        (Some(old), Some(new)),
                        olds[old],
                        whole(olds[old]),
                    )
                }));
                continue;
            }
            told.removed += old.len();
            told.added += new.len();
            let pairs = beside(deadline, &olds[old.clone()], &news[new.clone()]);
            let (gone, come): (Vec<_>, Vec<_>) = pairs.unzip();
            let removed = old.zip(gone.into_iter().flatten());
            hunk.lines.extend(
                removed.map(|(at, pieces)| Line::of(LineKind::Removed, (Some(at), None), olds[at], pieces)),
            );
            let added = new.zip(come.into_iter().flatten());
            hunk.lines.extend(
                added.map(|(at, pieces)| Line::of(LineKind::Added, (None, Some(at)), news[at], pieces)),
            );
        }
        told.hunks.push(hunk);
    }
    told
}

impl Line {
    /// `numbers` from 0.
    fn of(kind: LineKind, numbers: (Option<usize>, Option<usize>), text: &str, pieces: Vec<Piece>) -> Self {
        Self {
            kind,
            old: numbers.0.map(|at| at + 1),
            new: numbers.1.map(|at| at + 1),
            pieces,
            unended: !text.ends_with('\n'),
        }
    }
}

/// The pieces of lines that are gone and of those that came, each with the one in its place.
fn beside<'a>(
    deadline: Instant,
    gone: &'a [&'a str],
    come: &'a [&'a str],
) -> impl Iterator<Item = (Option<Vec<Piece>>, Option<Vec<Piece>>)> + 'a {
    (0..gone.len().max(come.len())).map(move |at| match (gone.get(at), come.get(at)) {
        (Some(old), Some(new)) => {
            let (old, new) = within(deadline, old, new);
            (Some(old), Some(new))
        }
        (old, new) => (old.map(|old| whole(old)), new.map(|new| whole(new))),
    })
}

/// Two lines, with what differs between them; no emphasis when they are hardly alike, or when the time is over.
fn within(deadline: Instant, old: &str, new: &str) -> (Vec<Piece>, Vec<Piece>) {
    if Instant::now() >= deadline {
        return (whole(old), whole(new));
    }
    let (from, to) = (words(bare(old)), words(bare(new)));
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &from, &to, Some(deadline));
    if similar::diff_ratio(&ops, from.len(), to.len()) < ALIKE {
        return (whole(old), whole(new));
    }
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for op in ops {
        let (tag, old, new) = op.as_tag_tuple();
        let piece = |text: String| Piece {
            text,
            changed: tag != DiffTag::Equal,
        };
        gone.extend(
            Some(from[old].concat())
                .filter(|text| !text.is_empty())
                .map(piece),
        );
        come.extend(Some(to[new].concat()).filter(|text| !text.is_empty()).map(piece));
    }
    (gone, come)
}

fn whole(line: &str) -> Vec<Piece> {
    let text = bare(line).to_owned();
    if text.is_empty() {
        return Vec::new();
    }
    vec![Piece { text, changed: false }]
}

fn bare(line: &str) -> &str {
    line.trim_end_matches(['\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drawn: `-` and `+`, line numbers, brackets around what changed.
    fn drawn(old: &str, new: &str) -> String {
        let diff = diff(old, new);
        let mut out = String::new();
        for hunk in &diff.hunks {
            for line in &hunk.lines {
                let mark = match line.kind {
                    LineKind::Same => ' ',
                    LineKind::Removed => '-',
                    LineKind::Added => '+',
                };
                let number = |n: Option<usize>| n.map_or("·".to_owned(), |n| n.to_string());
                let text = |piece: &Piece| match piece.changed {
                    true => format!("[{}]", piece.text),
                    false => piece.text.clone(),
                };
                let pieces: String = line.pieces.iter().map(text).collect();
                let end = if line.unended { "⏚" } else { "" };
                out += &format!("{mark}{} {} {pieces}{end}\n", number(line.old), number(line.new));
            }
            out += "…\n";
        }
        format!("+{} -{}\n{out}", diff.added, diff.removed)
    }

    #[test]
    fn a_changed_line_shows_what_changed_in_it() {
        let old = "[[rule]]\nname = \"营业时间\"\nreply = \"9:00–21:00 open\"\n";
        let new = "[[rule]]\nname = \"营业时间\"\nreply = \"9:00–22:00 open\"\nnote = \"x\"";
        insta::assert_snapshot!(drawn(old, new), @r#"
        +2 -1
         1 1 [[rule]]
         2 2 name = "营业时间"
        -3 · reply = "9:00–[21]:00 open"
        +· 3 reply = "9:00–[22]:00 open"
        +· 4 note = "x"⏚
        …
        "#);
    }

    #[test]
    fn changes_far_apart_are_two_hunks_and_none_is_none() {
        let lines = |changed: &[usize]| -> String {
            let line = |n| {
                if changed.contains(&n) {
                    format!("changed {n}\n")
                } else {
                    format!("line {n}\n")
                }
            };
            (1..=30).map(line).collect()
        };
        let told = diff(&lines(&[]), &lines(&[3, 25]));
        assert_eq!((told.hunks.len(), told.added, told.removed), (2, 2, 2));
        assert_eq!(told.hunks[1].lines[0].old, Some(22));
        assert_eq!(diff("a\n", "a\n"), Diff::default());
        assert_eq!(diff("", "a\n").added, 1);
    }

    #[test]
    fn when_the_time_is_over_lines_are_shown_as_replaced() {
        let late = diff_until(Instant::now(), "a 1 b\n", "a 2 b\n");
        let lines = &late.hunks[0].lines;
        assert!(lines.iter().all(|line| line.pieces.len() == 1), "{lines:?}");
        assert_eq!((late.added, late.removed), (1, 1));
    }

    #[test]
    fn ends_of_lines_count() {
        assert_eq!(diff("a\r\nb\r\n", "a\nb\n").added, 2);
    }
}
