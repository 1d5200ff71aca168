//! Where plotters draws: outlines by CSS class, so that light and dark are the style sheet's to say.

use std::convert::Infallible;
use std::fmt::Write;

use plotters::style::RGBColor;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind};

/// The canvas is as wide and as high as this; the page stretches it to whatever room there is.
pub const SIZE: i32 = 10_000;

/// plotters knows colours and our pages know classes (`c-0` to `c-5`): a class goes through it as a shade of red.
pub fn paint(class: u8) -> RGBColor {
    RGBColor(class, 0, 0)
}

/// What is drawn with one pen, as the `d` of an SVG path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its CSS classes.
    pub class: String,
    /// Its outline, in a square of [`SIZE`].
    pub d: String,
}

/// Collects shapes; what follows with the same pen joins the shape before it.
pub struct Canvas<'a>(&'a mut Vec<Shape>);

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl<'a> Canvas<'a> {
    pub fn new(shapes: &'a mut Vec<Shape>) -> Self {
        Self(shapes)
    }

    fn pen(&mut self, color: BackendColor, kind: &str, draw: impl FnOnce(&mut String)) {
        // As plotters draws the border of an area that has none.
        if color.alpha <= 0.0 {
            return;
        }
        let class = format!("c-{} {kind}", color.rgb.0);
        match self.0.last_mut() {
            Some(last) if last.class == class => draw(&mut last.d),
            _ => {
                let mut d = String::new();
                draw(&mut d);
                self.0.push(Shape { class, d });
            }
        }
    }

    fn outline(
        &mut self,
        points: impl IntoIterator<Item = BackendCoord>,
        color: BackendColor,
        kind: &str,
        end: &str,
    ) {
        self.pen(color, kind, |d| {
            for (n, (x, y)) in points.into_iter().enumerate() {
                let command = if n == 0 { 'M' } else { 'L' };
                // Writing to a string does not fail.
                let _ = write!(d, "{command}{x} {y}");
            }
            d.push_str(end);
        });
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (SIZE.unsigned_abs(), SIZE.unsigned_abs())
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.outline(
            [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)],
            color,
            "c-bar",
            "Z",
        );
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        self.pen(style.color(), "c-bar", |d| {
            let _ = write!(d, "M{left} {top}H{right}V{bottom}H{left}Z");
        });
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.outline(path, style.color(), "c-line", "");
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        self.outline(vert, style.color(), "c-area", "Z");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use plotters::prelude::*;

    use super::*;

    #[test]
    fn one_pen_draws_one_shape() {
        let mut shapes = Vec::new();
        let mut canvas = Canvas::new(&mut shapes);
        let pen = |class| BackendColor {
            alpha: 1.0,
            rgb: (class, 0, 0),
        };
        canvas.draw_rect((0, 0), (10, 20), &pen(1), true).expect("drawn");
        canvas.draw_rect((20, 5), (30, 20), &pen(1), true).expect("drawn");
        canvas
            .draw_path([(0, 1), (2, 3), (4, 5)], &pen(2))
            .expect("drawn");
        let drawn: Vec<_> = shapes
            .iter()
            .map(|shape| (&shape.class[..], &shape.d[..]))
            .collect();
        assert_eq!(
            drawn,
            [
                ("c-1 c-bar", "M0 0H10V20H0ZM20 5H30V20H20Z"),
                ("c-2 c-line", "M0 1L2 3L4 5"),
            ]
        );
    }

    #[test]
    fn plotters_fills_the_whole_of_it() {
        let mut shapes = Vec::new();
        {
            let area = Canvas::new(&mut shapes).into_drawing_area();
            let mut chart = ChartBuilder::on(&area)
                .build_cartesian_2d(0.0..4.0, 0.0..8.0)
                .expect("axes");
            let bar = Rectangle::new([(1.0, 0.0), (2.0, 4.0)], paint(3).filled());
            chart.draw_series([bar]).expect("drawn");
        }
        assert_eq!(shapes.len(), 1);
        assert_eq!(shapes[0].class, "c-3 c-bar");
        let numbers: Vec<i32> = shapes[0]
            .d
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        for (got, wanted) in numbers.iter().zip([2_500, 5_000, 5_000, 10_000, 2_500]) {
            assert!((got - wanted).abs() <= 2, "{numbers:?}");
        }
    }
}
