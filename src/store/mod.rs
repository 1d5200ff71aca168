//! The log and the outbox in it; the only room with SQL. Knows nothing of rules or of WeChat.
//!
//! All that the daemon writes goes through one thread that owns the one writing connection (`commit`): whatever has
//! come is written in one transaction, then everybody is answered. Readers have connections of their own.
//!
//! Times are integers, enums and JSON are text.

mod arrivals;
mod audit;
mod backup;
mod batch;
mod bell;
mod by_hand;
mod checkpoint;
mod commit;
mod contact;
mod conversations;
mod counts;
mod cursor;
mod direct;
mod erase;
mod error;
mod extent;
mod forget;
mod hits;
mod index;
mod journal;
mod log;
mod migrate;
mod nonces;
mod open;
mod outbox;
mod picture_states;
mod pictures;
mod queue;
mod replay;
mod requests;
mod resend;
mod retention;
mod row;
mod rule_sets;
mod search;
mod sessions;
mod snippets;
#[cfg(test)]
mod testing;
mod texts;
mod thread;
mod token;
mod turn;
mod webhook;
mod write;

/// A reply's key is its message's and its slot. Texts of SQL say `15` and `16` for what the type says with this constant.
const _: () = assert!(crate::message::MessageId::MAX_REPLIES == 15);

/// Ids of a list that a person gave, in one transaction, so that a list of a thousand does not hold up a push.
const IDS: usize = 200;

pub use audit::Audit;
pub use backup::BackupError;
pub use bell::OutboxBell;
pub use by_hand::{ByHand, Standing};
pub use conversations::{Conversation, ConversationFilter, Conversations};
pub use counts::{DeliveryFailure, HourCounts, HourLatency, Replies, Taken};
pub use cursor::{Cursor, ParseCursorError};
pub use erase::Erased;
pub use error::{OpenError, StoreError};
pub use extent::Extent;
pub use forget::Forgotten;
pub use hits::RuleHits;
pub use index::IndexStatus;
pub use log::{Filter, Order};
pub use open::{Access, Store};
pub use picture_states::PictureState;
pub use pictures::{Picture, WaitingPicture};
pub use queue::{OutboxCounts, OutboxEntry};
pub use replay::{Past, PastExtent, PastReply};
pub use requests::{Arrival, Judge, RecordError, Recorded};
pub use retention::Housekeeping;
pub use rule_sets::{RuleSetSwap, StoredRuleSet};
pub use search::Found;
pub use sessions::Session;
pub use snippets::{Snippet, SnippetExists};
pub use texts::{AnsweredText, Texts, UnansweredText};
pub use thread::Around;
pub use token::{StoredMedia, StoredToken};
pub use webhook::TakeQuota;
