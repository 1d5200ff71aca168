//! Asking a rule's webhook: the request, its signature, the answer read and checked. Knows neither rules nor rows; when
//! to ask, and what to do when nothing comes back, is the outbox's.
//!
//! Beside `wechat::api` and `alarm` the only place that uses reqwest.

mod answer;
mod call;
mod question;
mod sign;

pub use answer::MAX_ANSWER;
pub use call::Client;
pub use question::question;
pub use sign::{Key, KeyError};

use std::time::Duration;

/// Why a webhook gave no replies. No variant's text holds the URL's query or the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No whole answer in time.
    #[error("timed out after {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// No connection.
    #[error("could not be reached: {0}")]
    Unreached(String),
    /// The connection broke before the answer was whole.
    #[error("broke off: {0}")]
    BrokeOff(String),
    /// A status other than success.
    #[error("answered {0}")]
    Status(u16),
    /// A success whose body is no replies, or none that can be sent.
    #[error("its answer can't be used: {0}")]
    Unusable(String),
    /// It has as many calls as it may have at once, and none ended in time.
    #[error("was busy: none of its {0} calls at once ended in time")]
    Busy(usize),
}

impl Failure {
    /// The word that the metrics use.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::TimedOut(_) => "timed_out",
            Self::Unreached(_) => "unreached",
            Self::BrokeOff(_) => "broke_off",
            Self::Status(_) => "status",
            Self::Unusable(_) => "unusable",
            Self::Busy(_) => "busy",
        }
    }
}
