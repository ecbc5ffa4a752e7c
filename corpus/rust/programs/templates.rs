//! Compiles and renders page templates.

use corpus::{Rng, fold, text};
use minijinja::{Environment, context};

const PAGE: &str = "{% macro price(x) %}{{ (x * 1.2)|round(2) }} EUR{% endmacro %}<h1>{{ title|title|escape }}</h1>
{%- for item in items if item.stock > 0 %}
  <li class=\"{{ loop.cycle('odd', 'even') }}\">{{ loop.index }}. {{ item.name|upper|replace('A', '4') }}: {{ price(item.price) }}
  {% if item.tags %}[{{ item.tags|sort|join(', ') }}]{% else %}-{% endif %}
  {%- set rating = item.stock % 5 %} {{ '*' * rating }}{{ loop.last and '!' or ';' }}</li>
{%- endfor %}
{{ items|map(attribute='price')|sum }} {{ items|length }} {{ body|wordcount }} {{ body[:40]|trim }}";

#[unsafe(no_mangle)]
pub extern "C" fn run(pages: i32) -> i32 {
    let mut rng = Rng::new(43);
    let mut sum = 0;
    for page in 0..pages as u32 {
        let mut environment = Environment::new();
        environment.add_filter("wordcount", |s: &str| s.split_whitespace().count());
        environment.add_template("page", PAGE).expect("compiles");
        let items: Vec<_> = (0..20)
            .map(|i| {
                let tags: Vec<_> = (0..rng.below(4)).map(|_| ["new", "sale", "<b>"][rng.below(3) as usize]).collect();
                context! { name => format!("item a{i}"), price => f64::from(rng.below(10_000)) / 100.0, stock => rng.below(9), tags }
            })
            .collect();
        let template = environment.get_template("page").expect("is there");
        let html = template
            .render(context! { title => text(20, page + 1), items, body => text(400, page + 7) })
            .expect("renders");
        sum = fold(sum, html.as_bytes());
    }
    sum as i32
}
