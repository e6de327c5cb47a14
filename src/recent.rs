//! A bounded cache of recently used values.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Keys to values that are cheap to clone, in two generations: when there are too many, the older half is dropped.
pub struct Recent<K, V> {
    kept: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    /// Keeps at least `kept` values, and never more than twice as many.
    pub fn keeping(kept: usize) -> Self {
        Self { kept, generations: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }) }
    }

    /// The value of `key`, inserted if there is none.
    pub fn get_or_default(&self, key: K) -> V
    where
        V: Default,
    {
        // Held for a lookup, never across an await.
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        self.find(&mut generations, &key).unwrap_or_else(|| {
            let value = V::default();
            self.put(&mut generations, key, value.clone());
            value
        })
    }

    /// The value of `key`.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(&mut self.generations.lock().unwrap_or_else(PoisonError::into_inner), key)
    }

    /// Sets the value of `key`.
    pub fn insert(&self, key: K, value: V) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut generations, key, value);
    }

    /// Forgets `key`; gives its value.
    pub fn remove<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let old = generations.old.remove(key);
        generations.young.remove(key).or(old)
    }

    /// A value that is found moves to the younger generation.
    fn find<Q: Hash + Eq + ?Sized>(&self, generations: &mut Generations<K, V>, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        self.put(generations, key, value.clone());
        Some(value)
    }

    fn put(&self, generations: &mut Generations<K, V>, key: K, value: V) {
        if generations.young.len() >= self.kept {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn what_is_used_is_kept_and_what_is_not_is_forgotten() {
        let recent = Recent::keeping(2);
        recent.insert("used", 0);
        for number in 1..100 {
            assert_eq!(recent.get("used"), Some(0), "{number}");
            recent.insert(["a", "b", "c"][number % 3], number);
        }
        let generations = recent.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 4);
    }

    #[test]
    fn everybody_who_asks_gets_the_same() {
        let recent = Recent::<&str, std::sync::Arc<()>>::keeping(1);
        let first = recent.get_or_default("one");
        recent.get_or_default("two");
        assert!(std::sync::Arc::ptr_eq(&first, &recent.get_or_default("one")));
        assert!(recent.get("three").is_none());
    }
}
