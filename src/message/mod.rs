//! The nouns that every room shares. No I/O, and no knowledge of rules, databases or wire formats.

mod app;
mod contact;
mod decision;
mod delivery;
mod entry;
mod fields;
mod ids;
mod inbound;
mod reply;

pub use app::{AppKind, Format, Mode};
pub use contact::{Contact, Cooldowns, DialogState, Facts, Ledger};
pub use decision::{Answer, Decision, DropReason, InboundStatus, Outbound, Planned, Verdict};
pub use delivery::{Answered, Delivery, OutboundStatus, Outcome, Settlement};
pub use entry::{Direction, Entry};
pub use fields::{Fields, Value, field_name};
pub use ids::{AppName, MessageId, OpenId, ParseIdError, RuleName, RuleSetVersion};
pub use inbound::Inbound;
pub use reply::{Link, Media, MiniProgramPage, Reply, Webhook};
