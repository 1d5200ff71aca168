//! `wxreply schema`: print a JSON Schema of rule files or of the config, for completion in editors.

use serde_json::Value;

use super::run;
use crate::world::run_in;

#[test]
fn both_schemas_are_json_and_know_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let schema = |of: &str| -> Value {
        let output = run_in(folder.path(), &["schema", of]);
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(output.stdout.ends_with(b"}\n"));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let (rules, config) = (schema("rules"), schema("config"));
    for schema in [&rules, &config] {
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        assert_eq!(schema["additionalProperties"], false);
    }
    let rule = &rules["properties"]["rule"]["items"]["properties"];
    assert!(rule["when"]["properties"]["keywords"]["description"].is_string());
    assert!(config["properties"]["app"]["items"]["properties"]["token"].is_object());
    insta::assert_snapshot!(run(folder.path(), &["schema", "rule"]), @r#"
    ! error: invalid value 'rule' for '<OF>'
    !   [possible values: rules, config]
    !
    !   tip: a similar value exists: 'rules'
    !
    ! For more information, try '--help'.
    exit 2
    "#);
}

#[test]
fn what_init_writes_is_what_schema_prints_and_each_file_names_its_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(run(folder.path(), &["init"]).ends_with("exit 0"));
    for of in ["rules", "config"] {
        let written = std::fs::read(folder.path().join(format!(".schema/{of}.json"))).expect("there");
        assert_eq!(written, run_in(folder.path(), &["schema", of]).stdout);
    }
    for file in ["wxreply.toml", "rules/shop.toml", "rules/menu.toml"] {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).expect("there");
        let line = text.lines().next().expect("a line");
        let schema = line.strip_prefix("#:schema ").expect("it names its schema");
        let schema = path.parent().expect("a folder").join(schema);
        let schema: Value = serde_json::from_slice(&std::fs::read(schema).expect("there")).expect("JSON");
        // As an editor would: the first line is a comment, the rest is what it describes.
        let value: toml::Table = text.replace("= \"\"  ", "= \"wx\"  ").parse().expect("TOML");
        let value = json(toml::Value::Table(value));
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<_> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{file}");
    }
}

/// As editors see it: to JSON Schema a date is a text.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(datetime) => datetime.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
        other => serde_json::to_value(other).expect("JSON"),
    }
}
