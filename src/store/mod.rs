//! The log and the outbox in it; the only room with SQL. Knows nothing of rules or of WeChat.
//!
//! All that the daemon writes goes through one task that owns the one writing connection (`commit`): whatever has
//! come is written in one transaction, then everybody is answered. Readers have connections of their own.
//!
//! One text of SQL is meant to serve SQLite and PostgreSQL: `$1`, `returning`, `on conflict`, integers for times,
//! enums and JSON as text.

mod arrivals;
mod batch;
mod checkpoint;
mod commit;
mod contact;
mod error;
mod hits;
mod log;
mod open;
mod outbox;
mod replay;
mod resend;
mod row;
mod rule_sets;
#[cfg(test)]
mod testing;
mod token;
mod webhook;
mod write;

pub use commit::{Arrival, Judge, RecordError, Recorded};
pub use error::{OpenError, StoreError};
pub use hits::RuleHits;
pub use log::{Filter, Order};
pub use open::{Access, Store};
pub use replay::{Past, PastExtent, PastReply};
pub use rule_sets::{RuleSetSwap, StoredRuleSet};
pub use token::{StoredMedia, StoredToken};
pub use webhook::TakeQuota;
