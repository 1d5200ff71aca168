//! `users`: only for these openids.

use super::{Key, OnMessage};
use crate::message::Inbound;

pub(super) const KEY: Key = Key {
    name: "users",
    read: |reader, node, draft| {
        let mut users: Vec<String> = reader
            .texts("when.users", node)
            .into_iter()
            .map(|text| text.text)
            .collect();
        users.sort_unstable();
        draft.on_message.push(Box::new(Users(users)));
    },
};

/// Sorted.
#[derive(Debug)]
struct Users(Vec<String>);

impl OnMessage for Users {
    fn asks(&self) -> String {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        format!("users: {} openid{plural}", self.0.len())
    }

    fn holds(&self, inbound: &Inbound) -> bool {
        self.0
            .binary_search_by(|user| user.as_str().cmp(inbound.openid.as_str()))
            .is_ok()
    }

    fn explain(&self, inbound: &Inbound) -> String {
        let is = if self.holds(inbound) { "is" } else { "is not" };
        format!("users: {} {is} one of {}", inbound.openid, self.0.len())
    }

    fn users(&self) -> Option<&[String]> {
        Some(&self.0)
    }
}
