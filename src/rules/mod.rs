//! What to answer. Pure: sources in, a compiled set out; a message and facts in, a decision out.
//!
//! Knows no clock, file, network or database, and nothing of WeChat's wire format or quotas.
//!
//! The way in: `load` parses files and reads each rule (`read`, `rule`, with a file for each kind of `condition` and
//! `reply`); `set` compiles what rules share. The way of a message: `set` finds the candidates, `decide` decides,
//! `explain` tells why.

mod codes;
mod condition;
mod decide;
mod duration;
mod explain;
mod lists;
mod load;
mod matcher;
mod read;
mod reply;
mod rule;
mod set;
mod template;
#[cfg(test)]
mod tests;
mod text;

pub use explain::{Explanation, RuleTrace};
pub use load::{AppScope, Loaded, Scope, load};
pub use set::{Candidates, RuleSet};
pub use text::normal_form;
