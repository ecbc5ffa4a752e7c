//! Builds a tree of records, writes it as JSON, parses it back as typed and as dynamic values.

use corpus::{Rng, fold};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    paid: bool,
    discount: Option<f64>,
    lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u16,
    price: f64,
}

#[unsafe(no_mangle)]
pub extern "C" fn run(orders: i32) -> i32 {
    let mut rng = Rng::new(11);
    let orders: Vec<Order> = (0..orders).map(|_| order(&mut rng)).collect();
    let text = serde_json::to_string(&orders).expect("serialises");
    let typed: Vec<Order> = serde_json::from_str(&text).expect("parses");
    let dynamic: serde_json::Value = serde_json::from_str(&text).expect("parses");
    let total: f64 =
        typed.iter().flat_map(|o| &o.lines).map(|l| l.price * f64::from(l.quantity)).sum();
    let paid = dynamic.as_array().expect("an array").iter().filter(|o| o["paid"] == true).count();
    let pretty = serde_json::to_string_pretty(&dynamic).expect("serialises");
    fold(fold(paid as u32, &total.to_le_bytes()), pretty.as_bytes()) as i32
}

fn order(rng: &mut Rng) -> Order {
    let lines = (0..1 + rng.below(5)).map(|_| Line {
        sku: format!("{:04x}-{}", rng.below(65536), rng.below(100)),
        quantity: rng.below(20) as u16,
        price: f64::from(rng.below(100_000)) / 100.0,
    });
    let lines = lines.collect();
    let customer = corpus::text(20, rng.next());
    let discount = (rng.below(3) == 0).then(|| rng.unit());
    Order { id: u64::from(rng.next()) << 20, customer, paid: rng.below(2) == 0, discount, lines }
}
