//! Refusals as WeChat words them.

use rand::RngExt;
use serde_json::{Value, json};

/// A return code other than 0, and its text without the `rid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) errcode: i64,
    errmsg: String,
}

impl Refused {
    pub(super) fn new(errcode: i64, errmsg: impl Into<String>) -> Self {
        Self {
            errcode,
            errmsg: errmsg.into(),
        }
    }

    /// The body: `errcode`, and `errmsg` with the request's id at its end.
    pub(super) fn json(&self) -> Value {
        let mut random = rand::rng();
        let rid = format!(
            "{:08x}-{:08x}-{:08x}",
            random.random::<u32>(),
            random.random::<u32>(),
            random.random::<u32>()
        );
        json!({ "errcode": self.errcode, "errmsg": format!("{} rid: {rid}", self.errmsg) })
    }
}
