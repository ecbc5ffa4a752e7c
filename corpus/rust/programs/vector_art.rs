//! Fills and strokes curves with gradients and blending into a picture.

use corpus::{Rng, fold};
use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Paint, PathBuilder, Pixmap, Point, SpreadMode,
    Stroke, Transform,
};

#[unsafe(no_mangle)]
pub extern "C" fn run(shapes: i32) -> i32 {
    let mut rng = Rng::new(19);
    let mut picture = Pixmap::new(160, 120).expect("not empty");
    picture.fill(Color::WHITE);
    for shape in 0..shapes {
        let mut at = || (rng.below(160) as f32, rng.below(120) as f32);
        let ((ax, ay), (bx, by), (cx, cy), (dx, dy)) = (at(), at(), at(), at());
        let mut path = PathBuilder::new();
        path.move_to(ax, ay);
        path.cubic_to(bx, by, cx, cy, dx, dy);
        path.quad_to(by, ax, cy, dx);
        path.close();
        let Some(path) = path.finish() else { continue };
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        let colour = Color::from_rgba8(rng.next() as u8, rng.next() as u8, rng.next() as u8, 160);
        paint.set_color(colour);
        match shape % 3 {
            0 => picture.fill_path(
                &path,
                &paint,
                FillRule::EvenOdd,
                Transform::from_rotate(shape as f32),
                None,
            ),
            1 => {
                let stroke = Stroke { width: 1.0 + rng.below(6) as f32, ..Stroke::default() };
                picture.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
            }
            _ => {
                let stops =
                    vec![GradientStop::new(0.0, colour), GradientStop::new(1.0, Color::BLACK)];
                let (from, to) = (Point::from_xy(ax, ay), Point::from_xy(dx + 1.0, dy + 1.0));
                if let Some(shader) =
                    LinearGradient::new(from, to, stops, SpreadMode::Reflect, Transform::identity())
                {
                    paint.shader = shader;
                    picture.fill_path(
                        &path,
                        &paint,
                        FillRule::Winding,
                        Transform::identity(),
                        None,
                    );
                }
            }
        }
    }
    fold(0, picture.data()) as i32
}
