//! The forms: opcodes and what belongs to them, made by the build script from the op table and `fusion.txt`.

#[cfg(feature = "gc")]
use crate::kinds::Kind;
use kinglet_core::op::{Num, Op};

include!(concat!(env!("OUT_DIR"), "/forms.rs"));

/// What the sink needs to know about a row of the op table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowForms {
    /// First opcode of its value forms.
    pub(crate) forms: u16,
    /// First opcode of its forms for shared memories, in the order of the others; 0 without.
    pub(crate) shared: u16,
    /// First opcode of its branch forms, 0 without.
    pub(crate) branches: u16,
    /// Which of [`LISTS`](crate::kinds::LISTS) its operands' pairs of kinds are.
    pub(crate) list: u8,
    /// How many destinations each form has.
    pub(crate) destinations: u8,
    /// How many of [`KINDS`](crate::kinds::KINDS) a single operand has.
    pub(crate) operands: u8,
    /// Type of the operands.
    pub(crate) from: Num,
    /// Type of the result.
    pub(crate) to: Num,
    /// Whether operands may be exchanged.
    pub(crate) commutes: bool,
    /// Whether it is a comparison.
    pub(crate) compares: bool,
}

/// What the sink needs to know about `op`.
#[inline]
pub(crate) const fn row(op: Op) -> &'static RowForms {
    &ROW_FORMS[op as usize]
}

/// The opcode that does what `first` and then `second` do, if there is one.
#[inline]
pub(crate) fn fused(first: u16, second: u16) -> Option<u16> {
    if FIRSTS[usize::from(first) / 64] >> (first % 64) & 1 == 0 {
        return None;
    }
    let key = u32::from(first) << 16 | u32::from(second);
    let mask = FUSION_KEYS.len() - 1;
    // Must agree with `fusion_hash` in the build script. The table is never full.
    let mut at = (key.wrapping_mul(0x9e37_79b1) >> 16) as usize & mask;
    loop {
        match FUSION_KEYS[at] {
            0 => return None,
            found if found == key => return Some(FUSION_VALUES[at]),
            _ => at = (at + 1) & mask,
        }
    }
}

/// The opcode of the small set for the form `opcode`, if it has one.
#[inline]
pub(crate) const fn in_small(opcode: u16) -> Option<u16> {
    let at = opcode as usize - SMALL;
    let (word, bit) = (at / 64, at % 64);
    if word >= HAS_SMALL.len() || HAS_SMALL[word] >> bit & 1 == 0 {
        return None;
    }
    let before = (HAS_SMALL[word] & ((1 << bit) - 1)).count_ones();
    Some(IN_SMALL[BEFORE[word] as usize + before as usize])
}

/// Rows of the op table that stand together, with one form each.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    first: Op,
    /// The opcode of the first, and that in the small set.
    form: u16,
    small: u16,
}

impl Rows {
    /// The rows from `first` on.
    pub(crate) const fn since(first: Op) -> Rows {
        let form = row(first).forms;
        let Some(small) = in_small(form) else { panic!("such rows have forms in the small set") };
        Rows { first, form, small }
    }

    /// The op that `opcode` is a form of, if it is one of these.
    #[inline]
    pub(crate) fn op(self, opcode: u16) -> Option<Op> {
        const STRUCT_NEW: Rows = Rows::since(Op::StructNew);
        if opcode == STRUCT_NEW.small {
            return Some(STRUCT_NEW.first);
        }
        let first = if usize::from(opcode) < SMALL { self.small } else { self.form };
        let mut number = self.first as u16 + opcode.checked_sub(first)?;
        // In the small set it is not where it is in the table.
        if first == self.small && number >= Op::StructNew as u16 {
            number += 1;
        }
        Op::from_number(number)
    }
}

/// The opcode outside of the small set of the form `opcode`.
#[cfg_attr(
    not(any(test, feature = "gc")),
    allow(dead_code, reason = "only families of forms on objects are looked at so")
)]
#[inline]
pub(crate) fn standard(opcode: u16) -> u16 {
    STANDARD.get(usize::from(opcode)).copied().unwrap_or(opcode)
}

/// What is looked at first of code from elsewhere, for each opcode: the number of its layout in 10 bits, how many halves a plain one
/// has in 4, whether it is [terminal](Traits::is_terminal), whether it is loadable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits(u16);

impl Traits {
    /// Those of a form, if this build has such an opcode.
    #[inline]
    pub(crate) fn of(opcode: u16) -> Option<Traits> {
        TRAITS.get(usize::from(opcode)).map(|&bits| Traits(bits))
    }

    /// Whether artifacts may have it where no values are references and the first memory is not shared, and this build has a handler.
    #[inline]
    pub(crate) fn is_loadable(&self) -> bool {
        self.0 >> 15 != 0
    }

    /// Whether control never goes on behind it.
    #[inline]
    pub(crate) fn is_terminal(self) -> bool {
        self.0 >> 14 & 1 != 0
    }

    /// How many halves its operands have, two bytes each, if they are plain: nothing but slots, jumps and what stands in the code, and
    /// no more than eight halves.
    #[inline]
    pub(crate) fn halves(self) -> Option<usize> {
        let count = usize::from(self.0 >> 10 & 15);
        (count != 15).then_some(count)
    }

    /// Where plain operands stand.
    #[inline]
    pub(crate) fn shape(self) -> Shape {
        SHAPES[self.layout()]
    }

    #[inline]
    fn layout(self) -> usize {
        usize::from(self.0 & 0x3ff)
    }
}

/// Where plain operands stand behind an opcode: bits of halves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Slots.
    pub(crate) slots: u8,
    /// Vectors, which have two slots.
    pub(crate) vectors: u8,
    /// First halves of jumps.
    pub(crate) jumps: u8,
}

/// The name of the form `opcode` in listings, if there is one in any build.
pub(crate) fn name(opcode: u16) -> Option<&'static str> {
    let end = |opcode: u16| NAME_ENDS.get(usize::from(opcode)).map(|&end| end as usize);
    let start = opcode.checked_sub(1).map_or(Some(0), end);
    NAMES.get(start?..end(opcode)?)
}

/// The operands of the form `opcode`, a letter each; `docs/bytecode.md` explains them.
#[inline]
pub(crate) fn layout(opcode: u16) -> &'static str {
    LAYOUTS[Traits(TRAITS[usize::from(opcode)]).layout()]
}

/// Where the operands of an unfused form are that may be in several places, and where its result goes.
#[cfg(feature = "gc")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places(u8);

#[cfg(feature = "gc")]
impl Places {
    /// Those of the form `opcode`, which is not one of the small set.
    pub(crate) fn of(opcode: u16) -> Places {
        Places(PLACES[usize::from(opcode) - SMALL])
    }

    /// Whether the result goes to the accumulator, and whether to the slot `d`, if there is a result with a choice.
    pub(crate) fn result(self) -> Option<(bool, bool)> {
        [None, Some((true, false)), Some((true, true)), Some((false, false))]
            [usize::from(self.0 & 3)]
    }

    /// Where operand `number` is, of those that have a choice.
    pub(crate) fn operand(self, number: u8) -> Kind {
        [Kind::Slot, Kind::Acc, Kind::Pin, Kind::Imm][usize::from(self.0 >> (2 + 2 * number) & 3)]
    }

    /// Whether the result is a float, whose accumulators are others than that of integers and references.
    pub(crate) fn is_float(self) -> bool {
        self.0 & 0x40 != 0
    }
}

/// The two forms that a form consists of, if it is fused.
#[cfg(feature = "gc")]
pub(crate) fn parts(opcode: u16) -> Option<(u16, u16)> {
    #[cfg(fusion)]
    return PARTS.get(usize::from(opcode).checked_sub(SMALL + PLACES.len())?).copied();
    #[cfg(not(fusion))]
    {
        _ = opcode;
        None
    }
}

/// Whether `opcode`, a form that writes the accumulator, has one that writes the pinned local, at `opcode + 2`.
#[inline]
pub(crate) fn pinnable(opcode: u16) -> bool {
    PINNABLE[usize::from(opcode) / 64] >> (opcode % 64) & 1 != 0
}

/// The build script has its own copy of the op table, and chooses from it by the features of this crate.
const _: () = assert!(ROW_FORMS.len() == Op::ALL.len());

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "simd")]
    use crate::exec::vector::*;
    #[cfg(feature = "gc")]
    use crate::exec::{casts::*, objects::*};
    use crate::exec::{control::*, memory::*, moves::*, numeric::*, operand::*, *};
    use alloc::collections::BTreeMap;

    macro_rules! lengths {
        ($($($opcode:literal)|+ $body:ty,)*) => { [$($(($opcode, <$body as Body>::LEN),)+)*] };
    }

    fn name(opcode: u16) -> &'static str {
        super::name(opcode).expect("it has one")
    }

    /// Bytes of the operands that a layout describes; the targets of a table are not counted.
    fn length(layout: &str) -> usize {
        let bytes = |operand| match operand {
            'd'
            | 's'
            | 'k'
            | 'v'
            | 'b'
            | 'h'
            | 'n'
            | 'a'
            | 'T'
            | 'M'
            | 'w'
            | 'm'
            | 'z'
            | 'l'
            | 'x'
            | '1'..='9' => 2,
            'i' | 'o' | 'u' | 'j' | 'c' | 'f' | 'p' | 'y' | 'e' | 'g' | 'G' | 'r' => 4,
            'q' => 8,
            't' | '+' => 0,
            other => panic!("unknown operand {other:?} in {layout:?}"),
        };
        layout.chars().map(bytes).sum()
    }

    #[test]
    fn bodies_and_layouts_agree() {
        let lengths: &[(usize, usize)] = &for_each_form!(lengths);
        for &(opcode, len) in lengths {
            // What stops does not look at its operands; the execution does.
            let stops = len == 0 && !name(opcode as u16).contains('+');
            assert!(stops || len == length(layout(opcode as u16)), "{}", name(opcode as u16));
            assert!(len % 2 == 0, "{}", name(opcode as u16));
        }
    }

    #[test]
    fn the_small_set_has_other_names_for_forms() {
        for small in 0..SMALL as u16 {
            let opcode = standard(small);
            assert!(usize::from(opcode) >= SMALL);
            assert_eq!(name(small), name(opcode));
            assert_eq!(in_small(opcode), Some(small));
            let whole = Rows::since(Op::MemorySize);
            assert_eq!(whole.op(small), whole.op(opcode), "{}", name(opcode));
        }
    }

    #[test]
    fn arithmetic_on_floats_takes_the_feature() {
        for (op, takes) in [("f64_add", true), ("i32_trunc_f64_s", true), ("i64_load", false)] {
            let is_it = |opcode: &u16| {
                name(*opcode).strip_prefix(op).is_some_and(|rest| rest.starts_with('.'))
            };
            let opcode = (0..SMALL as u16).find(is_it).expect("a form of the small set");
            let loadable = Traits::of(opcode).is_some_and(|traits| traits.is_loadable());
            assert_eq!(loadable, !takes || cfg!(feature = "float"), "{op}");
        }
    }

    /// What artifacts rely on: opcodes mean the same in all builds. If this fails because forms were added or changed, artifacts of the
    /// present format cannot be read any more: the version of the format has to change.
    #[cfg(not(feature = "ops-small"))]
    #[test]
    fn opcodes_are_those_of_the_format() {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for at in 0..COUNT as u16 {
            for byte in name(at).bytes().chain([b' ']).chain(layout(at).bytes()).chain([b'\n']) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!((COUNT, hash), (FORMS_OF_FORMAT, HASH_OF_FORMAT));
    }

    #[cfg(not(feature = "ops-small"))]
    const FORMS_OF_FORMAT: usize = 5420;
    #[cfg(not(feature = "ops-small"))]
    const HASH_OF_FORMAT: u64 = 14_658_344_916_983_865_787;

    #[test]
    fn destinations_follow_each_other() {
        for opcode in SMALL as u16..COUNT as u16 {
            if let Some(op) = name(opcode).strip_suffix(">a") {
                assert_eq!(name(opcode + 1), alloc::format!("{op}>s"));
                let third = usize::from(opcode) + 2;
                let pin = third < COUNT && name(third as u16) == alloc::format!("{op}>p");
                assert_eq!(pinnable(opcode), pin, "{op}");
            } else {
                assert!(!pinnable(opcode));
            }
        }
    }

    #[test]
    fn pairs_are_found() {
        let opcodes = SMALL as u16..COUNT as u16;
        let by_name: BTreeMap<&str, u16> =
            opcodes.clone().map(|opcode| (name(opcode), opcode)).collect();
        let by_name = |name: &str| by_name.get(name).copied();
        let mut found = 0;
        for line in include_str!("../fusion.txt").lines().filter(|l| !l.starts_with('#')) {
            let (first, second) = line.split_once(" ; ").expect("two ops");
            if let (Some(first), Some(second)) = (by_name(first), by_name(second))
                && let Some(both) = fused(first, second)
            {
                let expected = alloc::format!("{}+{}", name(first), name(second));
                assert_eq!(name(both), expected);
                found += 1;
            }
        }
        let single = opcodes
            .map(name)
            .filter(|n| n.contains('+') && !n.ends_with(">s") && !n.ends_with(">p"));
        assert!(found >= single.count());
        assert_eq!(fused(code::BR, code::BR), None);
    }
}
