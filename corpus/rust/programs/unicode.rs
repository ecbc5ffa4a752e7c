//! Splits text in several scripts into graphemes, words and sentences; changes case; reverses; formats numbers.

use corpus::{Rng, fold};
use std::fmt::Write;
use unicode_segmentation::UnicodeSegmentation;

const PARTS: [&str; 12] = [
    "Grüße aus Köln. ",
    "naïve façade ",
    "日本語の文章です。",
    "a̐éö̲ ",
    "👩‍👩‍👧‍👦🇯🇵 ",
    "Привет, мир! ",
    "İstanbul ",
    "ΑΣ ΌΔΟΣ ",
    "hello ",
    "\r\n",
    "don't 3.14 ",
    "नमस्ते ",
];

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut rng = Rng::new(3);
    let mut sum = 0;
    for _ in 0..rounds {
        let text: String = (0..60).map(|_| PARTS[rng.below(12) as usize]).collect();
        let reversed: String = text.graphemes(true).rev().collect();
        let mut out = text.to_uppercase() + &reversed.to_lowercase();
        for word in text.unicode_words() {
            write!(out, "{word:>12}|{:<8.3}|{:+e}|", rng.unit() * 1000.0, rng.next())
                .expect("writes");
        }
        let utf16: Vec<u16> = out.encode_utf16().collect();
        sum = fold(sum, String::from_utf16_lossy(&utf16).as_bytes());
        sum = fold(
            sum,
            &[
                text.unicode_sentences().count() as u8,
                text.chars().filter(|c| c.is_alphabetic()).count() as u8,
            ],
        );
        sum ^= out
            .split('|')
            .filter_map(|n| n.trim().parse::<f64>().ok())
            .fold(0, |s, n| s ^ n.to_bits() as u32);
    }
    sum as i32
}
