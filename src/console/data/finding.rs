//! What `check` finds in rule files.

use serde::Serialize;
use utoipa::ToSchema;

use crate::diagnostic::{Diagnostic, Place, link};

/// One finding, as `wxreply check --format json` has it too.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Finding {
    /// Its stable code.
    #[schema(example = "E007")]
    pub code: &'static str,
    /// Whether it keeps the rules from being used.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where; absent where it is about the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Spot>,
    /// Other places that explain it.
    pub related: Vec<Spot>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where the code's page stands in the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum Severity {
    /// Worth knowing.
    Warning,
    /// The rules can't be used.
    Error,
}

/// A place in a rule file; lines and columns from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::console) struct Spot {
    /// Its path within the rules folder.
    pub file: String,
    /// The line that it begins on.
    pub line: usize,
    /// The column that it begins at.
    pub column: usize,
    /// The line that it ends on.
    pub end_line: usize,
    /// The column behind it.
    pub end_column: usize,
    /// What is to be said there.
    pub label: String,
}

impl Spot {
    pub fn of(place: &Place) -> Self {
        let (line, column) = place.source.line_column(place.span.start);
        let (end_line, end_column) = place.source.line_column(place.span.end.max(place.span.start));
        Self {
            file: place.source.path.to_string_lossy().into_owned(),
            line,
            column,
            end_line,
            end_column,
            label: place.label.clone(),
        }
    }
}

impl Finding {
    pub fn of(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code,
            severity: if diagnostic.is_error() {
                Severity::Error
            } else {
                Severity::Warning
            },
            message: diagnostic.message.clone(),
            place: diagnostic.place.as_ref().map(Spot::of),
            related: diagnostic.related.iter().map(Spot::of).collect(),
            help: diagnostic.help.clone(),
            docs: link(diagnostic.code),
        }
    }

    pub fn all<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> Vec<Self> {
        diagnostics.into_iter().map(Self::of).collect()
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
