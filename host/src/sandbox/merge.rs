//! The tree in which many results become few: which parts are merged next.
//!
//! Owns: the order of parts, and that only a handful of them is held, however many there are.
//! Never: merges; the guest's collector does.

/// Parts that one merge receives. Wide enough that 64 chunks need none before the last, small enough that it
/// never holds more than a few outputs.
pub(super) const FAN_IN: usize = 64;

/// Parts that wait to be merged: those of the first chunks, merged most often, on the highest level.
pub(super) struct MergeTree<P> {
    levels: Vec<Vec<P>>,
}

/// Neighbours to be merged.
pub(super) struct Group<P> {
    /// In order.
    pub(super) parts: Vec<P>,
    /// Where the merged part belongs.
    pub(super) level: usize,
}

impl<P> Default for MergeTree<P> {
    fn default() -> Self {
        Self { levels: vec![Vec::new()] }
    }
}

impl<P> MergeTree<P> {
    /// Adds the next chunks' results, at most [`FAN_IN`]; everything before them was grouped.
    pub(super) fn add(&mut self, parts: Vec<P>) {
        self.levels[0].extend(parts);
    }

    /// What must be merged before more is added or, at the end, before few enough are left to finish.
    pub(super) fn next_group(&mut self, more_follow: bool) -> Option<Group<P>> {
        if more_follow {
            // The first chunks of a long row are not kept one by one.
            let full = self.levels.iter().position(|level| level.len() >= FAN_IN)?;
            return Some(Group { parts: std::mem::take(&mut self.levels[full]), level: full + 1 });
        }
        let left: usize = self.levels.iter().map(Vec::len).sum();
        if left <= FAN_IN {
            return None;
        }
        // The lowest level holds the last parts; one merge of it and its neighbours makes room.
        let lowest = self.levels.iter().position(|level| !level.is_empty())?;
        let mut parts = std::mem::take(&mut self.levels[lowest]);
        let mut level = lowest + 1;
        while parts.len() < 2 {
            let above = std::mem::take(self.levels.get_mut(level)?);
            parts.splice(0..0, above);
            level += 1;
        }
        Some(Group { parts, level })
    }

    /// Takes a merged part.
    pub(super) fn put(&mut self, level: usize, part: P) {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        self.levels[level].push(part);
    }

    /// What is left, in order.
    pub(super) fn rest(self) -> Vec<P> {
        self.levels.into_iter().rev().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges the numbers up to `count`; the answer is what is left to finish, and how many parts were held at most.
    fn merge(count: usize) -> (Vec<Vec<usize>>, usize) {
        let mut tree = MergeTree::default();
        let mut most = 0;
        let parts: Vec<Vec<usize>> = (0..count).map(|number| vec![number]).collect();
        for (index, group) in parts.chunks(FAN_IN).enumerate() {
            tree.add(group.to_vec());
            most = most.max(tree.levels.iter().map(Vec::len).sum());
            while let Some(Group { parts, level }) = tree.next_group((index + 1) * FAN_IN < count) {
                assert!((2..=2 * FAN_IN).contains(&parts.len()), "{} parts", parts.len());
                tree.put(level, parts.concat());
            }
        }
        (tree.rest(), most)
    }

    #[test]
    fn everything_is_merged_once_and_in_order_and_few_parts_are_held() {
        for count in [0, 1, 2, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 4160, 10_000, 100_000] {
            let (rest, most) = merge(count);
            assert_eq!(rest.concat(), (0..count).collect::<Vec<_>>(), "{count}");
            assert!(rest.len() <= FAN_IN, "{count}: {} are left", rest.len());
            assert!(most <= 4 * FAN_IN, "{count}: {most} are held");
        }
    }

    #[test]
    fn a_few_are_finished_as_they_are() {
        assert_eq!(merge(64).0.len(), 64);
    }
}
