//! What to answer. Pure: sources in, a compiled set out; a message and facts in, a decision out.
//!
//! Knows no clock, file, network or database, and nothing of WeChat's wire format or quotas.
//!
//! The way in: `load` parses files and reads each rule (`read`, `rule`, with a file for each kind of `condition` and
//! `reply`); `set` compiles what rules share. The way of a message: `set` finds the candidates, `decide` decides,
//! `explain` tells why.

mod allow;
mod calendar;
pub mod codes;
mod condition;
mod coverage;
mod decide;
mod duration;
mod explain;
mod layout;
mod lint;
mod lists;
mod load;
mod matcher;
mod nearest;
mod outline;
mod read;
mod reply;
mod rule;
mod schema;
mod sections;
mod set;
mod template;
mod testcase;
#[cfg(test)]
mod tests;
mod webhook;
mod words;

pub use coverage::{Coverage, Gap, Sighting};
pub use explain::{ConditionTrace, Explanation, RuleTrace};
pub use layout::{Changed, layout, same};
pub use lint::{Reach, Witness};
pub use load::{AppScope, Loaded, Quota, Scope, check, load};
pub use nearest::{Lack, NearMiss};
pub use outline::RuleOutline;
pub use reply::{HEAD, MediaFile};
pub use schema::schema;
pub use sections::{Section, SectionKind, sections};
pub use set::{Candidates, RuleSet};
pub use template::MAX_TEXT;
pub use testcase::{
    Expect, ExpectedDelivery, ExpectedOutcome, ExpectedReply, ExpectedRule, Given, Step, TestCase,
};
pub use words::WordHits;
