//! How it goes: what came, what was answered, what was not, how fast, and what became of the replies.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::health::Health;
use super::outbox::Standings;
use super::unanswered::grouped;
use crate::clock::after;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::editing;
use crate::latency::{Counts, RANGES, quantile};
use crate::message::AppName;
use crate::store::{HourCounts, HourLatency, Replies, StoreError, Taken};

/// How much time is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(in crate::console) enum Window {
    /// The last 24 hours, hour by hour.
    #[default]
    #[serde(rename = "24h")]
    Day,
    /// The last 7 days, hour by hour.
    #[serde(rename = "7d")]
    Week,
    /// The last 14 days, day by day.
    #[serde(rename = "14d")]
    Fortnight,
    /// The last 30 days, day by day.
    #[serde(rename = "30d")]
    Month,
}

impl Window {
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Fortnight, Self::Month];

    /// As addresses have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Fortnight => "14d",
            Self::Month => "30d",
        }
    }

    /// Whether it is told hour by hour.
    pub fn is_hourly(self) -> bool {
        matches!(self, Self::Day | Self::Week)
    }

    fn days(self) -> u16 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Fortnight => 14,
            Self::Month => 30,
        }
    }

    /// When each of its parts begins, the last being that of `now`.
    fn starts(self, now: &Zoned) -> Vec<Zoned> {
        let (count, end) = match self.is_hourly() {
            // Hours of UTC, in which they are counted: where a zone is half an hour off, so are they.
            true => {
                let hour = now.timestamp().as_second().div_euclid(3600) * 3600;
                let hour = Timestamp::from_second(hour).unwrap_or(now.timestamp());
                (
                    i32::from(self.days()) * 24,
                    hour.to_zoned(now.time_zone().clone()),
                )
            }
            false => (
                self.days().into(),
                now.start_of_day().unwrap_or_else(|_| now.clone()),
            ),
        };
        let back = |n: i32| match self.is_hourly() {
            true => end.checked_sub(n.hours()),
            false => end.checked_sub(n.days()),
        };
        (0..count).rev().filter_map(|n| back(n).ok()).collect()
    }
}

/// How it goes.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Overview {
    /// How much time is looked at.
    pub window: Window,
    /// The app; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// When the window begins.
    pub since: Timestamp,
    /// When it ends: now.
    pub until: Timestamp,
    /// The window as a whole.
    pub now: Figures,
    /// As much time before it; absent where the log does not go back so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Figures>,
    /// The window hour by hour, or day by day.
    pub parts: Vec<Part>,
    /// The rules that answered most, at most 10.
    pub rules: Vec<TopRule>,
    /// Texts that no rule answered.
    pub unanswered: Unanswered,
    /// What waits, and what did not reach its customer, at the moment.
    pub outbox: Standings,
    /// How the daemon fares.
    pub health: Health,
    /// Messages that are not counted yet; at most 100,000.
    pub uncounted: u64,
    /// Whether they are being counted anew.
    pub recounting: bool,
}

/// Some time in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(in crate::console) struct Figures {
    /// What customers sent.
    pub messages: u64,
    /// Of these: a rule decided.
    pub matched: u64,
    /// Of these: no rule did.
    pub unmatched: u64,
    /// Of these: kept silent by a cooldown or a mute, or not readable.
    pub other: u64,
    /// Of these: a rule took, though its cooldown may have kept it silent.
    pub taken: u64,
    /// Of these: rules were asked about. The match rate is the part of it that a rule took.
    pub asked: u64,
    /// What customers did: entered, subscribed, tapped a menu.
    pub events: u64,
    /// Replies that WeChat took.
    pub sent: u64,
    /// Replies that wait.
    pub queued: u64,
    /// Replies that were given up without asking WeChat.
    pub dropped: u64,
    /// Replies that WeChat refused, or that could not be delivered in time.
    pub failed: u64,
    /// Replies of which nobody knows whether they arrived.
    pub uncertain: u64,
    /// Half of the pushes (of all apps) were answered within so many milliseconds.
    pub p50: Option<f64>,
    /// 99 of 100 pushes (of all apps) were answered within so many milliseconds.
    pub p99: Option<f64>,
}

impl Figures {
    /// Replies whose end is known, or will not be known: the whole that `sent` is a part of.
    pub fn settled(&self) -> u64 {
        self.sent + self.dropped + self.failed + self.uncertain
    }

    /// All replies.
    pub fn replies(&self) -> u64 {
        self.settled() + self.queued
    }

    fn add(&mut self, hour: &HourCounts) {
        let Taken {
            matched,
            unmatched,
            cooldown,
            muted,
            malformed,
        } = hour.messages;
        self.messages += hour.messages.total();
        self.matched += matched;
        self.unmatched += unmatched;
        self.other += cooldown + muted + malformed;
        self.taken += hour.messages.taken();
        self.asked += hour.messages.asked();
        self.events += hour.events.total();
        let Replies {
            sent,
            queued,
            failed,
            dropped,
            uncertain,
        } = hour.replies;
        self.sent += sent;
        self.queued += queued;
        self.failed += failed;
        self.dropped += dropped;
        self.uncertain += uncertain;
    }
}

/// An hour or a day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Part {
    /// When it began.
    pub start: Timestamp,
    #[serde(flatten)]
    pub figures: Figures,
}

/// A rule that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::console) struct TopRule {
    /// The app.
    pub app: String,
    /// The rule.
    pub rule: String,
    /// Messages that it took.
    pub hits: u64,
    /// Messages for which its cooldown kept it silent.
    pub silent: u64,
    /// Messages that it only watched.
    pub observed: u64,
    /// When the last of these came.
    pub last: Option<Timestamp>,
}

/// Texts that no rule answered, or only one that answers any text; similar ones together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TopUnanswered)]
pub(in crate::console) struct Unanswered {
    /// The largest groups, at most 8.
    pub groups: Vec<UnansweredGroup>,
    /// How many messages were looked at: the newest ones.
    pub messages: u64,
    /// When the oldest of these came, or the beginning of the window.
    pub since: Timestamp,
}

/// Texts that ask the same.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TopUnansweredGroup)]
pub(in crate::console) struct UnansweredGroup {
    /// The text that stands for all, and then the others, at most 10.
    pub texts: Vec<String>,
    /// How many different texts there are.
    pub different: usize,
    /// How often they came.
    pub count: u64,
    /// When one of them came last.
    pub last: Timestamp,
    /// The message of that time.
    pub message: String,
}

const TOP_RULES: usize = 10;
const TOP_GROUPS: usize = 8;
const TEXTS: usize = 10;

impl Overview {
    pub async fn gather(console: &Console, app: Option<&AppName>, window: Window) -> Result<Self, Problem> {
        let now = console.clock.now();
        let span = Span::of(window, now, &console.timezone);
        let store = &console.store;
        let (hours, latency, rules, unanswered, outbox, health, index, oldest) = tokio::try_join!(
            told(store.hours(span.before(), now, app)),
            told(store.latency(span.before(), now)),
            told(store.rule_counts(span.since())),
            grouped(console, app, window.days()),
            told(Standings::gather(console, app)),
            async { Ok(Health::gather(console, app.map(AppName::as_str)).await) },
            told(store.index_status()),
            told(store.oldest()),
        )?;
        let (current, before, parts) = span.figures(&hours, &latency);
        let goes_back = oldest.is_some_and(|oldest| oldest <= span.before());
        let ours = |name: &AppName| app.is_none_or(|app| app == name);
        let mut top: Vec<TopRule> = rules
            .into_iter()
            .filter(|((app, _), hits)| ours(app) && hits.hits + hits.observed > 0)
            .map(|((app, rule), hits)| TopRule {
                app: app.into(),
                rule: rule.into(),
                hits: hits.hits,
                silent: hits.silent,
                observed: hits.observed,
                last: hits.last,
            })
            .collect();
        top.sort_by_key(|rule| Reverse((rule.hits, rule.observed)));
        top.truncate(TOP_RULES);
        Ok(Self {
            window,
            app: app.map(|app| app.as_str().to_owned()),
            since: span.since(),
            until: now,
            now: current,
            before: goes_back.then_some(before),
            parts,
            rules: top,
            unanswered: Unanswered {
                groups: unanswered
                    .groups
                    .iter()
                    .take(TOP_GROUPS)
                    .filter_map(UnansweredGroup::of)
                    .collect(),
                messages: unanswered.messages,
                since: unanswered.back_to,
            },
            outbox,
            health,
            uncounted: index.behind,
            recounting: index.rebuilding,
        })
    }

    /// When each part begins, as the zone has it.
    pub fn starts(&self, zone: &TimeZone) -> Vec<Zoned> {
        let starts = self.parts.iter();
        starts.map(|part| part.start.to_zoned(zone.clone())).collect()
    }
}

/// The window and as much time before it.
struct Span {
    starts: Vec<Timestamp>,
    now: Timestamp,
}

impl Span {
    fn of(window: Window, now: Timestamp, zone: &TimeZone) -> Self {
        let starts = window.starts(&now.to_zoned(zone.clone()));
        Self {
            starts: starts.iter().map(Zoned::timestamp).collect(),
            now,
        }
    }

    fn since(&self) -> Timestamp {
        self.starts.first().copied().unwrap_or(self.now)
    }

    fn length(&self) -> Duration {
        Duration::try_from(self.since().duration_until(self.now)).unwrap_or_default()
    }

    fn before(&self) -> Timestamp {
        self.since().checked_sub(self.length()).unwrap_or(Timestamp::MIN)
    }

    /// The window, the time before it, and the window's parts. An hour belongs where it begins.
    fn figures(&self, hours: &[HourCounts], latencies: &[HourLatency]) -> (Figures, Figures, Vec<Part>) {
        let mut whole = (Figures::default(), [0; RANGES]);
        let mut before = (Figures::default(), [0; RANGES]);
        let mut parts = vec![(Figures::default(), [0; RANGES]); self.starts.len()];
        for hour in hours {
            match self.place(hour.hour) {
                Some(place) => {
                    whole.0.add(hour);
                    parts[place].0.add(hour);
                }
                None => before.0.add(hour),
            }
        }
        for hour in latencies {
            match self.place(hour.hour) {
                Some(place) => {
                    add(&mut whole.1, &hour.counts);
                    add(&mut parts[place].1, &hour.counts);
                }
                None => add(&mut before.1, &hour.counts),
            }
        }
        let parts = self.starts.iter().zip(parts);
        (
            with_latency(whole),
            with_latency(before),
            parts
                .map(|(start, part)| Part {
                    start: *start,
                    figures: with_latency(part),
                })
                .collect(),
        )
    }

    /// The part that an hour belongs to; `None` before the window.
    fn place(&self, hour: Timestamp) -> Option<usize> {
        // In a zone that is half an hour off, the day's first hour begins before the day does.
        let middle = after(hour, Duration::from_mins(30));
        self.starts
            .partition_point(|start| *start <= middle)
            .checked_sub(1)
    }
}

fn add(sum: &mut Counts, counts: &Counts) {
    for (sum, count) in sum.iter_mut().zip(counts) {
        *sum += count;
    }
}

fn with_latency((figures, counts): (Figures, Counts)) -> Figures {
    let millis = |share| quantile(&counts, share).map(|latency| latency.as_secs_f64() * 1e3);
    Figures {
        p50: millis(0.5),
        p99: millis(0.99),
        ..figures
    }
}

async fn told<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    Ok(answer.await?)
}

impl UnansweredGroup {
    fn of(group: &editing::UnansweredGroup) -> Option<Self> {
        let last = group.texts.iter().max_by_key(|text| text.last)?;
        Some(Self {
            texts: group
                .texts
                .iter()
                .take(TEXTS)
                .map(|text| text.text.clone())
                .collect(),
            different: group.texts.len(),
            count: group.count,
            last: last.last.0,
            message: last.last.1.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageId;
    use crate::store::UnansweredText;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn shanghai() -> TimeZone {
        TimeZone::get("Asia/Shanghai").expect("a zone")
    }

    fn hour(time: &str, matched: u64, sent: u64) -> HourCounts {
        HourCounts {
            hour: at(time),
            messages: Taken {
                matched,
                unmatched: 1,
                cooldown: 1,
                muted: 2,
                ..Taken::default()
            },
            replies: Replies {
                sent,
                ..Replies::default()
            },
            ..HourCounts::default()
        }
    }

    #[test]
    fn a_window_ends_with_the_hour_or_the_day_that_is_now() {
        let now = at("2026-03-05T10:20:30+08:00");
        for (window, count, first, last) in [
            (
                Window::Day,
                24,
                "2026-03-04T11:00:00+08:00",
                "2026-03-05T10:00:00+08:00",
            ),
            (
                Window::Week,
                168,
                "2026-02-26T11:00:00+08:00",
                "2026-03-05T10:00:00+08:00",
            ),
            (
                Window::Fortnight,
                14,
                "2026-02-20T00:00:00+08:00",
                "2026-03-05T00:00:00+08:00",
            ),
            (
                Window::Month,
                30,
                "2026-02-04T00:00:00+08:00",
                "2026-03-05T00:00:00+08:00",
            ),
        ] {
            let span = Span::of(window, now, &shanghai());
            assert_eq!(span.starts.len(), count);
            assert_eq!((span.since(), span.starts[count - 1]), (at(first), at(last)));
            // As much time before it as has passed of it.
            assert_eq!(
                span.before().duration_until(span.since()),
                span.since().duration_until(now)
            );
        }
    }

    #[test]
    fn hours_are_summed_up_by_the_days_of_the_zone() {
        let now = at("2026-03-05T10:20:30+08:00");
        let span = Span::of(Window::Fortnight, now, &shanghai());
        let hours = [
            hour("2026-02-19T23:00:00+08:00", 7, 7),
            hour("2026-02-20T00:00:00+08:00", 1, 1),
            hour("2026-03-04T23:00:00+08:00", 2, 1),
            hour("2026-03-05T00:00:00+08:00", 3, 1),
            hour("2026-03-05T10:00:00+08:00", 4, 1),
        ];
        let (whole, before, parts) = span.figures(&hours, &[]);
        assert_eq!(
            (whole.matched, whole.unmatched, whole.messages, whole.sent),
            (10, 4, 26, 4)
        );
        assert_eq!((whole.taken, whole.asked, whole.other), (14, 18, 12));
        assert_eq!((before.matched, before.messages), (7, 11));
        let matched: Vec<u64> = parts.iter().map(|part| part.figures.matched).collect();
        assert_eq!((matched[0], matched[12], matched[13]), (1, 2, 7));
        assert_eq!(matched.iter().sum::<u64>(), 10);
        assert_eq!(whole.p99, None);
    }

    #[test]
    fn an_hour_that_straddles_midnight_belongs_to_the_day_of_its_middle() {
        let zone = TimeZone::get("Asia/Kolkata").expect("a zone");
        let now = at("2026-03-05T10:20:30+05:30");
        let span = Span::of(Window::Fortnight, now, &zone);
        // It begins at 23:30.
        assert_eq!(span.place(at("2026-03-04T18:00:00Z")), Some(13));
        assert_eq!(span.place(at("2026-03-04T17:00:00Z")), Some(12));
    }

    #[test]
    fn latencies_of_hours_are_added_before_they_are_judged() {
        let now = at("2026-03-05T10:20:30+08:00");
        let span = Span::of(Window::Day, now, &shanghai());
        let latency = |time: &str, fast: u64, slow: u64| {
            let counts: Counts = std::array::from_fn(|range| match range {
                10 => fast,
                40 => slow,
                _ => 0,
            });
            HourLatency {
                hour: at(time),
                count: fast + slow,
                p50: Duration::ZERO,
                p99: Duration::ZERO,
                counts,
            }
        };
        let hours = [
            latency("2026-03-05T09:00:00+08:00", 9_999, 0),
            latency("2026-03-05T10:00:00+08:00", 0, 1),
        ];
        let (whole, _, parts) = span.figures(&[], &hours);
        let p99 = |figures: &Figures| figures.p99.expect("measured");
        assert!(
            p99(&whole) < 1.0,
            "one slow answer of 10,000 is none of the slowest 1 %"
        );
        assert!(p99(&parts[23].figures) > 300.0);
        assert_eq!(parts[21].figures.p99, None);
    }

    #[test]
    fn a_group_is_told_by_its_first_texts_and_its_last_message() {
        let text = |n: i64, second| UnansweredText {
            text: format!("text {n}"),
            count: 1,
            last: (
                Timestamp::from_second(second).expect("a time"),
                MessageId::new(second, 1),
            ),
            users: 1,
        };
        let group = editing::UnansweredGroup {
            count: 12,
            last: Timestamp::from_second(99).expect("a time"),
            texts: (0..12).map(|n| text(n, if n == 11 { 99 } else { n })).collect(),
        };
        let told = UnansweredGroup::of(&group).expect("it has texts");
        assert_eq!((told.texts.len(), told.different, told.count), (10, 12, 12));
        assert_eq!(told.texts[0], "text 0");
        assert_eq!(told.message, MessageId::new(99, 1).to_string());
    }
}
