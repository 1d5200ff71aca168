//! The codes of findings, as data, and the page that says more about each (`docs/findings.md`).

use super::Severity;

/// A code that findings bear. Once given out, it keeps its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `E…`, `W…`, or `C…` for what is wrong with a config.
    pub code: &'static str,
    /// How much its findings weigh.
    pub severity: Severity,
    title: &'static str,
}

/// A language in which the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// 中文
    Chinese,
}

const ENGLISH: &str = include_str!("../../docs/findings.md");
const CHINESE: &str = include_str!("../../docs/findings.zh-CN.md");

impl Code {
    /// A code whose letter tells its weight: `W` for a warning, else an error.
    pub(crate) const fn new(code: &'static str, title: &'static str) -> Self {
        let severity = match code.as_bytes() {
            [b'W', ..] => Severity::Warning,
            _ => Severity::Error,
        };
        Self {
            code,
            severity,
            title,
        }
    }

    /// The same code, its findings warnings.
    pub(crate) const fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// What it means, in a few words without a full stop: the first sentence of its documentation.
    #[must_use]
    pub fn title(&self) -> &'static str {
        let first = self.title.trim().split(". ").next().unwrap_or_default();
        first.trim_end_matches('.')
    }
}

/// The page with the section of every code.
#[must_use]
pub fn page(language: Language) -> &'static str {
    match language {
        Language::English => ENGLISH,
        Language::Chinese => CHINESE,
    }
}

/// What the page says about a code: its heading and all below, up to the next.
#[must_use]
pub fn section(code: &str, language: Language) -> Option<&'static str> {
    let page = page(language);
    let start = page.find(&format!("\n## {code} "))? + 1;
    let mut end = start;
    let mut in_example = false;
    for line in page[start..].split_inclusive('\n') {
        // In an example, a line may begin with a comment.
        in_example ^= line.starts_with("```");
        if !in_example && end > start && (line.starts_with("# ") || line.starts_with("## ")) {
            break;
        }
        end += line.len();
    }
    Some(page[start..end].trim_end())
}

/// Where the section stands, as a link from the root of the repository.
#[must_use]
pub fn link(code: &str) -> Option<String> {
    let heading = section(code, Language::English)?.lines().next()?;
    let anchor: String = heading
        .trim_start_matches("## ")
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect();
    Some(format!("docs/findings.md#{anchor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let one = section("W010", Language::English).expect("it has one");
        assert!(one.starts_with("## W010 A keyword of one very common character\n"));
        assert!(!one.contains("## W011") && one.contains("```toml"));
        let commented = section("W021", Language::English).expect("it has one");
        assert_eq!(commented.matches("```").count(), 4, "{commented}");
        let last_of_its_kind = section("E023", Language::English).expect("it has one");
        assert!(last_of_its_kind.ends_with("```"), "{last_of_its_kind}");
        assert!(section("W010", Language::Chinese).is_some_and(|s| s.starts_with("## W010 ")));
        assert_eq!(section("W01", Language::English), None);
    }

    #[test]
    fn links_are_those_that_a_heading_gets() {
        let link = link("W010").expect("it has a section");
        assert_eq!(
            link,
            "docs/findings.md#w010-a-keyword-of-one-very-common-character"
        );
    }
}
