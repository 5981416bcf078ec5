//! How much of each pixel a convex polygon covers, exactly: it is clipped to the pixel (Sutherland and Hodgman 1974,
//! DOI 10.1145/360767.360802), and the area of what remains is taken.

use super::Field;

type Point = [f64; 2];

/// The share of each pixel that is covered, row by row; `corners` go round counter-clockwise.
pub(super) fn coverage(field: &Field, corners: &[Point]) -> Vec<f64> {
    let pixel = field.pixel();
    let reach = pixel * std::f64::consts::FRAC_1_SQRT_2;
    let sides: Vec<(Point, Point)> =
        (0..corners.len()).map(|i| (corners[i], corners[(i + 1) % corners.len()])).collect();
    let share = |(x, y): (f64, f64)| {
        // The least distance inside a side; negative outside.
        let least = sides.iter().map(|(a, b)| {
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            (dx * (y - a[1]) - dy * (x - a[0])) / dx.hypot(dy)
        });
        let least = least.fold(f64::INFINITY, f64::min);
        if least <= -reach {
            0.0
        } else if least >= reach {
            1.0
        } else {
            area(&clipped(corners, [x, y], pixel / 2.0)) / (pixel * pixel)
        }
    };
    field.points().map(share).collect()
}

/// The part of a polygon within `half` of `middle` on both axes.
fn clipped(corners: &[Point], middle: Point, half: f64) -> Vec<Point> {
    let mut polygon = corners.to_vec();
    for axis in [0, 1] {
        for sign in [1.0, -1.0] {
            let inside = |p: &Point| half - sign * (p[axis] - middle[axis]);
            let mut kept = Vec::with_capacity(polygon.len() + 2);
            for (i, p) in polygon.iter().enumerate() {
                let q = polygon[(i + 1) % polygon.len()];
                let (dp, dq) = (inside(p), inside(&q));
                if dp >= 0.0 {
                    kept.push(*p);
                }
                if (dp > 0.0 && dq < 0.0) || (dp < 0.0 && dq > 0.0) {
                    let share = dp / (dp - dq);
                    kept.push([p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])]);
                }
            }
            polygon = kept;
        }
    }
    polygon
}

/// The shoelace formula.
fn area(polygon: &[Point]) -> f64 {
    let n = polygon.len();
    (0..n).map(|i| (polygon[i], polygon[(i + 1) % n])).map(|(p, q)| p[0] * q[1] - q[0] * p[1]).sum::<f64>() / 2.0
}

/// The corners of a disc, as a polygon of the same area.
pub(super) fn disc(middle: Point, radius: f64) -> Vec<Point> {
    const CORNERS: usize = 32;
    let turn = std::f64::consts::TAU / CORNERS as f64;
    let outer = radius * (turn / turn.sin()).sqrt();
    (0..CORNERS)
        .map(|i| (i as f64 * turn).sin_cos())
        .map(|(sin, cos)| [middle[0] + outer * cos, middle[1] + outer * sin])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_exact_at_any_angle() {
        let field = Field::new(8.0, 37).unwrap();
        let pixel_area = field.pixel() * field.pixel();
        for angle in [0.0_f64, 0.3, 1.0, 2.5] {
            let (sin, cos) = angle.sin_cos();
            let corner = |u: f64, v: f64| [0.13 + u * cos - v * sin, -0.21 + u * sin + v * cos];
            let corners = [corner(-1.5, -0.05), corner(1.5, -0.05), corner(1.5, 0.05), corner(-1.5, 0.05)];
            let total: f64 = coverage(&field, &corners).iter().sum::<f64>() * pixel_area;
            assert!((total - 0.3).abs() < 1e-12, "a bar thinner than a pixel: {total}");
        }
        let total: f64 = coverage(&field, &disc([0.4, 0.2], 1.1)).iter().sum::<f64>() * pixel_area;
        assert!((total - std::f64::consts::PI * 1.21).abs() < 1e-9, "{total}");
    }
}
