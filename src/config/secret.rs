//! A secret from the file itself, the environment, or another file. Its value is never shown.

use std::path::Path;

use secrecy::SecretString;
use toml::de::DeValue;

use super::codes;
use super::section::{Problem, wrong_type};

/// Where secrets may be fetched from.
pub(super) struct Vault<'a> {
    /// The folder that `{ file = "…" }` is relative to.
    pub base: &'a Path,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether to fetch them at all: a command that needs none must not fail for want of one.
    pub fetch: bool,
}

impl Vault<'_> {
    /// `"literal"`, `{ env = "X" }` or `{ file = "path" }`. White space around it is dropped: it is part of none of
    /// WeChat's secrets, and files end in a new line.
    pub fn read(&self, key: &str, value: &DeValue<'_>) -> Result<SecretString, Problem> {
        let secret = match value {
            DeValue::String(literal) => Some(literal.as_ref().to_owned()),
            DeValue::Table(table) => {
                let one = match table.len() {
                    1 => table.iter().next(),
                    _ => None,
                };
                let one = one.and_then(|(k, v)| Some((k.get_ref().as_ref(), v.get_ref().as_str()?)));
                match one {
                    Some(("env", name)) => self.environment(key, name)?,
                    Some(("file", path)) => self.other_file(key, path)?,
                    _ => return Err(shape(key, value)),
                }
            }
            _ => return Err(shape(key, value)),
        };
        match secret {
            Some(secret) if self.fetch && secret.trim().is_empty() => {
                Err(Problem::new(codes::MISSING, format!("`{key}` is empty")).label("fill this in"))
            }
            Some(secret) => Ok(secret.trim().into()),
            None => Ok(SecretString::default()),
        }
    }

    fn environment(&self, key: &str, name: &str) -> Result<Option<String>, Problem> {
        if !self.fetch {
            return Ok(None);
        }
        match (self.env)(name) {
            None => Err(Problem::new(
                codes::SECRET,
                format!("`{key}`: the environment variable {name} is not set"),
            )
            .help(format!(
                "set {name} where wxreply is started, or write {{ file = \"…\" }} and put the secret into that file"
            ))),
            Some(value) if value.trim().is_empty() => Err(Problem::new(
                codes::SECRET,
                format!("`{key}`: the environment variable {name} is empty"),
            )),
            Some(value) => Ok(Some(value)),
        }
    }

    fn other_file(&self, key: &str, path: &str) -> Result<Option<String>, Problem> {
        if !self.fetch {
            return Ok(None);
        }
        let path = self.base.join(path);
        let shown = path.display();
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Err(Problem::new(
                codes::SECRET,
                format!("`{key}`: the file {shown} is empty"),
            )
            .help("put the secret into it, and nothing else")),
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(Problem::new(
                codes::SECRET,
                format!("`{key}`: the file {shown} can't be read: {error}"),
            )),
        }
    }
}

fn shape(key: &str, value: &DeValue<'_>) -> Problem {
    wrong_type(key, "a text, { env = \"NAME\" } or { file = \"path\" }", value)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(text: &str, fetch: bool) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key"), "from a file\r\n").expect("written");
        std::fs::write(folder.path().join("blank"), "\n").expect("written");
        let vault = Vault {
            base: folder.path(),
            env: &|name| (name == "SET").then(|| "from outside".to_owned()),
            fetch,
        };
        let value = DeValue::parse(text).expect("TOML");
        vault
            .read("token", value.get_ref())
            .map(|secret| secret.expose_secret().to_owned())
            .map_err(|problem| {
                problem
                    .finding
                    .message
                    .replace(&folder.path().display().to_string(), "…")
            })
    }

    #[test]
    fn a_secret_has_three_forms() {
        assert_eq!(read("' literal '", true).as_deref(), Ok("literal"));
        assert_eq!(read("{ env = 'SET' }", true).as_deref(), Ok("from outside"));
        assert_eq!(read("{ file = 'key' }", true).as_deref(), Ok("from a file"));
    }

    #[test]
    fn what_keeps_it_from_being_read_is_said() {
        let problem = |text| read(text, true).expect_err("wrong");
        insta::assert_snapshot!(problem("{ env = 'UNSET' }"), @"`token`: the environment variable UNSET is not set");
        insta::assert_snapshot!(problem("{ file = 'blank' }"), @"`token`: the file …/blank is empty");
        insta::assert_snapshot!(problem("{ file = 'gone' }"), @"`token`: the file …/gone can't be read: No such file or directory (os error 2)");
        insta::assert_snapshot!(problem("{ env = 'SET', file = 'key' }"), @r#"`token` must be a text, { env = "NAME" } or { file = "path" }"#);
        insta::assert_snapshot!(problem("''"), @"`token` is empty");
    }

    #[test]
    fn a_command_that_needs_none_fetches_none() {
        assert_eq!(read("{ env = 'UNSET' }", false).as_deref(), Ok(""));
        assert_eq!(read("{ file = 'gone' }", false).as_deref(), Ok(""));
        assert!(read("7", false).is_err(), "its form is checked all the same");
    }
}
