//! Parses generated Rust source into syntax trees and walks them.

use corpus::{Rng, fold};
use syn::visit::{self, Visit};

#[unsafe(no_mangle)]
pub extern "C" fn run(functions: i32) -> i32 {
    let mut rng = Rng::new(29);
    let mut count = Count(0);
    for _ in 0..functions {
        count.visit_file(&syn::parse_file(&source(&mut rng)).expect("parses"));
    }
    count.0 as i32
}

struct Count(u32);

impl<'a> Visit<'a> for Count {
    fn visit_expr(&mut self, expr: &'a syn::Expr) {
        self.0 = self.0.rotate_left(3) ^ 5;
        visit::visit_expr(self, expr);
    }

    fn visit_ident(&mut self, ident: &'a proc_macro2::Ident) {
        self.0 = fold(self.0, ident.to_string().as_bytes());
    }

    fn visit_lit_int(&mut self, int: &'a syn::LitInt) {
        self.0 ^= int.base10_parse::<u32>().expect("fits");
    }
}

fn source(rng: &mut Rng) -> String {
    let (a, b) = (rng.below(100), rng.next());
    format!(
        r##"/// Documentation.
        #[derive(Debug, Clone)]
        pub struct Item{a}<'a, T: Clone + 'a> where T: Iterator<Item = &'a [u8]> {{ pub(crate) field: Option<Box<T>>, count: [u32; {a}] }}
        impl<'a, T> Item{a}<'a, T> {{
            pub fn compute(&mut self, n: usize, f: impl Fn(u32) -> u32) -> Result<u32, String> {{
                let mut total = {b};
                for i in (0..n).rev().step_by(2) {{
                    total = match f(i as u32) {{ 0 => continue, x @ 1..=9 if x != 5 => x << 2, x => total.wrapping_mul(x) ^ !x }};
                    if let Some(ref inner) = self.field {{ total += inner.len() as u32 % {a}; }} else {{ break }}
                }}
                let text = format!("{{}}: {{:?}}", r#"raw"#, (total, b'x', 'y', 1.5e-3, self.count[0]));
                self.field.as_ref().map(|v| v.clone()).ok_or_else(|| text)?; 
                unsafe {{ Ok(*(&total as *const u32)) }}
            }}
        }}"##
    )
}
