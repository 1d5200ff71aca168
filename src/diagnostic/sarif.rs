//! Findings as SARIF 2.1.0, for code review and editors that read it.

use std::fmt::Write as _;
use std::path::Path;

use serde_sarif::sarif::{
    ArtifactLocation, Location, Message, MultiformatMessageString, PhysicalLocation, Region,
    ReportingConfiguration, ReportingDescriptor, Result, ResultColumnKind, ResultLevel, Run, Sarif, Tool,
    ToolComponent, Version,
};

use super::render::within;
use super::{Code, Diagnostic, Language, Place, Severity, link, section};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The findings of one run. `codes` are all that there are: each becomes a rule of the tool, with its page.
#[must_use]
pub fn sarif(findings: &[Diagnostic], codes: &[Code]) -> Sarif {
    let driver = ToolComponent::builder()
        .name("wxreply")
        .version(env!("CARGO_PKG_VERSION"))
        .rules(codes.iter().map(rule).collect::<Vec<_>>())
        .build();
    let results: Vec<_> = findings.iter().map(|finding| result(finding, codes)).collect();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        // Columns are characters, as everywhere else; SARIF's default is UTF-16 units.
        .column_kind(ResultColumnKind::UnicodeCodePoints.to_string())
        .results(results)
        .build();
    Sarif::builder()
        .schema(SCHEMA)
        .version(Version::V2_1_0.to_string())
        .runs(vec![run])
        .build()
}

/// SARIF wants an absolute address for help, which a file of this repository has none of: the page's section is given
/// whole instead.
fn rule(code: &Code) -> ReportingDescriptor {
    let text = |text: &str| MultiformatMessageString::builder().text(text).build();
    let configuration = ReportingConfiguration::builder()
        .level(level(code.severity).to_string())
        .build();
    let mut rule = ReportingDescriptor::builder()
        .id(code.code)
        .short_description(text(code.title()))
        .default_configuration(configuration)
        .build();
    rule.help = section(code.code, Language::English).map(|section| {
        let short = format!("see {}", link(code.code).unwrap_or_default());
        MultiformatMessageString::builder()
            .text(short)
            .markdown(section)
            .build()
    });
    rule
}

fn result(finding: &Diagnostic, codes: &[Code]) -> Result {
    let message = match &finding.help {
        Some(help) => format!("{}. Help: {help}", finding.message),
        None => finding.message.clone(),
    };
    let mut result = Result::builder()
        .rule_id(finding.code)
        .level(level(finding.severity))
        .message(Message::builder().text(message).build())
        .build();
    result.rule_index = codes
        .iter()
        .position(|code| code.code == finding.code)
        .and_then(|at| i64::try_from(at).ok());
    result.locations = Some(finding.place.iter().map(location).collect());
    if !finding.related.is_empty() {
        result.related_locations = Some(finding.related.iter().map(location).collect());
    }
    result
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Error => ResultLevel::Error,
        Severity::Warning => ResultLevel::Warning,
    }
}

fn location(place: &Place) -> Location {
    let span = within(place);
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let (line, column) = place.source.line_column(span.start);
    let (end_line, end_column) = place.source.line_column(span.end);
    let region = Region::builder()
        .start_line(number(line))
        .start_column(number(column))
        .end_line(number(end_line))
        .end_column(number(end_column))
        .build();
    let file = ArtifactLocation::builder().uri(uri(&place.source.path)).build();
    let physical = PhysicalLocation::builder()
        .artifact_location(file)
        .region(region)
        .build();
    let mut location = Location::builder().physical_location(physical).build();
    if !place.label.is_empty() {
        location.message = Some(Message::builder().text(place.label.as_str()).build());
    }
    location
}

/// A path as a URI: relative to where the command ran, unless it is absolute.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut uri = String::from(if path.is_absolute() { "file://" } else { "" });
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a `String` can't fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    #[test]
    fn places_are_uris_lines_and_characters() {
        let source = Source::new("rules/二 店.toml", "name = \"营业\"\nreply = \"好\"\n");
        let finding = Diagnostic::error("E003", "wrong")
            .at(&source, 7..15, "here")
            .see(&source, 24..29, "there")
            .help("right");
        let codes = [Code::new("E003", " A title.")];
        let sarif = serde_json::to_value(sarif(&[finding], &codes)).expect("JSON");
        let run = &sarif["runs"][0];
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        assert_eq!(
            run["tool"]["driver"]["rules"][0]["shortDescription"]["text"],
            "A title"
        );
        let result = &run["results"][0];
        assert_eq!(result["message"]["text"], "wrong. Help: right");
        assert_eq!(result["ruleIndex"], 0);
        insta::assert_snapshot!(result["locations"][0], @r#"{"message":{"text":"here"},"physicalLocation":{"artifactLocation":{"uri":"rules/%E4%BA%8C%20%E5%BA%97.toml"},"region":{"endColumn":12,"endLine":1,"startColumn":8,"startLine":1}}}"#);
        assert_eq!(
            result["relatedLocations"][0]["physicalLocation"]["region"]["startLine"],
            2
        );
        assert_eq!(uri(Path::new("/a b")), "file:///a%20b");
    }
}
