//! A finding as text for a terminal, and as JSON for other programs.

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str,
};
use serde_json::{Value, json};

use super::{Diagnostic, Place, Severity, Source, Span};

/// The finding as a person reads it: header, file, line and column, the source line with a caret, help.
#[must_use]
pub fn render(diagnostic: &Diagnostic, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code);
    let mut group = Group::with_title(title).elements(snippets(diagnostic));
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&[group])
}

/// One snippet a file: the place itself first, what explains it beside it or below it.
fn snippets(diagnostic: &Diagnostic) -> Vec<Snippet<'_, Annotation<'_>>> {
    let mut files: Vec<(&Source, Vec<Annotation<'_>>)> = Vec::new();
    let places = diagnostic
        .place
        .iter()
        .map(|place| (AnnotationKind::Primary, place))
        .chain(
            diagnostic
                .related
                .iter()
                .map(|place| (AnnotationKind::Context, place)),
        );
    for (kind, place) in places {
        let annotation = kind
            .span(within(place))
            .label(normalize_untrusted_str(&place.label));
        match files.iter_mut().find(|(source, _)| *source == &place.source) {
            Some((_, annotations)) => annotations.push(annotation),
            None => files.push((&place.source, vec![annotation])),
        }
    }
    files
        .into_iter()
        .map(|(source, annotations)| {
            Snippet::source(&*source.text)
                .path(source.path.to_string_lossy())
                .annotations(annotations)
        })
        .collect()
}

/// The finding as one JSON object: `code`, `severity`, `message`, `file`, `line`, `column`, `end_line`, `end_column`
/// (1-based, columns in characters), `help`.
#[must_use]
pub fn render_json(diagnostic: &Diagnostic) -> Value {
    let mut object = json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
    });
    if let Some(place) = &diagnostic.place {
        let span = within(place);
        let (line, column) = place.source.line_column(span.start);
        let (end_line, end_column) = place.source.line_column(span.end);
        object["file"] = json!(place.source.path.to_string_lossy());
        object["line"] = json!(line);
        object["column"] = json!(column);
        object["end_line"] = json!(end_line);
        object["end_column"] = json!(end_column);
    }
    if let Some(help) = &diagnostic.help {
        object["help"] = json!(help);
    }
    object
}

/// The span, moved to where the text can be cut: a finding must be shown even if its span is off.
fn within(place: &Place) -> Span {
    let text = &*place.source.text;
    let start = text.floor_char_boundary(place.span.start);
    start..text.ceil_char_boundary(place.span.end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Source {
        Source::new(
            "rules/shop.toml",
            "[[rule]]\nname = \"营业时间\"\nwhen.keywords = [\"营业时间\", \"@hours\"] # 几点\nreply = \"9:00\"\n",
        )
    }

    fn span(source: &Source, text: &str) -> Span {
        let start = source.text.find(text).expect("it is there");
        start..start + text.len()
    }

    #[test]
    fn the_caret_stands_under_chinese_text_and_the_column_counts_characters() {
        let source = shop();
        let finding = Diagnostic::error("E012", "there is no list `hours`")
            .at(&source, span(&source, "\"@hours\""), "no such list")
            .see(&source, span(&source, "\"营业时间\""), "in this rule")
            .help("write `[lists]` with `hours = [\"…\"]` in any rule file");
        insta::assert_snapshot!(render(&finding, false), @r#"
        error[E012]: there is no list `hours`
         --> rules/shop.toml:3:26
          |
        2 | name = "营业时间"
          |        ---------- in this rule
        3 | when.keywords = ["营业时间", "@hours"] # 几点
          |                              ^^^^^^^^ no such list
          |
          = help: write `[lists]` with `hours = ["…"]` in any rule file
        "#);
    }

    #[test]
    fn places_in_two_files_are_both_shown() {
        let (one, two) = (shop(), Source::new("rules/二.toml", "name = \"营业时间\"\n"));
        let finding = Diagnostic::warning("W001", "two of a name")
            .at(&two, span(&two, "\"营业时间\""), "again")
            .see(&one, span(&one, "\"营业时间\""), "first here");
        insta::assert_snapshot!(render(&finding, false), @r#"
        warning[W001]: two of a name
         --> rules/二.toml:1:8
          |
        1 | name = "营业时间"
          |        ^^^^^^^^^^ again
          |
         ::: rules/shop.toml:2:8
          |
        2 | name = "营业时间"
          |        ---------- first here
        "#);
    }

    #[test]
    fn a_finding_may_have_no_place() {
        let finding = Diagnostic::error("E001", "no rules at all").help("write one");
        insta::assert_snapshot!(render(&finding, false), @"
        error[E001]: no rules at all
         |
         = help: write one
        ");
        insta::assert_snapshot!(render_json(&finding), @r#"{"code":"E001","help":"write one","message":"no rules at all","severity":"error"}"#);
    }

    #[test]
    fn colour_is_asked_for() {
        assert!(render(&Diagnostic::error("E001", "red"), true).contains('\u{1b}'));
    }

    #[test]
    fn json_counts_lines_and_characters_from_one() {
        let source = shop();
        let finding =
            Diagnostic::error("E012", "no list").at(&source, span(&source, "\"@hours\""), "no such list");
        insta::assert_snapshot!(render_json(&finding), @r#"{"code":"E012","column":26,"end_column":34,"end_line":3,"file":"rules/shop.toml","line":3,"message":"no list","severity":"error"}"#);
    }

    #[test]
    fn a_span_beyond_the_text_or_inside_a_character_is_moved() {
        let source = Source::new("a.toml", "名");
        for (start, end) in [(1, 2), (0, 9), (7, 9), (3, 1)] {
            let finding = Diagnostic::error("E001", "off").at(&source, start..end, "here");
            assert!(render(&finding, false).contains("a.toml:1:"));
            assert_eq!(render_json(&finding)["line"], 1);
        }
    }
}
