//! A finding as text for a terminal, and as JSON for other programs.

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str,
};
use serde_json::{Value, json};

use super::{Diagnostic, Place, Severity, Source, Span, link};

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
    let mut files: Vec<(&Source, Vec<(AnnotationKind, &Place)>)> = Vec::new();
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
        // Two files of one path are one file: comparing their whole texts would take long.
        match files
            .iter_mut()
            .find(|(source, _)| source.path == place.source.path)
        {
            Some((_, places)) => places.push((kind, place)),
            None => files.push((&place.source, vec![(kind, place)])),
        }
    }
    files
        .into_iter()
        .map(|(source, places)| snippet(source, places))
        .collect()
}

/// Only the lines that are shown are handed over: the renderer looks at each line that it is given, and a file may have
/// a hundred thousand.
fn snippet<'a>(source: &'a Source, places: Vec<(AnnotationKind, &'a Place)>) -> Snippet<'a, Annotation<'a>> {
    let text = &*source.text;
    let spans = || places.iter().map(|(_, place)| within(place));
    let (first, last) = (
        spans().map(|span| span.start).min().unwrap_or(0),
        spans().map(|span| span.end).max().unwrap_or(0),
    );
    let start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[last..]
        .find('\n')
        .map_or(text.len(), |newline| last + newline + 1);
    let annotations = places.iter().map(|(kind, place)| {
        let span = within(place);
        kind.span(span.start - start..span.end - start)
            .label(normalize_untrusted_str(&place.label))
    });
    Snippet::source(&text[start..end])
        .line_start(text[..start].matches('\n').count() + 1)
        .path(source.path.to_string_lossy())
        .annotations(annotations)
}

/// The finding as one JSON object: `code`, `severity`, `message`, its place (`file`, `line`, `column`, `end_line`,
/// `end_column`: 1-based, columns in characters; `label`, what is said there), `related` (such places), `help`, and
/// `docs`, where the code's page stands in the repository.
#[must_use]
pub fn render_json(diagnostic: &Diagnostic) -> Value {
    let mut object = diagnostic.place.as_ref().map_or_else(|| json!({}), json_place);
    object["code"] = json!(diagnostic.code);
    object["severity"] = json!(diagnostic.severity);
    object["message"] = json!(diagnostic.message);
    if !diagnostic.related.is_empty() {
        object["related"] = diagnostic.related.iter().map(json_place).collect();
    }
    if let Some(help) = &diagnostic.help {
        object["help"] = json!(help);
    }
    if let Some(link) = link(diagnostic.code) {
        object["docs"] = json!(link);
    }
    object
}

fn json_place(place: &Place) -> Value {
    let span = within(place);
    let (line, column) = place.source.line_column(span.start);
    let (end_line, end_column) = place.source.line_column(span.end);
    json!({
        "file": place.source.path.to_string_lossy(),
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "label": place.label,
    })
}

/// The span, moved to where the text can be cut: a finding must be shown even if its span is off.
pub(super) fn within(place: &Place) -> Span {
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
        insta::assert_snapshot!(render_json(&finding), @r#"{"code":"E001","docs":"docs/findings.md#e001-the-file-is-no-toml","help":"write one","message":"no rules at all","severity":"error"}"#);
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
        insta::assert_snapshot!(render_json(&finding), @r#"{"code":"E012","column":26,"docs":"docs/findings.md#e012-hours-days-or-dates-that-cant-be-read","end_column":34,"end_line":3,"file":"rules/shop.toml","label":"no such list","line":3,"message":"no list","severity":"error"}"#);
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
