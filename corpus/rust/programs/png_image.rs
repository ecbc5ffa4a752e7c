//! Encodes generated pictures as PNG with every filter, and decodes them again.

use corpus::{Rng, fold};
use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter};

#[unsafe(no_mangle)]
pub extern "C" fn run(pictures: i32) -> i32 {
    let mut rng = Rng::new(13);
    let filters = [Filter::Adaptive, Filter::Paeth, Filter::Avg, Filter::Up, Filter::Sub];
    let mut sum = 0;
    for picture in 0..pictures as usize {
        let (width, height) = (96, 64);
        let pixels: Vec<u8> = (0..width * height)
            .flat_map(|i| {
                let (x, y, noise) = (i % width, i / width, rng.below(8));
                [(x * 2 + noise) as u8, (y * 3) as u8, (x ^ y) as u8, 255 - noise as u8]
            })
            .collect();
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, width, height);
        encoder.set_color(ColorType::Rgba);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_filter(filters[picture % filters.len()]);
        encoder.set_compression(if picture % 2 == 0 {
            Compression::Balanced
        } else {
            Compression::Fast
        });
        encoder.write_header().and_then(|mut w| w.write_image_data(&pixels)).expect("encodes");
        let mut reader =
            Decoder::new(std::io::Cursor::new(&file)).read_info().expect("has a header");
        let mut back = vec![0; reader.output_buffer_size().expect("fits")];
        reader.next_frame(&mut back).expect("decodes");
        assert_eq!(pixels, back);
        sum = fold(sum, &file);
    }
    sum as i32
}
