//! Chooses how ops are dispatched, and makes the list of the interpreter's forms: every base op of the op table with every
//! combination of operand kinds that it has handlers for, the ops of the interpreter's own, and the fused pairs of
//! `fusion.txt`. One list gives opcodes, handler tables, match arms, names and operand layouts.

#[path = "build/facts.rs"]
mod facts;
#[path = "src/kinds.rs"]
mod kinds;

use facts::{Shape, accesses, equal, is_inside, is_on_refs, is_small, is_terminal, places};
use kinds::Kind;
use kinglet_core::op::{Class, Num, ROWS, Row};
use std::{collections::HashMap, env, fmt::Write as _, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/facts.rs");
    println!("cargo::rerun-if-changed=src/kinds.rs");
    println!("cargo::rerun-if-changed=fusion.txt");
    println!("cargo::rustc-check-cfg=cfg(dispatch, values(\"tail\", \"match\", \"table\"))");
    println!("cargo::rustc-cfg=dispatch=\"{}\"", dispatch());

    let mut list = List::default();
    own_forms(&mut list);
    for row in ROWS {
        row_forms(&mut list, row);
    }
    list.unfused = list.forms.len();
    list.choose_small();
    let pairs = list.fuse(include_str!("fusion.txt"));
    println!("cargo::rustc-check-cfg=cfg(fusion)");
    if fusion_cap() > 0 {
        println!("cargo::rustc-cfg=fusion");
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("forms.rs"), list.source(&pairs)).expect("OUT_DIR is writable");
}

/// Threaded code where the target and the optimisation level make sibling calls sure, otherwise a loop.
fn dispatch() -> &'static str {
    let feature = |name: &str| has(&format!("DISPATCH_{name}"));
    let var = |name: &str| env::var(name).unwrap_or_default();
    let (arch, level) = (var("CARGO_CFG_TARGET_ARCH"), var("OPT_LEVEL"));
    if feature("TABLE") {
        "table"
    } else if feature("MATCH") {
        "match"
    } else if feature("TAIL") {
        "tail"
    } else if level == "0" {
        "table"
    } else {
        match arch.as_str() {
            "x86_64" | "aarch64" => "tail",
            // At "z", LLVM's outliner puts calls into handlers.
            "riscv64" if level != "z" => "tail",
            _ => "match",
        }
    }
}

/// Whether this build has a feature of the crate.
fn has(feature: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{feature}")).is_some()
}

/// How many pairs there are handlers for.
fn fusion_cap() -> usize {
    // One `match` over all fused forms as well takes minutes to compile.
    if has("OPS_SMALL") || has("FUSION_NONE") || dispatch() == "match" {
        0
    } else if has("FUSION_SMALL") {
        50
    } else {
        usize::MAX
    }
}

/// One opcode.
#[derive(Clone)]
struct Form {
    /// Name in listings and in `fusion.txt`.
    name: String,
    /// Type that implements it.
    body: String,
    /// Operands in the code; see `layout` in `disasm.rs`.
    layout: String,
    /// Whether its result may go to the pinned local by opcode + 2.
    pin: bool,
    /// Whether this build has a handler for it.
    built: bool,
    /// Whether it stands in functions, and not between them.
    inside: bool,
    /// Whether it is on references, so that whoever checks it has to know what slots hold.
    on_refs: bool,
    /// Whether control never goes on behind it.
    terminal: bool,
}

impl Form {
    /// Whether artifacts may have it where no values are references, and this build has a handler.
    fn is_plain(&self) -> bool {
        self.built && self.inside && !self.on_refs
    }

    /// Its operands. A small program does not say them of forms that it has no handlers for, which nobody looks at.
    fn layout(&self) -> &str {
        if self.built || !has("OPS_SMALL") { &self.layout } else { "" }
    }
}

/// All forms that there can be, whatever the features of this build: opcodes stand in artifacts, and mean the same everywhere.
/// The features say which of them get handlers.
///
/// The first opcodes are those of the small set, which every build has: other names for some of the forms that follow.
#[derive(Default)]
struct List {
    forms: Vec<Form>,
    by_name: HashMap<String, usize>,
    /// The forms of the small set, in the order of their opcodes there.
    small: Vec<usize>,
    /// For each unfused form, its number in the small set.
    in_small: Vec<Option<usize>>,
    /// The feature that the forms being added need.
    feature: Option<&'static str>,
    /// Constants: name and opcode.
    consts: Vec<(String, usize)>,
    /// First opcode of the value forms of each row.
    rows: Vec<usize>,
    /// First opcode of the forms for shared memories of each row, 0 without.
    shared: Vec<usize>,
    /// First opcode of the branch forms of each row, 0 without.
    branches: Vec<usize>,
    unfused: usize,
}

const DESTS: [(char, &str); 3] = [('a', "Acc"), ('s', "Slot"), ('p', "Pin")];

impl List {
    fn push(&mut self, name: String, body: String, layout: &str) {
        assert!(
            self.by_name.insert(name.clone(), self.forms.len()).is_none(),
            "two forms called {name}"
        );
        let (built, layout) = (self.feature.is_none_or(has), layout.into());
        let (inside, on_refs) = (is_inside(&body), is_on_refs(&name, &body));
        let terminal = is_terminal(&body);
        self.forms.push(Form { name, body, layout, pin: false, built, inside, on_refs, terminal });
    }

    /// Adds forms that take a feature of the crate.
    fn with(&mut self, feature: &'static str, add: impl FnOnce(&mut List)) {
        let outer = self.feature;
        // One that is missing already is reason enough.
        self.feature = outer.filter(|outer| !has(outer)).or(Some(feature));
        add(self);
        self.feature = outer;
    }

    /// A form that other code names.
    fn own(&mut self, constant: &str, body: &str, layout: &str) {
        self.consts.push((constant.into(), self.forms.len()));
        self.push(constant.to_lowercase(), body.into(), layout);
    }

    /// A form for each of the first `count` destinations; `body` has `$D` where the destination goes.
    fn dests(&mut self, name: &str, body: &str, layout: &str, count: usize) {
        for (letter, dest) in &DESTS[..count] {
            let first = self.forms.len();
            self.push(format!("{name}>{letter}"), body.replace("$D", dest), &format!("d{layout}"));
            self.forms[first].pin = count == 3 && *letter == 'a';
        }
    }

    /// Chooses the forms of the small set, those of the features that are mostly left out last.
    fn choose_small(&mut self) {
        let small: Vec<usize> =
            (0..self.forms.len()).filter(|&i| is_small(&self.forms[i])).collect();
        let rank = |&i: &usize| {
            let body = &self.forms[i].body;
            let vector = self.forms[i].layout.contains('v');
            // By its name, because its body depends on the features.
            let gc = self.forms[i].name == "struct_new"
                || ["Struct", "Array", "Ref", "CAST"].iter().any(|part| body.contains(part));
            (body.contains("hared"), vector, gc, body.contains("ATOMIC"))
        };
        self.small = small;
        self.small.sort_by_key(rank);
        let number = |i: usize| self.small.iter().position(|&small| small == i);
        self.in_small = (0..self.forms.len())
            .map(|i| {
                let name = &self.forms[i].name;
                number(*equal(name).map_or(&i, |name| &self.by_name[&name]))
            })
            .collect();
    }

    /// Adds the fused forms. Returns (first, second, fused) opcodes.
    fn fuse(&mut self, text: &str) -> Vec<(usize, usize, usize)> {
        let mut pairs = Vec::new();
        let cap = fusion_cap();
        let lines = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
        for (number, line) in lines.enumerate() {
            let (p, q) = line.split_once(" ; ").expect("a line of fusion.txt is `first ; second`");
            // A line may name a chain whose beginning was cut off, or an op that has since changed its name.
            let (Some(&first), Some(&second)) = (self.by_name.get(p), self.by_name.get(q)) else {
                println!("cargo::warning=fusion.txt: no form for {line:?}");
                continue;
            };
            // The execution goes by the opcode of an op that it takes over, and a fused one has none of its own.
            let taken_over =
                ["Exit<", "CallIndirect<", "CallRef<", "RefTest<", "RefCast<", "Fuel", "BrFuel"];
            let body = &self.forms[second].body;
            assert!(!taken_over.iter().any(|op| body.starts_with(op)), "{line:?} cannot be fused");
            pairs.push((first, second, self.forms.len()));
            let count = match (q.ends_with(">a"), self.forms[second].pin) {
                (true, true) => 3,
                (true, false) => 2,
                (false, _) => 1,
            };
            for i in 0..count {
                let (a, b) = (self.forms[first].clone(), self.forms[second + i].clone());
                self.push(
                    format!("{}+{}", a.name, b.name),
                    format!("Seq<{}, {}>", a.body, b.body),
                    &(a.layout + "+" + &b.layout),
                );
                let last = self.forms.len() - 1;
                let fused = &mut self.forms[last];
                (fused.pin, fused.terminal) = (b.pin, b.terminal);
                fused.built = number < cap && a.built && b.built;
                fused.on_refs = a.on_refs || b.on_refs;
            }
        }
        pairs
    }

    fn source(&self, pairs: &[(usize, usize, usize)]) -> String {
        let mut s = String::new();
        let small = self.small.len();
        // Opcodes: those of the small set come first.
        let forms: Vec<&Form> =
            self.small.iter().map(|&i| &self.forms[i]).chain(&self.forms).collect();
        // With the small set alone, there is nothing behind it.
        let n = if has("OPS_SMALL") { small } else { forms.len() };
        assert!(forms.len() < 1 << 16, "opcodes have 16 bits");
        _ = writeln!(
            s,
            "/// Number of opcodes that there are handlers for, or gaps among these.\npub(crate) const COUNT: usize = {n};"
        );
        _ = writeln!(
            s,
            "/// Number of opcodes of the small set.\npub(crate) const SMALL: usize = {small};"
        );
        let mut consts = |doc: &str, module: &str, number: &dyn Fn(usize) -> usize| {
            _ = writeln!(s, "/// {doc}");
            _ = writeln!(
                s,
                "#[allow(dead_code, reason = \"most are named in one of the two only\")]"
            );
            _ = writeln!(s, "pub(crate) mod {module} {{");
            for (name, opcode) in &self.consts {
                _ = writeln!(s, "    pub(crate) const {name}: u16 = {};", number(*opcode));
            }
            _ = writeln!(s, "}}");
        };
        consts("Opcodes of the interpreter's own ops.", "code", &|opcode| small + opcode);
        consts("The same in the small set, or `u16::MAX`.", "small", &|opcode| {
            self.in_small[opcode].unwrap_or(u16::MAX.into())
        });
        table(
            &mut s,
            "For each opcode of the small set, the one that it is another name for.",
            "STANDARD",
            "u16",
            self.small.iter().map(|i| (small + i).to_string()),
        );
        let words = self.in_small.chunks(64).map(|forms| {
            let bits = forms.iter().rev().map(Option::is_some);
            bits.fold(0u64, |word, has| word << 1 | u64::from(has))
        });
        let words: Vec<u64> = words.collect();
        let before = words.iter().scan(0, |sum, word| {
            let before = *sum;
            *sum += word.count_ones();
            Some(before.to_string())
        });
        table(
            &mut s,
            "Bit per unfused form: whether it is in the small set.",
            "HAS_SMALL",
            "u64",
            words.iter().map(u64::to_string),
        );
        table(
            &mut s,
            "For each of these words, how many bits are in those before.",
            "BEFORE",
            "u16",
            before,
        );
        table(
            &mut s,
            "For each unfused form that is in the small set, its opcode there.",
            "IN_SMALL",
            "u16",
            self.in_small.iter().flatten().map(usize::to_string),
        );
        self.row_table(&mut s);
        // One text, for a list of them would take a relocation each.
        let names: String = forms.iter().map(|form| &*form.name).collect();
        let ends = forms.iter().scan(0, |end, form| {
            *end += form.name.len();
            Some(end.to_string())
        });
        _ = writeln!(s, "/// Names of the forms.\nstatic NAMES: &str = {names:?};");
        table(&mut s, "Where each of them ends.", "NAME_ENDS", "u32", ends);
        let mut layouts: Vec<&str> = forms[..n].iter().map(|form| form.layout()).collect();
        layouts.sort_unstable();
        layouts.dedup();
        table(
            &mut s,
            "Operands of forms.",
            "LAYOUTS",
            "&str",
            layouts.iter().map(|l| format!("{l:?}")),
        );
        let shapes: Vec<Option<Shape>> = layouts.iter().map(|layout| Shape::of(layout)).collect();
        table(
            &mut s,
            "Where slots and jumps are, for those of them that have one.",
            "SHAPES",
            "Shape",
            shapes.iter().map(|shape| shape.as_ref().unwrap_or(&Shape::default()).source()),
        );
        let traits = |form: &&Form| {
            let number = layouts.binary_search(&form.layout()).expect("it is one of them");
            assert!(number < 1 << 10, "there are 10 bits");
            let len = shapes[number].as_ref().map_or(15, |shape| shape.len);
            let loadable = form.is_plain() && !accesses(&form.body, "Shared");
            let terminal = form.terminal;
            let bits =
                number | len << 10 | usize::from(terminal) << 14 | usize::from(loadable) << 15;
            format!("{bits:#x}")
        };
        table(
            &mut s,
            "For each opcode, the bits of its `Traits`.",
            "TRAITS",
            "u16",
            forms[..n].iter().map(traits),
        );
        let mut bits = |doc: &str, name: &str, is: &dyn Fn(usize) -> bool| {
            let mut words = vec![0u64; n.div_ceil(64)];
            for i in (0..n).filter(|&i| is(i)) {
                words[i / 64] |= 1 << (i % 64);
            }
            table(&mut s, doc, name, "u64", words.iter().map(u64::to_string));
        };
        bits("Bit per opcode: whether opcode + 2 writes the pinned local.", "PINNABLE", &|i| {
            i >= small && forms[i].pin
        });
        bits("Bit per opcode: whether it is the first of a pair.", "FIRSTS", &|i| {
            pairs.iter().any(|&(first, ..)| small + first == i)
        });
        bits(
            "Bit per opcode: whether artifacts may have it where no values are references and the first memory is shared, and this build has a handler.",
            "LOADABLE_SHARED",
            &|i| forms[i].is_plain() && !accesses(&forms[i].body, ""),
        );
        bits(
            "Bit per opcode: whether artifacts may have it if what slots hold is checked, and this build has a handler.",
            "ON_REFS",
            &|i| forms[i].built && forms[i].on_refs,
        );
        bits(
            "Bit per opcode: whether it is an access to the first memory, which is shared.",
            "SHARED",
            &|i| accesses(&forms[i].body, "Shared"),
        );
        bits(
            "Bit per opcode: whether it is an access to the first memory, which is not shared.",
            "UNSHARED",
            &|i| accesses(&forms[i].body, ""),
        );
        if has("GC") {
            self.places_table(&mut s, small, pairs);
        }
        self.fusion_table(&mut s, small, pairs);
        _ = writeln!(
            s,
            "/// Calls `$m` with the opcodes and the type of every form that there is a handler for.\nmacro_rules! for_each_form {{ ($m:ident) => {{ $m! {{"
        );
        for (i, form) in self.forms.iter().enumerate().filter(|(_, form)| form.built) {
            let alias = self.small.iter().position(|&small| small == i);
            let opcodes = alias.into_iter().chain([small + i]).filter(|&opcode| opcode < n);
            let opcodes: Vec<String> = opcodes.map(|opcode| opcode.to_string()).collect();
            if !opcodes.is_empty() {
                _ = writeln!(s, "{} {},", opcodes.join(" | "), form.body);
            }
        }
        _ = writeln!(s, "}} }}; }}\npub(crate) use for_each_form;");
        s
    }

    /// What the check of code that handles references needs to know of forms.
    fn places_table(&self, s: &mut String, small: usize, pairs: &[(usize, usize, usize)]) {
        table(
            s,
            "For each unfused form, where its operands are and its result goes, as `Places` has it.",
            "PLACES",
            "u8",
            self.forms[..self.unfused].iter().map(|form| places(form).to_string()),
        );
        if fusion_cap() == 0 {
            return;
        }
        let part = |(i, &(first, second, fused)): (usize, &(usize, usize, usize))| {
            let end = pairs.get(i + 1).map_or(self.forms.len(), |next| next.2);
            (0..end - fused).map(move |i| format!("({}, {})", small + first, small + second + i))
        };
        let parts = pairs.iter().enumerate().flat_map(part);
        table(s, "What each fused form consists of.", "PARTS", "(u16, u16)", parts);
    }

    fn row_table(&self, s: &mut String) {
        let small = self.small.len();
        let rows = ROWS.iter().enumerate().filter(|(_, row)| has("SIMD") || !is_vector(row.class));
        let rows = rows.map(|(i, row)| {
            let to = row.to.filter(|_| row.class != Class::store).unwrap_or(Num::u32);
            let opcode = |first: usize| if first == 0 { 0 } else { small + first };
            format!(
                "RowForms {{ forms: {}, shared: {}, branches: {}, list: {}, destinations: {}, \
                 operands: {}, from: Num::{:?}, to: Num::{:?}, commutes: {}, compares: {} }}",
                small + self.rows[i],
                opcode(self.shared[i]),
                opcode(self.branches[i]),
                pair_list(row),
                destinations(row),
                unary_kinds(row),
                row.from.unwrap_or(Num::u32),
                if to == Num::bool { Num::u32 } else { to },
                row.commutes,
                row.class == Class::cmp,
            )
        });
        table(s, "What the sink needs to know about each row.", "ROW_FORMS", "RowForms", rows);
    }

    /// An open-addressing hash table from pairs of opcodes to the opcode of the fused form.
    fn fusion_table(&self, s: &mut String, small: usize, pairs: &[(usize, usize, usize)]) {
        let pairs: Vec<_> = pairs.iter().filter(|pair| self.forms[pair.2].built).collect();
        let size = (pairs.len() * 3).next_power_of_two().max(2);
        let mut keys = vec![0u32; size];
        let mut values = vec![0u16; size];
        for &&(p, q, fused) in &pairs {
            let key = ((small + p) as u32) << 16 | (small + q) as u32;
            let mut at = fusion_hash(key, size);
            while keys[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            (keys[at], values[at]) = (key, (small + fused) as u16);
        }
        table(
            s,
            "Pairs of opcodes, by hash.",
            "FUSION_KEYS",
            "u32",
            keys.iter().map(u32::to_string),
        );
        table(
            s,
            "What the pairs fuse to.",
            "FUSION_VALUES",
            "u16",
            values.iter().map(u16::to_string),
        );
    }
}

/// Writes a static.
fn table(s: &mut String, doc: &str, name: &str, ty: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    _ = writeln!(
        s,
        "/// {doc}\npub(crate) static {name}: [{ty}; {}] = [{}];",
        items.len(),
        items.join(", ")
    );
}

/// Must agree with `fused` in `forms.rs`.
fn fusion_hash(key: u32, size: usize) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> 16) as usize & (size - 1)
}

fn kind(kind: Kind) -> (char, &'static str, &'static str) {
    match kind {
        Kind::Slot => ('s', "Slot", "s"),
        Kind::Acc => ('a', "Acc", ""),
        Kind::Imm => ('i', "Imm", "i"),
        Kind::Pin => ('p', "Pin", ""),
    }
}

fn num(num: Option<Num>) -> Num {
    num.expect("the class has operand types")
}

/// How many destinations the forms of a row have.
fn destinations(row: &Row) -> usize {
    match row.class {
        Class::store | Class::multi | Class::slots => 0,
        // A comparison as a value is rare enough to go without a destination of its own.
        Class::cmp => destination_count(Num::u32, true),
        Class::load => destination_count(num(row.to), false),
        Class::vtest | Class::extract => destination_count(num(row.to), true),
        _ if row.to == Some(Num::v128) || row.from == Some(Num::v128) => 0,
        _ => destination_count(num(row.to), row.rare),
    }
}

/// The forms of a row of the op table.
fn row_forms(list: &mut List, row: &Row) {
    let computes =
        matches!(row.class, Class::un | Class::un_trap | Class::bin | Class::bin_trap | Class::cmp);
    let is_float = |num| matches!(num, Some(Num::f32 | Num::f64));
    if computes && (is_float(row.from) || is_float(row.to)) {
        list.with("FLOAT", |list| forms_of(list, row));
    } else {
        forms_of(list, row);
    }
}

/// The same, whatever features they need.
fn forms_of(list: &mut List, row: &Row) {
    list.rows.push(list.forms.len());
    let (name, op) = (row.name, row.variant);
    match row.class {
        Class::un | Class::un_trap => {
            for &k in &kinds::KINDS[..unary_kinds(row)] {
                let (c, k, layout) = kind(k);
                list.dests(
                    &format!("{name}.{c}"),
                    &format!("Un<{op}, {k}, $D>"),
                    layout,
                    destinations(row),
                );
            }
        }
        Class::bin | Class::bin_trap | Class::cmp => {
            let count = destinations(row);
            for &(l, r) in kinds::LISTS[pair_list(row)] {
                let ((lc, l, ll), (rc, r, rl)) = (kind(l), kind(r));
                list.dests(
                    &format!("{name}.{lc}{rc}"),
                    &format!("Bin<{op}, {l}, {r}, $D>"),
                    &format!("{ll}{rl}"),
                    count,
                );
            }
        }
        Class::load | Class::store => access_forms(list, row, ""),
        Class::atomic_load
        | Class::atomic_store
        | Class::atomic_add
        | Class::atomic_sub
        | Class::atomic_and
        | Class::atomic_or
        | Class::atomic_xor
        | Class::atomic_xchg
        | Class::atomic_cmpxchg
        | Class::atomic_wait
        | Class::atomic_notify => list.push(name.into(), "Exit<{ exit::ATOMIC }>".into(), "lqT"),
        Class::multi => list.push(name.into(), format!("Multi<{op}>"), "M"),
        Class::slots => {
            // The hottest of them has a way of its own.
            let own = name == "struct_new" && has("GC");
            let exit = if own { "STRUCT_NEW" } else { "SLOTS" };
            list.push(name.into(), format!("Exit<{{ exit::{exit} }}>"), "uuT");
        }
        _ => list.with("SIMD", |list| vector_forms(list, row)),
    }
    let racy = matches!(row.class, Class::load | Class::store);
    list.shared.push(if racy { list.forms.len() } else { 0 });
    if racy {
        list.with("THREADS", |list| access_forms(list, row, "Shared"));
    }
    if row.class == Class::cmp {
        list.branches.push(list.forms.len());
        let both = matches!(row.from, Some(Num::f32 | Num::f64));
        for (prefix, when) in
            [("br", "true"), ("br_not", "false")].into_iter().take(1 + usize::from(both))
        {
            for &(l, r) in kinds::LISTS[pair_list(row)] {
                let ((lc, l, ll), (rc, r, rl)) = (kind(l), kind(r));
                list.push(
                    format!("{prefix}_{name}.{lc}{rc}"),
                    format!("CmpBr<{op}, {l}, {r}, {when}>"),
                    &format!("{ll}{rl}j"),
                );
            }
        }
    } else {
        list.branches.push(0);
    }
}

/// Whether there is a row only if there are vectors.
fn is_vector(class: Class) -> bool {
    use Class::*;
    matches!(
        class,
        vun | vbin
            | vternary
            | vshift
            | vtest
            | splat
            | extract
            | replace
            | shuffle
            | swizzle
            | vload
            | vwiden
            | vstore
            | load_lane
            | store_lane
    )
}

/// The forms of a row on vectors.
fn vector_forms(list: &mut List, row: &Row) {
    let (name, op) = (row.name, row.variant);
    match row.class {
        Class::vtest => {
            return list.dests(name, &format!("VTest<{op}, $D>"), "v", destinations(row));
        }
        Class::extract => {
            let layout = format!("s{}", lane(row, 8));
            return list.dests(name, &format!("Extract<{op}, $D>"), &layout, destinations(row));
        }
        _ => {}
    }
    let mut form = |name: &str, body: &str, layout: &str| {
        list.push(name.into(), body.replace("$O", op), layout);
    };
    match row.class {
        Class::vun => form(name, "VUn<$O>", "vv"),
        Class::vbin => form(name, "VBin<$O>", "vvv"),
        Class::vternary => form(name, "VTernary<$O>", "vvvv"),
        Class::swizzle => form(name, "Swizzle", "vvv"),
        Class::shuffle => form(name, "Shuffle", "vvvqq"),
        Class::vshift => {
            for k in [Kind::Slot, Kind::Imm] {
                let (c, k, layout) = kind(k);
                let body = format!("VShift<$O, {k}>");
                form(&format!("{name}.s{c}"), &body, &format!("vv{layout}"));
            }
        }
        Class::splat | Class::replace => {
            for &k in &kinds::KINDS[..kinds::SCALAR] {
                let (c, k, layout) = kind(k);
                if row.class == Class::splat {
                    form(&format!("{name}.{c}"), &format!("Splat<$O, {k}>"), &format!("v{layout}"));
                } else {
                    let body = format!("Replace<$O, {k}>");
                    let layout = format!("vv{layout}{}", lane(row, 16));
                    form(&format!("{name}.s{c}"), &body, &layout);
                }
            }
        }
        Class::vload | Class::vwiden | Class::vstore => {
            for &k in &kinds::KINDS[..kinds::ADDRESS] {
                let (c, k, layout) = kind(k);
                let (c, body, layout) = match row.class {
                    Class::vload => {
                        (format!("{c}"), format!("VLoad<$O, {k}>"), format!("v{layout}o"))
                    }
                    Class::vwiden => {
                        (format!("{c}"), format!("VWiden<$O, {k}>"), format!("v{layout}o"))
                    }
                    _ => (format!("{c}s"), format!("VStore<{k}>"), format!("o{layout}v")),
                };
                form(&format!("{name}.{c}"), &body, &layout);
            }
        }
        Class::load_lane => {
            form(&format!("{name}.s"), "LoadLane<$O>", &format!("vsov{}", lane(row, 16)))
        }
        Class::store_lane => {
            form(&format!("{name}.s"), "StoreLane<$O>", &format!("oss{}", lane(row, 8)))
        }
        other => unreachable!("{other:?} is no class of ops on vectors"),
    }
    let (body, layout) = match row.class {
        Class::vload => ("VLoadWide<$O, $M>", "vsmq".into()),
        Class::vwiden => ("VWidenWide<$O, $M>", "vsmq".into()),
        Class::vstore => ("VStoreWide<$M>", "smqv".into()),
        Class::load_lane => ("LoadLaneWide<$O, $M>", format!("vsmqv{}", lane(row, 16))),
        Class::store_lane => ("StoreLaneWide<$O, $M>", format!("smqs{}", lane(row, 8))),
        _ => return,
    };
    form(&format!("{name}.wide"), &body.replace("$M", "Unshared"), &layout);
    list.with("THREADS", |list| {
        let body = body.replace("$M", "Shared").replace("$O", op);
        list.push(format!("{name}.shared.wide"), body, &layout.replace('m', "z"));
    });
}

/// The operand of an op that names a lane of so many bytes: the digit that it is less than, or 9 for sixteen.
fn lane(row: &Row, bytes: usize) -> char {
    let size = match row.class {
        Class::replace => {
            let lanes = row.name.split(['x', '_']).nth(1).and_then(|lanes| lanes.parse().ok());
            16 / lanes.unwrap_or(1)
        }
        Class::store_lane => size(num(row.to)),
        _ => size(num(row.from)),
    };
    match bytes / size {
        16 => '9',
        lanes => char::from(b'0' + lanes as u8),
    }
}

/// How many bytes a number takes.
fn size(num: Num) -> usize {
    match num {
        Num::i8 | Num::u8 => 1,
        Num::i16 | Num::u16 => 2,
        Num::u64 | Num::f64 => 8,
        _ => 4,
    }
}

/// The forms of a load or store: in the first memory, by the kinds of its operands, and in any memory. The types of those for
/// shared memories have the suffix `Shared`.
fn access_forms(list: &mut List, row: &Row, suffix: &str) {
    let (op, count) = (row.variant, destinations(row));
    let (name, memory) = if suffix.is_empty() {
        (row.name.into(), 'm')
    } else {
        (format!("{}.shared", row.name), 'z')
    };
    if row.class == Class::load {
        for &k in &kinds::KINDS[..kinds::ADDRESS] {
            let (c, k, layout) = kind(k);
            let body = format!("Load{suffix}<{op}, {k}, $D>");
            list.dests(&format!("{name}.{c}"), &body, &format!("{layout}o"), count);
        }
        let body = format!("LoadWide{suffix}<{op}, $D>");
        return list.dests(&format!("{name}.wide"), &body, &format!("s{memory}q"), count);
    }
    for &a in &kinds::KINDS[..kinds::ADDRESS] {
        for &v in kinds::value_kinds(num(row.from)) {
            let ((ac, a, al), (vc, v, vl)) = (kind(a), kind(v));
            let body = format!("Store{suffix}<{op}, {a}, {v}>");
            list.push(format!("{name}.{ac}{vc}"), body, &format!("o{al}{vl}"));
        }
    }
    list.push(format!("{name}.wide"), format!("StoreWide{suffix}<{op}>"), &format!("s{memory}qs"));
}

/// Ops that only the interpreter knows, and the first forms of families whose members follow in the order of their kinds.
fn own_forms(list: &mut List) {
    list.own("STOP", "Exit<{ exit::DONE }>", "");
    list.own("CROSS_RETURN", "Exit<{ exit::CROSS_RETURN }>", "");
    list.own("LAZY", "Exit<{ exit::LAZY }>", "u");
    list.own("UNREACHABLE", "Unreachable", "");
    list.own("ZERO", "Zero", "rk");
    list.own("SAVE_PIN", "SavePin", "ss");
    list.own("RESTORE_PIN", "RestorePin", "s");
    list.own("FUEL", "Fuel", "u");
    list.own("BR_FUEL", "BrFuel", "ju");
    list.own("BR", "Br", "j");
    list.own("COPY", "Copy", "ds");
    list.own("CONST32", "Const32", "di");
    list.own("CONST64", "Const64", "dq");
    for (ty, name) in [("u64", "INT"), ("f32", "F32"), ("f64", "F64")] {
        list.own(&format!("ACC_TO_SLOT_{name}"), &format!("RegToSlot<{ty}, Acc>"), "d");
        if name != "F32" {
            list.own(&format!("PIN_TO_SLOT_{name}"), &format!("RegToSlot<{ty}, Pin>"), "d");
            list.own(&format!("SLOT_TO_PIN_{name}"), &format!("ToPin<{ty}, Slot>"), "s");
            list.own(&format!("ACC_TO_PIN_{name}"), &format!("ToPin<{ty}, Acc>"), "");
            list.own(&format!("CONST_TO_PIN_{name}"), &format!("ConstToPin<{ty}>"), "q");
        }
    }
    for (ty, name) in [("u64", "INT"), ("f32", "F32"), ("f64", "F64")] {
        let count = if name == "F32" { 2 } else { 3 };
        list.consts.push((format!("SELECT_{name}"), list.forms.len()));
        for &k in &kinds::KINDS[..kinds::CONDITION] {
            let (c, k, layout) = kind(k);
            let lower = name.to_lowercase();
            list.dests(
                &format!("select_{lower}.{c}"),
                &format!("Select<{ty}, {k}, $D>"),
                &format!("ss{layout}"),
                count,
            );
        }
        list.consts.push((format!("GLOBAL_GET_{name}"), list.forms.len()));
        list.dests(
            &format!("global_get_{}", name.to_lowercase()),
            &format!("GlobalGet<{ty}, $D>"),
            "g",
            count,
        );
    }
    for (ty, name, num) in [
        ("u64", "I64", Num::u64),
        ("u32", "I32", Num::u32),
        ("f32", "F32", Num::f32),
        ("f64", "F64", Num::f64),
    ] {
        for (family, body, prefix) in [("GLOBAL_SET", "GlobalSet", "g"), ("RET", "RetOne", "n")] {
            list.consts.push((format!("{family}_{name}"), list.forms.len()));
            for &k in kinds::value_kinds(num) {
                let (c, k, layout) = kind(k);
                let lower = format!("{family}_{name}").to_lowercase();
                list.push(
                    format!("{lower}.{c}"),
                    format!("{body}<{ty}, {k}>"),
                    &format!("{prefix}{layout}"),
                );
            }
        }
    }
    list.own("RET", "Ret", "n");
    list.own("RET_MANY", "RetMany", "nr");
    for (name, body, layout) in [
        ("BR_IF", "BrIf<$K, true>", "$Kj"),
        ("BR_IF_NOT", "BrIf<$K, false>", "$Kj"),
        ("BR_TABLE", "BrTable<$K>", "c$Kt"),
        ("CALL_INDIRECT", "CallIndirect<$K, u32>", "yxbh$K"),
        ("CALL_INDIRECT64", "CallIndirect<$K, u64>", "yxbh$K"),
        ("TAIL_CALL_INDIRECT", "Exit<{ exit::TAIL_CALL_INDIRECT }>", "yxbhn$K"),
        ("TAIL_CALL_INDIRECT64", "Exit<{ exit::TAIL_CALL_INDIRECT }>", "yxbhn$K"),
    ] {
        list.consts.push((name.into(), list.forms.len()));
        // The driver reads the operands of tail calls from slots.
        for &k in &kinds::KINDS[..if name.starts_with("TAIL") { 1 } else { kinds::CONDITION }] {
            let (c, k, l) = kind(k);
            list.push(
                format!("{}.{c}", name.to_lowercase()),
                body.replace("$K", k),
                &layout.replace("$K", l),
            );
        }
    }
    list.with("GC", object_forms);
    for (name, body, layout) in [
        ("CALL_REF", "CallRef<$K>", "bh$K"),
        ("TAIL_CALL_REF", "Exit<{ exit::TAIL_CALL_REF }>", "bhn$K"),
    ] {
        list.consts.push((name.into(), list.forms.len()));
        for &k in &kinds::KINDS[..if name.starts_with("TAIL") { 1 } else { kinds::REFERENCE }] {
            let (c, k, l) = kind(k);
            list.push(
                format!("{}.{c}", name.to_lowercase()),
                body.replace("$K", k),
                &layout.replace("$K", l),
            );
        }
    }
    list.with("SIMD", |list| {
        list.own("COPY_V128", "CopyVector", "vv");
        list.own("CONST_V128", "ConstVector", "vqq");
        list.own("GLOBAL_GET_V128", "GlobalGetVector", "vG");
        list.own("GLOBAL_SET_V128", "GlobalSetVector", "Gv");
        list.own("RET_V128", "RetVector", "nv");
        list.consts.push(("SELECT_V128".into(), list.forms.len()));
        for &k in &kinds::KINDS[..kinds::CONDITION] {
            let (c, k, layout) = kind(k);
            let body = format!("SelectVector<{k}>");
            list.push(format!("select_v128.{c}"), body, &format!("vvv{layout}"));
        }
    });
    list.own("CALL", "Call", "fbh");
    list.own("CALL_IMPORT", "Exit<{ exit::CALL_IMPORT }>", "pbh");
    list.own("TAIL_CALL", "TailCall", "fbhn");
    list.own("TAIL_CALL_IMPORT", "Exit<{ exit::TAIL_CALL_IMPORT }>", "pbhn");
    list.own("THROW", "Exit<{ exit::THROW }>", "ea");
    list.own("THROW_REF", "Exit<{ exit::THROW_REF }>", "s");
}

/// Ops on structs and arrays.
fn object_forms(list: &mut List) {
    let references = &kinds::KINDS[..kinds::REFERENCE];
    let indices = &kinds::KINDS[..kinds::CONDITION];
    for (constant, kinds, prefix) in [("STRUCT_GET", references, "o"), ("ARRAY_GET", indices, "s")]
    {
        list.consts.push((constant.into(), list.forms.len()));
        for (stored, value) in kinds::GETS {
            for &k in kinds {
                let (c, k, layout) = kind(k);
                list.dests(
                    &format!("{}_{stored:?}_{value:?}.{c}", constant.to_lowercase()),
                    &format!("{}<As<{stored:?}, {value:?}>, {k}, $D>", camel(constant)),
                    &format!("{prefix}{layout}"),
                    kinds::destinations(value),
                );
            }
        }
    }
    for (constant, kinds, prefix) in [("STRUCT_SET", references, "o"), ("ARRAY_SET", indices, "s")]
    {
        list.consts.push((constant.into(), list.forms.len()));
        for (stored, value) in kinds::SETS {
            for &k in kinds {
                for &v in kinds::value_kinds(value) {
                    let ((kc, k, kl), (vc, v, vl)) = (kind(k), kind(v));
                    list.push(
                        format!("{}_{stored:?}_{value:?}.{kc}{vc}", constant.to_lowercase()),
                        format!("{}<As<{stored:?}, {value:?}>, {k}, {v}>", camel(constant)),
                        &format!("{prefix}{kl}{vl}"),
                    );
                }
            }
        }
    }
    for (constant, body) in [
        ("REF_TEST", "RefTest<$K, $D, false>"),
        ("REF_TEST_FINAL", "RefTest<$K, $D, true>"),
        ("REF_TEST_OTHER", "Exit<{ exit::CAST }>"),
        ("REF_CAST", "RefCast<$K, $D>"),
        ("REF_CAST_OTHER", "Exit<{ exit::CAST }>"),
    ] {
        list.consts.push((constant.into(), list.forms.len()));
        for &k in references {
            let (c, k, layout) = kind(k);
            list.dests(
                &format!("{}.{c}", constant.to_lowercase()),
                &body.replace("$K", k),
                &format!("{layout}uw"),
                destination_count(Num::u64, true),
            );
        }
    }
    list.consts.push(("ARRAY_LEN".into(), list.forms.len()));
    for &k in references {
        let (c, k, layout) = kind(k);
        list.dests(
            &format!("array_len.{c}"),
            &format!("ArrayLen<{k}, $D>"),
            layout,
            kinds::destinations(Num::u32),
        );
    }
}

/// `STRUCT_GET` as `StructGet`.
fn camel(constant: &str) -> String {
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
    constant.split('_').map(word).collect()
}

/// The number in `LISTS` of the pairs that the op of a row has forms for.
fn pair_list(row: &Row) -> usize {
    let symmetric = row.commutes || row.class == Class::cmp;
    match (row.rare, row.from, symmetric) {
        (true, ..) => 4,
        (false, Some(Num::f32), true) => 2,
        (false, Some(Num::f32), false) => 3,
        (false, _, true) => 0,
        (false, _, false) => 1,
    }
}

/// How many destinations the forms of an op with results of type `to` have: accumulator, accumulator and slot, and the pinned
/// local where there is one of the class and the op is not rare. Their opcodes follow each other in this order.
fn destination_count(to: Num, rare: bool) -> usize {
    if rare { 2 } else { kinds::destinations(to) }
}

/// How many of `kinds::KINDS` the operand of a one-operand form has.
fn unary_kinds(row: &Row) -> usize {
    if row.rare || row.from == Some(Num::f32) { 2 } else { 3 }
}
