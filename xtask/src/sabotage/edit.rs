//! Changes of files: all of a sabotage or none, and back again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::list::Sabotage;
use crate::Outcome;

/// Texts of files, by their paths below the checkout.
pub type Texts = BTreeMap<&'static str, String>;

impl Sabotage {
    /// The texts of its files, and the same changed.
    ///
    /// # Errors
    /// A file that cannot be read, or that does not have what is to be replaced, once.
    pub fn changed(&self, checkout: &Path) -> Outcome<(Texts, Texts)> {
        let (mut before, name) = (Texts::new(), self.name);
        let mut after = Texts::new();
        let own = (self.file, self.find, self.replace);
        for (file, find, replace) in std::iter::once(own).chain(self.also.iter().map(|e| (e.file, e.find, e.replace))) {
            if !before.contains_key(file) {
                let path = checkout.join(file);
                let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {}: {error}", path.display()))?;
                after.insert(file, text.clone());
                before.insert(file, text);
            }
            let text = after.entry(file).or_default();
            let found = text.matches(find).count();
            if found != 1 {
                return Err(format!(
                    "{name}: {file} has what is to be replaced {found} times; bring the list up to date"
                ));
            }
            let changed = text.replace(find, replace);
            if changed == *text {
                return Err(format!("{name}: it changes nothing in {file}"));
            }
            *text = changed;
        }
        Ok((before, after))
    }

    /// Changes its files. Gives what stood there.
    ///
    /// # Errors
    /// As [`Sabotage::changed`], and a file that cannot be written.
    pub fn apply(&self, checkout: &Path) -> Outcome<Texts> {
        let (before, after) = self.changed(checkout)?;
        restore(checkout, &after)?;
        Ok(before)
    }
}

/// Writes texts.
///
/// # Errors
/// A file that cannot be written.
pub fn restore(checkout: &Path, texts: &Texts) -> Outcome {
    for (file, text) in texts {
        let path = checkout.join(file);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
