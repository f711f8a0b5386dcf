//! What to compare, and where everything lies.

use std::path::PathBuf;

/// The command line of `compare`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the peers take part, or Lithify alone.
    pub peers: bool,
    /// Whether the peer that needs minutes takes part as well.
    pub all: bool,
    /// Micro-files.
    pub files: u64,
    /// Orders in each.
    pub rows: u64,
    /// How often the quick contenders run.
    pub repeat: usize,
    /// The `lithify` binary.
    pub lithify: PathBuf,
    /// The Python that has the peers.
    pub python: PathBuf,
    /// Where drops and targets go.
    pub work: PathBuf,
}

const USAGE: &str = "usage: cargo xtask bench ingest [--files N (100000)] [--rows N (10)] [--repeat N (5)] [--all]
       cargo xtask bench million [--files N (1000000)] [--rows N (10)] [--repeat N (1)]
--all adds DuckDB over the micro-files, which takes four minutes at 100000 files.";

/// Reads the command line.
///
/// # Errors
/// What is wrong with it, and how it should be.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = match words.next().as_deref() {
        Some("ingest") => blank(true, 100_000, 5),
        Some("million") => blank(false, 1_000_000, 1),
        other => return Err(format!("what shall be measured? {other:?} is not known\n{USAGE}")),
    };
    while let Some(word) = words.next() {
        if word == "--all" {
            options.all = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} is not known, or wants a value\n{USAGE}"))?;
        let number =
            || value.parse::<u64>().ok().filter(|n| *n > 0).ok_or(format!("{word} wants a number, not {value}"));
        match word.as_str() {
            "--files" => options.files = number()?,
            "--rows" => options.rows = number()?,
            "--repeat" => options.repeat = number()? as usize,
            "--lithify" => options.lithify = value.into(),
            "--python" => options.python = value.into(),
            "--work" => options.work = value.into(),
            _ => return Err(format!("{word} is not known\n{USAGE}")),
        }
    }
    for (name, path) in [("--lithify", &options.lithify), ("--python", &options.python), ("--work", &options.work)] {
        if path.as_os_str().is_empty() {
            return Err(format!("{name} is missing: start this by `cargo xtask bench`"));
        }
    }
    Ok(options)
}

fn blank(peers: bool, files: u64, repeat: usize) -> Options {
    let (lithify, python, work) = (PathBuf::new(), PathBuf::new(), PathBuf::new());
    Options { peers, all: false, files, rows: 10, repeat, lithify, python, work }
}
