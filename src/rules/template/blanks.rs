//! Templates that are nothing but text and names in `{{ … }}`, as most are: filled in without the engine, which would
//! make a context of all that a template might ask for.
//!
//! What such a template is, the engine itself says when it is loaded: it renders the template once and tells which piece
//! of the output came from where. Without `{%` nothing in a template depends on a value, so the pieces are always
//! these; and of each expression only its whole text is looked at, which either is a name that is known here or is
//! left to the engine.

use std::cell::RefCell;

use minijinja::{Environment, OutputSpanKind, UndefinedBehavior, Value};

use super::context::{Known, Sources};
use super::named::Named;
use super::{MAX_TEXT, cut};

/// A text with blanks for values.
#[derive(Debug)]
pub(crate) struct Blanks(Box<[Part]>);

#[derive(Debug)]
enum Part {
    Text(Box<str>),
    Value(Named),
}

/// Texts that grew longer than this while they were filled in don't keep their memory.
const KEPT: usize = 16 * 1024;

thread_local! {
    /// Where texts are filled in, so that each is allocated once, at its length.
    static FILLED: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Blanks {
    /// The template as text and names, if it is nothing else. `paths` are the names that the engine says it looks up;
    /// `outline` is made by [`outline`].
    pub(super) fn read(
        outline: &Environment<'static>,
        source: &str,
        paths: &[String],
        known: &Known<'_>,
    ) -> Option<Self> {
        if source.contains("{%") {
            return None;
        }
        let template = outline.template_from_str(source).ok()?;
        let (output, spans) = template.render_with_spans(Value::UNDEFINED).ok()?;
        let (mut parts, mut end) = (Vec::with_capacity(spans.len()), 0);
        for span in spans {
            let piece = span.output_range();
            if piece.start != end {
                return None;
            }
            end = piece.end;
            parts.push(match span.kind() {
                OutputSpanKind::Raw => Part::Text(output.get(piece)?.into()),
                OutputSpanKind::Expression => {
                    let text = source.get(span.source_range())?;
                    Part::Value(Named::read(text, paths, known)?)
                }
                _ => return None,
            });
        }
        (end == output.len()).then(|| Self(parts.into()))
    }

    /// The text that never changes.
    pub(super) fn fixed(&self) -> String {
        let texts = self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&**text),
            Part::Value(_) => None,
        });
        texts.collect()
    }

    /// The text, filled in. The engine's limit on what a template may cost has no part in it: nothing is added to a
    /// text that is too long already.
    pub(super) fn fill(&self, sources: &Sources<'_>) -> String {
        FILLED.with_borrow_mut(|filled| {
            filled.clear();
            for part in &self.0 {
                match part {
                    Part::Text(text) => filled.push_str(text),
                    // Writing to a `String` can't fail.
                    Part::Value(named) => drop(sources.write(named, filled)),
                }
                if filled.len() > MAX_TEXT && filled.trim_end().len() > MAX_TEXT {
                    break;
                }
            }
            let text = cut(filled.trim_end());
            filled.shrink_to(KEPT);
            text
        })
    }
}

/// Where a template is rendered to see what it is made of: every expression becomes a letter, whatever its value is.
pub(super) fn outline() -> Environment<'static> {
    let mut outline = super::environment(UndefinedBehavior::Chainable);
    outline.set_formatter(|out, _, _| Ok(out.write_str("x")?));
    outline
}
