//! Chooses how ops are dispatched, and makes the list of the interpreter's forms: every base op of the op table with every
//! combination of operand kinds that it has handlers for, the ops of the interpreter's own, and the fused pairs of
//! `fusion.txt`. One list gives opcodes, handler tables, match arms, names and operand layouts.

#[path = "src/kinds.rs"]
mod kinds;

use kinds::Kind;
use kinglet_core::op::{Class, Num, ROWS, Row};
use std::{collections::HashMap, env, fmt::Write as _, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
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
    // One `match` over all fused forms as well takes minutes to compile.
    let cap = if dispatch() == "match" { 0 } else { fusion_cap() };
    let pairs = list.fuse(include_str!("fusion.txt"), cap);
    println!("cargo::rustc-check-cfg=cfg(fusion)");
    if !pairs.is_empty() {
        println!("cargo::rustc-cfg=fusion");
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("forms.rs"), list.source(&pairs)).expect("OUT_DIR is writable");
}

/// Threaded code where the target and the optimisation level make sibling calls sure, otherwise a loop.
fn dispatch() -> &'static str {
    let feature = |name: &str| env::var_os(format!("CARGO_FEATURE_DISPATCH_{name}")).is_some();
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

/// Whether there are memories that several threads share.
fn shared_memories() -> bool {
    env::var_os("CARGO_FEATURE_THREADS").is_some()
}

fn fusion_cap() -> usize {
    if env::var_os("CARGO_FEATURE_FUSION_NONE").is_some() {
        0
    } else if env::var_os("CARGO_FEATURE_FUSION_SMALL").is_some() {
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
}

#[derive(Default)]
struct List {
    forms: Vec<Form>,
    by_name: HashMap<String, usize>,
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
        self.forms.push(Form { name, body, layout: layout.into(), pin: false });
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

    /// Adds the fused forms of the first `cap` pairs. Returns (first, second, fused) opcodes.
    fn fuse(&mut self, text: &str, cap: usize) -> Vec<(usize, usize, usize)> {
        let mut pairs = Vec::new();
        let lines = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
        for line in lines.take(cap) {
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
                self.forms[last].pin = b.pin;
            }
        }
        pairs
    }

    fn source(&self, pairs: &[(usize, usize, usize)]) -> String {
        let mut s = String::new();
        let n = self.forms.len();
        assert!(n < 1 << 16, "opcodes have 16 bits");
        _ = writeln!(s, "/// Number of opcodes.");
        _ = writeln!(
            s,
            "#[cfg_attr(dispatch = \"match\", allow(dead_code, reason = \"for tables\"))]"
        );
        _ = writeln!(s, "pub(crate) const COUNT: usize = {n};");
        _ = writeln!(
            s,
            "/// Number of opcodes that are not fused pairs.\n#[cfg(test)]\npub(crate) const UNFUSED: usize = {};",
            self.unfused
        );
        _ = writeln!(s, "/// Opcodes of the interpreter's own ops.\npub(crate) mod code {{");
        for (name, opcode) in &self.consts {
            _ = writeln!(s, "    pub(crate) const {name}: u16 = {opcode};");
        }
        _ = writeln!(s, "}}");
        let mut table =
            |doc: &str, name: &str, ty: &str, items: &mut dyn Iterator<Item = String>| {
                let items: Vec<String> = items.collect();
                _ = writeln!(
                    s,
                    "/// {doc}\npub(crate) static {name}: [{ty}; {}] = [{}];",
                    items.len(),
                    items.join(", ")
                );
            };
        let rows = ROWS.iter().zip(self.rows.iter().zip(self.shared.iter().zip(&self.branches))).map(
            |(row, (forms, (shared, branches)))| {
                let to = row.to.filter(|_| row.class != Class::store).unwrap_or(Num::u32);
                format!(
                    "RowForms {{ forms: {forms}, shared: {shared}, branches: {branches}, list: {}, destinations: {}, \
                 operands: {}, from: Num::{:?}, to: Num::{:?}, commutes: {}, compares: {} }}",
                    pair_list(row),
                    destinations(row),
                    unary_kinds(row),
                    row.from.unwrap_or(Num::u32),
                    if to == Num::bool { Num::u32 } else { to },
                    row.commutes,
                    row.class == Class::cmp,
                )
            },
        );
        table(
            "What the sink needs to know about each row.",
            "ROW_FORMS",
            "RowForms",
            &mut rows.into_iter(),
        );
        table(
            "Names of the forms.",
            "NAMES",
            "&str",
            &mut self.forms.iter().map(|f| format!("{:?}", f.name)),
        );
        table(
            "Operands of the forms.",
            "LAYOUTS",
            "&str",
            &mut self.forms.iter().map(|f| format!("{:?}", f.layout)),
        );
        let mut pins = vec![0u64; n.div_ceil(64)];
        for (i, _) in self.forms.iter().enumerate().filter(|(_, f)| f.pin) {
            pins[i / 64] |= 1 << (i % 64);
        }
        table(
            "Bit per opcode: whether opcode + 2 writes the pinned local.",
            "PINNABLE",
            "u64",
            &mut pins.iter().map(u64::to_string),
        );
        let mut firsts = vec![0u64; n.div_ceil(64)];
        for &(p, _, _) in pairs {
            firsts[p / 64] |= 1 << (p % 64);
        }
        table(
            "Bit per opcode: whether it is the first of a pair.",
            "FIRSTS",
            "u64",
            &mut firsts.iter().map(u64::to_string),
        );
        self.fusion_table(&mut s, pairs);
        _ = writeln!(
            s,
            "/// Calls `$m` with the number and the type of every form.\nmacro_rules! for_each_form {{ ($m:ident) => {{ $m! {{"
        );
        for (i, form) in self.forms.iter().enumerate() {
            _ = writeln!(s, "{i} {},", form.body);
        }
        _ = writeln!(s, "}} }}; }}\npub(crate) use for_each_form;");
        s
    }

    /// An open-addressing hash table from pairs of opcodes to the opcode of the fused form.
    fn fusion_table(&self, s: &mut String, pairs: &[(usize, usize, usize)]) {
        let size = (pairs.len() * 3).next_power_of_two().max(2);
        let mut keys = vec![0u32; size];
        let mut values = vec![0u16; size];
        for &(p, q, fused) in pairs {
            let key = (p as u32) << 16 | q as u32;
            let mut at = fusion_hash(key, size);
            while keys[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            (keys[at], values[at]) = (key, fused as u16);
        }
        _ = writeln!(
            s,
            "/// Pairs of opcodes, by hash.\npub(crate) static FUSION_KEYS: [u32; {size}] = {keys:?};"
        );
        _ = writeln!(
            s,
            "/// What the pairs fuse to.\npub(crate) static FUSION_VALUES: [u16; {size}] = {values:?};"
        );
    }
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
        | Class::atomic_notify => list.push(name.into(), "Exit<{ exit::ATOMIC }>".into(), "mqb"),
        Class::multi => list.push(name.into(), format!("Multi<{op}>"), "b"),
        Class::slots => {
            // The hottest of them has a way of its own.
            let own = name == "struct_new" && env::var_os("CARGO_FEATURE_GC").is_some();
            let exit = if own { "STRUCT_NEW" } else { "SLOTS" };
            list.push(name.into(), format!("Exit<{{ exit::{exit} }}>"), "uub");
        }
        _ => vector_forms(list, row),
    }
    let racy = matches!(row.class, Class::load | Class::store) && shared_memories();
    list.shared.push(if racy { list.forms.len() } else { 0 });
    if racy {
        access_forms(list, row, "Shared");
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

/// The forms of a row on vectors.
fn vector_forms(list: &mut List, row: &Row) {
    let (name, op) = (row.name, row.variant);
    match row.class {
        Class::vtest => {
            return list.dests(name, &format!("VTest<{op}, $D>"), "s", destinations(row));
        }
        Class::extract => {
            return list.dests(name, &format!("Extract<{op}, $D>"), "sw", destinations(row));
        }
        _ => {}
    }
    let mut form = |name: &str, body: &str, layout: &str| {
        list.push(name.into(), body.replace("$O", op), layout);
    };
    match row.class {
        Class::vun => form(name, "VUn<$O>", "ds"),
        Class::vbin => form(name, "VBin<$O>", "dss"),
        Class::vternary => form(name, "VTernary<$O>", "dsss"),
        Class::swizzle => form(name, "Swizzle", "dss"),
        Class::shuffle => form(name, "Shuffle", "dssqq"),
        Class::vshift => {
            for k in [Kind::Slot, Kind::Imm] {
                let (c, k, layout) = kind(k);
                let body = format!("VShift<$O, {k}>");
                form(&format!("{name}.s{c}"), &body, &format!("ds{layout}"));
            }
        }
        Class::splat | Class::replace => {
            for &k in &kinds::KINDS[..kinds::SCALAR] {
                let (c, k, layout) = kind(k);
                if row.class == Class::splat {
                    form(&format!("{name}.{c}"), &format!("Splat<$O, {k}>"), &format!("d{layout}"));
                } else {
                    let body = format!("Replace<$O, {k}>");
                    form(&format!("{name}.s{c}"), &body, &format!("ds{layout}w"));
                }
            }
        }
        Class::vload | Class::vwiden | Class::vstore => {
            for &k in &kinds::KINDS[..kinds::ADDRESS] {
                let (c, k, layout) = kind(k);
                let (c, body, layout) = match row.class {
                    Class::vload => {
                        (format!("{c}"), format!("VLoad<$O, {k}>"), format!("d{layout}o"))
                    }
                    Class::vwiden => {
                        (format!("{c}"), format!("VWiden<$O, {k}>"), format!("d{layout}o"))
                    }
                    _ => (format!("{c}s"), format!("VStore<{k}>"), format!("o{layout}s")),
                };
                form(&format!("{name}.{c}"), &body, &layout);
            }
        }
        Class::load_lane => form(&format!("{name}.s"), "LoadLane<$O>", "dsosw"),
        Class::store_lane => form(&format!("{name}.s"), "StoreLane<$O>", "ossw"),
        other => unreachable!("{other:?} is no class of ops on vectors"),
    }
    let (body, layout) = match row.class {
        Class::vload => ("VLoadWide<$O, $M>", "dsmq"),
        Class::vwiden => ("VWidenWide<$O, $M>", "dsmq"),
        Class::vstore => ("VStoreWide<$M>", "smqs"),
        Class::load_lane => ("LoadLaneWide<$O, $M>", "dsmqsw"),
        Class::store_lane => ("StoreLaneWide<$O, $M>", "smqsw"),
        _ => return,
    };
    form(&format!("{name}.wide"), &body.replace("$M", "Unshared"), layout);
    if shared_memories() {
        form(&format!("{name}.shared.wide"), &body.replace("$M", "Shared"), layout);
    }
}

/// The forms of a load or store: in the first memory, by the kinds of its operands, and in any memory. The types of those for
/// shared memories have the suffix `Shared`.
fn access_forms(list: &mut List, row: &Row, suffix: &str) {
    let (op, count) = (row.variant, destinations(row));
    let name = if suffix.is_empty() { row.name.into() } else { format!("{}.shared", row.name) };
    if row.class == Class::load {
        for &k in &kinds::KINDS[..kinds::ADDRESS] {
            let (c, k, layout) = kind(k);
            let body = format!("Load{suffix}<{op}, {k}, $D>");
            list.dests(&format!("{name}.{c}"), &body, &format!("{layout}o"), count);
        }
        let body = format!("LoadWide{suffix}<{op}, $D>");
        return list.dests(&format!("{name}.wide"), &body, "smq", count);
    }
    for &a in &kinds::KINDS[..kinds::ADDRESS] {
        for &v in kinds::value_kinds(num(row.from)) {
            let ((ac, a, al), (vc, v, vl)) = (kind(a), kind(v));
            let body = format!("Store{suffix}<{op}, {a}, {v}>");
            list.push(format!("{name}.{ac}{vc}"), body, &format!("o{al}{vl}"));
        }
    }
    list.push(format!("{name}.wide"), format!("StoreWide{suffix}<{op}>"), "smqs");
}

/// Ops that only the interpreter knows, and the first forms of families whose members follow in the order of their kinds.
fn own_forms(list: &mut List) {
    list.own("STOP", "Exit<{ exit::DONE }>", "");
    list.own("CROSS_RETURN", "Exit<{ exit::CROSS_RETURN }>", "");
    list.own("LAZY", "Exit<{ exit::LAZY }>", "u");
    list.own("UNREACHABLE", "Unreachable", "");
    list.own("ZERO", "Zero", "sws");
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
            "u",
            count,
        );
    }
    for (ty, name, num) in [
        ("u64", "I64", Num::u64),
        ("u32", "I32", Num::u32),
        ("f32", "F32", Num::f32),
        ("f64", "F64", Num::f64),
    ] {
        for (family, body, prefix) in [("GLOBAL_SET", "GlobalSet", "u"), ("RET", "RetOne", "w")] {
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
    list.own("RET", "Ret", "w");
    list.own("RET_MANY", "RetMany", "wsw");
    for (name, body, layout) in [
        ("BR_IF", "BrIf<$K, true>", "$Kj"),
        ("BR_IF_NOT", "BrIf<$K, false>", "$Kj"),
        ("BR_TABLE", "BrTable<$K>", "u$Kt"),
        ("CALL_INDIRECT", "CallIndirect<$K, u32>", "umbb$K"),
        ("CALL_INDIRECT64", "CallIndirect<$K, u64>", "umbb$K"),
        ("TAIL_CALL_INDIRECT", "Exit<{ exit::TAIL_CALL_INDIRECT }>", "umbbw$K"),
        ("TAIL_CALL_INDIRECT64", "Exit<{ exit::TAIL_CALL_INDIRECT }>", "umbbw$K"),
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
    if env::var_os("CARGO_FEATURE_GC").is_some() {
        object_forms(list);
    }
    for (name, body, layout) in [
        ("CALL_REF", "CallRef<$K>", "bb$K"),
        ("TAIL_CALL_REF", "Exit<{ exit::TAIL_CALL_REF }>", "bbw$K"),
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
    if cfg!(feature = "simd") {
        list.own("COPY_V128", "CopyVector", "ds");
        list.own("CONST_V128", "ConstVector", "dqq");
        list.own("GLOBAL_GET_V128", "GlobalGetVector", "du");
        list.own("GLOBAL_SET_V128", "GlobalSetVector", "us");
        list.own("RET_V128", "RetVector", "ws");
        list.consts.push(("SELECT_V128".into(), list.forms.len()));
        for &k in &kinds::KINDS[..kinds::CONDITION] {
            let (c, k, layout) = kind(k);
            let body = format!("SelectVector<{k}>");
            list.push(format!("select_v128.{c}"), body, &format!("dss{layout}"));
        }
    }
    list.own("CALL", "Call", "ubb");
    list.own("CALL_IMPORT", "Exit<{ exit::CALL_IMPORT }>", "ubb");
    list.own("TAIL_CALL", "TailCall", "ubbw");
    list.own("TAIL_CALL_IMPORT", "Exit<{ exit::TAIL_CALL_IMPORT }>", "ubbw");
    list.own("THROW", "Exit<{ exit::THROW }>", "ub");
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
