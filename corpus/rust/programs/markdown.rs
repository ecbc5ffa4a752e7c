//! Renders a generated Markdown document to HTML.

use corpus::{Rng, fold, text};
use pulldown_cmark::{Options, Parser, html};

#[unsafe(no_mangle)]
pub extern "C" fn run(sections: i32) -> i32 {
    let document = document(sections as u32);
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(&document, Options::all()));
    fold(0, out.as_bytes()) as i32
}

fn document(sections: u32) -> String {
    let mut rng = Rng::new(3);
    let mut out = String::new();
    for i in 0..sections {
        out += &format!("## Section *{i}*\n\n{}\n", text(300, i + 1));
        out += "- one `code`\n- two **bold _both_**\n  1. nested [link](https://example.org/a?b=c \"title\")\n\n";
        out +=
            "> quoted &amp; text with a footnote[^1] and ~~strike~~ <b>html</b>\n\n[^1]: note\n\n";
        out += &format!("| a | b |\n|---|:-:|\n| {} | {} |\n\n", rng.below(99), rng.below(9999));
        out += &format!("```rust\nfn f{i}() -> u32 {{ {} }}\n```\n\n***\n\n", rng.next());
    }
    out
}
