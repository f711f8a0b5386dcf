//! The words of an error and of what caused it.

use std::error::Error;
use std::fmt::Write;

/// An error with its causes in a line, from the outermost to the last; one that says what the one before said already is left out. Nothing of their
/// fields is shown.
pub fn causes(error: &dyn Error) -> String {
    let in_a_line = |error: &dyn Error| error.to_string().lines().map(str::trim).collect::<Vec<_>>().join("; ");
    let mut told = in_a_line(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = in_a_line(error);
        if !told.contains(&words) {
            // A text takes all that is written to it.
            let _ = write!(told, ": {words}");
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Told {
        words: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn every_cause_is_told_once_and_no_field() {
        let told = |words, source| Told { words, source };
        let last = told("no route to host\n  tried twice", None);
        let error = told("dispatch failure", Some(Box::new(told("dispatch failure", Some(Box::new(last))))));
        assert_eq!(causes(&error), "dispatch failure: no route to host; tried twice");
    }
}
