//! The rule sets of the past: what is kept of each, and how it becomes a rule set again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Source, render};
use crate::message::{AppKind, AppName, RuleSetVersion};
use crate::rules::{AppScope, Loaded, MediaFile, RuleSet, Scope};
use crate::store::{Store, StoreError};

/// What a rule set was loaded from.
#[derive(Clone, Debug)]
pub struct ArchivedRules {
    /// The rule files, in the order of their paths.
    pub sources: Vec<Source>,
    /// What they were loaded with. The apps' kinds and variables, but nothing else of the config.
    pub scope: Scope,
}

/// Why a rule set of the archive can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept makes no sense.
    #[error("the archive's copy of the rules {version} can't be read: {error}")]
    Body {
        /// Which version.
        version: RuleSetVersion,
        /// The parser's words.
        error: serde_json::Error,
    },
    /// It was fine for the program that loaded it, but is not for this one.
    #[error("the rules {version} can't be used by this version of wxreply:\n{findings}")]
    Unusable {
        /// Which version.
        version: RuleSetVersion,
        /// What is wrong, rendered.
        findings: String,
    },
}

/// The rule set of a version that was live once; none when the archive does not have it.
pub async fn archived(store: &Store, version: &RuleSetVersion) -> Result<Option<RuleSet>, ArchiveError> {
    let Some(rules) = ArchivedRules::find(store, version).await? else {
        return Ok(None);
    };
    let Loaded { set, findings, .. } = rules.load();
    match set {
        Some(set) => Ok(Some(set)),
        None => {
            let errors = findings.iter().filter(|finding| finding.is_error());
            let errors: Vec<_> = errors.map(|error| render(error, false)).collect();
            Err(ArchiveError::Unusable {
                version: version.clone(),
                findings: errors.join("\n"),
            })
        }
    }
}

impl ArchivedRules {
    /// What a version was loaded from; none when the archive does not have it.
    pub async fn find(store: &Store, version: &RuleSetVersion) -> Result<Option<Self>, ArchiveError> {
        let Some(body) = store.rule_set(version).await? else {
            return Ok(None);
        };
        match serde_json::from_str::<Body<'_>>(&body) {
            Ok(body) => Ok(Some(body.into())),
            Err(error) => Err(ArchiveError::Body {
                version: version.clone(),
                error,
            }),
        }
    }

    /// Loads it again, with what it was loaded with then.
    #[must_use]
    pub fn load(&self) -> Loaded {
        crate::rules::load(&self.sources, &self.scope)
    }
}

/// As it lies in the database. Whatever is added must be optional: older ones are read for ever.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    files: Vec<File<'a>>,
    apps: Vec<App<'a>>,
    #[serde(with = "jiff::fmt::serde::tz::required")]
    timezone: TimeZone,
    /// By their size in bytes.
    media: BTreeMap<PathBuf, u64>,
}

#[derive(Serialize, Deserialize)]
struct File<'a> {
    path: Cow<'a, Path>,
    text: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct App<'a> {
    name: AppName,
    kind: AppKind,
    vars: Cow<'a, BTreeMap<String, String>>,
}

/// What the archive keeps of a set that was loaded from this.
pub(super) fn body(sources: &[Source], scope: &Scope) -> serde_json::Result<String> {
    let files = sources.iter().map(|source| File {
        path: source.path.as_path().into(),
        text: (&*source.text).into(),
    });
    let apps = scope.apps.iter().map(|app| App {
        name: app.name.clone(),
        kind: app.kind,
        vars: Cow::Borrowed(&app.vars),
    });
    let media = scope.media.iter().map(|(path, file)| (path.clone(), file.size()));
    serde_json::to_string(&Body {
        files: files.collect(),
        apps: apps.collect(),
        timezone: scope.timezone.clone(),
        media: media.collect(),
    })
}

impl From<Body<'_>> for ArchivedRules {
    fn from(body: Body<'_>) -> Self {
        let sources = body
            .files
            .into_iter()
            .map(|file| Source::new(file.path.into_owned(), file.text.into_owned()));
        let apps = body.apps.into_iter().map(|app| AppScope {
            name: app.name,
            kind: app.kind,
            vars: app.vars.into_owned(),
        });
        // What a picture held was looked at when it was used.
        let media = body
            .media
            .into_iter()
            .map(|(path, size)| (path, MediaFile::new(size, None)));
        Self {
            sources: sources.collect(),
            scope: Scope {
                apps: apps.collect(),
                timezone: body.timezone,
                media: media.collect(),
                ..Scope::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_the_same_version() {
        for zone in ["Asia/Shanghai", "UTC"] {
            let scope = Scope {
                apps: vec![AppScope {
                    name: "shop".into(),
                    kind: AppKind::OfficialAccount,
                    vars: [("phone".to_owned(), "400\n\"1\"".to_owned())].into(),
                }],
                timezone: TimeZone::get(zone).expect("a zone"),
                media: [("images/菜单.png".into(), MediaFile::new(5, None))].into(),
                ..Scope::default()
            };
            let text =
                "[[rule]]\nname = \"营业\"\nreply = [\"{{ app.phone }}\", { image = \"images/菜单.png\" }]\n";
            let sources = [
                Source::new("a.toml", text),
                Source::new("b/c.toml", "\u{feff}\r\n"),
            ];
            let loaded = crate::rules::load(&sources, &scope);
            let version = loaded.set.expect("loads").version().clone();

            let body = body(&sources, &scope).expect("can be written");
            let back: ArchivedRules = serde_json::from_str::<Body<'_>>(&body).expect("readable").into();
            assert_eq!(back.sources, sources);
            assert_eq!(back.scope.media, scope.media);
            assert_eq!(back.scope.apps[0].kind, scope.apps[0].kind);
            assert_eq!(back.load().set.expect("loads").version(), &version, "{body}");
        }
    }
}
