//! The one layout of rule files: text in, text out, and a proof that both mean the same.
//!
//! Comments stay with what they speak of, rules and the items of lists keep their order; the keys of a rule are put in
//! theirs. Laying out what was laid out changes nothing.

mod gap;
mod order;
mod print;
mod proof;
mod value;

#[cfg(test)]
mod tests;

pub use proof::{Changed, same};

use toml_edit::DocumentMut;

use super::{Scope, codes};
use crate::diagnostic::{Diagnostic, Source};

/// Lays a rule file out. A file that is no TOML is left alone: the findings say where.
pub fn layout(source: &Source) -> Result<String, Vec<Diagnostic>> {
    match plain(&source.text).parse::<DocumentMut>() {
        Ok(document) => Ok(print::document(&document)),
        Err(error) => Err(syntax_errors(source, &error)),
    }
}

/// The text without what editors on Windows put into it: the mark at the beginning, and two characters where a line
/// ends. Within a text of several lines too: that is the one change that a customer could tell, if they could.
fn plain(text: &str) -> String {
    text.strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
}

/// What is wrong with a file that can't be parsed, in the words in which `check` tells it.
fn syntax_errors(source: &Source, error: &toml_edit::TomlError) -> Vec<Diagnostic> {
    let scope = Scope::default();
    let mut findings = super::load(std::slice::from_ref(source), &scope).findings;
    findings.retain(|finding| finding.code == codes::SYNTAX);
    if findings.is_empty() {
        let span = error.span().unwrap_or(0..0);
        findings.push(Diagnostic::error(codes::SYNTAX, "this can't be read as TOML").at(
            source,
            span,
            error.message(),
        ));
    }
    findings
}
