use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a pipeline: 1 to 64 of `a-z A-Z 0-9 _ -`, beginning with a letter or digit, so that it can stand in paths and keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PipelineName(Arc<str>);

/// A text that cannot name a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' cannot name a pipeline: use 1 to 64 letters, digits, '_' or '-', beginning with a letter or digit")]
pub struct InvalidPipelineName(String);

impl PipelineName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PipelineName {
    type Err = InvalidPipelineName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && text.len() <= 64 && text.chars().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPipelineName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for PipelineName {
    type Error = InvalidPipelineName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PipelineName> for String {
    fn from(name: PipelineName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", "..", "a/b", "-a", "_a", "a b", "é", &"a".repeat(65)] {
            assert!(bad.parse::<PipelineName>().is_err(), "{bad}");
        }
        assert!("orders_2026-EU".parse::<PipelineName>().is_ok());
    }
}
