//! Why a change of the rules did not happen.

use std::io;
use std::path::PathBuf;

use super::form::NotSimple;
use crate::diagnostic::{Diagnostic, render};
use crate::message::RuleSetVersion;
use crate::reload::{ArchiveError, ReadError};
use crate::store::StoreError;

/// Why a change of the rules did not happen, or could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// No path that a rule file can have.
    #[error("{path:?} can't be a rule file: {why}")]
    Path {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file is not what the editor started from.
    #[error("{path} was changed by somebody else meanwhile; look at the difference, then save again")]
    Conflict {
        /// Its path within the rules folder.
        path: String,
        /// What the disk has now; nothing when it was deleted.
        disk: Option<String>,
    },
    /// There is no such file.
    #[error("there is no rule file {0}")]
    NoFile(String),
    /// The rules as they would be can't go live.
    #[error("the rules can't be used like this, so nothing was saved: {}", first(.0))]
    Refused(Vec<Diagnostic>),
    /// Rules that come from somewhere else: a ConfigMap, a checkout.
    #[error(
        "{path} is a symbolic link, as a Kubernetes ConfigMap makes them: change the file where it comes from"
    )]
    Linked {
        /// Its path within the rules folder.
        path: String,
    },
    /// Only one file is read.
    #[error("`rules` in the config names a single file, {0}: no other file would be read")]
    LoneFile(PathBuf),
    /// The file can't be written.
    #[error("{} can't be written: {cause}{}", path.display(), advice(cause))]
    Write {
        /// Which.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// The rules can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A rule that the form can't change.
    #[error(transparent)]
    NotSimple(#[from] NotSimple),
    /// Too much of this is done already.
    #[error("{0}; try again in a moment")]
    Busy(&'static str),
    /// A version that was never live here.
    #[error("the archive has no rules {0}")]
    NoVersion(RuleSetVersion),
    /// The archive can't be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The database failed.
    #[error("the database failed: {0}")]
    Store(#[from] StoreError),
    /// A thread ended early.
    #[error("the work broke off: {0}")]
    BrokeOff(#[from] tokio::task::JoinError),
}

fn first(findings: &[Diagnostic]) -> String {
    let first = findings.first().map(|finding| render(finding, false));
    first.unwrap_or_default()
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            "; give the user that wxreply runs as the right to write in the rules folder, or change the files by other means"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the rules folder is mounted read-only: change the files where they come from"
        }
        io::ErrorKind::ResourceBusy => "; the file is mounted by itself: mount its folder instead",
        io::ErrorKind::StorageFull => "; the disk is full",
        _ => "",
    }
}
