//! The order of steps: a directed acyclic graph over petgraph, which does not leak out.
//!
//! A step without `needs` waits for all steps above it. Drawn naively that is a quadratic number of edges, so such a
//! step is linked to the nearest step above that waits for everything too, and to the steps between the two: all others
//! are reached through that one.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

/// Why one step waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// It stands below it in the file. A skip does not pass on along it.
    Order,
    /// It names it: in `needs`, `of`, `since`, or by one of its captures. A skip passes on along it.
    Use,
}

/// What one step waits for, by position in the file.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Positions named by `needs`; `None` where the step has none and so waits for all above.
    pub needs: Option<Vec<usize>>,
    /// Positions named by `of`, `since` and captures.
    pub uses: Vec<usize>,
}

/// A cycle, as the positions of its steps: each waits for the next, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<usize>);

/// The order of steps. Nodes are positions in the file.
#[derive(Clone, Debug)]
pub struct Dag {
    graph: DiGraph<(), EdgeKind, u32>,
    order: Vec<usize>,
    /// For each step its place in `order`.
    ranks: Vec<usize>,
}

impl Dag {
    /// Builds the graph and checks that it has no cycle.
    ///
    /// # Errors
    /// All cycles, one for each strongly connected component, each as a shortest walk from its first step in the file.
    ///
    /// # Panics
    /// When a position is out of range: the loader resolves names to positions first.
    pub fn new(waits: &[Waits]) -> Result<Self, Vec<Cycle>> {
        let mut graph = DiGraph::with_capacity(waits.len(), waits.len() * 2);
        for _ in waits {
            graph.add_node(());
        }
        let mut barrier: Option<usize> = None;
        for (step, wait) in waits.iter().enumerate() {
            let mut uses: BTreeSet<usize> = wait.uses.iter().copied().collect();
            uses.extend(wait.needs.iter().flatten());
            for &before in &uses {
                graph.add_edge(NodeIndex::new(before), NodeIndex::new(step), EdgeKind::Use);
            }
            if wait.needs.is_none() {
                for before in barrier.unwrap_or(0)..step {
                    if !uses.contains(&before) {
                        graph.add_edge(NodeIndex::new(before), NodeIndex::new(step), EdgeKind::Order);
                    }
                }
                barrier = Some(step);
            }
        }
        let order = kahn(&graph);
        if order.len() < waits.len() {
            return Err(cycles(&graph));
        }
        let mut ranks = vec![0; order.len()];
        for (rank, &step) in order.iter().enumerate() {
            ranks[step] = rank;
        }
        Ok(Self { graph, order, ranks })
    }

    /// Number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is no step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The steps in an order that keeps every edge, and file order among those that are free.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// What a step waits for, and why.
    pub fn waits_for(&self, step: usize) -> impl Iterator<Item = (usize, EdgeKind)> + '_ {
        self.edges(step, Direction::Incoming)
    }

    /// What waits for a step, and why.
    pub fn releases(&self, step: usize) -> impl Iterator<Item = (usize, EdgeKind)> + '_ {
        self.edges(step, Direction::Outgoing)
    }

    fn edges(&self, step: usize, direction: Direction) -> impl Iterator<Item = (usize, EdgeKind)> + '_ {
        self.graph.edges_directed(NodeIndex::new(step), direction).map(move |edge| {
            let other = if direction == Direction::Incoming { edge.source() } else { edge.target() };
            (other.index(), *edge.weight())
        })
    }

    /// All steps above a step, along any edge.
    #[must_use]
    pub fn upstream(&self, step: usize) -> BTreeSet<usize> {
        self.reach(step, Direction::Incoming)
    }

    /// All steps below a step, along any edge.
    #[must_use]
    pub fn downstream(&self, step: usize) -> BTreeSet<usize> {
        self.reach(step, Direction::Outgoing)
    }

    fn reach(&self, step: usize, direction: Direction) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            for (next, _) in self.edges(at, direction) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen
    }

    /// Whether `step` is sure to start only after `before` has ended.
    ///
    /// Looks only at what lies between the two in [`Self::order`], so that asking for near steps is cheap in a long runbook.
    #[must_use]
    pub fn is_upstream(&self, before: usize, step: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            for (next, _) in self.edges(at, Direction::Incoming) {
                if next == before {
                    return true;
                }
                if self.ranks[next] > self.ranks[before] && seen.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }

    /// The steps in waves: each wave waits only for earlier ones, so that a wave's steps may run side by side.
    #[must_use]
    pub fn layers(&self) -> Vec<Vec<usize>> {
        let mut depth = vec![0; self.len()];
        let mut layers: Vec<Vec<usize>> = Vec::new();
        for &step in &self.order {
            let layer = self.waits_for(step).map(|(before, _)| depth[before] + 1).max().unwrap_or(0);
            depth[step] = layer;
            if layers.len() <= layer {
                layers.resize_with(layer + 1, Vec::new);
            }
            layers[layer].push(step);
        }
        for layer in &mut layers {
            layer.sort_unstable();
        }
        layers
    }
}

/// Kahn's algorithm with a heap on file order. Steps on a cycle, and behind one, are left out.
fn kahn(graph: &DiGraph<(), EdgeKind, u32>) -> Vec<usize> {
    let mut waiting: Vec<usize> =
        graph.node_indices().map(|node| graph.edges_directed(node, Direction::Incoming).count()).collect();
    let mut ready: BinaryHeap<Reverse<usize>> =
        waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(step, _)| Reverse(step)).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for next in graph.neighbors(NodeIndex::new(step)) {
            waiting[next.index()] -= 1;
            if waiting[next.index()] == 0 {
                ready.push(Reverse(next.index()));
            }
        }
    }
    order
}

/// One cycle for each strongly connected component. Kosaraju's algorithm, since Tarjan's is recursive in petgraph and
/// overflows the stack on long rings.
fn cycles(graph: &DiGraph<(), EdgeKind, u32>) -> Vec<Cycle> {
    let mut found: Vec<Cycle> = kosaraju_scc(graph)
        .into_iter()
        .filter_map(|component| {
            let members: BTreeSet<usize> = component.iter().map(|node| node.index()).collect();
            let first = *members.first()?;
            shortest_cycle(graph, first, &members)
        })
        .collect();
    found.sort_by_key(|cycle| cycle.0.first().copied());
    found
}

/// Walks breadth first from `start` against the edges ("waits for") until it is met again.
fn shortest_cycle(graph: &DiGraph<(), EdgeKind, u32>, start: usize, members: &BTreeSet<usize>) -> Option<Cycle> {
    let mut came_from = std::collections::BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        let mut before: Vec<usize> =
            graph.neighbors_directed(NodeIndex::new(at), Direction::Incoming).map(NodeIndex::index).collect();
        before.sort_unstable();
        for next in before {
            if next == start {
                let mut path = vec![at];
                while let Some(&previous) = came_from.get(path.last()?) {
                    path.push(previous);
                }
                path.reverse();
                return Some(Cycle(path));
            }
            if members.contains(&next) && !came_from.contains_key(&next) {
                came_from.insert(next, at);
                open.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(steps: &[(Option<&[usize]>, &[usize])]) -> Vec<Waits> {
        steps.iter().map(|(needs, uses)| Waits { needs: needs.map(<[usize]>::to_vec), uses: uses.to_vec() }).collect()
    }

    #[test]
    fn without_needs_a_step_waits_for_all_above() {
        let dag = Dag::new(&waits(&[(None, &[]), (None, &[]), (Some(&[]), &[]), (None, &[])])).expect("acyclic");
        assert_eq!(dag.upstream(3), BTreeSet::from([0, 1, 2]));
        assert_eq!(dag.upstream(2), BTreeSet::new());
        assert_eq!(dag.layers(), vec![vec![0, 2], vec![1], vec![3]]);
    }

    #[test]
    fn needs_frees_that_one_step_only() {
        let dag = Dag::new(&waits(&[(None, &[]), (Some(&[0]), &[]), (Some(&[]), &[]), (None, &[])])).expect("acyclic");
        assert_eq!(dag.waits_for(1).collect::<Vec<_>>(), [(0, EdgeKind::Use)]);
        assert_eq!(dag.upstream(3).len(), 3);
        assert!(dag.is_upstream(1, 3) && !dag.is_upstream(3, 1) && !dag.is_upstream(1, 2));
    }

    #[test]
    fn a_use_is_never_drawn_twice() {
        let dag = Dag::new(&waits(&[(None, &[]), (None, &[0])])).expect("acyclic");
        assert_eq!(dag.waits_for(1).collect::<Vec<_>>(), [(0, EdgeKind::Use)]);
    }

    #[test]
    fn edges_stay_linear_in_the_number_of_steps() {
        let dag = Dag::new(&vec![Waits::default(); 5_000]).expect("acyclic");
        assert_eq!((0..dag.len()).map(|step| dag.waits_for(step).count()).sum::<usize>(), 4_999);
        assert_eq!(dag.order(), (0..5_000).collect::<Vec<_>>());
    }

    #[test]
    fn each_cycle_is_told_with_its_path() {
        let cyclic =
            waits(&[(Some(&[2]), &[]), (Some(&[0]), &[]), (Some(&[1]), &[]), (Some(&[3]), &[]), (Some(&[0]), &[])]);
        assert_eq!(Dag::new(&cyclic).expect_err("cyclic"), [Cycle(vec![0, 2, 1]), Cycle(vec![3])]);
    }

    #[test]
    fn a_long_ring_does_not_overflow_the_stack() {
        let ring: Vec<Waits> = (0..200_000)
            .map(|step: usize| Waits { needs: Some(vec![step.checked_sub(1).unwrap_or(199_999)]), uses: vec![] })
            .collect();
        assert_eq!(Dag::new(&ring).expect_err("cyclic")[0].0.len(), 200_000);
    }

    #[test]
    fn a_forward_use_makes_a_cycle_with_file_order() {
        assert_eq!(Dag::new(&waits(&[(None, &[1]), (None, &[])])).expect_err("cyclic"), [Cycle(vec![0, 1])]);
    }
}
