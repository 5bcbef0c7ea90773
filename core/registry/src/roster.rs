//! Records by key, in the order in which they were added.

use imbl::OrdMap;

/// Records by key, in the order in which they were added: the lists of the registry, whose order Mesos keeps too. Cloning is
/// O(1), everything else O(log n).
#[derive(Clone, Debug)]
pub struct Roster<K: Ord, V> {
    records: OrdMap<u64, (K, V)>,
    places: OrdMap<K, u64>,
    next: u64,
    /// Whether there was ever a record: Mesos stores an empty list then.
    present: bool,
}

impl<K: Ord, V> Default for Roster<K, V> {
    fn default() -> Self {
        Roster { records: OrdMap::new(), places: OrdMap::new(), next: 0, present: false }
    }
}

impl<K: Ord + Clone, V: Clone> Roster<K, V> {
    /// A record.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.records.get(self.places.get(key)?).map(|(_, record)| record)
    }

    /// A record to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.records.get_mut(self.places.get(key)?).map(|(_, record)| record)
    }

    /// Whether there is a record of this key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.places.contains_key(key)
    }

    /// Adds a record at the end, or puts it in the place of the one of the same key.
    pub fn insert(&mut self, key: K, record: V) {
        self.present = true;
        let place = *self.places.entry(key.clone()).or_insert(self.next);
        self.next += u64::from(place == self.next);
        self.records.insert(place, (key, record));
    }

    /// Takes a record out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.places.remove(key)?;
        self.records.remove(&place).map(|(_, record)| record)
    }

    /// Keys and records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.records.values().map(|(key, record)| (key, record))
    }

    /// Keys, oldest first.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Records, oldest first.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, record)| record)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn is_present(&self) -> bool {
        self.present
    }

    pub(crate) fn set_present(&mut self) {
        self.present = true;
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Roster<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(records: I) -> Self {
        let mut roster = Roster::default();
        records.into_iter().for_each(|(key, record)| roster.insert(key, record));
        roster
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Roster<K, V> {
    /// The same records in the same order.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_in_the_order_in_which_they_came() {
        let mut roster: Roster<&str, u32> = [("c", 1), ("a", 2), ("b", 3)].into_iter().collect();
        roster.insert("a", 4);
        assert_eq!(roster.iter().collect::<Vec<_>>(), [(&"c", &1), (&"a", &4), (&"b", &3)]);
        assert_eq!(roster.remove(&"c"), Some(1));
        assert_eq!((roster.remove(&"c"), roster.len()), (None, 2));
        roster.insert("c", 5);
        *roster.get_mut(&"b").unwrap() = 6;
        assert_eq!(roster.iter().collect::<Vec<_>>(), [(&"a", &4), (&"b", &6), (&"c", &5)]);
        let other: Roster<&str, u32> = [("a", 4), ("c", 5), ("b", 6)].into_iter().collect();
        assert!(roster != other && roster == roster.clone());
    }
}
