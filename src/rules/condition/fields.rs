//! `fields`: any field of the push, by its dotted path, and a pattern that it must match.

use toml::de::DeValue;

use super::regex::compile;
use super::{Capture, Key};
use crate::rules::codes;

pub(super) const KEY: Key = Key {
    name: "fields",
    read: |reader, node, draft| {
        let DeValue::Table(table) = node.get_ref() else {
            reader.wrong_type::<()>("when.fields", node, "a table of field names and patterns");
            return;
        };
        if table.is_empty() {
            reader
                .error(
                    codes::EMPTY,
                    node.span(),
                    "`when.fields` is empty",
                    "no field stands here",
                )
                .help = Some("write `when.fields = { SessionFrom = \"home\" }`, or leave it out".to_owned());
        }
        for (key, value) in table {
            let path = key.get_ref().to_string();
            // `ScanCodeInfo.ScanResult` without quotes is a table in a table to TOML; both spellings mean a path.
            let mut open = vec![(path, value)];
            while let Some((path, value)) = open.pop() {
                if let DeValue::Table(inner) = value.get_ref() {
                    open.extend(
                        inner
                            .iter()
                            .map(|(key, value)| (format!("{path}.{}", key.get_ref()), value)),
                    );
                    continue;
                }
                let Some(text) = reader.text(&format!("when.fields.{path}"), value) else {
                    continue;
                };
                if let Some(pattern) = compile(reader, &text) {
                    draft.captures.push(Capture {
                        field: Some(path.clone()),
                        pattern,
                    });
                    draft.text.fields.push((path, text.text));
                }
            }
        }
    },
};
