//! Latencies, counted so that they can be read back: for the plots that outlive a restart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many ranges there are.
pub const RANGES: usize = 64;

/// Where the first range ends, in seconds; each following one ends a quarter later: the last one after a minute.
const FIRST: f64 = 0.000_05;
const GROWTH: f64 = 1.25;

/// How many latencies fell into each range.
pub type Counts = [u64; RANGES];

/// A histogram that many tasks observe and one reads.
#[derive(Debug)]
pub struct Latencies([AtomicU64; RANGES]);

impl Default for Latencies {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; RANGES])
    }
}

impl Latencies {
    /// Counts one.
    pub fn observe(&self, latency: Duration) {
        self.0[range(latency)].fetch_add(1, Ordering::Relaxed);
    }

    /// All that were counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed))
    }
}

/// The latency that a share of all is not above, to a tenth or so; none when there is none.
#[must_use]
pub fn quantile(counts: &Counts, share: f64) -> Option<Duration> {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return None;
    }
    let wanted = (all as f64 * share).max(1.0);
    let mut below = 0.0;
    for (at, &count) in counts.iter().enumerate() {
        let count = count as f64;
        if below + count >= wanted {
            // Within a range they are taken as spread evenly.
            let (from, to) = (end(at) / GROWTH, end(at));
            let part = (wanted - below) / count;
            return Some(Duration::from_secs_f64(from + (to - from) * part));
        }
        below += count;
    }
    Some(Duration::from_secs_f64(end(RANGES - 1)))
}

fn end(at: usize) -> f64 {
    FIRST * GROWTH.powi(i32::try_from(at).unwrap_or(i32::MAX))
}

fn range(latency: Duration) -> usize {
    let steps = (latency.as_secs_f64() / FIRST).max(1.0).ln() / GROWTH.ln();
    // At least 0, and far below what a `usize` holds.
    (steps.ceil() as usize).min(RANGES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(share: f64, latencies: &Latencies) -> f64 {
        quantile(&latencies.counts(), share).expect("some").as_secs_f64() * 1e3
    }

    #[test]
    fn quantiles_come_near_what_was_observed() {
        let latencies = Latencies::default();
        assert_eq!(quantile(&latencies.counts(), 0.5), None);
        for n in 1..=1000 {
            latencies.observe(Duration::from_micros(n * 100)); // 0.1 to 100 ms
        }
        for (share, expected) in [(0.5, 50.0), (0.99, 99.0), (0.1, 10.0)] {
            let found = millis(share, &latencies);
            assert!((found / expected - 1.0).abs() < 0.13, "{share}: {found} ms");
        }
    }

    #[test]
    fn nothing_is_too_short_or_too_long() {
        let latencies = Latencies::default();
        latencies.observe(Duration::ZERO);
        assert!(millis(0.5, &latencies) < 0.1);
        latencies.observe(Duration::from_secs(86_400));
        assert_eq!(latencies.counts().iter().sum::<u64>(), 2);
        assert!(millis(1.0, &latencies) > 60_000.0);
    }
}
