//! What a person should know about rules that load: one file a kind of finding. A new one is a file and a line in
//! [`WRITTEN`], if it looks at what was written, or in [`LINTS`], if it asks the compiled set.

mod common_keyword;
mod does_nothing;
mod keyword_twice;
mod no_default_rule;
mod off_hours;
mod over_quota;
mod reach;
mod regex_as_keyword;
mod separator;
mod transfer;
mod written;

pub use reach::{Reach, Witness};

use self::written::Written;
use super::load::File;
use super::{RuleSet, Scope};
use crate::diagnostic::{Diagnostic, Source};

type Lint = fn(&RuleSet, &Scope, &mut Vec<Diagnostic>);

const LINTS: &[Lint] = &[no_default_rule::lint, off_hours::lint, reach::lint];

const WRITTEN: &[fn(&Written<'_>, &Scope, &mut Vec<Diagnostic>)] = &[
    common_keyword::lint,
    separator::lint,
    regex_as_keyword::lint,
    keyword_twice::lint,
    does_nothing::lint,
    over_quota::lint,
    transfer::lint,
];

/// Every finding about the set as a whole.
pub(super) fn all(set: &RuleSet, scope: &Scope, findings: &mut Vec<Diagnostic>) {
    for lint in LINTS {
        lint(set, scope, findings);
    }
}

/// Every finding about what was written, as far as it can be read: another rule's error does not hide it.
pub(super) fn written(sources: &[Source], scope: &Scope, findings: &mut Vec<Diagnostic>) {
    // What is wrong with the files was said when they were loaded.
    let files: Vec<_> = sources
        .iter()
        .map(|source| File::parse(source, &mut Vec::new()))
        .collect();
    let written = Written::of(&files);
    for lint in WRITTEN {
        lint(&written, scope, findings);
    }
}
