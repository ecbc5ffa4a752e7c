//! A spreadsheet: tokenises and parses formulas into boxed trees, evaluates cells on demand, finds cycles.

use corpus::{Rng, fold};
use std::collections::HashMap;

enum Expr {
    Number(f64),
    Cell(u16),
    Binary(char, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
    Negate(Box<Expr>),
}

#[derive(Clone, Copy)]
enum State {
    Busy,
    Done(f64),
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> u8 {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn expr(&mut self, level: usize) -> Expr {
        const LEVELS: [&[u8]; 3] = [b"<=", b"+-", b"*/"];
        let Some(operators) = LEVELS.get(level) else { return self.atom() };
        let mut left = self.expr(level + 1);
        while operators.contains(&self.peek()) {
            let operator = self.text[self.at] as char;
            self.at += 1;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.expr(level + 1)));
        }
        left
    }

    fn atom(&mut self) -> Expr {
        match self.peek() {
            b'(' => {
                self.at += 1;
                let inner = self.expr(0);
                self.peek();
                self.at += 1;
                inner
            }
            b'-' => {
                self.at += 1;
                Expr::Negate(Box::new(self.atom()))
            }
            b'A'..=b'Z' => {
                let word = self.take(|c| c.is_ascii_alphanumeric());
                if self.peek() != b'(' {
                    return Expr::Cell(word[1..].parse().unwrap_or(0));
                }
                let mut arguments = Vec::new();
                while self.peek() != b')' {
                    self.at += 1;
                    arguments.push(self.expr(0));
                }
                self.at += 1;
                Expr::Call(word, arguments)
            }
            _ => {
                Expr::Number(self.take(|c| c.is_ascii_digit() || c == b'.').parse().unwrap_or(0.0))
            }
        }
    }

    fn take(&mut self, want: impl Fn(u8) -> bool) -> String {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|&c| want(c)) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }
}

#[derive(Default)]
struct Values {
    known: HashMap<u16, State>,
    cycles: u32,
}

impl Values {
    fn cell(&mut self, cells: &[Expr], index: u16) -> f64 {
        match self.known.insert(index, State::Busy) {
            None => {
                let value = cells.get(index as usize).map_or(0.0, |expr| self.eval(cells, expr));
                self.known.insert(index, State::Done(value));
                value
            }
            Some(State::Done(value)) => {
                self.known.insert(index, State::Done(value));
                value
            }
            Some(State::Busy) => {
                self.cycles += 1;
                0.0
            }
        }
    }

    fn eval(&mut self, cells: &[Expr], expr: &Expr) -> f64 {
        match expr {
            Expr::Number(n) => *n,
            Expr::Cell(index) => self.cell(cells, *index),
            Expr::Negate(inner) => -self.eval(cells, inner),
            Expr::Binary(operator, a, b) => {
                let (a, b) = (self.eval(cells, a), self.eval(cells, b));
                match operator {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b / (1.0 + a.abs().max(b.abs()) / 1e6),
                    '/' => a / if b == 0.0 { 1.0 } else { b },
                    '<' => f64::from(a < b),
                    _ => f64::from(a == b),
                }
            }
            Expr::Call(name, arguments) => {
                let values: Vec<f64> = arguments.iter().map(|a| self.eval(cells, a)).collect();
                match name.as_str() {
                    "SUM" => values.iter().sum(),
                    "MAX" => values.iter().copied().fold(f64::MIN, f64::max),
                    "IF" => values[if values[0] != 0.0 { 1 } else { 2 }],
                    "SQRT" => values[0].abs().sqrt(),
                    _ => values.len() as f64,
                }
            }
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut rng = Rng::new(53);
    let mut sum = 0;
    for _ in 0..rounds {
        let count = 200;
        let cells = (0..count).map(|i| {
            let mut near = || if rng.below(30) == 0 { rng.below(count) } else { rng.below(i + 1) };
            let (a, b, c) = (near(), near(), near());
            let text = match rng.below(5) {
                0 => format!("{a}.5 + {b} * -{c}"),
                1 => format!("SUM(A{a}, A{b}, 3 * (A{c} - 1)) / 4"),
                2 => format!("IF(A{a} < A{b}, A{c} + 1, -A{a})"),
                3 => format!("SQRT(A{a} * A{a} + {b}) - MAX(A{b}, {c}, 0.25)"),
                _ => format!("((A{a} + {b}) * ({c} - 2)) / 7 + (A{b} = 3)"),
            };
            Parser { text: text.as_bytes(), at: 0 }.expr(0)
        });
        let cells: Vec<Expr> = cells.collect();
        let mut values = Values::default();
        for index in 0..count as u16 {
            sum = fold(sum, &values.cell(&cells, index).to_le_bytes());
        }
        sum ^= values.cycles;
    }
    sum as i32
}
