//! Time and peak memory of another program, as the kernel counted them.
//!
//! `wait4` alone tells a child's peak, and it takes unsafe code in Rust: a few lines of Python stand between.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Its exit code; negative when a signal ended it.
    pub code: i32,
    /// Wall clock from before its start to its end.
    pub seconds: f64,
    /// Its highest resident memory.
    pub peak_bytes: u64,
}

/// The command that runs `program` under the stopwatch and writes `report`. Its arguments are added by the caller.
pub fn command(report: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("python3");
    command.arg(script("measure.py")).arg(report).arg(program);
    command
}

/// A script that lies beside this crate.
pub fn script(name: &str) -> PathBuf {
    crate::checkout().join("benches").join(name)
}

/// Reads a report of `name=value` lines.
pub fn fields(text: &str) -> HashMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

/// Reads the report of a program that has ended.
///
/// # Errors
/// A text that names the report and what it lacks.
pub fn read(report: &Path) -> Result<Measured, String> {
    let text = std::fs::read_to_string(report)
        .map_err(|error| format!("no report at {}: {error}: did the program start?", report.display()))?;
    parse(&text).ok_or_else(|| format!("the report {} is not complete: {text:?}", report.display()))
}

fn parse(text: &str) -> Option<Measured> {
    let fields = fields(text);
    Some(Measured {
        code: fields.get("code")?.parse().ok()?,
        seconds: fields.get("seconds")?.parse().ok()?,
        peak_bytes: fields.get("peak_bytes")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_and_a_cut_one_refused() {
        let whole = "code=-9\nseconds=1.500000\npeak_bytes=4096\n";
        assert_eq!(parse(whole), Some(Measured { code: -9, seconds: 1.5, peak_bytes: 4096 }));
        assert_eq!(parse("code=0\nseconds=1.5\n"), None);
    }

    #[test]
    fn code_and_memory_of_a_real_program_are_seen() {
        let report = std::env::temp_dir().join(format!("lithify-measure-{}", std::process::id()));
        let grow = "x = bytearray(b'x') * 200_000_000; import sys; sys.exit(7)";
        let status = command(&report, "python3").args(["-c", grow]).status().unwrap();
        let measured = read(&report).unwrap();
        std::fs::remove_file(&report).unwrap();
        assert_eq!((status.code(), measured.code), (Some(7), 7));
        assert!((200_000_000..400_000_000).contains(&measured.peak_bytes), "{measured:?}");
        assert!(measured.seconds > 0.0);
    }
}
