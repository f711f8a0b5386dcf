//! `generate OUT [--files N] [--rows N] [--seed N] [--one-file]`: orders as Kafka Connect's S3 sink drops them.
//!
//! OUT is a folder, or a file with `--one-file`. Prints the truth about what was written as one line of JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use benches::layout::{self, Shape};

const USAGE: &str = "usage: generate OUT [--files N (100000)] [--rows N (10)] [--seed N (1)] [--one-file]";

struct Wish {
    out: PathBuf,
    shape: Shape,
    one_file: bool,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Wish, String> {
    let (mut out, mut shape, mut one_file) = (None, Shape::new(100_000, 10, 1), false);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, String> {
            let value = words.next().ok_or(format!("{word} wants a number"))?;
            value.parse().map_err(|_| format!("{word} wants a number, not {value:?}"))
        };
        match word.as_str() {
            "--files" => shape.files = number()?,
            "--rows" => shape.rows = number()?,
            "--seed" => shape.seed = number()?,
            "--one-file" => one_file = true,
            _ if word.starts_with('-') || out.is_some() => return Err(format!("{word:?} is not known")),
            _ => out = Some(PathBuf::from(word)),
        }
    }
    Ok(Wish { out: out.ok_or("OUT is missing")?, shape, one_file })
}

fn main() -> ExitCode {
    let wish = match parse(std::env::args().skip(1)) {
        Ok(wish) => wish,
        Err(problem) => {
            eprintln!("error: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let write = if wish.one_file { layout::write_one_file } else { layout::write_files };
    match write(&wish.out, &wish.shape) {
        Ok(truth) => {
            println!("{}", truth.to_json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot write below {}: {error}", wish.out.display());
            ExitCode::FAILURE
        }
    }
}
