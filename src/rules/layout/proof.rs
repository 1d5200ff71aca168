//! The proof that a layout changed nothing: before and after are parsed and compiled, and compared.

use super::plain;
use crate::diagnostic::Source;
use crate::rules::{Loaded, Scope, load};

/// Two versions of a rule file that do not mean the same.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{file}: {what} would change; this is a bug in wxreply's layout, and nothing was written")]
pub struct Changed {
    /// The file; all of them when only the set tells the difference.
    pub file: String,
    /// What would be different.
    pub what: &'static str,
}

/// Proves that two versions of the same files mean the same: what is written in each file, and what all of them
/// compile to. The places of things are left aside, and how lines end.
pub fn same(before: &[Source], after: &[Source], scope: &Scope) -> Result<(), Changed> {
    let plain = |sources: &[Source]| -> Vec<Source> {
        let plain = |source: &Source| Source::new(source.path.clone(), plain(&source.text));
        sources.iter().map(plain).collect()
    };
    let (before, after) = (plain(before), plain(after));
    for (old, new) in before.iter().zip(&after) {
        if values(&old.text) != values(&new.text) {
            return Err(Changed {
                file: old.path.display().to_string(),
                what: "what it says",
            });
        }
    }
    let (old, new) = (load(&before, scope), load(&after, scope));
    let what = if rules(&old) != rules(&new) {
        "the compiled rules"
    } else if findings(&old) != findings(&new) {
        "what is wrong with the rules"
    } else if before.len() != after.len() {
        "the number of files"
    } else {
        return Ok(());
    };
    let files: Vec<_> = before
        .iter()
        .map(|source| source.path.display().to_string())
        .collect();
    Err(Changed {
        file: files.join(", "),
        what,
    })
}

/// The tree of values, lists in their order; none for what is no TOML, which only a file is that was left alone.
fn values(text: &str) -> Option<toml::Table> {
    text.parse().ok()
}

/// The rules in the order in which they are tried, all that is compiled into them, without their places.
fn rules(loaded: &Loaded) -> Option<Vec<String>> {
    let set = loaded.set.as_ref()?;
    let told = set.rules.iter().map(|rule| without_places(&format!("{rule:?}")));
    Some(told.collect())
}

/// What was found, whatever its place.
fn findings(loaded: &Loaded) -> Vec<(&str, &str, Option<&str>)> {
    let mut findings: Vec<_> = loaded
        .findings
        .iter()
        .map(|finding| (finding.code, finding.message.as_str(), finding.help.as_deref()))
        .collect();
    findings.sort_unstable();
    findings
}

/// Blanks `line: 12` and `34..56`.
fn without_places(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        out += before;
        let is_place = before.ends_with("line: ") || before.ends_with("..") || after.starts_with("..");
        out += if is_place { "_" } else { number };
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::scope;

    fn compare(before: &str, after: &str) -> Result<(), &'static str> {
        let source = |text: &str| [Source::new("a.toml", text)];
        same(&source(before), &source(after), &scope()).map_err(|changed| changed.what)
    }

    #[test]
    fn what_means_the_same_is_told_from_what_does_not() {
        let rule =
            |name: &str| format!("[[rule]]\nname = '{name}'\nwhen.regex = 'a{{1,2}}'\nreply = '1..2'\n");
        let two = rule("a") + &rule("b");
        assert_eq!(compare(&two, &format!("\n# words\n{two}")), Ok(()));
        assert_eq!(compare(&two, &two.replace("'1..2'", "\"1..2\"")), Ok(()));
        assert_eq!(compare(&two, &(rule("b") + &rule("a"))), Err("what it says"));
        assert_eq!(compare(&two, &two.replace("1..2", "1..3")), Err("what it says"));
        assert_eq!(compare(&two, "[[rule]"), Err("what it says"));
    }

    #[test]
    fn places_are_left_aside_and_nothing_else() {
        let told = "Rule { line: 12, name_at: 3..45, priority: 7, wait: 600s }";
        assert_eq!(
            without_places(told),
            "Rule { line: _, name_at: _.._, priority: 7, wait: 600s }"
        );
    }
}
