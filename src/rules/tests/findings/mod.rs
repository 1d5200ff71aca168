//! One mistake, one finding, as a person reads it.

mod conditions;
mod file;
mod replies;
mod together;

use super::*;

/// The findings of one file, as the command line prints them.
pub(super) fn findings(text: &str) -> String {
    let loaded = load(&[Source::new("shop.toml", text)], &scope());
    let error = loaded
        .findings
        .iter()
        .any(crate::diagnostic::Diagnostic::is_error);
    assert_eq!(
        loaded.set.is_none(),
        error,
        "a set exactly when nothing is an error"
    );
    let findings: Vec<String> = loaded
        .findings
        .iter()
        .map(|finding| render(finding, false))
        .collect();
    findings.join("\n\n")
}
