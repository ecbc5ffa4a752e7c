//! Graph algorithms: components, spanning trees, shortest paths, matchings, page rank.

use corpus::{Rng, fold};
use petgraph::algo::{
    astar, dijkstra, greedy_matching, kosaraju_scc, min_spanning_tree, page_rank, toposort,
};
use petgraph::data::FromElements;
use petgraph::graph::{DiGraph, NodeIndex, UnGraph};

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut rng = Rng::new(23);
    let mut sum = 0;
    for _ in 0..rounds {
        let nodes = 150;
        let edges: Vec<(u32, u32, u32)> =
            (0..500).map(|_| (rng.below(nodes), rng.below(nodes), 1 + rng.below(50))).collect();
        let directed = DiGraph::<(), u32>::from_edges(&edges);
        let undirected = UnGraph::<(), u32>::from_edges(&edges);
        let (start, goal) = (NodeIndex::new(0), NodeIndex::new(nodes as usize / 2));
        sum = kosaraju_scc(&directed).iter().fold(sum, |sum, part| fold(sum, &[part.len() as u8]));
        sum ^= dijkstra(&directed, start, None, |e| *e.weight()).values().sum::<u32>();
        sum = fold(
            sum,
            &astar(&undirected, start, |n| n == goal, |e| *e.weight(), |_| 0)
                .map_or(0, |p| p.0)
                .to_le_bytes(),
        );
        let tree: UnGraph<(), u32> = UnGraph::from_elements(min_spanning_tree(&undirected));
        sum ^= tree.edge_weights().sum::<u32>();
        sum = fold(
            sum,
            &[
                greedy_matching(&undirected).edges().count() as u8,
                toposort(&directed, None).is_ok() as u8,
            ],
        );
        let rank = page_rank(&directed, 0.85f64, 4);
        sum = rank.iter().fold(sum, |sum, r| fold(sum, &r.to_le_bytes()));
    }
    sum as i32
}
