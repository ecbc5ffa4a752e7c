//! Money: decimal arithmetic over 96-bit mantissas, dates, and tables of figures.

use corpus::{Rng, fold};
use rust_decimal::{Decimal, RoundingStrategy};

#[unsafe(no_mangle)]
pub extern "C" fn run(loans: i32) -> i32 {
    let mut rng = Rng::new(47);
    let mut sum = 0;
    for _ in 0..loans {
        let mut balance = Decimal::new(i64::from(100_000 + rng.below(50_000_000)), 2);
        let rate = Decimal::new(i64::from(100 + rng.below(900)), 4) / Decimal::from(12);
        let months = 24 + rng.below(24);
        let growth =
            (0..months).fold(Decimal::ONE, |g, _| (g * (Decimal::ONE + rate)).round_dp(20));
        let payment = (balance * rate * growth / (growth - Decimal::ONE)).round_dp(2);
        let mut line = String::new();
        for month in 0..months as i32 {
            let interest =
                (balance * rate).round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
            balance = balance + interest - payment;
            let (y, m, d) = date(19_000 + 30 * month + rng.below(9) as i32);
            line += &format!("{y}-{m:02}-{d:02}{balance:>14}|");
        }
        let parsed: Decimal =
            line.split('|').filter_map(|c| c.get(10..)?.trim().parse::<Decimal>().ok()).sum();
        sum = fold(fold(sum, line.as_bytes()), parsed.to_string().as_bytes());
    }
    sum as i32
}

/// The civil date of a day counted from 1970-01-01.
fn date(days: i32) -> (i32, i32, i32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i32::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}
