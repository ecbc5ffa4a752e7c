//! Lays out and rasterises text in a TrueType font.

use corpus::{fold, text};
use fontdue::layout::{CoordinateSystem, Layout, LayoutSettings, TextStyle};
use fontdue::{Font, FontSettings};

#[unsafe(no_mangle)]
pub extern "C" fn run(lines: i32) -> i32 {
    let font = Font::from_bytes(epaint_default_fonts::HACK_REGULAR, FontSettings::default())
        .expect("is a font");
    let mut layout = Layout::new(CoordinateSystem::PositiveYDown);
    let mut sum = 0;
    for line in 0..lines {
        layout.reset(&LayoutSettings { max_width: Some(300.0), ..LayoutSettings::default() });
        layout.append(
            &[&font],
            &TextStyle::new(&text(60, line as u32 + 1), 9.0 + (line % 20) as f32, 0),
        );
        for glyph in layout.glyphs() {
            let (metrics, coverage) = font.rasterize_config(glyph.key);
            sum = fold(sum, &glyph.x.to_le_bytes()) ^ metrics.width as u32;
            sum = fold(sum, &coverage);
        }
    }
    sum as i32
}
