//! The figures as one Markdown table, ready for `docs/benchmarks.md`.

use std::fmt::Write as _;

use benches::truth::Truth;

use crate::options::Options;

/// One run of one contender.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Wall clock.
    pub seconds: f64,
    /// Highest resident memory, where it means something.
    pub peak_bytes: Option<u64>,
}

/// A contender with its runs.
pub struct Contender {
    name: &'static str,
    samples: Vec<Sample>,
}

impl Contender {
    /// A contender that has not run yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, samples: Vec::new() }
    }

    /// Records a run.
    pub fn add(&mut self, sample: Sample) {
        eprintln!("  {:.3} s  {}", sample.seconds, self.name.replace("**", ""));
        self.samples.push(sample);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut seconds: Vec<f64> = self.samples.iter().map(|sample| sample.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    }

    /// The middle one; of an even number the mean of the two in the middle.
    fn median(&self) -> Option<f64> {
        let seconds = self.sorted();
        let last = seconds.len().checked_sub(1)?;
        Some((seconds[last / 2] + seconds[last.div_ceil(2)]) / 2.0)
    }
}

/// The table. The second contender is what the others are compared with, where it ran.
pub fn markdown(contenders: &[Contender], truth: &Truth, options: &Options) -> String {
    let megabytes = truth.bytes as f64 / 1e6;
    let mut text = format!(
        "{} files, {} rows, {megabytes:.0} MB of JSON; warm cache, {} runs of the quick ones in turn, medians; {}\n\n\
         | | seconds | best to worst | x one file | MB/s | rows/s | peak memory |\n|---|---:|---:|---:|---:|---:|---:|\n",
        grouped(options.files as i64),
        grouped(truth.rows),
        options.repeat,
        machine(),
    );
    let base = contenders.get(1).and_then(Contender::median);
    for contender in contenders {
        let (Some(median), sorted) = (contender.median(), contender.sorted()) else { continue };
        let (best, worst) = (sorted.first().copied().unwrap_or(median), sorted.last().copied().unwrap_or(median));
        let ratio = base.map_or_else(String::new, |base| format!("{:.2}", median / base));
        let peak = contender.samples.iter().filter_map(|sample| sample.peak_bytes).max();
        let peak = peak.map_or_else(String::new, |bytes| format!("{} MiB", bytes >> 20));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {median:.2} | {best:.2} to {worst:.2} | {ratio} | {:.0} | {} | {peak} |",
            contender.name,
            megabytes / median,
            grouped((truth.rows as f64 / median) as i64),
        );
    }
    text
}

/// Cores and system, as far as a figure needs them.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// `1,234,567`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_thousands() {
        let with = |seconds: &[f64]| Contender {
            name: "x",
            samples: seconds.iter().map(|seconds| Sample { seconds: *seconds, peak_bytes: None }).collect(),
        };
        assert_eq!(with(&[3.0, 1.0, 2.0]).median(), Some(2.0));
        assert_eq!(with(&[4.0, 1.0, 2.0, 3.0]).median(), Some(2.5));
        assert_eq!(with(&[]).median(), None);
        assert_eq!((grouped(7), grouped(1_000), grouped(123_456)), ("7".into(), "1,000".into(), "123,456".into()));
    }
}
