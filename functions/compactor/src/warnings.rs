//! What the user should know and what stops nothing: each once, for whoever runs the compactor to tell in its own way.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Compactor;

/// Warnings, those that were taken included, so that none is told twice.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    all: BTreeSet<String>,
    fresh: Vec<String>,
}

impl Warnings {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compactor {
    pub(crate) fn warn(&self, warning: String) {
        let mut told = self.warnings.lock();
        if told.all.insert(warning.clone()) {
            told.fresh.push(warning);
        }
    }

    /// What the user should know since this was last called.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().fresh)
    }
}
