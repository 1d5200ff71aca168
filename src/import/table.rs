//! A table of keywords and replies: CSV, as a spreadsheet saves it.

use std::collections::BTreeMap;

use super::draft::{Draft, Drafts, When};
use super::{Note, Refused};
use crate::text::normal_form;

/// What the first row may call the column of keywords.
const KEYWORD: &[&str] = &[
    "keyword",
    "keywords",
    "关键词",
    "关键字",
    "触发词",
    "问题",
    "question",
];
/// What it may call the column of replies.
const REPLY: &[&str] = &[
    "reply",
    "replies",
    "answer",
    "回复",
    "回复内容",
    "自动回复",
    "回答",
    "答案",
    "内容",
];

/// What stands between keywords in one cell.
const BETWEEN: &[char] = &[',', '，', '、', ';', '；', '|', '/', '\n', '\r'];

/// Keywords with one answer.
struct Group {
    /// In the order in which they came.
    words: Vec<String>,
    replies: Vec<String>,
}

pub(super) fn read(text: &str) -> Result<Drafts, Refused> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut drafts = Drafts::default();
    let mut skip = |line: u64, what: &str| {
        drafts.notes.push(Note {
            rule: None,
            what: format!("line {line} was left out: {what}"),
            advice: "write a keyword and a reply into it, and import it again or add the rule by hand"
                .to_owned(),
        });
    };
    let mut columns = None;
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for row in reader.records() {
        // From a text in memory nothing can fail but the quotes, and those are taken as they come.
        let Ok(row) = row else { continue };
        if row.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if columns.is_none() {
            columns = header(&row);
            if columns.is_some() {
                continue;
            }
        }
        let (keyword, reply) = *columns.get_or_insert((0, 1));
        let line = row.position().map_or(0, csv::Position::line);
        let words = words(row.get(keyword).unwrap_or_default());
        let reply = row.get(reply).unwrap_or_default().trim().replace("\r\n", "\n");
        match (words.is_empty(), reply.is_empty()) {
            (true, _) => skip(line, "it has no keyword"),
            (false, true) => skip(line, "it has no reply"),
            (false, false) => {
                let place = *places.entry(reply.clone()).or_insert_with(|| {
                    groups.push(Group {
                        words: Vec::new(),
                        replies: vec![reply],
                    });
                    groups.len() - 1
                });
                groups[place].words.extend(words);
            }
        }
    }
    for group in one_group_a_word(&groups) {
        let name = group.words.first().map_or("", String::as_str);
        let mut draft = Draft::new(name, When::Keywords(group.words.clone()));
        draft.random = group.replies.len() > 1;
        draft.replies = group.replies;
        if draft.random {
            draft.note(
                format!(
                    "the table has {} replies for it; one of them is sent by chance",
                    draft.replies.len()
                ),
                "delete `pick` to send all of them",
            );
        }
        draft.tidy();
        drafts.rules.push(draft);
    }
    if drafts.rules.is_empty() {
        let left_out = drafts.notes.len();
        return Err(Refused::Empty(if left_out > 0 {
            format!(
                ": {left_out} have only one of them; the first column is for keywords, the second for replies"
            )
        } else {
            String::new()
        }));
    }
    Ok(drafts)
}

/// What stands between cells most often, in the first line.
fn delimiter(text: &str) -> u8 {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let count = |delimiter: u8| line.bytes().filter(|byte| *byte == delimiter).count();
    if count(b'\t') > 0 {
        b'\t'
    } else if count(b',') == 0 && count(b';') > 0 {
        b';'
    } else {
        b','
    }
}

/// The columns, if this row names them.
fn header(row: &csv::StringRecord) -> Option<(usize, usize)> {
    let find = |names: &[&str]| {
        row.iter().position(|cell| {
            let cell = cell.trim().to_lowercase();
            names.contains(&cell.as_str())
        })
    };
    Some((find(KEYWORD)?, find(REPLY)?))
}

fn words(cell: &str) -> Vec<String> {
    let words = cell.split(BETWEEN).map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// A keyword that stands in several groups gets one of its own, with the replies of all of them: otherwise only the
/// first would ever answer.
fn one_group_a_word(groups: &[Group]) -> Vec<Group> {
    let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, group) in groups.iter().enumerate() {
        for word in &group.words {
            let groups = holders.entry(normal_form(word)).or_default();
            if groups.last() != Some(&at) {
                groups.push(at);
            }
        }
    }
    let mut out: Vec<Group> = Vec::new();
    let mut places: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    for word in groups.iter().flat_map(|group| &group.words) {
        // What is gone from the map has its place already.
        let Some(holding) = holders.remove(&normal_form(word)) else {
            continue;
        };
        let replies = || {
            holding
                .iter()
                .flat_map(|at| groups[*at].replies.clone())
                .collect()
        };
        let place = *places.entry(holding.clone()).or_insert_with(|| {
            out.push(Group {
                words: Vec::new(),
                replies: replies(),
            });
            out.len() - 1
        });
        out[place].words.push(word.clone());
    }
    out
}
