//! Versions of the rules.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::console::Console;
use crate::console::problem::Problem;
use crate::editing::Side;
use crate::message::RuleSetVersion;

/// How many swaps are told.
const SWAPS: u32 = 500;

/// A version of the rules, as it was in force.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RulesVersion)]
pub(in crate::console) struct Version {
    /// Which.
    #[schema(example = "0123456789abcdef")]
    pub version: String,
    /// Since when.
    pub live: Timestamp,
    /// Until when; absent while it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The version before it, which a comparison begins from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// A version with its files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct VersionFiles {
    /// Which.
    pub version: String,
    /// Its files.
    pub files: Vec<VersionFile>,
}

/// One file of a version.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct VersionFile {
    /// Its path within the rules folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Which version was in force when, the latest first.
pub(in crate::console) async fn versions(console: &Console) -> Result<Vec<Version>, Problem> {
    let swaps = console.editor.versions(SWAPS).await?;
    let told = swaps.iter().enumerate().map(|(at, swap)| Version {
        version: swap.version.as_str().to_owned(),
        live: swap.live,
        until: swap.until,
        before: swaps.get(at + 1).map(|before| before.version.as_str().to_owned()),
    });
    Ok(told.collect())
}

/// A part of the history, for the page.
pub(in crate::console) struct Part {
    pub versions: Vec<Version>,
    /// The place from which earlier ones are told.
    pub next: Option<i64>,
}

/// At most so many versions from a place of the history on; without one, from the latest on.
pub(in crate::console) async fn part(
    console: &Console,
    place: Option<i64>,
    limit: usize,
) -> Result<Part, Problem> {
    // One more than is shown is the version before the last; at a place, the first is that which the part before ended with.
    let wanted = limit + 1 + usize::from(place.is_some());
    let swaps = console
        .store
        .rule_set_swaps_from(place, u32::try_from(wanted).unwrap_or(u32::MAX))
        .await?;
    let mut until = None;
    let mut versions: Vec<Version> = swaps
        .iter()
        .enumerate()
        .map(|(at, (_, swap))| Version {
            version: swap.version.as_str().to_owned(),
            live: swap.live,
            until: until.replace(swap.live),
            before: swaps
                .get(at + 1)
                .map(|(_, before)| before.version.as_str().to_owned()),
        })
        .collect();
    if place.is_some() && !versions.is_empty() {
        versions.remove(0);
    }
    let more = versions.len() > limit;
    versions.truncate(limit);
    let last = swaps.len().checked_sub(2).filter(|_| more);
    Ok(Part {
        versions,
        next: last.map(|last| swaps[last].0),
    })
}

/// The version that was in force before a version last went live; nothing of the first one.
pub(in crate::console) async fn before(console: &Console, version: &str) -> Result<Option<String>, Problem> {
    let Some(place) = console.store.rule_set_place(&version.into()).await? else {
        return Ok(None);
    };
    let swaps = console.store.rule_set_swaps_from(Some(place), 2).await?;
    Ok(swaps.get(1).map(|(_, before)| before.version.as_str().to_owned()))
}

/// A version with its files.
pub(in crate::console) async fn files(console: &Console, version: &str) -> Result<VersionFiles, Problem> {
    let archived = console.editor.archived(&version.into()).await?;
    let file = |source: crate::diagnostic::Source| VersionFile {
        path: source.path.to_string_lossy().into_owned(),
        text: source.text.as_ref().to_owned(),
    };
    Ok(VersionFiles {
        version: version.to_owned(),
        files: archived.sources.into_iter().map(file).collect(),
    })
}

/// What a comparison is with: a version, or `disk`.
pub(in crate::console) fn side(name: &str) -> Side {
    match name {
        "disk" => Side::Disk,
        version => Side::Version(version.into()),
    }
}

/// Puts a version back, and notes who did.
pub(in crate::console) async fn restore(
    console: &Console,
    who: &str,
    version: &str,
) -> Result<super::candidate::SavedFiles, Problem> {
    let before = console.rules.status().version;
    let saved = console.editor.restore(&RuleSetVersion::from(version)).await?;
    let detail = serde_json::json!({ "before": before, "version": saved.version });
    console.store.audit(who, "rules.restore", version, detail).await?;
    Ok(super::candidate::SavedFiles {
        version: saved.version.as_str().to_owned(),
        refused: saved.refused,
    })
}
