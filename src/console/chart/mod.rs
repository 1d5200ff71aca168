//! Charts, drawn on the server: plotters puts series into place, `canvas` keeps them as outlines with our CSS classes, and
//! `chart.html` draws these, with a table for whoever hears the page rather than sees it.
//!
//! The drawing is stretched to the room that the page has, the texts beside it are not.

mod canvas;
mod ticks;

use jiff::Zoned;
use plotters::coord::Shift;
use plotters::prelude::{
    AreaSeries, ChartBuilder, DrawingArea, IntoDrawingArea, LineSeries, PathElement, Rectangle,
};
use plotters::style::Color;

use super::words::Lang;
pub(super) use canvas::Shape;
use canvas::{Canvas, paint};
pub(super) use ticks::Step;

/// What is to be plotted over time.
pub(super) struct Plot<'a> {
    /// What it shows, in a few words.
    pub label: &'a str,
    pub lang: Lang,
    pub step: Step,
    /// When each place of the time axis begins.
    pub starts: &'a [Zoned],
    pub kind: Kind,
    pub series: Vec<Series<'a>>,
    /// How a value is written.
    pub show: fn(f64) -> String,
}

/// How series are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Counts on top of each other.
    Bars,
    /// Values beside each other; the first with its area.
    Lines,
    /// The same for shares of 1.
    Shares,
}

/// One value a place; `None` where there is nothing to say.
pub(super) struct Series<'a> {
    pub name: &'a str,
    /// The number of its colour: the class `c-1` to `c-5`, or `c-0` for what matters less.
    pub class: u8,
    pub values: Vec<Option<f64>>,
}

/// A chart, ready for the template.
pub(super) struct Chart {
    pub label: String,
    pub shapes: Vec<Shape>,
    /// From top to bottom.
    pub values: Vec<String>,
    /// The lines of the grid, in percent from the top.
    pub grid: Vec<String>,
    pub times: Vec<Mark>,
    pub columns: Vec<Column>,
    pub legend: Vec<(u8, String)>,
}

/// A text under the time axis.
pub(super) struct Mark {
    /// In percent from the left.
    pub x: String,
    pub text: String,
    pub minor: bool,
}

/// What can be read at one place of the time axis.
pub(super) struct Column {
    /// In percent from the left.
    pub x: String,
    /// In percent.
    pub width: String,
    pub time: String,
    /// A value a series.
    pub values: Vec<String>,
}

impl Chart {
    /// Draws a plot.
    pub fn of(plot: &Plot<'_>) -> Self {
        let places = plot.starts.len().max(1) as f64;
        let steps = match plot.kind {
            Kind::Bars => ticks::counts(highest_pile(plot)),
            Kind::Lines => ticks::values(highest(plot)),
            Kind::Shares => vec![0.0, 0.25, 0.5, 0.75, 1.0],
        };
        let top = steps.last().copied().unwrap_or(1.0);
        let mut shapes = Vec::new();
        let area = Canvas::new(&mut shapes).into_drawing_area();
        // The canvas takes whatever is drawn, and the axes are not empty: there is nothing that could fail.
        let _ = draw(plot, &area, places, top);
        drop(area);
        Self {
            label: plot.label.to_owned(),
            shapes,
            values: steps.iter().rev().map(|step| (plot.show)(*step)).collect(),
            grid: steps.iter().map(|step| percent(1.0 - step / top)).collect(),
            times: ticks::times(plot.starts, plot.step, plot.lang)
                .into_iter()
                .map(|tick| Mark {
                    x: percent(tick.at / places),
                    text: tick.text,
                    minor: tick.minor,
                })
                .collect(),
            columns: columns(plot, places),
            legend: plot
                .series
                .iter()
                .map(|series| (series.class, series.name.to_owned()))
                .collect(),
        }
    }
}

/// A small line without axes: the course of one figure.
pub(super) fn sparkline(values: &[f64]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let top = values.iter().copied().fold(0.0, f64::max);
    if top <= 0.0 {
        return shapes;
    }
    let places = (values.len().max(2) - 1) as f64;
    let points: Vec<(f64, f64)> = (0..).map(f64::from).zip(values.iter().copied()).collect();
    let area = Canvas::new(&mut shapes).into_drawing_area();
    // As above: nothing that could fail.
    let _ = draw_sparkline(&area, points, places, top);
    drop(area);
    shapes
}

fn draw_sparkline(
    area: &DrawingArea<Canvas<'_>, Shift>,
    points: Vec<(f64, f64)>,
    places: f64,
    top: f64,
) -> Result<(), DrawError> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(MARGIN)
        .build_cartesian_2d(0.0..places, 0.0..top)?;
    chart.draw_series(AreaSeries::new(points.clone(), 0.0, paint(1)))?;
    chart.draw_series(LineSeries::new(points, paint(1)))?;
    Ok(())
}

/// What a sparkline's pen needs above it.
const MARGIN: i32 = canvas::SIZE / 20;

type DrawError = plotters::drawing::DrawingAreaErrorKind<std::convert::Infallible>;

fn draw(
    plot: &Plot<'_>,
    area: &DrawingArea<Canvas<'_>, Shift>,
    places: f64,
    top: f64,
) -> Result<(), DrawError> {
    let mut chart = ChartBuilder::on(area).build_cartesian_2d(0.0..places, 0.0..top)?;
    if plot.kind == Kind::Bars {
        let mut piles = vec![0.0; plot.starts.len()];
        for series in &plot.series {
            let mut bars = Vec::new();
            for (n, (value, pile)) in series.values.iter().zip(&mut piles).enumerate() {
                let value = value.unwrap_or_default();
                if value > 0.0 {
                    let left = n as f64 + 0.1;
                    let corners = [(left, *pile), (left + 0.8, *pile + value)];
                    bars.push(Rectangle::new(corners, paint(series.class).filled()));
                    *pile += value;
                }
            }
            chart.draw_series(bars)?;
        }
        return Ok(());
    }
    for (n, series) in plot.series.iter().enumerate() {
        for points in unbroken(&series.values) {
            if n == 0 {
                chart.draw_series(AreaSeries::new(points.clone(), 0.0, paint(series.class)))?;
            }
            chart.draw_series([PathElement::new(points, paint(series.class))])?;
        }
    }
    Ok(())
}

/// The parts of a line between gaps. A value that stands alone becomes a short dash, or nobody would see it.
fn unbroken(values: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
    let mut parts = vec![Vec::new()];
    for (n, value) in values.iter().enumerate() {
        match (value, parts.last_mut()) {
            (Some(value), Some(part)) => part.push((n as f64 + 0.5, *value)),
            _ => parts.push(Vec::new()),
        }
    }
    parts.retain(|part| !part.is_empty());
    for part in &mut parts {
        if let [(x, y)] = part[..] {
            *part = vec![(x - 0.4, y), (x + 0.4, y)];
        }
    }
    parts
}

fn highest(plot: &Plot<'_>) -> f64 {
    let values = plot.series.iter().flat_map(|series| &series.values);
    values.flatten().copied().fold(0.0, f64::max)
}

fn highest_pile(plot: &Plot<'_>) -> f64 {
    let pile = |n: usize| -> f64 {
        let values = plot.series.iter().filter_map(|series| *series.values.get(n)?);
        values.sum()
    };
    (0..plot.starts.len()).map(pile).fold(0.0, f64::max)
}

fn columns(plot: &Plot<'_>, places: f64) -> Vec<Column> {
    let width = percent(1.0 / places);
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), plot.show);
    let column = |(n, start): (usize, &Zoned)| Column {
        x: percent(n as f64 / places),
        width: width.clone(),
        time: match plot.step {
            Step::Hour => format!(
                "{} {}",
                plot.lang.weekday(start.weekday()),
                start.strftime("%m-%d %H:%M")
            ),
            Step::Day => format!(
                "{} {}",
                plot.lang.weekday(start.weekday()),
                start.strftime("%Y-%m-%d")
            ),
        },
        values: plot
            .series
            .iter()
            .map(|series| shown(series.values.get(n).copied().flatten()))
            .collect(),
    };
    plot.starts.iter().enumerate().map(column).collect()
}

/// A share of the whole, as SVG writes it.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}%", if text == "-0" { "0" } else { text })
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn hours(count: usize) -> Vec<Zoned> {
        let first: Zoned = "2026-01-05T00:00[Asia/Shanghai]".parse().expect("a time");
        (0..count)
            .map(|n| {
                first
                    .checked_add(i64::try_from(n).expect("few").hours())
                    .expect("in range")
            })
            .collect()
    }

    fn plot<'a>(starts: &'a [Zoned], kind: Kind, series: Vec<Series<'a>>) -> Plot<'a> {
        Plot {
            label: "messages",
            lang: Lang::En,
            step: Step::Hour,
            starts,
            kind,
            series,
            show: |value| value.to_string(),
        }
    }

    fn series(class: u8, values: &[Option<f64>]) -> Series<'static> {
        Series {
            name: "one",
            class,
            values: values.to_vec(),
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_the_axis_holds_the_pile() {
        let starts = hours(4);
        let both = vec![
            series(1, &[Some(3.0), Some(0.0), None, Some(1.0)]),
            series(2, &[Some(4.0), Some(2.0), None, Some(1.0)]),
        ];
        let chart = Chart::of(&plot(&starts, Kind::Bars, both));
        assert_eq!(chart.values, ["8", "6", "4", "2", "0"]);
        assert_eq!(chart.grid, ["100%", "75%", "50%", "25%", "0%"]);
        let classes: Vec<_> = chart.shapes.iter().map(|shape| &shape.class[..]).collect();
        assert_eq!(classes, ["c-1 c-bar", "c-2 c-bar"]);
        // Nothing is drawn where nothing was.
        let bars = |n: usize| chart.shapes[n].d.matches('Z').count();
        assert_eq!((bars(0), bars(1)), (2, 3));
        assert_eq!(chart.columns[1].values, ["0", "2"]);
        assert_eq!(chart.columns[2].values, ["–", "–"]);
        assert_eq!(chart.columns[1].time, "Mon 01-05 01:00");
        assert_eq!(chart.columns[3].x, "75%");
    }

    #[test]
    fn a_line_breaks_where_nothing_is_known() {
        assert_eq!(
            unbroken(&[Some(1.0), Some(2.0), None, None, Some(3.0)]),
            [vec![(0.5, 1.0), (1.5, 2.0)], vec![(4.1, 3.0), (4.9, 3.0)]]
        );
        assert!(unbroken(&[None, None]).is_empty());
        let starts = hours(3);
        let chart = Chart::of(&plot(
            &starts,
            Kind::Shares,
            vec![series(1, &[Some(0.5), None, Some(1.0)])],
        ));
        let line = chart.shapes.iter().filter(|shape| shape.class == "c-1 c-line");
        let moves: usize = line.map(|shape| shape.d.matches('M').count()).sum();
        assert_eq!(moves, 2);
    }

    #[test]
    fn nothing_at_all_is_a_chart_too() {
        let chart = Chart::of(&plot(&[], Kind::Lines, vec![series(1, &[])]));
        assert!(chart.shapes.is_empty() && chart.columns.is_empty());
        assert_eq!(chart.values, ["1", "0"]);
        assert!(sparkline(&[]).is_empty() && sparkline(&[0.0, 0.0]).is_empty());
        let classes: Vec<_> = sparkline(&[0.2]).into_iter().map(|shape| shape.class).collect();
        assert_eq!(classes, ["c-1 c-area", "c-1 c-line"]);
    }
}
