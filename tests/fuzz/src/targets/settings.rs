//! Settings: the functions' object in JSON, and files in TOML.
//!
//! - Settings, or every error with a place and words.
//! - Settings that are accepted keep apart what is read and what is written.

use std::path::Path;

use runtime::settings::{
    MAX_TARGET_FILE_SIZE, MIN_TARGET_FILE_SIZE, Pipeline, Place, SettingError, Settings, Surroundings, file, json,
};

pub(super) fn check(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let look = |address: &str| Place::Vacant(format!("/{}", address.trim_matches('/')));
    let around = Surroundings { processors: 2, s3: true, look: &look };
    let mut understood = false;
    for raw in [json::read(text, "settings"), file::read(text, "settings")] {
        match raw.and_then(|raw| runtime::settings::check(&raw, &around)) {
            Ok(settings) => {
                accepted(&settings);
                understood = true;
            }
            Err(errors) => refused(&errors),
        }
    }
    understood
}

fn refused(errors: &[SettingError]) {
    assert!(!errors.is_empty(), "refused without a word");
    for error in errors {
        assert!(!error.problem.is_empty() && error.to_string().len() > 10, "{error:?}");
    }
}

fn accepted(settings: &Settings) {
    assert!(!settings.pipelines.is_empty());
    for (at, one) in settings.pipelines.iter().enumerate() {
        assert!((MIN_TARGET_FILE_SIZE..=MAX_TARGET_FILE_SIZE).contains(&one.target_file_size));
        for (other_at, other) in settings.pipelines.iter().enumerate() {
            apart(one, other);
            assert!(at == other_at || !one.name.as_str().eq_ignore_ascii_case(other.name.as_str()));
        }
    }
}

/// Nothing is read from where something is written.
fn apart(reader: &Pipeline, writer: &Pipeline) {
    for written in [writer.table.clone(), format!("{}_drops", writer.table)] {
        let inside = Path::new(&reader.source).starts_with(&written);
        assert!(!inside, "{} lies inside {written}", reader.source);
    }
}
