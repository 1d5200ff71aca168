//! A page of the documentation, taken apart.

use std::collections::BTreeSet;
use std::path::Path;

/// One page.
pub struct Page {
    pub name: &'static str,
    pub text: String,
}

/// A fenced block: its language and its text.
pub struct Block {
    pub language: String,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands as `code` in the first column of a row.
fn first_column(row: &str) -> Vec<&str> {
    let cell = row.trim_start_matches(['|', ' ']).split(" | ").next();
    cell.map_or(Vec::new(), |cell| cell.split('`').skip(1).step_by(2).collect())
}

impl Page {
    /// Reads a page; `name` is its path in the repository.
    pub fn read(name: &'static str) -> Self {
        let text =
            std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, text }
    }

    pub fn blocks(&self, language: &str) -> Vec<Block> {
        self.parts()
            .1
            .into_iter()
            .filter(|block| block.language == language)
            .collect()
    }

    /// The lines outside of fenced blocks, and the blocks.
    pub fn parts(&self) -> (Vec<&str>, Vec<Block>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::<Block>::new());
        let mut open = false;
        for line in self.text.lines() {
            match (line.strip_prefix("```"), blocks.last_mut()) {
                (Some(_), _) if open => open = false,
                (Some(language), _) => {
                    open = true;
                    blocks.push(Block {
                        language: language.to_owned(),
                        text: String::new(),
                    });
                }
                (None, Some(block)) if open => block.text.extend([line, "\n"]),
                _ => prose.push(line),
            }
        }
        assert!(!open, "{}: a block is not closed", self.name);
        (prose, blocks)
    }

    /// The tables, row by row: what stands as `code` in the first column.
    pub fn tables(&self) -> Vec<Vec<Vec<&str>>> {
        let (prose, _) = self.parts();
        let tables = prose.chunk_by(|above, below| above.starts_with('|') == below.starts_with('|'));
        tables
            .filter(|lines| lines[0].starts_with('|'))
            .map(|rows| rows.iter().map(|row| first_column(row)).collect())
            .collect()
    }

    pub fn headings(&self) -> Vec<&str> {
        self.parts()
            .0
            .into_iter()
            .filter(|line| line.starts_with('#'))
            .collect()
    }

    /// Where its links lead that lead into the repository.
    pub fn links(&self) -> Vec<&str> {
        let targets = self
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        targets.filter(|target| !target.starts_with("http")).collect()
    }

    /// Whether a name stands in it as `code`, alone or as a part of something longer.
    pub fn says(&self, name: &str) -> bool {
        let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let found = |code: &str| {
            code.match_indices(name).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                let after = code[at + name.len()..].chars().next();
                !before.is_some_and(inside) && !after.is_some_and(inside)
            })
        };
        let prose = self.parts().0;
        prose
            .into_iter()
            .flat_map(|line| line.split('`').skip(1).step_by(2))
            .any(found)
    }

    pub fn must_say<'n>(&self, what: &str, names: impl IntoIterator<Item = &'n str>) {
        let missing: Vec<_> = names.into_iter().filter(|name| !self.says(name)).collect();
        assert!(missing.is_empty(), "{} lacks {what}: {missing:?}", self.name);
    }

    /// Every link into the repository must lead somewhere; those within the page to a heading.
    pub fn must_lead_somewhere(&self) {
        let anchors = |page: &Self| -> BTreeSet<String> { page.headings().into_iter().map(anchor).collect() };
        let here = anchors(self);
        let folder = root().join(self.name);
        let folder = folder.parent().expect("a file lies in a folder");
        for link in self.links() {
            match link.split_once('#') {
                Some(("", name)) => assert!(here.contains(name), "{}: #{name}", self.name),
                Some((path, name)) => {
                    let text = std::fs::read_to_string(folder.join(path));
                    let text = text.unwrap_or_else(|error| panic!("{}: {link}: {error}", self.name));
                    let there = Self {
                        name: self.name,
                        text,
                    };
                    assert!(anchors(&there).contains(name), "{}: {link}", self.name);
                }
                None => assert!(folder.join(link).exists(), "{}: {link}", self.name),
            }
        }
    }
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
