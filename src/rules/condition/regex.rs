//! `regex`: patterns on the original content, and what is said about a pattern that does not compile.

use regex_syntax::ast::ErrorKind;

use super::{Capture, Key};
use crate::diagnostic::Span;
use crate::rules::codes;
use crate::rules::matcher::{Pattern, PatternError};
use crate::rules::read::{Reader, Text};

pub(super) const KEY: Key = Key {
    name: "regex",
    read: |reader, node, draft| {
        for text in reader.texts("when.regex", node) {
            if let Some(pattern) = compile(reader, &text) {
                draft.captures.push(Capture { field: None, pattern });
                draft.text.regex.push(text.text);
            }
        }
        draft.text_at = Some(node.span());
    },
};

/// Compiles a pattern, or says what is wrong with it and where.
pub(super) fn compile(reader: &mut Reader<'_>, text: &Text) -> Option<Pattern> {
    match Pattern::compile(&text.text) {
        Ok(pattern) => Some(pattern),
        Err(PatternError::Syntax(error)) => refuse_syntax(reader, text, &error),
        // What parses fails to compile for its size alone.
        Err(PatternError::TooLarge(_) | PatternError::EmptyKeyword) => {
            reader
                .error(
                    codes::BAD_REGEX,
                    text.span.clone(),
                    "this regular expression is too large",
                    "takes too much memory",
                )
                .help = Some("lower its counted repetitions, such as {1000}".to_owned());
            None
        }
    }
}

fn refuse_syntax(reader: &mut Reader<'_>, text: &Text, error: &regex_syntax::Error) -> Option<Pattern> {
    let (span, message, help) = match error {
        regex_syntax::Error::Parse(error) => (error.span(), error.kind().to_string(), advice(error.kind())),
        regex_syntax::Error::Translate(error) => (error.span(), error.kind().to_string(), None),
        _ => return refuse(reader, text.span.clone(), &error.to_string(), None),
    };
    let span = reader.inside(&text.span, span.start.offset..span.end.offset);
    refuse(reader, span, &message, help)
}

fn refuse(reader: &mut Reader<'_>, span: Span, message: &str, help: Option<&str>) -> Option<Pattern> {
    let finding = reader.error(
        codes::BAD_REGEX,
        span,
        "this regular expression does not compile",
        message,
    );
    finding.help = help.map(str::to_owned);
    None
}

/// What to use instead of what other engines have.
fn advice(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::UnsupportedLookAround => {
            "look-around would make matching slow on some texts; put what must not occur into `when.not_keywords`, \
             what must also occur into `when.all_keywords`, and use `\\b` for the edge of a word"
        }
        ErrorKind::UnsupportedBackreference => {
            "back-references would make matching slow on some texts; capture both parts under names and write one \
             rule for each case"
        }
        ErrorKind::EscapeUnrecognized => {
            "to mean the character itself, leave the backslash out; in a \"…\" string a backslash is written twice, \
             in a '…' string once"
        }
        ErrorKind::RepetitionMissing => {
            "to mean the character itself, write a backslash before it: '\\?', '\\*', '\\+'"
        }
        ErrorKind::GroupUnclosed | ErrorKind::GroupUnopened => {
            "to mean a bracket itself, write a backslash before it: '\\(', '\\)'"
        }
        _ => return None,
    })
}
