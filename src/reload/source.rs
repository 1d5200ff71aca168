//! Where rules come from: files on the disk, and what the config lets them refer to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::folder::{self, ReadError, RuleFiles};
use crate::config::{self, Config};
use crate::diagnostic::Source;
use crate::rules::{self, AppScope, Loaded, MediaFile, Scope};
use crate::wechat;

/// Where rules come from, and what they may refer to.
#[derive(Clone, Debug)]
pub struct RulesSource {
    /// A folder or a file.
    pub path: PathBuf,
    /// The apps of the config; empty when there is none.
    pub apps: Vec<AppScope>,
    /// The zone of hours and dates.
    pub timezone: TimeZone,
    /// Whether there is a secret to sign questions to webhooks with; without a config to look at, taken for granted.
    pub webhook_secret: bool,
}

impl RulesSource {
    /// The rules of a config.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let apps = config.apps.iter().map(|app| AppScope {
            name: app.name.clone(),
            kind: app.kind,
            vars: app.vars.clone(),
        });
        Self {
            path: config.rules.clone(),
            apps: apps.collect(),
            timezone: config.timezone.clone(),
            webhook_secret: config.webhook.secret.is_some(),
        }
    }

    /// Rules that are looked at without a config: any app, any webhook, and the zone that a config has by default.
    #[must_use]
    pub fn without_config() -> Self {
        Self {
            path: PathBuf::new(),
            apps: Vec::new(),
            timezone: TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC),
            webhook_secret: true,
        }
    }

    /// Reads and loads them. Blocks.
    pub fn load(&self) -> Result<Loaded, ReadError> {
        let loaded = self.load_files(folder::read(&self.path)?);
        Ok(or_none(loaded, std::slice::from_ref(&self.path)))
    }

    /// Reads and loads rules from several places, as one set; `path` is not asked. Findings call files by their whole
    /// paths, not by those within the folder. Blocks.
    pub fn load_all(&self, paths: &[PathBuf]) -> Result<Loaded, ReadError> {
        self.with_all(paths, |files| self.load_files(files))
    }

    /// The same, and looks at the rules as a whole ([`rules::check`]), on the day `today`. Blocks.
    pub fn check_all(&self, paths: &[PathBuf], today: Date) -> Result<Loaded, ReadError> {
        self.with_all(paths, |files| {
            rules::check(&files.sources, &self.scope(files.media, Some(today)))
        })
    }

    fn with_all(&self, paths: &[PathBuf], load: impl Fn(RuleFiles) -> Loaded) -> Result<Loaded, ReadError> {
        if let [only] = paths {
            let root = folder::media_root(only);
            let mut loaded = load(folder::read(only)?);
            for finding in &mut loaded.findings {
                for place in finding.place.iter_mut().chain(&mut finding.related) {
                    place.source.path = root.join(&place.source.path);
                }
            }
            return Ok(or_none(loaded, paths));
        }
        let mut all = RuleFiles::default();
        for path in paths {
            let root = folder::media_root(path);
            let files = folder::read(path)?;
            let named = |source: Source| Source::new(root.join(source.path), source.text);
            all.sources.extend(files.sources.into_iter().map(named));
            all.media.extend(
                files
                    .media
                    .into_iter()
                    .map(|(name, size)| (root.join(name), size)),
            );
        }
        // As a folder is read: by the bytes of the path, where a `/` counts as any other.
        all.sources
            .sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
        all.sources.dedup_by(|a, b| a.path == b.path);
        Ok(or_none(load(all), paths))
    }

    fn load_files(&self, files: RuleFiles) -> Loaded {
        rules::load(&files.sources, &self.scope(files.media, None))
    }

    /// What the rules may refer to, with these files beside them, on the day `today` if that matters.
    #[must_use]
    pub fn scope(&self, media: BTreeMap<PathBuf, MediaFile>, today: Option<Date>) -> Scope {
        Scope {
            apps: self.apps.clone(),
            timezone: self.timezone.clone(),
            media,
            webhook_secret: self.webhook_secret,
            quota: Some(|kind, msg_type, event| {
                wechat::grant(kind, msg_type, event).map_or(0, |grant| grant.replies)
            }),
            today,
        }
    }
}

/// Says so when nothing is wrong, but nothing is there either.
pub(super) fn or_none(mut loaded: Loaded, paths: &[PathBuf]) -> Loaded {
    if loaded.set.as_ref().is_some_and(|set| set.is_empty()) {
        let places: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        loaded.findings.push(config::no_rule_in(&places.join(", ")));
    }
    loaded
}
