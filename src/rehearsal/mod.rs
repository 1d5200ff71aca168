//! Rules tried without customers: the tests that stand beside them, and the traffic of the past.
//!
//! Pure, like the judging that it calls: the very engine that serves, with users that exist only here. It leaves reading
//! files and the log, and printing, to others.

mod cases;
mod diff;
mod failure;
mod replay;
mod report;
#[cfg(test)]
mod tests;
mod verify;
mod world;

pub(crate) use diff::words;

pub use cases::{run_test, run_tests};
pub use failure::{Failure, Mismatch};
pub use replay::{Difference, Fate, Focus, Kind, Replay, WARM_UP};
pub use report::{Change, Decider, Example, Report, Texts};
pub use world::World;
