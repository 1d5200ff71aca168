//! Log lines that strangers or faults could cause by the thousand: one in a while is written, the rest is counted.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one through each `every`.
pub(super) struct Throttle {
    every: Duration,
    state: Mutex<(Option<Instant>, u64)>,
}

impl Throttle {
    pub fn every(every: Duration) -> Self {
        Self {
            every,
            state: Mutex::new((None, 0)),
        }
    }

    /// Whether this one goes through; then how many before it did not.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0.is_some_and(|last| now.duration_since(last) < self.every) {
            state.1 += 1;
            return None;
        }
        let held_back = state.1;
        *state = (Some(now), 0);
        Some(held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_and_tells_how_many_did_not() {
        let throttle = Throttle::every(Duration::from_secs(60));
        let start = Instant::now();
        assert_eq!(throttle.pass(start), Some(0));
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), None);
        assert_eq!(throttle.pass(start + Duration::from_secs(59)), None);
        assert_eq!(throttle.pass(start + Duration::from_secs(60)), Some(2));
        assert_eq!(throttle.pass(start + Duration::from_secs(61)), None);
    }
}
