//! Which runs are read together. Pure: it sees only the spans of keys and what a reader of each run holds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::RunInput;
use super::input::reader_bytes;

/// A run as the plan sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    pub(super) first: &'a [u8],
    pub(super) last: &'a [u8],
    /// What a reader of it holds, in bytes.
    pub(super) memory: u64,
    /// Its size, in bytes.
    pub(super) size: u64,
}

impl<'a> Span<'a> {
    /// Of a run that is merged into a table with so many columns.
    pub(super) fn of(run: &'a RunInput, columns: u64) -> Self {
        Self { first: &run.first_key, last: &run.last_key, memory: reader_bytes(run, columns), size: run.bytes }
    }
}

/// Runs that can be handled before and apart from all that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// A run that overlaps no other.
    Alone(usize),
    /// Runs connected by overlaps.
    Overlapping(Vec<usize>),
}

/// The runs in the order of their keys, cut wherever no run spans the cut.
pub(super) fn segments(spans: &[Span<'_>]) -> Vec<Segment> {
    let mut segments: Vec<Vec<usize>> = Vec::new();
    let mut reach: &[u8] = &[];
    for i in by_first_key(spans) {
        match segments.last_mut() {
            Some(segment) if spans[i].first < reach => segment.push(i),
            _ => segments.push(vec![i]),
        }
        reach = reach.max(spans[i].last);
    }
    let segment = |members: Vec<usize>| match members[..] {
        [one] => Segment::Alone(one),
        _ => Segment::Overlapping(members),
    };
    segments.into_iter().map(segment).collect()
}

/// Runs to be merged into one beforehand, if somewhere more overlap than the budget can hold open: of those at the deepest place the
/// smallest, as few as help and as many as the budget allows. Where one ends with the key that another begins with they do not overlap:
/// the first is read to its end before the other is opened.
pub(super) fn too_many_at_once(spans: &[Span<'_>], budget: u64) -> Option<Vec<usize>> {
    let order = by_first_key(spans);
    let mut open: BinaryHeap<Reverse<(&[u8], usize)>> = BinaryHeap::new();
    let (mut memory, mut deepest) = (0_u64, (0_u64, 0_usize));
    for (place, i) in order.iter().copied().enumerate() {
        while let Some(Reverse((last, done))) = open.peek().copied()
            && last <= spans[i].first
        {
            open.pop();
            memory -= spans[done].memory;
        }
        open.push(Reverse((spans[i].last, i)));
        memory += spans[i].memory;
        // Two are the least that can be merged: if these are too many, so are they beforehand.
        if open.len() > 2 && memory > deepest.0 {
            deepest = (memory, place);
        }
    }
    let (memory, place) = deepest;
    let excess = memory.checked_sub(budget).filter(|excess| *excess > 0)?;
    let newest = *order.get(place)?;
    let is_open = |i: &usize| *i == newest || spans[*i].last > spans[newest].first;
    let members = order.into_iter().take(place + 1).filter(is_open).collect();
    Some(group(spans, members, excess, budget))
}

fn group(spans: &[Span<'_>], mut open: Vec<usize>, excess: u64, budget: u64) -> Vec<usize> {
    open.sort_unstable_by_key(|i| (spans[*i].size, *i));
    let (mut chosen, mut memory, mut largest) = (Vec::new(), 0_u64, 0_u64);
    for i in open {
        let one = spans[i].memory;
        let fits = memory + one <= budget;
        // The merged run is read as well: what is saved is all but about the largest.
        let helps_enough = memory.saturating_sub(largest) >= excess;
        if chosen.len() >= 2 && (helps_enough || !fits) {
            break;
        }
        chosen.push(i);
        memory += one;
        largest = largest.max(one);
    }
    chosen
}

fn by_first_key(spans: &[Span<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by(|a, b| (spans[*a].first, spans[*a].last).cmp(&(spans[*b].first, spans[*b].last)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span<'a>(first: &'a str, last: &'a str, memory: u64) -> Span<'a> {
        Span { first: first.as_bytes(), last: last.as_bytes(), memory, size: memory }
    }

    #[test]
    fn runs_are_cut_where_no_run_spans_the_cut() {
        let spans = [span("m", "p", 1), span("a", "c", 1), span("b", "d", 1), span("c", "e", 1), span("p", "q", 1)];
        let expected = vec![Segment::Overlapping(vec![1, 2, 3]), Segment::Alone(0), Segment::Alone(4)];
        assert_eq!(segments(&spans), expected);
    }

    #[test]
    fn a_budget_that_holds_the_deepest_overlap_asks_for_nothing() {
        let spans = [span("a", "b", 5), span("c", "d", 5), span("c", "d", 5), span("e", "f", 10)];
        assert_eq!(too_many_at_once(&spans, 10), None);
    }

    #[test]
    fn the_smallest_runs_are_merged_first_and_no_more_than_needed() {
        let spans = [span("a", "z", 8), span("a", "z", 2), span("a", "z", 3), span("a", "z", 4), span("a", "z", 4)];
        // 21 are open where 18 may be: 2 + 3 + 4 become about 4.
        assert_eq!(too_many_at_once(&spans, 18), Some(vec![1, 2, 3]));
        // What is done is done at the deepest place.
        let two_places = [
            span("a", "b", 4),
            span("a", "b", 4),
            span("a", "b", 4),
            span("c", "d", 5),
            span("c", "d", 5),
            span("c", "d", 5),
        ];
        assert_eq!(too_many_at_once(&two_places, 10), Some(vec![3, 4]));
        // Rows of one key need no order among them.
        let one_key = [span("a", "z", 5), span("m", "m", 5), span("m", "m", 5), span("m", "p", 5), span("z", "z", 5)];
        assert_eq!(too_many_at_once(&one_key, 10), None);
        // Never fewer than two, whatever the budget.
        assert_eq!(too_many_at_once(&spans, 1).map(|group| group.len()), Some(2));
    }
}
