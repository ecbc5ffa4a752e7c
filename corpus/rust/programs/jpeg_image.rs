//! Encodes generated pictures as JPEG and decodes them again.

use corpus::{Rng, fold};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

#[unsafe(no_mangle)]
pub extern "C" fn run(pictures: i32) -> i32 {
    let mut rng = Rng::new(17);
    let mut sum = 0;
    for picture in 0..pictures as u8 {
        let (width, height) = (96u16, 80u16);
        let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height))
            .flat_map(|i| {
                let (x, y) = (i % 96, i / 96);
                [
                    (x * y / 24) as u8,
                    (128 + (x as i32 - 48) * 2) as u8,
                    (y * 2 + rng.below(20)) as u8,
                ]
            })
            .collect();
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 60 + picture % 40);
        encoder.set_sampling_factor(if picture % 2 == 0 {
            SamplingFactor::F_2_2
        } else {
            SamplingFactor::F_1_1
        });
        encoder.encode(&pixels, width, height, ColorType::Rgb).expect("encodes");
        let back = JpegDecoder::new(ZCursor::new(&file)).decode().expect("decodes");
        sum = fold(fold(sum, &file), &back[..back.len() / 8]);
    }
    sum as i32
}
