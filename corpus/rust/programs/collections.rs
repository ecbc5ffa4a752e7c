//! The standard library's collections: an inverted index, an event queue, a tree of ranges, a cache with eviction.

use corpus::{Rng, fold, text};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut rng = Rng::new(41);
    (0..rounds as u32).fold(0, |sum, round| {
        fold(sum, &[index(round), events(&mut rng), ranges(&mut rng), cache(&mut rng)].concat())
    }) as i32
}

fn index(seed: u32) -> Vec<u8> {
    let document = text(6000, seed + 1);
    let mut lines: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    for (number, line) in document.split('.').enumerate() {
        for word in line.split_whitespace() {
            lines.entry(word.trim_matches(',')).or_default().insert(number);
        }
    }
    let both: BTreeSet<_> = lines["river"].intersection(&lines["north"]).collect();
    let mut common: Vec<_> =
        lines.iter().map(|(word, lines)| (Reverse(lines.len()), *word)).collect();
    common.sort_unstable();
    format!("{both:?}{:?}", &common[..5]).into_bytes()
}

fn events(rng: &mut Rng) -> Vec<u8> {
    let mut queue: BinaryHeap<Reverse<(u32, u16)>> =
        (0..64).map(|id| Reverse((rng.below(1000), id))).collect();
    let mut out = Vec::new();
    while let Some(Reverse((time, id))) = queue.pop() {
        out.push((time ^ u32::from(id)) as u8);
        if time < 20_000 && out.len() < 1500 {
            queue.push(Reverse((time + 1 + rng.below(500), id.wrapping_mul(3))));
        }
    }
    out
}

fn ranges(rng: &mut Rng) -> Vec<u8> {
    let mut owner: BTreeMap<u32, u32> = (0..200).map(|i| (rng.below(100_000), i)).collect();
    let mut out = Vec::new();
    for _ in 0..600 {
        let at = rng.below(100_000);
        if let Some((&start, &id)) = owner.range(..=at).next_back() {
            out.push(id as u8);
            if id % 5 == 0 {
                owner.remove(&start);
            }
            owner.insert(at, id + 1);
        }
    }
    out.extend(owner.range(40_000..60_000).map(|(k, v)| (k ^ v) as u8));
    out
}

fn cache(rng: &mut Rng) -> Vec<u8> {
    let (mut order, mut held, mut misses) = (VecDeque::new(), HashSet::new(), 0u32);
    for _ in 0..1500 {
        let key = rng.below(40) * rng.below(40);
        if held.insert(key) {
            misses += 1;
            order.push_back(key);
            if order.len() > 150 {
                held.remove(&order.pop_front().expect("not empty"));
            }
        }
    }
    misses.to_le_bytes().to_vec()
}
