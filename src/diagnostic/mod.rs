//! Findings about files that a person wrote: what is wrong, where, why it matters, what to write instead.

mod code;
mod render;
mod sarif;

pub use code::{Code, Language, link, page, section};
pub use render::{render, render_json};
pub use sarif::sarif;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the file works.
    Warning,
    /// The file can't be used.
    Error,
}

/// A file as it was read. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// How the file is called when we speak of it; for a rule file, relative to the rules folder, `/` between parts.
    pub path: PathBuf,
    /// Its whole text.
    pub text: Arc<str>,
}

/// A stretch of a file, in bytes.
pub type Span = Range<usize>;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code: `E…` or `W…`.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The place that is wrong, and what to say at it (may be empty).
    pub place: Option<Place>,
    /// Other places that explain it.
    pub related: Vec<Place>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A place in a file, with a few words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Source,
    /// The stretch.
    pub span: Span,
    /// What to say at it.
    pub label: String,
}

impl Source {
    /// A file's name and text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters, as editors do.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning without a place yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, source: &Source, span: Span, label: impl Into<String>) -> Self {
        self.place = Some(Place {
            source: source.clone(),
            span,
            label: label.into(),
        });
        self
    }

    /// Adds a place that explains it.
    #[must_use]
    pub fn see(mut self, source: &Source, span: Span, label: impl Into<String>) -> Self {
        self.related.push(Place {
            source: source.clone(),
            span,
            label: label.into(),
        });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether it keeps the file from being used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
