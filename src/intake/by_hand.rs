//! A person writes to a customer: the same quota, the same order, and every refusal in words for that person.

use std::path::{Component, Path};
use std::time::Duration;

use jiff::Timestamp;

use super::Intake;
use crate::clock::after;
use crate::message::{AppName, Contact, DropReason, Media, MessageId, MiniProgramPage, OpenId, Reply};
use crate::rules::MAX_TEXT;
use crate::store::{ByHand, Standing, StoreError};

/// Why nothing that a person wrote is sent. Nothing is written then: it is all or none.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ByHandError {
    /// No reply, or one without text.
    #[error("there is nothing to send: the text is empty")]
    Empty,
    /// A text that WeChat would refuse.
    #[error(
        "the text has {bytes} bytes, and WeChat takes {MAX_TEXT} (a Chinese character is 3); send it in several messages"
    )]
    TooLong {
        /// Its length in UTF-8.
        bytes: usize,
    },
    /// A reply that only a rule can make, or a file outside of the rules' folder.
    #[error("this can't be sent by hand: {0}")]
    Unfit(String),
    /// No message of this user is known.
    #[error("no message of this user is in the log, so there is nothing to answer")]
    UnknownUser,
    /// WeChat takes no replies any more.
    #[error("{}", window_over(.since))]
    WindowOver {
        /// Since when; `None` when the user never did anything that WeChat takes replies to.
        since: Option<Timestamp>,
    },
    /// WeChat takes fewer than these.
    #[error("{}", quota(*.left, *.waiting))]
    Quota {
        /// How many it would take.
        left: u32,
        /// How many are queued already.
        waiting: u32,
    },
    /// The log has no place for them beside the user's last message.
    #[error(
        "there is room for {free} more replies to the user's last message (the log holds {max} for each); wait until the \
         user writes again", max = MessageId::MAX_REPLIES
    )]
    Full {
        /// How many places are left.
        free: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn window_over(since: &Option<Timestamp>) -> String {
    match since {
        Some(since) => format!(
            "WeChat takes no replies to this user since {since}: the time for it is over; wait until the user writes again"
        ),
        None => "WeChat takes no replies to this user: a message of the user has to come first".to_owned(),
    }
}

fn quota(left: u32, waiting: u32) -> String {
    let waiting = match waiting {
        0 => String::new(),
        waiting => format!(" ({waiting} more are waiting to be sent)"),
    };
    match left {
        0 => format!(
            "WeChat takes no more replies to what the user did last{waiting}; wait until the user writes again"
        ),
        left => format!("WeChat takes {left} more to what the user did last{waiting}; send fewer"),
    }
}

impl Intake {
    /// Queues what `author` wrote to a user, in order and behind what already waits for this user, and lets no rule
    /// answer for the time of `mute` (a longer silence stays). What `reserve` keeps of the quota is there for this.
    /// All or nothing. Gives the replies' keys.
    pub async fn write(
        &self,
        app: &AppName,
        openid: &OpenId,
        replies: Vec<Reply>,
        author: &str,
        mute: Option<Duration>,
    ) -> Result<Vec<MessageId>, ByHandError> {
        if replies.is_empty() {
            return Err(ByHandError::Empty);
        }
        replies.iter().try_for_each(check)?;
        let count = replies.len();
        let by_hand = ByHand {
            app: app.clone(),
            openid: openid.clone(),
            author: author.to_owned(),
            replies,
        };
        self.store
            .write_by_hand(by_hand, move |standing| judge(standing, count, mute))
            .await?
    }
}

/// Whether a person can send this.
fn check(reply: &Reply) -> Result<(), ByHandError> {
    match reply {
        Reply::Text(text) if text.trim().is_empty() => Err(ByHandError::Empty),
        Reply::Text(text) if text.len() > MAX_TEXT => Err(ByHandError::TooLong { bytes: text.len() }),
        Reply::Image(Media::File(path))
        | Reply::MiniProgramPage(MiniProgramPage {
            thumb: Media::File(path),
            ..
        }) if !lies_within(path) => Err(ByHandError::Unfit(format!(
            "{} is not in the folder of the rules",
            path.display()
        ))),
        Reply::Webhook(_) => Err(ByHandError::Unfit("only a rule can ask a webhook".to_owned())),
        Reply::Text(_) | Reply::Image(_) | Reply::Link(_) | Reply::MiniProgramPage(_) => Ok(()),
    }
}

/// A path that can't lead out of its folder.
fn lies_within(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// The user after `count` replies by hand, or why they can't be sent.
fn judge(
    standing: Option<Standing<'_>>,
    count: usize,
    mute: Option<Duration>,
) -> Result<Contact, ByHandError> {
    let Standing { now, contact, free } = standing.ok_or(ByHandError::UnknownUser)?;
    let mut after_it = contact.clone();
    for _ in 0..count {
        after_it.ledger.take(now, 0).map_err(|reason| match reason {
            DropReason::WindowOver => ByHandError::WindowOver {
                since: contact.ledger.until,
            },
            DropReason::Quota => ByHandError::Quota {
                left: contact.ledger.left,
                waiting: contact.ledger.waiting,
            },
        })?;
    }
    match free {
        None => return Err(ByHandError::UnknownUser),
        Some(free) if free < count => return Err(ByHandError::Full { free }),
        Some(_) => {}
    }
    if let Some(mute) = mute {
        after_it.muted_until = after_it.muted_until.max(Some(after(now, mute)));
    }
    Ok(after_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Ledger;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_732_250_000 + second).expect("in range")
    }

    fn user(left: u32, waiting: u32, until: Option<i64>) -> Contact {
        Contact {
            ledger: Ledger {
                left,
                waiting,
                until: until.map(at),
            },
            ..Contact::default()
        }
    }

    fn judged(contact: &Contact, free: Option<usize>, count: usize) -> Result<Contact, String> {
        let standing = Standing {
            now: at(0),
            contact,
            free,
        };
        judge(Some(standing), count, None).map_err(|error| error.to_string())
    }

    #[test]
    fn the_reserved_slot_is_for_people_and_no_more_than_that() {
        let contact = user(1, 0, Some(9));
        assert_eq!(
            judged(&contact, Some(9), 1).map(|contact| contact.ledger.left),
            Ok(0)
        );
        let two = judged(&contact, Some(9), 2).expect_err("one is left");
        assert!(two.starts_with("WeChat takes 1 more"), "{two}");
        let none = judged(&user(0, 2, Some(9)), Some(9), 1).expect_err("none is left");
        assert!(
            none.contains("no more replies") && none.contains("2 more are waiting"),
            "{none}"
        );
    }

    #[test]
    fn every_refusal_says_why() {
        let over = judged(&user(5, 0, Some(0)), Some(9), 1).expect_err("over");
        assert!(over.contains(&at(0).to_string()), "{over}");
        let never = judged(&user(0, 0, None), Some(9), 1).expect_err("never opened");
        assert!(never.contains("has to come first"), "{never}");
        let full = judged(&user(5, 0, Some(9)), Some(1), 2).expect_err("full");
        assert!(full.contains("room for 1 more"), "{full}");
        let gone = judged(&user(5, 0, Some(9)), None, 1).expect_err("gone");
        let unknown = judge(None, 1, None).expect_err("unknown").to_string();
        assert_eq!(gone, unknown);
    }

    #[test]
    fn a_mute_lasts_as_long_as_the_longest() {
        let mut contact = user(5, 0, Some(9));
        for (before, asked, then) in [
            (None, None, None),
            (None, Some(60), Some(60)),
            (Some(30), Some(60), Some(60)),
            (Some(90), Some(60), Some(90)),
            (Some(90), None, Some(90)),
        ] {
            contact.muted_until = before.map(at);
            let standing = Standing {
                now: at(0),
                contact: &contact,
                free: Some(9),
            };
            let after_it = judge(Some(standing), 1, asked.map(Duration::from_secs)).expect("taken");
            assert_eq!(after_it.muted_until, then.map(at), "{before:?} {asked:?}");
        }
    }

    #[test]
    fn what_wechat_would_refuse_is_refused_here() {
        let text = |text: &str| check(&Reply::Text(text.to_owned()));
        assert!(text(&"营".repeat(682)).is_ok());
        assert!(matches!(
            text(&"营".repeat(683)),
            Err(ByHandError::TooLong { bytes: 2049 })
        ));
        assert!(matches!(text(" \n"), Err(ByHandError::Empty)));
        for (path, fine) in [
            ("images/a.png", true),
            ("../secret.png", false),
            ("/etc/secret.png", false),
            ("a/../../b.png", false),
        ] {
            let image = Reply::Image(Media::File(path.into()));
            assert_eq!(check(&image).is_ok(), fine, "{path}");
        }
        assert!(check(&Reply::Image(Media::MediaId("M".to_owned()))).is_ok());
    }
}
