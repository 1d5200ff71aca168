//! When to try again: the delays as data, the jitter at the edge. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::after;

/// The pause after the first, second, … attempt, in seconds; the last one repeats until the reply is too old. Doubling
/// at first, since most faults of WeChat's are over in seconds; a minute at most, since a customer is waiting.
const DELAYS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0];

/// By how much a delay is stretched at most, so that replies which failed together don't come back together.
const STRETCH: f64 = 0.25;

/// WeChat counts calls by the minute of the clock; all who hit the limit wait for the next one, spread over this time.
const SPREAD: Duration = Duration::from_secs(10);

/// The pause after attempt number `attempt` (from 1). `jitter` is in 0..1.
pub(super) fn backoff(attempt: u32, jitter: f64) -> Duration {
    let step = (attempt.max(1) as usize - 1).min(DELAYS.len() - 1);
    Duration::from_secs_f64(DELAYS[step] * (1.0 + STRETCH * jitter.clamp(0.0, 1.0)))
}

/// A moment early in the minute after `now`. `jitter` is in 0..1.
pub(super) fn next_minute(now: Timestamp, jitter: f64) -> Timestamp {
    let rest = 60 - now.as_second().rem_euclid(60);
    let start = Timestamp::from_second(now.as_second() + rest).unwrap_or(Timestamp::MAX);
    after(start, SPREAD.mul_f64(jitter.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_minute_and_stay_there() {
        let delays: Vec<_> = (1..=9).map(|n| backoff(n, 0.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 15, 30, 60, 60, 60]);
        assert_eq!(
            backoff(u32::MAX, 0.0).as_secs(),
            60,
            "a reply that was resent for ever"
        );
        assert_eq!(backoff(0, 0.0).as_secs(), 1, "an attempt that was not counted");
    }

    #[test]
    fn jitter_only_stretches() {
        assert_eq!(backoff(4, 0.0), Duration::from_secs(8));
        assert_eq!(backoff(4, 1.0), Duration::from_secs(10));
        assert!(backoff(4, 0.5) < backoff(5, 0.0), "steps don't overlap");
    }

    #[test]
    fn a_rate_limit_is_over_in_the_next_minute() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let now = at("2026-01-05T10:00:59.9Z");
        assert_eq!(next_minute(now, 0.0), at("2026-01-05T10:01:00Z"));
        assert_eq!(next_minute(now, 0.5), at("2026-01-05T10:01:05Z"));
        let sharp = at("2026-01-05T10:01:00Z");
        assert_eq!(
            next_minute(sharp, 0.0),
            at("2026-01-05T10:02:00Z"),
            "this minute has begun"
        );
    }
}
