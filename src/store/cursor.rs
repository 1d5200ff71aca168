//! Where a page of a list ended, so that the next one goes on from there.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::index::Place;
use crate::message::MessageId;

/// Where the next page begins. Opaque to whoever holds it: a text that is given back as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub(super) At);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Rows before this one.
    Before(Place),
    /// A user's messages from `from` back, and of their rows those before `before`.
    Thread { from: MessageId, before: Option<Place> },
}

impl Cursor {
    /// Rows before this one, newest first.
    #[must_use]
    pub fn before(time: Timestamp, id: MessageId) -> Self {
        Self(At::Before((time.as_millisecond(), id.as_i64())))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            At::Before((time, id)) => write!(f, "b.{time}.{id}"),
            At::Thread { from, before: None } => write!(f, "t.{from}"),
            At::Thread {
                from,
                before: Some((time, id)),
            } => write!(f, "t.{from}.{time}.{id}"),
        }
    }
}

/// A text that is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no cursor: give back what came as `next`, or leave it out to begin anew")]
pub struct ParseCursorError(String);

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let place = |text: &str| -> Option<Place> {
            let (time, id) = text.split_once('.')?;
            Some((time.parse().ok()?, id.parse().ok()?))
        };
        let at = match text.split_at_checked(2) {
            Some(("b.", rest)) => place(rest).map(At::Before),
            Some(("t.", rest)) => match rest.split_once('.') {
                None => rest.parse().ok().map(|from| At::Thread { from, before: None }),
                Some((from, before)) => {
                    from.parse()
                        .ok()
                        .zip(place(before))
                        .map(|(from, before)| At::Thread {
                            from,
                            before: Some(before),
                        })
                }
            },
            _ => None,
        };
        at.map(Self).ok_or_else(|| ParseCursorError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form() {
        let from = MessageId::new(1_780_000_000, 7);
        for at in [
            At::Before((-5, i64::MAX)),
            At::Thread { from, before: None },
            At::Thread {
                from,
                before: Some((7, -9)),
            },
        ] {
            let cursor = Cursor(at);
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "b.", "b.1", "t.x", "u.shop.o", "x.1.2", "b.1.2.3", "营业"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
