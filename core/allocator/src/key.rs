//! Keys of frameworks and agents: dense numbers that never mean two things.
//!
//! The master issues them ([`Issuer`]) and names frameworks and agents by them towards the allocator, so neither side
//! hashes an id on the hot path. An index is used again after its owner is gone, but with the next generation: a
//! message that crossed the removal on its way finds nothing instead of a stranger.

use std::fmt;
use std::marker::PhantomData;

/// An index into a [`Slab`] and the number of owners that index had before.
pub trait Key: Copy + Eq + Ord {
    /// Puts a key together.
    fn new(index: u32, generation: u32) -> Self;
    /// The place in the slab.
    fn index(self) -> u32;
    /// How many owners the place had before this one.
    fn generation(self) -> u32;
}

macro_rules! key {
    ($(#[$doc:meta] $name:ident, $letter:literal);+ $(;)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            index: u32,
            generation: u32,
        }

        impl Key for $name {
            fn new(index: u32, generation: u32) -> Self {
                Self { index, generation }
            }

            fn index(self) -> u32 {
                self.index
            }

            fn generation(self) -> u32 {
                self.generation
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}.{}", $letter, self.index, self.generation)
            }
        }
    )+};
}

key! {
    /// A framework, from its first subscription (or from the first agent that reports its tasks) to its removal.
    FrameworkKey, "F";
    /// An agent, from one admission to its removal; an agent that comes back gets another key.
    AgentKey, "A";
}

/// Hands out keys; the master owns one for frameworks and one for agents.
#[derive(Clone, Debug)]
pub struct Issuer<K> {
    /// The generation of the next owner of each index.
    generations: Vec<u32>,
    free: Vec<u32>,
    kind: PhantomData<K>,
}

impl<K> Default for Issuer<K> {
    fn default() -> Self {
        Issuer { generations: Vec::new(), free: Vec::new(), kind: PhantomData }
    }
}

impl<K: Key> Issuer<K> {
    /// A key no one else holds; an index that was freed is used before a new one.
    pub fn issue(&mut self) -> K {
        let index = self.free.pop().unwrap_or_else(|| {
            self.generations.push(0);
            u32::try_from(self.generations.len() - 1).expect("fewer than 2^32 keys live at once")
        });
        K::new(index, self.generations[index as usize])
    }

    /// Gives a key back; it is never issued again.
    pub fn retire(&mut self, key: K) {
        let generation = &mut self.generations[key.index() as usize];
        assert!(*generation == key.generation(), "a key is retired once");
        *generation = generation.wrapping_add(1);
        self.free.push(key.index());
    }
}

/// Values by key, in one allocation, in the order of their indices.
#[derive(Clone, Debug)]
pub struct Slab<K, V> {
    slots: Vec<Option<(K, V)>>,
    len: usize,
}

impl<K, V> Default for Slab<K, V> {
    fn default() -> Self {
        Slab { slots: Vec::new(), len: 0 }
    }
}

impl<K: Key, V> Slab<K, V> {
    /// Puts a value under a key whose place must be free.
    pub fn insert(&mut self, key: K, value: V) {
        let at = key.index() as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        assert!(self.slots[at].is_none(), "the place of a new key is free");
        self.slots[at] = Some((key, value));
        self.len += 1;
    }

    /// The value, unless its owner is gone.
    pub fn get(&self, key: K) -> Option<&V> {
        match self.slots.get(key.index() as usize) {
            Some(Some((owner, value))) if *owner == key => Some(value),
            _ => None,
        }
    }

    /// The value to change, unless its owner is gone.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match self.slots.get_mut(key.index() as usize) {
            Some(Some((owner, value))) if *owner == key => Some(value),
            _ => None,
        }
    }

    /// Takes the value out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        self.get(key)?;
        self.len -= 1;
        self.slots[key.index() as usize].take().map(|(_, value)| value)
    }

    /// Every key and value, by index.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.slots.iter().flatten().map(|(key, value)| (*key, value))
    }

    /// Every key and value to change, by index.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.slots.iter_mut().flatten().map(|(key, value)| (*key, value))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_used_again_is_another_key() {
        let mut issuer = Issuer::<AgentKey>::default();
        let mut slab = Slab::default();
        let old = issuer.issue();
        slab.insert(old, "old");
        assert_eq!(slab.remove(old), Some("old"));
        issuer.retire(old);
        let new = issuer.issue();
        assert_eq!(new.index(), old.index());
        slab.insert(new, "new");
        assert_eq!((slab.get(old), slab.get(new)), (None, Some(&"new")));
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.len(), 1);
    }
}
