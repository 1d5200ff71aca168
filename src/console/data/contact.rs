//! What is known of one user of one app.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::console::Console;
use crate::console::problem::Problem;
use crate::message::{AppName, Contact, OpenId};
use crate::store::StoreError;
use crate::wechat;

/// A user as the last message left them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct User {
    /// The app.
    pub app: String,
    /// The user.
    pub openid: String,
    /// When the first message (not event) came.
    pub first_message: Option<Timestamp>,
    /// When the last message (not event) came.
    pub last_message: Option<Timestamp>,
    /// How many messages in a row went unanswered.
    pub misses: u32,
    /// The dialog state that the user is in.
    pub state: Option<State>,
    /// Until when no rule answers; absent when rules answer.
    pub muted_until: Option<Timestamp>,
    /// Rules that stay silent for this user, and until when.
    pub cooldowns: Vec<Silent>,
    /// What WeChat would still take.
    pub quota: Quota,
}

/// A dialog state.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DialogState)]
pub(in crate::console) struct State {
    /// Its name.
    pub name: String,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// A rule that stays silent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Silent {
    /// The rule.
    pub rule: String,
    /// When it speaks again.
    pub until: Timestamp,
}

/// WeChat's reply quota for a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::console) struct Quota {
    /// Replies that may still be written.
    pub left: u32,
    /// Replies that wait to be sent, and are paid for.
    pub waiting: u32,
    /// How many the user's last message bought; absent when no window is open.
    pub of: Option<u32>,
    /// When the window closes; absent when none is open.
    pub until: Option<Timestamp>,
}

impl Console {
    /// What is known of a user; `None` when nobody of that name ever came.
    pub(in crate::console) async fn user(
        &self,
        app: &AppName,
        openid: &OpenId,
    ) -> Result<Option<User>, Problem> {
        let contact = async { Ok::<_, StoreError>(self.store.contact(app, openid).await?.0) };
        let (contact, thread) = tokio::try_join!(contact, self.store.thread(app, openid, None, 1))?;
        if thread.entries.is_empty() && contact == Contact::default() {
            return Ok(None);
        }
        Ok(Some(self.user_of(app, openid, contact)))
    }

    /// The same, of a contact that is already read.
    pub(in crate::console) fn user_of(&self, app: &AppName, openid: &OpenId, contact: Contact) -> User {
        let now = self.clock.now();
        let kind = self.apps.iter().find(|a| a.name == *app).map(|a| a.kind);
        let message = kind.and_then(|kind| wechat::grant(kind, "text", None));
        let quota = quota(&contact, message, now);
        let runs = |until: &Timestamp| *until > now;
        User {
            app: app.to_string(),
            openid: openid.to_string(),
            first_message: contact.first_message,
            last_message: contact.last_message,
            misses: contact.misses,
            state: contact
                .state
                .filter(|state| runs(&state.until))
                .map(|state| State {
                    name: state.name,
                    until: state.until,
                }),
            muted_until: contact.muted_until.filter(runs),
            cooldowns: contact
                .cooldowns
                .into_iter()
                .filter(|(_, until)| runs(until))
                .map(|(rule, until)| Silent {
                    rule: rule.into(),
                    until,
                })
                .collect(),
            quota,
        }
    }
}

/// `message` is what a message buys; an event's smaller grant is not known any more, and not told.
fn quota(contact: &Contact, message: Option<wechat::Grant>, now: Timestamp) -> Quota {
    let ledger = contact.ledger;
    let Some(until) = ledger.until.filter(|until| *until > now) else {
        return Quota {
            waiting: ledger.waiting,
            ..Quota::default()
        };
    };
    let wrote = message.filter(|grant| {
        let closes = contact
            .last_message
            .map(|last| crate::clock::after(last, grant.window));
        closes.is_some_and(|closes| closes > now)
    });
    Quota {
        left: ledger.left,
        waiting: ledger.waiting,
        of: wrote.map(|grant| grant.replies.max(ledger.left.saturating_add(ledger.waiting))),
        until: Some(until),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::Ledger;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    #[test]
    fn a_quota_is_told_while_its_window_is_open() {
        let message = Some(wechat::Grant {
            replies: 5,
            window: Duration::from_secs(100),
        });
        let contact = Contact {
            last_message: Some(at(1000)),
            ledger: Ledger {
                left: 2,
                waiting: 1,
                until: Some(at(1100)),
            },
            ..Contact::default()
        };
        let open = quota(&contact, message, at(1050));
        assert_eq!(
            (open.left, open.waiting, open.of, open.until),
            (2, 1, Some(5), Some(at(1100)))
        );
        let over = quota(&contact, message, at(1100));
        assert_eq!((over.left, over.waiting, over.of, over.until), (0, 1, None, None));
        // The user only opened the conversation: what that bought is not five.
        let entered = Contact {
            last_message: None,
            ..contact
        };
        assert_eq!(quota(&entered, message, at(1050)).of, None);
    }
}
