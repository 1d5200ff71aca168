//! The rows that messages add.

use std::borrow::Cow;

use jiff::Timestamp;
use rusqlite::{CachedStatement, params};
use sqlx::SqliteConnection;

use super::StoreError;
use super::contact::{APPEND, User};
use super::requests::Prepared;
use super::row::to_json;
use super::turn::Place;
use crate::message::{
    Answer, AppName, Decision, DropReason, Inbound, MessageId, OpenId, Outbound, OutboundStatus, Reply,
    RuleName, RuleSetVersion,
};

/// One row of `messages` to be written.
pub(super) struct Row<'a> {
    pub(super) id: MessageId,
    app: AppName,
    openid: OpenId,
    time: i64,
    msg_type: &'a str,
    event: Option<&'a str>,
    content: Option<Cow<'a, str>>,
    fields: Cow<'a, str>,
    rule: Option<RuleName>,
    rule_set: RuleSetVersion,
    status: &'static str,
    dedup_key: Option<&'a str>,
    answer: Option<String>,
    observed: Option<String>,
    nonce: Option<i64>,
    previous: Option<MessageId>,
    /// Of a reply.
    place: Option<Place>,
    typing: Option<bool>,
    error: Option<&'static str>,
    /// Whether it is the only reply that waits for its user.
    pub(super) alone: bool,
}

/// A reply that is written by itself, beside a message that is in the log already.
pub(super) struct LateReply<'a> {
    pub(super) id: MessageId,
    pub(super) app: &'a AppName,
    pub(super) openid: &'a OpenId,
    pub(super) time: Timestamp,
    pub(super) reply: &'a Reply,
    pub(super) rule: Option<&'a str>,
    pub(super) rule_set: Option<&'a str>,
    pub(super) place: Place,
    pub(super) dropped: Option<DropReason>,
    pub(super) note: Option<&'a str>,
    pub(super) author: Option<&'a str>,
}

impl LateReply<'_> {
    pub(super) fn status(&self) -> OutboundStatus {
        match self.dropped {
            Some(_) => OutboundStatus::Dropped,
            None => OutboundStatus::Queued,
        }
    }

    pub(super) async fn insert(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query(
            "insert into messages (id, app, openid, direction, time, msg_type, content, fields, rule, rule_set, status, \
             due, queued_at, turn, typing, error, note, author) \
             values ($1, $2, $3, 'out', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16)",
        )
        .bind(self.id.as_i64())
        .bind(self.app.as_str())
        .bind(self.openid.as_str())
        .bind(self.time.as_millisecond())
        .bind(self.reply.msg_type())
        .bind(self.reply.summary())
        .bind(to_json(self.reply)?)
        .bind(self.rule)
        .bind(self.rule_set)
        .bind(self.status().as_str())
        .bind(self.place.due)
        .bind(self.place.queued_at)
        .bind(self.place.turn)
        .bind(self.dropped.map(DropReason::explanation))
        .bind(self.note)
        .bind(self.author)
        .execute(conn)
        .await?;
        Ok(())
    }
}

impl<'a> Row<'a> {
    pub(super) fn inbound(
        id: MessageId,
        message: &'a Prepared,
        decision: &Decision,
        previous: Option<MessageId>,
    ) -> Result<Self, StoreError> {
        let Prepared { arrival, fields } = message;
        let inbound = &arrival.inbound;
        let answer = (decision.answer != Answer::Success).then(|| to_json(&decision.answer));
        let observed = (!decision.observed.is_empty()).then(|| to_json(&decision.observed));
        Ok(Self {
            id,
            app: inbound.app.clone(),
            openid: inbound.openid.clone(),
            time: inbound.received.as_millisecond(),
            msg_type: &inbound.msg_type,
            event: inbound.event.as_deref(),
            content: inbound.content.as_deref().map(Cow::from),
            fields: Cow::from(fields),
            rule: decision.rule.clone(),
            rule_set: decision.rule_set.clone(),
            status: decision.status.as_str(),
            dedup_key: Some(&inbound.dedup_key),
            answer: answer.transpose()?,
            observed: observed.transpose()?,
            nonce: arrival.nonce,
            previous,
            place: None,
            typing: None,
            error: None,
            alone: false,
        })
    }

    pub(super) fn outbound(
        id: MessageId,
        inbound: &Inbound,
        decision: &Decision,
        outbound: &Outbound,
        now: Timestamp,
        place: Place,
    ) -> Result<Self, StoreError> {
        let status = match outbound.dropped {
            Some(_) => OutboundStatus::Dropped,
            None => OutboundStatus::Queued,
        };
        Ok(Self {
            id,
            app: inbound.app.clone(),
            openid: inbound.openid.clone(),
            time: now.as_millisecond(),
            msg_type: outbound.reply.msg_type(),
            event: None,
            content: Some(outbound.reply.summary().into()),
            fields: to_json(&outbound.reply)?.into(),
            rule: Some(outbound.rule.clone()),
            rule_set: decision.rule_set.clone(),
            status: status.as_str(),
            dedup_key: None,
            answer: None,
            observed: None,
            nonce: None,
            previous: None,
            place: Some(place),
            typing: Some(outbound.typing),
            error: outbound.dropped.map(DropReason::explanation),
            alone: false,
        })
    }

    /// Whose it is, its status, and whether it is an event.
    pub(super) fn label(&self) -> (AppName, &'static str, bool) {
        (self.app.clone(), self.status, self.msg_type == "event")
    }

    fn insert(
        &self,
        inbound: &mut CachedStatement<'_>,
        outbound: &mut CachedStatement<'_>,
    ) -> Result<(), StoreError> {
        let rule = self.rule.as_ref().map(RuleName::as_str);
        match &self.place {
            None => inbound.execute(params![
                self.id.as_i64(),
                self.app.as_str(),
                self.openid.as_str(),
                self.time,
                self.msg_type,
                self.event,
                self.content,
                self.fields,
                rule,
                self.rule_set.as_str(),
                self.status,
                self.dedup_key,
                self.answer,
                self.observed,
                self.nonce,
                self.previous.map(MessageId::as_i64),
            ])?,
            Some(place) => outbound.execute(params![
                self.id.as_i64(),
                self.app.as_str(),
                self.openid.as_str(),
                self.time,
                self.msg_type,
                self.content,
                self.fields,
                rule,
                self.rule_set.as_str(),
                self.status,
                place.due,
                place.queued_at,
                place.turn,
                self.typing,
                self.error,
                self.alone.then_some(true),
            ])?,
        };
        Ok(())
    }
}

/// What [`Row::insert`] executes for a push and for a reply: two texts, for a value that is null costs as much as any other.
pub(super) const INSERT_INBOUND: &str = "insert into messages (id, app, openid, direction, time, msg_type, event, content, \
     fields, rule, rule_set, status, dedup_key, answer, observed, nonce, previous) \
     values (?1, ?2, ?3, 'in', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
pub(super) const INSERT_OUTBOUND: &str = "insert into messages (id, app, openid, direction, time, msg_type, content, fields, rule, \
     rule_set, status, due, queued_at, turn, typing, error, alone) \
     values (?1, ?2, ?3, 'out', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// Users' new states, each with its place in the journal.
pub(super) type Users<'a> = Vec<(i64, &'a AppName, &'a OpenId, &'a User)>;

/// Writes what a group adds: rows in the order of their keys as far as can be, for a row that is put between others splits
/// a page.
pub(super) fn write(
    db: &rusqlite::Connection,
    rows: &[Row<'_>],
    users: &Users<'_>,
) -> Result<(), StoreError> {
    let mut inbound = db.prepare_cached(INSERT_INBOUND)?;
    let mut outbound = db.prepare_cached(INSERT_OUTBOUND)?;
    for row in rows {
        row.insert(&mut inbound, &mut outbound)?;
    }
    let mut append = db.prepare_cached(APPEND)?;
    for (seq, app, openid, user) in users {
        user.append(&mut append, *seq, app, openid)?;
    }
    Ok(())
}
