//! Runs scripts in Rhai.

use corpus::fold;
use rhai::{Engine, Scope};

const SCRIPT: &str = r#"
    fn collatz(n) { let steps = 0; while n != 1 { n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 }; steps += 1; } steps }
    let seed = 17;
    let words = [];
    for i in 0..30 { seed = (seed * 1103515245 + 12345) % 2147483648; words.push(`w${seed / 65536 % 100}`); }
    words.sort();
    let counts = #{};
    for word in words { if word in counts { counts[word] += 1; } else { counts[word] = 1; } }
    let longest = 0;
    for n in 1..30 { let s = collatz(n + round); if s > longest { longest = s; } }
    let twice = |x| x * 2.5;
    let total = words.filter(|w| w.len() == 3).map(|w| parse_int(w.sub_string(1))).reduce(|sum, n| sum + twice.call(n.to_float()), 0.0);
    let text = ""; for key in counts.keys() { text += key + "=" + counts[key] + ";"; }
    `${longest} ${total} ${text.to_upper()} ${text.split(";").len()}`
"#;

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let engine = Engine::new();
    let script = engine.compile(SCRIPT).expect("compiles");
    let mut sum = 0;
    for round in 0..i64::from(rounds) {
        let mut scope = Scope::new();
        scope.push("round", round);
        let result: String = engine.eval_ast_with_scope(&mut scope, &script).expect("runs");
        sum = fold(sum, result.as_bytes());
    }
    sum as i32
}
