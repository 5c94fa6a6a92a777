//! What is counted, and what was seen to be wrong while it happened.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::history::Violation;

#[derive(Default)]
pub(crate) struct Stats {
    counts: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<Violation>>,
}

impl Stats {
    pub(crate) fn count(&self, what: &str) {
        self.count_many(what, 1);
    }

    pub(crate) fn count_many(&self, what: &str, more: u64) {
        let mut counts = lock(&self.counts);
        match counts.get_mut(what) {
            Some(count) => *count += more,
            None => drop(counts.insert(what.to_owned(), more)),
        }
    }

    /// Notes the largest of several figures.
    pub(crate) fn raise(&self, what: &str, figure: u64) {
        let mut counts = lock(&self.counts);
        let most = counts.entry(what.to_owned()).or_default();
        *most = figure.max(*most);
    }

    pub(crate) fn complain(&self, violation: Violation) {
        lock(&self.violations).push(violation);
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }
}

impl std::fmt::Display for Stats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (what, count) in lock(&self.counts).iter() {
            writeln!(f, "{count:>9}  {what}")?;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
