//! The texts of files with sabotages in them, each behind the question whether it is its turn: so all are built at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::list::{Edit, Sabotage};
use crate::Outcome;

/// Texts of files, by their paths below the checkout.
pub type Texts = BTreeMap<&'static str, String>;

/// The variable that names the sabotage whose turn it is. Without it the code is as it was.
pub const VARIABLE: &str = "LITHIFY_SABOTAGE";

/// Stands in what is put in a text's place for that question.
const TURN: &str = "SABOTAGED";

/// The texts of all files that these change, as they are with them. What several need alike is put there once.
///
/// # Errors
/// A file that cannot be read, or that does not have what is to be replaced, once.
pub fn broken(checkout: &Path, sabotages: &[Sabotage]) -> Outcome<Texts> {
    let (mut texts, mut common) = (Texts::new(), Vec::new());
    for Sabotage { name, file, find, replace, also, .. } in sabotages {
        let own = Edit { file, find, replace };
        for edit in std::iter::once(&own).chain(also.iter()) {
            let is_common = !edit.replace.contains(TURN);
            if is_common && common.contains(&(edit.file, edit.find, edit.replace)) {
                continue;
            }
            if is_common {
                common.push((edit.file, edit.find, edit.replace));
            }
            let text = match texts.remove(edit.file) {
                Some(text) => text,
                None => {
                    let path = checkout.join(edit.file);
                    fs::read_to_string(&path).map_err(|error| format!("{name}: {}: {error}", path.display()))?
                }
            };
            let found = text.matches(edit.find).count();
            if found != 1 {
                return Err(format!(
                    "{name}: {} has what is to be replaced {found} times; bring the list up to date",
                    edit.file
                ));
            }
            let turn = format!("std::env::var_os(\"{VARIABLE}\").is_some_and(|name| name == \"{name}\")");
            let changed = text.replace(edit.find, &edit.replace.replace(TURN, &turn));
            if changed == text {
                return Err(format!("{name}: it changes nothing in {}", edit.file));
            }
            texts.insert(edit.file, changed);
        }
    }
    Ok(texts)
}
