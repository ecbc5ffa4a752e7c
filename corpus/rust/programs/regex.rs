//! Searches, captures and replaces in generated log lines with a backtracking-free regular expression engine.

use corpus::{Rng, fold};
use regex_lite::Regex;

#[unsafe(no_mangle)]
pub extern "C" fn run(lines: i32) -> i32 {
    let mut rng = Rng::new(5);
    let log: Vec<String> = (0..lines).map(|_| line(&mut rng)).collect();
    let request = Regex::new(
        r#"^(\d+)\.(\d+)\.(\d+)\.(\d+) \[(?<time>[^\]]+)\] "(GET|POST) (?<path>/[\w/.-]*)(\?\S*)?" (?<code>[1-5]\d\d) (\d+|-)$"#,
    );
    let request = request.expect("compiles");
    let word = Regex::new(r"(?i)\b[a-z]+ing\b|err(?:or|ata)s?|x{2,3}").expect("compiles");
    let digits = Regex::new(r"\d{2,}").expect("compiles");
    let mut sum = 0;
    for line in &log {
        if let Some(found) = request.captures(line) {
            sum = fold(sum, found["path"].as_bytes());
            sum = fold(sum, found["code"].as_bytes());
        }
        sum = fold(sum, &[word.find_iter(line).count() as u8]);
        sum = fold(sum, digits.replace_all(line, "#").as_bytes());
    }
    sum as i32
}

fn line(rng: &mut Rng) -> String {
    let mut byte = || rng.below(256);
    let (a, b, c, d) = (byte(), byte(), byte(), byte());
    let path = ["/", "/index.html", "/running/errors.txt", "/a-b/c", "/img/xxx.png"]
        [rng.below(5) as usize];
    let query = ["", "?q=1", "?sorting=up&n=22"][rng.below(3) as usize];
    let (method, code, size) =
        (["GET", "POST", "PUT"][rng.below(3) as usize], 200 + rng.below(350), rng.below(90_000));
    format!(
        "{a}.{b}.{c}.{d} [{}/Nov/2024:{:02}] \"{method} {path}{query}\" {code} {size}",
        1 + rng.below(30),
        rng.below(24)
    )
}
