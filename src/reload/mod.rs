//! The rules that live: files on the disk, the set in force, and every set that ever was.
//!
//! Watches the files, loads them whole, and swaps one pointer; what can't be used changes nothing. Leaves judging to
//! `rules`, and what is done about a message to `intake`.

mod archive;
mod folder;
mod look;
mod reloader;
mod source;
mod status;
mod watch;

pub use archive::{ArchiveError, ArchivedRules, archived};
pub use folder::{
    ReadError, RuleFiles, is_ignored, media_root, read as read_rule_files,
    read_except as read_rule_files_except,
};
pub use look::none_left;
pub use reloader::Reloader;
pub use source::RulesSource;
pub use status::{LoadFailure, RulesStatus};
