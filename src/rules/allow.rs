//! `# wxreply: allow(W010) reason`: a warning that the author of a rule has seen and wants to be silent.
//!
//! The comment holds for the rule (or list, or test) in whose section it stands, or on whose header it stands; above
//! the first header, with an empty line between, for the whole file. Errors can't be allowed.

use std::ops::Range;

use super::codes;
use super::load::{File, newline_before};
use crate::diagnostic::{Diagnostic, Severity, Source, Span};

const MARK: &str = "wxreply:";
const FORM: &str = "write it like `# wxreply: allow(W010, W011) why it is meant so`";

/// One code of one comment.
struct Allow<'a> {
    source: &'a Source,
    code: &'a str,
    code_at: Span,
    /// Where findings are silenced.
    section: Range<usize>,
    /// Also those that stand in no file.
    whole: bool,
    used: bool,
}

/// Silences what is allowed. `everything`: whether all was looked for that there is, so that an allow comment which
/// silences nothing has no use.
pub(super) fn apply(sources: &[Source], findings: &mut Vec<Diagnostic>, everything: bool) {
    let mut allows = Vec::new();
    let mut about = Vec::new();
    for source in sources.iter().filter(|source| source.text.contains(MARK)) {
        read(source, &mut allows, &mut about);
    }
    findings.retain(|finding| finding.is_error() || !is_allowed(finding, &mut allows));
    if everything {
        let unused = allows.iter().filter(|allow| !allow.used);
        about.extend(unused.map(|allow| {
            Diagnostic::warning(
                codes::UNUSED_ALLOW,
                format!("there is no {} here to allow", allow.code),
            )
            .at(allow.source, allow.code_at.clone(), "silences nothing")
            .help("take it away: it would hide the next one, which nobody has seen yet")
        }));
    }
    findings.extend(about);
}

fn is_allowed(finding: &Diagnostic, allows: &mut [Allow<'_>]) -> bool {
    let mut allowed = false;
    for allow in allows.iter_mut().filter(|allow| allow.code == finding.code) {
        let here = match &finding.place {
            None => allow.whole,
            Some(place) => {
                place.source.path == allow.source.path && allow.section.contains(&place.span.start)
            }
        };
        allow.used |= here;
        allowed |= here;
    }
    allowed
}

/// Reads the comments of one file.
fn read<'a>(source: &'a Source, allows: &mut Vec<Allow<'a>>, about: &mut Vec<Diagnostic>) {
    let text = &*source.text;
    let file = File::parse(source, &mut Vec::new());
    for comment in comments(text) {
        let Some((at, order)) = order(text, comment.clone()) else {
            continue;
        };
        let Some((listed, reason)) = order.strip_prefix("allow(").and_then(|rest| rest.split_once(')'))
        else {
            about.push(
                Diagnostic::warning(codes::BAD_ALLOW, "this comment can't be followed")
                    .at(source, at..comment.end, "not understood")
                    .help(FORM),
            );
            continue;
        };
        if reason.trim().is_empty() {
            about.push(
                Diagnostic::warning(codes::ALLOW_WITHOUT_REASON, "this comment says no reason")
                    .at(source, at..comment.end, "why is it allowed?")
                    .help(FORM),
            );
        }
        let (section, whole) = reach(text, &comment, file.starts());
        let mut at = at + "allow(".len();
        for part in listed.split(',') {
            let code = part.trim();
            let start = at + (part.len() - part.trim_start().len());
            at += part.len() + 1;
            match refusal(code) {
                Some((message, help)) => about.push(
                    Diagnostic::warning(codes::BAD_ALLOW, message)
                        .at(source, start..start + code.len(), "can't be allowed")
                        .help(help),
                ),
                None => allows.push(Allow {
                    source,
                    code,
                    code_at: start..start + code.len(),
                    section: section.clone(),
                    whole,
                    used: false,
                }),
            }
        }
    }
}

/// What a comment asks of wxreply, and where that begins.
fn order(text: &str, comment: Range<usize>) -> Option<(usize, &str)> {
    let order = text[comment.clone()]
        .trim_start_matches('#')
        .trim_start()
        .strip_prefix(MARK)?
        .trim();
    let at = comment.start + text[comment].rfind(order)?;
    Some((at, order))
}

/// Why a code can't be allowed, if it can't, and what to do.
fn refusal(code: &str) -> Option<(String, String)> {
    let known = codes::ALL.iter().find(|known| known.code == code);
    match known.map(|known| known.severity) {
        Some(Severity::Warning) => None,
        Some(Severity::Error) => Some((
            format!("{code} is an error, and errors can't be allowed"),
            "with an error the rules can't be used: mend what it speaks of".to_owned(),
        )),
        None => Some((
            format!("no finding about rules has the code `{code}`"),
            FORM.to_owned(),
        )),
    }
}

/// The stretch that a comment holds for, and whether that is the whole file.
fn reach(text: &str, comment: &Range<usize>, starts: &[usize]) -> (Range<usize>, bool) {
    // A comment that stands on a header, with or without other comments between, belongs to that.
    let mut below = comment.end;
    if text[newline_before(text, comment.start)..comment.start]
        .trim()
        .is_empty()
    {
        while let Some(newline) = text[below..].find('\n') {
            let start = below + newline + 1;
            let line = text[start..].lines().next().unwrap_or_default();
            let inner = start + (line.len() - line.trim_start().len());
            if starts.binary_search(&inner).is_ok() {
                below = inner;
                break;
            }
            if !line.trim_start().starts_with('#') {
                below = comment.start;
                break;
            }
            below = start;
        }
    }
    let section = starts.partition_point(|start| *start <= below.min(text.len()));
    match section.checked_sub(1) {
        None => (0..text.len() + 1, true),
        Some(before) => {
            let end = starts.get(section).copied().unwrap_or(text.len() + 1);
            (starts[before]..end, false)
        }
    }
}

/// The comments of a TOML file, each from its `#` to the end of its line. A `#` in a string is none.
fn comments(text: &str) -> Vec<Range<usize>> {
    let mut comments = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['#', '"', '\'']) {
        at += found;
        let rest = &text[at..];
        if rest.starts_with('#') {
            let end = at + rest.find('\n').unwrap_or(rest.len());
            comments.push(at..end);
            at = end;
        } else {
            at += string(rest);
        }
    }
    comments
}

/// The length of the string that a text begins with. One line's string that is never closed ends with its line.
fn string(text: &str) -> usize {
    let long = ["\"\"\"", "'''"]
        .into_iter()
        .find(|quote| text.starts_with(quote));
    let quote = long.unwrap_or(&text[..1]);
    let escapes = quote.starts_with('"');
    let mut at = quote.len();
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with(quote) {
            at += quote.len();
            // Up to two more quotes may be the string's own last characters.
            let more = text[at..]
                .bytes()
                .take(2)
                .take_while(|b| *b == quote.as_bytes()[0]);
            return at + if long.is_some() { more.count() } else { 0 };
        }
        match c {
            '\n' if long.is_none() => break,
            '\\' if escapes => {
                let escaped = text[at + 1..].chars().next();
                at += 1 + escaped
                    .filter(|c| *c != '\n' || long.is_some())
                    .map_or(0, char::len_utf8);
            }
            c => at += c.len_utf8(),
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_in_a_string_is_no_comment() {
        let text = r##"# one
a = "# no \" # no" # two
b = '# no \' # three
c = """
# no " "" \""" # no
no """"" # four
d = '''# no
'' # no''' # five
"# no" = 1 # six
e = "never closed # no
f = 1 # seven
"##;
        let found: Vec<_> = comments(text).into_iter().map(|c| &text[c]).collect();
        assert_eq!(
            found,
            [
                "# one", "# two", "# three", "# four", "# five", "# six", "# seven"
            ]
        );
        assert!(comments("a = \"\\").is_empty());
    }

    #[test]
    fn a_comment_belongs_to_the_header_below_it_or_the_section_around_it() {
        let text = "# top\n\n# on a\n# more\n[[rule]]\n# in a\nname = 1 # beside\n\n# on b\n[[rule]]\n# end";
        let starts: Vec<_> = text.match_indices("[[rule]]").map(|(at, _)| at).collect();
        let reach = |comment: &str| {
            let at = text.find(comment).expect("there");
            let (range, whole) = reach(text, &(at..at + comment.len()), &starts);
            assert_eq!(whole, range.start == 0);
            starts.iter().position(|start| *start == range.start)
        };
        assert_eq!(reach("# top"), None);
        for comment in ["# on a", "# more", "# in a", "# beside"] {
            assert_eq!(reach(comment), Some(0), "{comment}");
        }
        assert_eq!((reach("# on b"), reach("# end")), (Some(1), Some(1)));
    }
}
