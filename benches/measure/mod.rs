//! Measuring on a machine that does other things too: CPU time instead of the clock, medians with their spread, and goals
//! that say whether they are reached.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::fmt;
use std::time::{Duration, Instant};

/// A stop watch that counts only while this thread runs; where the system does not tell, it counts always.
pub struct CpuTime {
    before: Option<Duration>,
    start: Instant,
}

impl CpuTime {
    pub fn start() -> Self {
        Self {
            before: on_cpu(),
            start: Instant::now(),
        }
    }

    pub fn elapsed(&self) -> Duration {
        match (self.before, on_cpu()) {
            (Some(before), Some(now)) => now - before,
            _ => self.start.elapsed(),
        }
    }
}

fn on_cpu() -> Option<Duration> {
    // The kernel brings its figure up to date when it looks at the thread, else only every few milliseconds.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = stat.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// A median, and what it lies between.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            median: values[values.len() / 2],
            least: values[0],
            most: values[values.len() - 1],
        }
    }

    /// Of a value that was measured once.
    pub fn once(value: f64) -> Self {
        Self::of(vec![value])
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median < 10.0 { 2 } else { 0 };
        write!(f, "{:.digits$}", self.median)?;
        if self.least < self.most {
            write!(f, " ({:.digits$}–{:.digits$})", self.least, self.most)?;
        }
        Ok(())
    }
}

/// Prints a figure that should be small beside its goal.
pub fn at_most(name: &str, unit: &str, figure: Option<Spread>, target: f64, floor: f64) {
    let (figure, verdict) = match figure {
        None => ("not measured".to_owned(), "–"),
        Some(figure) => (
            format!("{figure} {unit}"),
            match figure.median {
                median if median <= target => "reached",
                median if median <= floor => "above the target, below the floor",
                _ => "NOT REACHED",
            },
        ),
    };
    println!("{name:<58} {figure:<28} ≤ {target:<6} (floor {floor:<5}) {verdict}");
}

/// Prints a figure that should be large beside its goal.
pub fn at_least(name: &str, unit: &str, figure: Spread, target: f64, floor: f64) {
    let verdict = match figure.median {
        median if median >= target => "reached",
        median if median >= floor => "below the target, above the floor",
        _ => "NOT REACHED",
    };
    let figure = format!("{figure} {unit}");
    println!("{name:<58} {figure:<28} ≥ {target:<6} (floor {floor:<5}) {verdict}");
}
