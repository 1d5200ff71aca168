//! Rules from what others keep them in: WeChat's own auto-replies, or a table of keywords. Pure: bytes in, the text of
//! a rule file and a report out.
//!
//! `wechat` and `table` read into drafts; `write` makes a rule file of them. Which rule answers a keyword is not
//! guessed: the engine is asked, together with the rules that are there already, and the tests beside the imported
//! rules say what it said.

mod draft;
mod table;
#[cfg(test)]
mod tests;
mod wechat;
mod write;

pub(crate) use write::{many, names_in, quoted, unique};

use std::path::PathBuf;

use crate::diagnostic::Source;
use crate::rules::Scope;

/// Where the rules go.
#[derive(Debug)]
pub struct Place<'a> {
    /// How the file is called that they come from.
    pub from: &'a str,
    /// The path of the new file within the rules folder.
    pub path: PathBuf,
    /// The rule files that are there already.
    pub others: &'a [Source],
    /// What rules may refer to.
    pub scope: &'a Scope,
    /// The path of the JSON Schema from the new file, if there is one.
    pub schema: Option<&'a str>,
}

/// A new rule file, and what is to be said about it.
#[derive(Debug)]
pub struct Imported {
    /// The file.
    pub text: String,
    /// How many rules are in it.
    pub rules: usize,
    /// How many of these are switched off, for want of a keyword or a reply, or because they were off before.
    pub disabled: usize,
    /// How many tests are in it.
    pub tests: usize,
    /// What could not be carried over, or not as it was.
    pub notes: Vec<Note>,
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The rule that it is about.
    pub rule: Option<String>,
    /// What, and why.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// Why nothing could be imported.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// The API said no.
    #[error("this is no list of replies, but an error of WeChat's API: {code}: {meaning}{said}")]
    Errcode {
        /// WeChat's code.
        code: i64,
        /// What it means, and what to do.
        meaning: &'static str,
        /// What WeChat said, after a colon; empty if nothing.
        said: String,
    },
    /// No text in UTF-8.
    #[error(
        "the file is not in UTF-8; Excel and WPS in China save CSV in GBK: choose \"CSV UTF-8\" when saving, or run \
         `iconv -f GB18030 -t UTF-8 FILE > new.csv`"
    )]
    NotUtf8,
    /// UTF-16.
    #[error(
        "the file is in UTF-16: save it as \"CSV UTF-8\", or run `iconv -f UTF-16 -t UTF-8 FILE > new.csv`"
    )]
    Utf16,
    /// A workbook.
    #[error("this is a workbook, not a table in text: save the sheet as \"CSV UTF-8\"")]
    Workbook,
    /// Something between braces that is no JSON.
    #[error("this begins like JSON, but is none: {0}")]
    Json(String),
    /// JSON of another kind.
    #[error(
        "this is not the answer of get_current_autoreply_info: it has none of keyword_autoreply_info, \
         message_default_autoreply_info and add_friend_autoreply_info. WeChat gives them only while the replies made in \
         its backend are on, and those are off while the account pushes to a server of its own: read them before that is \
         switched on, or switch it off for a moment"
    )]
    NotAutoreply,
    /// No row of a table could be used.
    #[error("there is no row with a keyword and a reply{0}")]
    Empty(String),
}

/// Turns a file into rules.
pub fn import(bytes: &[u8], place: &Place<'_>) -> Result<Imported, Refused> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(Refused::Workbook);
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Refused::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Refused::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let drafts = if text.trim_start().starts_with('{') {
        wechat::read(text)?
    } else {
        table::read(text)?
    };
    Ok(write::write(drafts, place))
}
