//! Values in numbered places, so that hot paths follow an index instead of hashing a name.
//!
//! Owns: reuse of places. Which place a value gets depends only on the order of insertions and removals.
//! Never: shares a place; a key is meaningless once its value was removed.

use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// The place of a `T`.
pub(crate) struct Key<T> {
    place: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Key<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.place)
    }
}

/// A growing row of places.
#[derive(Debug, Clone)]
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key<T> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).expect("fewer than four billion live values")
        });
        self.places[place as usize] = Some(value);
        Key { place, of: PhantomData }
    }

    pub(crate) fn remove(&mut self, key: Key<T>) -> T {
        let value = self.places[key.place as usize].take().expect("a key is removed once");
        self.free.push(key.place);
        value
    }

    pub(crate) fn get(&self, key: Key<T>) -> Option<&T> {
        self.places.get(key.place as usize)?.as_ref()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<T>, &T)> {
        self.places.iter().enumerate().filter_map(|(place, value)| {
            let place = u32::try_from(place).expect("checked by insert");
            Some((Key { place, of: PhantomData }, value.as_ref()?))
        })
    }
}

impl<T> Index<Key<T>> for Slab<T> {
    type Output = T;

    fn index(&self, key: Key<T>) -> &T {
        self.places[key.place as usize].as_ref().expect("a key is used while its value lives")
    }
}

impl<T> IndexMut<Key<T>> for Slab<T> {
    fn index_mut(&mut self, key: Key<T>) -> &mut T {
        self.places[key.place as usize].as_mut().expect("a key is used while its value lives")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_place_is_used_again() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        let second = slab.insert("b");
        assert_eq!(slab.remove(first), "a");
        let third = slab.insert("c");
        assert_eq!((first, slab.len()), (third, 2));
        assert_eq!((slab[second], slab[third]), ("b", "c"));
    }
}
