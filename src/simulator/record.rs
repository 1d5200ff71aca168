//! The last pushes and API calls in the raw, for the page. The secrets in them are the simulator's own.

use std::collections::VecDeque;

use serde::Serialize;

/// How many pushes, and how many calls, are kept.
const KEPT: usize = 500;
/// The longest body that is kept whole.
const MAX_BODY: usize = 16 * 1024;

/// One push with its attempts.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PushRecord {
    pub(super) id: u64,
    pub(super) at: i64,
    pub(super) openid: Option<String>,
    /// `text`, or the event's name.
    pub(super) what: String,
    pub(super) callback: String,
    /// The message in clear.
    pub(super) clear: String,
    pub(super) attempts: Vec<AttemptRecord>,
    pub(super) result: Option<String>,
}

/// One attempt of a push.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AttemptRecord {
    pub(super) at: i64,
    pub(super) query: String,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    pub(super) status: Option<u16>,
    pub(super) answer: Option<String>,
    /// A sealed answer, opened.
    pub(super) opened: Option<String>,
    pub(super) error: Option<String>,
    pub(super) took: u64,
}

/// One call of the API.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CallRecord {
    pub(super) id: u64,
    pub(super) at: i64,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) request: String,
    /// `None`: the connection was closed without an answer.
    pub(super) status: Option<u16>,
    pub(super) response: String,
    pub(super) errcode: i64,
    /// The fault that hit it.
    pub(super) fault: Option<&'static str>,
    pub(super) took: u64,
}

/// The rings.
#[derive(Debug, Default)]
pub(super) struct Records {
    pushes: VecDeque<PushRecord>,
    calls: VecDeque<CallRecord>,
}

impl Records {
    pub(super) fn add_push(&mut self, push: PushRecord) {
        if self.pushes.len() == KEPT {
            self.pushes.pop_front();
        }
        self.pushes.push_back(push);
    }

    pub(super) fn push_mut(&mut self, id: u64) -> Option<&mut PushRecord> {
        // Ids grow with their place in the ring.
        let at = self.pushes.binary_search_by_key(&id, |push| push.id).ok()?;
        self.pushes.get_mut(at)
    }

    pub(super) fn push(&self, id: u64) -> Option<&PushRecord> {
        self.pushes.iter().find(|push| push.id == id)
    }

    pub(super) fn add_call(&mut self, call: CallRecord) {
        if self.calls.len() == KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub(super) fn call(&self, id: u64) -> Option<&CallRecord> {
        self.calls.iter().find(|call| call.id == id)
    }

    /// The newest `count` calls, the oldest first.
    pub(super) fn last_calls(&self, count: usize) -> impl Iterator<Item = &CallRecord> {
        self.calls.iter().skip(self.calls.len().saturating_sub(count))
    }
}

/// A body as text; what is no text, or long, is told by its length.
pub(super) fn as_text(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if text.len() <= MAX_BODY => text.to_owned(),
        Ok(text) => format!(
            "{}… ({} bytes)",
            &text[..text.floor_char_boundary(MAX_BODY)],
            text.len()
        ),
        Err(_) => format!("({} bytes, not text)", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_binary_bodies_are_cut() {
        assert_eq!(as_text("您好".as_bytes()), "您好");
        assert_eq!(as_text(&[0xff, 0xfe]), "(2 bytes, not text)");
        let long = as_text("店".repeat(10_000).as_bytes());
        assert!(long.ends_with("… (30000 bytes)") && long.len() < MAX_BODY + 40);
    }
}
