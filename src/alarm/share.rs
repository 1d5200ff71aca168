//! How large the share of messages is that find no rule: of the last hour, and of the week before.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

const HOUR: Duration = Duration::from_secs(60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Messages are counted together for so long.
const BUCKET: Duration = Duration::from_secs(5 * 60);

/// With fewer messages in the last hour, a share says little.
const ENOUGH: u64 = 30;

/// With fewer unanswered messages in the last hour, it may be chance.
const ENOUGH_UNANSWERED: u64 = 10;

/// With fewer messages before, nobody knows what is usual.
const ENOUGH_BEFORE: u64 = 100;

/// What one app's rules answered, five minutes by five minutes, for a week and an hour.
#[derive(Debug, Default)]
pub(super) struct Shares {
    buckets: VecDeque<Bucket>,
    /// The counters of the last look.
    seen: Option<Count>,
    unusual: bool,
}

#[derive(Debug)]
struct Bucket {
    start: Timestamp,
    count: Count,
}

/// Messages that found a rule (though its cooldown may have kept it silent), and that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub matched: u64,
    pub unmatched: u64,
}

/// A share that is twice the usual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusual {
    pub last_hour: Count,
    pub before: Count,
}

impl Count {
    pub fn all(self) -> u64 {
        self.matched + self.unmatched
    }

    /// In whole percent.
    pub fn percent(self) -> u64 {
        (self.unmatched * 100 + self.all() / 2)
            .checked_div(self.all())
            .unwrap_or(0)
    }

    /// Whether the share of those without a rule is at least `tenths` / 10 of the share in `other`.
    fn is_times(self, tenths: u64, other: Self) -> bool {
        let (mine, others) = (self.unmatched * other.all(), other.unmatched * self.all());
        mine * 10 >= others * tenths
    }
}

impl Shares {
    /// Takes in the counters of now, which only grow; gives what is unusual about the last hour. Once it is, it stays
    /// so until the share falls below one and a half of the usual one.
    pub fn look(&mut self, counted: Count, now: Timestamp) -> Option<Unusual> {
        let seen = self.seen.replace(counted).unwrap_or(counted);
        let new = Count {
            matched: counted.matched.saturating_sub(seen.matched),
            unmatched: counted.unmatched.saturating_sub(seen.unmatched),
        };
        self.add(new, now);
        let (mut last_hour, mut before) = (Count::default(), Count::default());
        for bucket in &self.buckets {
            let sum = if is_within(bucket.start, HOUR, now) {
                &mut last_hour
            } else {
                &mut before
            };
            sum.matched += bucket.count.matched;
            sum.unmatched += bucket.count.unmatched;
        }
        let tenths = if self.unusual { 15 } else { 20 };
        self.unusual = last_hour.all() >= ENOUGH
            && last_hour.unmatched >= ENOUGH_UNANSWERED
            && before.all() >= ENOUGH_BEFORE
            && last_hour.is_times(tenths, before);
        self.unusual.then_some(Unusual { last_hour, before })
    }

    /// Takes in what the log has of a time before the first look; earlier times first.
    pub fn recall(&mut self, start: Timestamp, count: Count) {
        self.buckets.push_back(Bucket { start, count });
    }

    fn add(&mut self, new: Count, now: Timestamp) {
        match self.buckets.back_mut() {
            Some(last) if is_within(last.start, BUCKET, now) => {
                last.count.matched += new.matched;
                last.count.unmatched += new.unmatched;
            }
            _ if new == Count::default() => {}
            _ => self.buckets.push_back(Bucket {
                start: now,
                count: new,
            }),
        }
        while self
            .buckets
            .front()
            .is_some_and(|first| !is_within(first.start, WEEK + HOUR, now))
        {
            self.buckets.pop_front();
        }
    }
}

/// Whether `start` is less than `length` ago. A clock that was set back makes it so too.
fn is_within(start: Timestamp, length: Duration, now: Timestamp) -> bool {
    now < crate::clock::after(start, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares, the counters, and the time in minutes.
    #[derive(Default)]
    struct Shop {
        shares: Shares,
        counted: Count,
        minute: i64,
    }

    impl Shop {
        /// Goes on to `minute`; by then so many more had found a rule, and had not.
        fn at(&mut self, minute: i64, matched: u64, unmatched: u64) -> Option<Unusual> {
            self.minute = minute;
            self.counted.matched += matched;
            self.counted.unmatched += unmatched;
            let now = Timestamp::from_second(minute * 60).expect("a time");
            self.shares.look(self.counted, now)
        }
    }

    #[test]
    fn a_restart_forgets_nothing_that_the_log_has() {
        let mut shop = Shop::default();
        let hour = |n: i64| Timestamp::from_second(n * 3600).expect("a time");
        shop.shares.recall(hour(1), count(90, 10));
        shop.shares.recall(hour(2), count(50, 5));
        assert_eq!(shop.at(4 * 60, 0, 0), None);
        let unusual = shop.at(4 * 60 + 5, 20, 20).expect("half instead of a tenth");
        assert_eq!(unusual.before, count(140, 15));
    }

    fn count(matched: u64, unmatched: u64) -> Count {
        Count { matched, unmatched }
    }

    #[test]
    fn twice_the_usual_share_is_unusual_until_it_is_below_one_and_a_half() {
        let mut shop = Shop::default();
        assert_eq!(shop.at(0, 0, 0), None);
        for day in 0..3 {
            assert_eq!(shop.at(day * 1440 + 10, 80, 20), None, "that is usual here: 20 %");
        }
        assert_eq!(shop.at(4000, 20, 12), None, "12 of 32 is not yet twice");
        assert_eq!(
            shop.at(4010, 0, 2),
            Some(Unusual {
                last_hour: count(20, 14),
                before: count(240, 60),
            })
        );
        assert!(shop.at(4020, 10, 0).is_some(), "14 of 44 is 1.6 times");
        assert_eq!(shop.at(4030, 10, 0), None, "14 of 54 is 1.3 times");
        assert_eq!(shop.at(4040, 0, 6), None, "20 of 60 is less than twice");
        assert_eq!(shop.at(4200, 0, 0), None, "an hour later nothing is left of it");
    }

    #[test]
    fn few_messages_say_nothing() {
        let mut shop = Shop::default();
        shop.at(0, 0, 0);
        shop.at(10, 99, 0);
        assert_eq!(shop.at(200, 0, 40), None, "nobody knows what is usual");
        shop.at(300, 1, 0);
        assert_eq!(shop.at(400, 0, 29), None, "29 in an hour");
        assert!(shop.at(401, 0, 1).is_some());
        assert_eq!(shop.at(500, 40, 9), None, "9 of them without a rule");
    }

    #[test]
    fn what_was_counted_before_the_first_look_and_what_is_older_than_a_week_does_not_count() {
        let mut shop = Shop::default();
        assert_eq!(shop.at(0, 1000, 0), None);
        assert_eq!(shop.at(100, 0, 50), None, "the 1000 have no time");
        shop.at(200, 200, 0);
        let week = 7 * 24 * 60;
        assert!(shop.at(week, 0, 50).is_some());
        let later = week + 7 * 24 * 60;
        assert_eq!(
            shop.at(later, 0, 50),
            None,
            "only the 50 are left to compare with"
        );
        assert!(shop.shares.buckets.len() <= 3);
    }
}
