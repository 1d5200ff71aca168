//! Where the lines of a chart's grid stand, and what is written beside them.

use jiff::Zoned;

use crate::console::words::Lang;

/// What one place of the time axis covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Hour,
    Day,
}

/// A text under the time axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where, in places from the left: an hour is marked where it begins, a day in its middle.
    pub at: f64,
    pub text: String,
    /// Left out where there is little room.
    pub minor: bool,
}

/// What the time axis says, given when each of its places begins.
pub fn times(starts: &[Zoned], step: Step, lang: Lang) -> Vec<Tick> {
    match step {
        Step::Hour if starts.len() <= 48 => hours(starts),
        Step::Hour => midnights(starts, lang),
        Step::Day => days(starts),
    }
}

fn hours(starts: &[Zoned]) -> Vec<Tick> {
    let marked = starts.iter().enumerate().skip(1);
    let marked = marked.filter(|(_, start)| start.hour() % 3 == 0);
    marked
        .map(|(n, start)| Tick {
            at: n as f64,
            text: start.strftime("%H:%M").to_string(),
            minor: start.hour() % 6 != 0,
        })
        .collect()
}

fn midnights(starts: &[Zoned], lang: Lang) -> Vec<Tick> {
    let days = starts.windows(2).enumerate();
    let days = days.filter(|(_, pair)| pair[0].date() != pair[1].date());
    days.enumerate()
        .map(|(day, (n, pair))| Tick {
            at: (n + 1) as f64,
            text: lang.weekday(pair[1].weekday()).to_owned(),
            minor: day % 2 == 1,
        })
        .collect()
}

fn days(starts: &[Zoned]) -> Vec<Tick> {
    // Counted from today, which is what one looks for.
    let every = if starts.len() <= 16 { 2 } else { 5 };
    let marked = starts.iter().rev().enumerate().step_by(every).enumerate();
    let mut ticks: Vec<Tick> = marked
        .map(|(mark, (back, start))| Tick {
            at: (starts.len() - 1 - back) as f64 + 0.5,
            text: start.strftime("%m-%d").to_string(),
            minor: mark % 2 == 1,
        })
        .collect();
    ticks.reverse();
    ticks
}

/// Round steps from 0 to `highest` or a little above; at most four of them.
pub fn values(highest: f64) -> Vec<f64> {
    if !(highest > 0.0 && highest.is_finite()) {
        return vec![0.0, 1.0];
    }
    let rough = highest / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step * 4.0 >= highest * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    let count = (highest / step - 1e-9).ceil().max(1.0);
    // At most 4, and exact.
    (0..=count as u32).map(|n| f64::from(n) * step).collect()
}

/// The same for what is counted: there is no half a message.
pub fn counts(highest: f64) -> Vec<f64> {
    match values(highest) {
        steps if steps[1].fract() == 0.0 => steps,
        _ => {
            let step = (highest / 4.0).ceil().max(1.0);
            let count = (highest / step).ceil().max(1.0);
            (0..=count as u32).map(|n| f64::from(n) * step).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn starts(first: &str, count: usize, step: Step) -> Vec<Zoned> {
        let first: Zoned = first.parse().expect("a time");
        let step = match step {
            Step::Hour => 1.hour(),
            Step::Day => 1.day(),
        };
        let mut starts = vec![first];
        while starts.len() < count {
            let next = starts[starts.len() - 1].checked_add(step).expect("in range");
            starts.push(next);
        }
        starts
    }

    fn texts(ticks: &[Tick]) -> Vec<(f64, &str, bool)> {
        ticks
            .iter()
            .map(|tick| (tick.at, &tick.text[..], tick.minor))
            .collect()
    }

    #[test]
    fn a_value_axis_ends_at_or_above_the_highest() {
        for (highest, steps) in [
            (0.0, vec![0.0, 1.0]),
            (f64::NAN, vec![0.0, 1.0]),
            (4.0, vec![0.0, 1.0, 2.0, 3.0, 4.0]),
            (7.0, vec![0.0, 2.0, 4.0, 6.0, 8.0]),
            (95.0, vec![0.0, 25.0, 50.0, 75.0, 100.0]),
            (101.0, vec![0.0, 50.0, 100.0, 150.0]),
            (4_100.0, vec![0.0, 2_000.0, 4_000.0, 6_000.0]),
        ] {
            assert_eq!(values(highest), steps, "{highest}");
        }
        for highest in [0.003, 0.7, 1.0, 3.0, 11.0, 41.0, 999.0, 1e6 + 1.0] {
            let steps = values(highest);
            let last = steps[steps.len() - 1];
            assert!(steps.len() <= 5 && last >= highest, "{highest}: {steps:?}");
            assert!(last - highest <= steps[1], "{highest}: {steps:?}");
        }
    }

    #[test]
    fn messages_are_counted_whole() {
        for (highest, steps) in [
            (1.0, vec![0.0, 1.0]),
            (2.0, vec![0.0, 1.0, 2.0]),
            (9.0, vec![0.0, 3.0, 6.0, 9.0]),
            (10.0, vec![0.0, 3.0, 6.0, 9.0, 12.0]),
        ] {
            assert_eq!(counts(highest), steps, "{highest}");
        }
    }

    #[test]
    fn a_day_of_hours_is_marked_at_round_hours_of_the_zone() {
        let day = starts("2026-01-05T21:00[Asia/Shanghai]", 24, Step::Hour);
        let ticks = times(&day, Step::Hour, Lang::En);
        assert_eq!(texts(&ticks)[..2], [(3.0, "00:00", false), (6.0, "03:00", true)]);
        assert_eq!(ticks.len(), 7);
    }

    #[test]
    fn a_week_of_hours_is_marked_at_midnight() {
        let week = starts("2026-01-05T21:00[Asia/Shanghai]", 168, Step::Hour);
        let ticks = times(&week, Step::Hour, Lang::Zh);
        assert_eq!(texts(&ticks)[..2], [(3.0, "周二", false), (27.0, "周三", true)]);
        assert_eq!(ticks.len(), 7);
        // An hour less in spring.
        let week = starts("2026-03-27T23:00[Europe/Berlin]", 60, Step::Hour);
        let ticks = times(&week, Step::Hour, Lang::En);
        assert_eq!(
            texts(&ticks),
            [(1.0, "Sat", false), (25.0, "Sun", true), (48.0, "Mon", false)]
        );
    }

    #[test]
    fn days_are_counted_from_today() {
        let days = starts("2026-01-05T00:00[Asia/Shanghai]", 14, Step::Day);
        let ticks = times(&days, Step::Day, Lang::En);
        assert_eq!(
            texts(&ticks)[5..],
            [(11.5, "01-16", true), (13.5, "01-18", false)]
        );
    }
}
