//! The log in pages, by any filter.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::message::Message;
use super::time::moment;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::message::{Direction, InboundStatus};
use crate::store::{Cursor, Filter, Found};

/// Rows of a page, unless told.
const ROWS: u16 = 50;

/// Rows of a page at most.
const MAX_ROWS: u16 = 200;

/// Which rows of the log. What is absent or empty does not restrict.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct LogQuery {
    /// One app.
    pub app: Option<String>,
    /// One user.
    pub openid: Option<String>,
    /// One rule.
    pub rule: Option<String>,
    /// `in` or `out`.
    #[param(schema_with = ways)]
    pub direction: Option<Way>,
    /// How a message was taken, or where a reply stands.
    #[param(schema_with = states)]
    pub status: Option<State>,
    /// Only what no rule answered.
    pub unmatched: Option<bool>,
    /// A text that the content has; letter case, width and traditional characters aside.
    pub search: Option<String>,
    /// From this time on: RFC 3339, or without a zone for the daemon's own.
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// How many rows.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
}

/// What `direction` may be; forms send it empty.
fn ways() -> Object {
    let words = ["", "in", "out"];
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

/// What `status` may be; forms send it empty.
fn states() -> Object {
    let words = State::ALL.map(State::as_str).into_iter().chain([""]);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

/// Which way messages went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum Way {
    /// From customers.
    In,
    /// To customers.
    Out,
    /// Either.
    #[serde(rename = "")]
    Any,
}

/// A status of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum State {
    Matched,
    Unmatched,
    Cooldown,
    Muted,
    Malformed,
    Queued,
    Sent,
    Failed,
    Dropped,
    Uncertain,
    /// Any.
    #[serde(rename = "")]
    Any,
}

impl State {
    /// Those that rows have.
    pub const ALL: [Self; 10] = [
        Self::Matched,
        Self::Unmatched,
        Self::Cooldown,
        Self::Muted,
        Self::Malformed,
        Self::Queued,
        Self::Sent,
        Self::Failed,
        Self::Dropped,
        Self::Uncertain,
    ];

    /// As the log has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::Cooldown => "cooldown",
            Self::Muted => "muted",
            Self::Malformed => "malformed",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::Uncertain => "uncertain",
            Self::Any => "",
        }
    }
}

/// A part of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct LogPage {
    /// The rows, newest first; may be empty although there are more.
    pub items: Vec<Message>,
    /// The `cursor` of the part that follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Everything younger than this was looked at; absent when everything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_to: Option<Timestamp>,
}

impl LogQuery {
    /// The filter that it means.
    pub fn filter(&self, console: &Console) -> Result<Filter, Problem> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let mut filter = Filter {
            app: given(&self.app).map(Into::into),
            openid: given(&self.openid).map(Into::into),
            rule: given(&self.rule).map(Into::into),
            direction: self.direction.and_then(|way| match way {
                Way::In => Some(Direction::In),
                Way::Out => Some(Direction::Out),
                Way::Any => None,
            }),
            status: self
                .status
                .filter(|state| *state != State::Any)
                .map(|state| state.as_str().to_owned()),
            search: given(&self.search),
            since: moment("since", self.since.as_deref(), &console.timezone)?,
            until: moment("until", self.until.as_deref(), &console.timezone)?,
            ..Filter::default()
        };
        if self.unmatched == Some(true) {
            let unmatched = InboundStatus::Unmatched.as_str();
            if filter.status.as_deref().is_some_and(|status| status != unmatched) {
                let detail = "`unmatched` and another `status` fit no message; leave one of them out";
                return Err(Problem::unprocessable(detail));
            }
            filter.status = Some(unmatched.to_owned());
        }
        Ok(filter)
    }

    /// How many rows.
    pub fn rows(&self) -> Result<usize, Problem> {
        Ok(rows(self.limit)?.into())
    }
}

/// How many rows a page has.
pub(in crate::console) fn rows(limit: Option<u16>) -> Result<u16, Problem> {
    match limit.unwrap_or(ROWS) {
        limit @ 1..=MAX_ROWS => Ok(limit),
        _ => Err(Problem::bad_request(format!("`limit` is 1 to {MAX_ROWS}"))),
    }
}

/// Where a page begins.
pub(in crate::console) fn cursor(text: Option<&str>) -> Result<Option<Cursor>, Problem> {
    let cursor = text.filter(|text| !text.is_empty()).map(str::parse).transpose();
    cursor.map_err(|error: crate::store::ParseCursorError| Problem::unprocessable(error.to_string()))
}

impl Console {
    /// A part of the log.
    pub(in crate::console) async fn log(&self, query: &LogQuery) -> Result<LogPage, Problem> {
        let filter = query.filter(self)?;
        let cursor = cursor(query.cursor.as_deref())?;
        let found = self.store.search(&filter, cursor.as_ref(), query.rows()?).await?;
        Ok(found.into())
    }
}

impl From<Found> for LogPage {
    fn from(found: Found) -> Self {
        Self {
            back_to: found.next.as_ref().map(|_| found.back_to),
            next: found.next.map(|cursor| cursor.to_string()),
            items: found.entries.into_iter().map(Message::from).collect(),
        }
    }
}
