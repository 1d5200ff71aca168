//! How it goes: what came, what was answered, what was not.

use std::sync::Arc;

use askama::Template;
use jiff::Zoned;
use serde::Deserialize;
use warp::reply::Response;

use super::address;
use super::health::Sign;
use super::{Frame, Place};
use crate::console::Console;
use crate::console::chart::{Chart, Kind, Plot, Series, Shape, Step, sparkline};
use crate::console::data::app;
use crate::console::data::overview::{Figures, Overview, TopRule, UnansweredGroup, Window};
use crate::console::html::{self, html, number, percent};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::{counted, filled};

#[derive(Deserialize)]
struct Wish {
    app: Option<String>,
    #[serde(default)]
    window: Window,
}

#[derive(Template)]
#[template(path = "overview.html", config = "src/console/askama.toml")]
struct OverviewPage {
    frame: Frame,
    overview: Overview,
    tiles: [Tile; 4],
    messages: Chart,
    shares: Chart,
    latency: Chart,
}

/// One of the big figures.
struct Tile {
    name: &'static str,
    figure: String,
    /// What else there is to say of it.
    more: String,
    change: Option<Change>,
    course: Vec<Shape>,
}

/// How a figure compares with the window before.
struct Change {
    /// `good`, `bad`, or neither.
    class: &'static str,
    text: String,
    /// The same in a sentence.
    told: String,
}

/// Something that was counted, and its part of the whole.
struct Line {
    name: &'static str,
    class: u8,
    count: u64,
    /// In percent of the whole.
    width: String,
    /// Where it can be looked at.
    address: Option<String>,
}

/// `GET /`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let app = app::chosen(&console, wish.app.as_deref())?;
    let overview = Overview::gather(&console, app.as_ref(), wish.window).await?;
    let title = request.lang.words().frame.overview;
    let frame = Frame::new(&console, &request, Place::Overview, title);
    let starts = overview.starts(&console.timezone);
    html(&OverviewPage {
        tiles: tiles(&frame, &overview),
        messages: messages(&frame, &overview, &starts),
        shares: shares(&frame, &overview, &starts),
        latency: latency(&frame, &overview, &starts),
        overview,
        frame,
    })
}

fn plot<'a>(
    frame: &Frame,
    overview: &Overview,
    starts: &'a [Zoned],
    label: &'a str,
    kind: Kind,
    series: Vec<Series<'a>>,
    show: fn(f64) -> String,
) -> Chart {
    Chart::of(&Plot {
        label,
        lang: frame.lang,
        step: match overview.window.is_hourly() {
            true => Step::Hour,
            false => Step::Day,
        },
        starts,
        kind,
        series,
        show,
    })
}

fn series<'a>(
    overview: &Overview,
    name: &'a str,
    class: u8,
    value: impl Fn(&Figures) -> Option<f64>,
) -> Series<'a> {
    Series {
        name,
        class,
        values: overview.parts.iter().map(|part| value(&part.figures)).collect(),
    }
}

fn messages(frame: &Frame, overview: &Overview, starts: &[Zoned]) -> Chart {
    let w = frame.w.overview;
    let label = match overview.window.is_hourly() {
        true => w.messages_hour,
        false => w.messages_day,
    };
    // Counts are far below what a float holds exactly.
    let piles = vec![
        series(overview, w.matched, 1, |figures| Some(figures.matched as f64)),
        series(overview, w.unmatched, 3, |figures| Some(figures.unmatched as f64)),
        series(overview, w.other, 0, |figures| Some(figures.other as f64)),
    ];
    plot(frame, overview, starts, label, Kind::Bars, piles, |count| {
        number(count as u64)
    })
}

fn shares(frame: &Frame, overview: &Overview, starts: &[Zoned]) -> Chart {
    let w = frame.w.overview;
    let line = vec![series(overview, w.match_rate, 1, |figures| {
        share(figures.taken, figures.asked)
    })];
    plot(
        frame,
        overview,
        starts,
        w.match_rate,
        Kind::Shares,
        line,
        |share| format!("{:.0}%", share * 100.0),
    )
}

fn latency(frame: &Frame, overview: &Overview, starts: &[Zoned]) -> Chart {
    let w = frame.w.overview;
    let lines = vec![
        series(overview, w.p50, 1, |figures| figures.p50),
        series(overview, w.p99, 2, |figures| figures.p99),
    ];
    plot(
        frame,
        overview,
        starts,
        w.latency_title,
        Kind::Lines,
        lines,
        millis,
    )
}

/// `8.2 ms`, `1.2 s`
fn millis(millis: f64) -> String {
    match millis {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{} ms", trimmed(format!("{millis:.1}"))),
        ..1_000.0 => format!("{millis:.0} ms"),
        _ => format!("{} s", trimmed(format!("{:.1}", millis / 1_000.0))),
    }
}

fn trimmed(number: String) -> String {
    number.strip_suffix(".0").map(str::to_owned).unwrap_or(number)
}

fn tiles(frame: &Frame, overview: &Overview) -> [Tile; 4] {
    let w = frame.w.overview;
    let now = &overview.now;
    // Where the log does not go back so far, there is nothing to compare with.
    let before = overview.before.unwrap_or_default();
    let course = |value: fn(&Figures) -> Option<f64>| -> Vec<Shape> {
        // Where nothing happened, the last value goes on.
        let mut last = overview.parts.iter().find_map(|part| value(&part.figures));
        let values = overview.parts.iter().map(|part| {
            last = value(&part.figures).or(last);
            last.unwrap_or_default()
        });
        sparkline(&values.collect::<Vec<f64>>())
    };
    let with_change = |change: Option<(f64, bool, String)>| {
        let (by, is_better, text) = change?;
        let class = match (by == 0.0, is_better) {
            (true, _) => "",
            (false, true) => "good",
            (false, false) => "bad",
        };
        let told = filled(w.compared, &text);
        Some(Change { class, text, told })
    };
    let points = |part: [u64; 2], whole: [u64; 2]| {
        let by = share(part[0], whole[0])? - share(part[1], whole[1])?;
        let by = (by * 1_000.0).round() / 10.0;
        Some((
            by,
            by > 0.0,
            filled(w.points, format_args!("{}{:.1}", sign(by), by.abs())),
        ))
    };
    let grown = (before.messages > 0).then(|| {
        let by = now.messages as f64 / before.messages as f64 - 1.0;
        let by = (by * 100.0).round();
        format!("{}{:.0}%", sign(by), by.abs())
    });
    [
        Tile {
            name: w.messages,
            figure: number(now.messages),
            more: counted(w.events, now.events),
            // More messages are neither good nor bad.
            change: grown.map(|text| Change {
                class: "",
                told: filled(w.compared, &text),
                text,
            }),
            course: course(|figures| Some(figures.messages as f64)),
        },
        Tile {
            name: w.answered,
            figure: percent(now.taken, now.asked),
            more: filled(w.answered_of, number(now.unmatched)),
            change: with_change(points([now.taken, before.taken], [now.asked, before.asked])),
            course: course(|figures| share(figures.taken, figures.asked)),
        },
        Tile {
            name: w.delivered,
            figure: percent(now.sent, now.settled()),
            more: counted(w.delivered_of, now.sent),
            change: with_change(points([now.sent, before.sent], [now.settled(), before.settled()])),
            course: course(|figures| share(figures.sent, figures.settled())),
        },
        Tile {
            name: w.latency,
            figure: now.p99.map_or_else(|| "–".to_owned(), millis),
            more: now
                .p50
                .map(|p50| filled(w.latency_of, millis(p50)))
                .unwrap_or_default(),
            change: with_change(now.p99.zip(before.p99).map(|(now, before)| {
                // Tenths of a millisecond are noise.
                let by = ((now - before) * 10.0).round() / 10.0;
                let text = format!("{}{}", sign(by), millis(by.abs()));
                (by, by < 0.0, text)
            })),
            course: course(|figures| figures.p99),
        },
    ]
}

/// A part of a whole, if there is one.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn sign(by: f64) -> &'static str {
    if by > 0.0 {
        "+"
    } else if by < 0.0 {
        "−"
    } else {
        "±"
    }
}

impl OverviewPage {
    /// The address of this page for an app and a window.
    fn address(&self, app: Option<&str>, window: &Window) -> String {
        let mut place = html::query("/");
        if let Some(app) = app {
            place.append_pair("app", app);
        }
        place.append_pair("window", window.as_str()).finish()
    }

    fn windows(&self) -> [(Window, &'static str); 4] {
        let w = self.frame.w.overview;
        Window::ALL.map(|window| {
            let name = match window {
                Window::Day => w.day,
                Window::Week => w.week,
                Window::Fortnight => w.fortnight,
                Window::Month => w.month,
            };
            (window, name)
        })
    }

    /// What became of the replies.
    fn delivery(&self) -> Vec<Line> {
        let w = self.frame.w.overview;
        let now = &self.overview.now;
        let outbox = |status: &str| {
            let mut place = html::query("/outbox");
            place.append_pair("status", status);
            if let Some(app) = &self.overview.app {
                place.append_pair("app", app);
            }
            Some(place.finish())
        };
        let lines = [
            (w.sent, 1, now.sent, None),
            (w.queued, 2, now.queued, outbox("queued")),
            (w.uncertain, 3, now.uncertain, outbox("uncertain")),
            (w.failed, 4, now.failed, outbox("failed")),
            (w.dropped, 0, now.dropped, outbox("dropped")),
        ];
        let line = |(name, class, count, address)| Line {
            name,
            class,
            count,
            width: percent(count, now.replies()),
            address,
        };
        lines.map(line).into()
    }

    /// How much a rule answered, in percent of the one that answered most.
    fn share(&self, rule: &TopRule) -> String {
        let most = self.overview.rules.iter().map(|rule| rule.hits).max();
        match most.unwrap_or_default() {
            0 => "0%".to_owned(),
            most => percent(rule.hits, most),
        }
    }

    fn rule(&self, rule: &TopRule) -> String {
        address::rule(&rule.app, &rule.rule)
    }

    /// Where a rule for these texts, and its tests, are drafted.
    fn draft(&self, group: &UnansweredGroup) -> String {
        let mut place = html::query("/rules/draft");
        if let Some(app) = &self.overview.app {
            place.append_pair("app", app);
        }
        for text in &group.texts {
            place.append_pair("text", text);
        }
        place.finish()
    }

    /// What is asked for at `/unanswered` of the same app.
    fn all_unanswered(&self) -> String {
        match &self.overview.app {
            Some(app) => {
                let mut place = html::query("/unanswered");
                place.append_pair("app", app).finish()
            }
            None => "/unanswered".to_owned(),
        }
    }

    /// How far the figures are.
    fn counted(&self) -> Option<Sign> {
        let w = self.frame.w.overview;
        // A few seconds' worth are always on their way, and are counted one by one.
        const MANY: u64 = 50_000;
        let text = if self.overview.recounting {
            w.index_rebuilding.to_owned()
        } else if self.overview.uncounted >= MANY {
            counted(w.index_behind, self.overview.uncounted)
        } else {
            return None;
        };
        Some(Sign { class: "warn", text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_in_what_fits() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.2 ms"),
            (2.0, "2 ms"),
            (8.24, "8.2 ms"),
            (9.99, "10 ms"),
            (123.4, "123 ms"),
            (1_000.0, "1 s"),
            (4_250.0, "4.2 s"),
        ] {
            assert_eq!(millis(value), text, "{value}");
        }
    }
}
