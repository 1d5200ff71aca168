//! The machinery: apps, tokens, rules, database, alarms, and who did what.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use serde_json::Value;
use warp::reply::Response;

use super::{Frame, Place};
use crate::console::Console;
use crate::console::data::Page;
use crate::console::data::health::TokenState;
use crate::console::data::system::{AppState, Deed, Refused, System, deeds, place};
use crate::console::html::{html, number, size};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::{counted, filled};
use crate::message::{AppKind, Mode};

/// Rows of the audit trail on a page.
const ROWS: u32 = 30;

#[derive(Deserialize)]
struct Wish {
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "system.html", config = "src/console/askama.toml")]
struct SystemPage {
    frame: Frame,
    system: System,
    trail: Page<Deed>,
    /// Whether this is not the beginning of the trail.
    is_further: bool,
}

/// `GET /system`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let before = wish.cursor.as_deref().map(place).transpose()?;
    let (system, trail) = tokio::try_join!(System::gather(&console), deeds(&console, before, ROWS))?;
    let title = request.lang.words().frame.system;
    html(&SystemPage {
        frame: Frame::new(&console, &request, Place::System, title),
        system,
        trail,
        is_further: before.is_some(),
    })
}

impl SystemPage {
    fn token_of(&self, app: &AppState) -> Option<&TokenState> {
        let tokens = &self.system.health.tokens;
        tokens.iter().find(|token| token.app == app.name)
    }

    fn kind(&self, app: &AppState) -> &'static str {
        match app.kind {
            AppKind::MiniProgram => self.frame.w.system.mini_program,
            AppKind::OfficialAccount => self.frame.w.system.official_account,
        }
    }

    fn mode(&self, app: &AppState) -> &'static str {
        let w = self.frame.w.system;
        match app.mode {
            Mode::Plain => w.plain,
            Mode::Compat => w.compat,
            Mode::Safe => w.safe,
        }
    }

    fn reason(&self, refused: &Refused) -> &'static str {
        let w = self.frame.w.system;
        match refused.reason {
            "query" => w.reason_query,
            "signature" => w.reason_signature,
            "stale" => w.reason_stale,
            "mode" => w.reason_mode,
            "key" => w.reason_key,
            "envelope" => w.reason_envelope,
            "reused" => w.reason_reused,
            other => other,
        }
    }

    fn is_plain(&self, app: &AppState) -> bool {
        app.mode == Mode::Plain
    }

    fn size(&self, bytes: &u64) -> String {
        size(*bytes)
    }

    /// How long messages are kept.
    fn retention(&self) -> String {
        let w = self.frame.w.system;
        match self.system.database.retention {
            None => w.forever.to_owned(),
            Some(seconds) if seconds % 86_400 == 0 => counted(w.days, seconds / 86_400),
            Some(seconds) => counted(w.hours, seconds / 3_600),
        }
    }

    /// How far behind the index is.
    fn index(&self) -> String {
        let w = self.frame.w.system;
        let database = &self.system.database;
        if database.rebuilding {
            w.index_rebuilding.to_owned()
        } else if database.unindexed == 0 {
            w.index_current.to_owned()
        } else {
            counted(w.index_behind, database.unindexed)
        }
    }

    fn pictures(&self) -> Vec<String> {
        let w = self.frame.w.system;
        let pictures = &self.system.database.pictures;
        if !pictures.wanted {
            return vec![w.pictures_off.to_owned()];
        }
        let mut told = vec![filled(w.pictures_kept, number(pictures.kept))];
        if pictures.waiting > 0 {
            told.push(filled(w.pictures_waiting, number(pictures.waiting)));
        }
        if pictures.lost > 0 {
            told.push(filled(w.pictures_lost, number(pictures.lost)));
        }
        told
    }

    /// What somebody did, in words; a word that is not known here as it is.
    fn did<'a>(&self, deed: &'a Deed) -> &'a str {
        let w = self.frame.w.system;
        match deed.action.as_str() {
            "reply" => w.did_reply,
            "mute" => w.did_mute,
            "unmute" => w.did_unmute,
            "drop" => w.did_drop,
            "resend" => w.did_resend,
            "forget" => w.did_forget,
            "snippet.put" => w.did_snippet_put,
            "snippet.delete" => w.did_snippet_delete,
            "backup" => w.did_backup,
            "rules.save" => w.did_rules_save,
            "rules.delete" => w.did_rules_delete,
            "rules.restore" => w.did_rules_restore,
            "rules.reload" => w.did_rules_reload,
            other => other,
        }
    }

    /// What else there is to know: names and what they stand for.
    fn details<'a>(&self, deed: &'a Deed) -> Vec<(&'a str, String)> {
        let Value::Object(fields) = &deed.detail else {
            return Vec::new();
        };
        let w = self.frame.w.system;
        let name = |name: &'a str| match name {
            "app" => self.frame.w.frame.app,
            "ids" | "messages" => w.messages,
            "replies" => w.replies,
            "pictures" => w.pictures,
            "until" | "muted_until" => w.until_name,
            "text" => w.text,
            "version" => w.version,
            other => other,
        };
        let told = |value: &Value| match value {
            Value::String(text) => match text.parse() {
                Ok(time) => self.frame.watch.full(&time),
                Err(_) => text.clone(),
            },
            Value::Array(list) if list.len() > 3 => number(list.len() as u64),
            Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        let fields = fields.iter().filter(|(_, value)| !value.is_null());
        fields.map(|(field, value)| (name(field), told(value))).collect()
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
