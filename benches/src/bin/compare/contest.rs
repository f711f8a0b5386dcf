//! The contest: every contender on the same drops, quick ones in turn so that a slow minute of the machine hits all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use benches::measure;
use benches::truth;

use crate::data::{self, Data};
use crate::floor;
use crate::options::Options;
use crate::table::{self, Contender, Sample};

/// Runs everything; gives the Markdown table.
///
/// # Errors
/// The contender that failed, or whose rows are not the truth.
pub fn run(options: &Options) -> Result<String, String> {
    let data = data::prepare(options)?;
    let contest = Contest { options, data: &data, out: options.work.join("out") };
    let mut floor = Contender::new("open, read and close every file, two threads");
    let mut base = Contender::new("DuckDB, the same rows in **one file** -> Parquet");
    let mut fresh = Contender::new("**Lithify**, micro-files -> Delta, fresh table");
    let mut again = Contender::new("**Lithify**, second run, nothing new");

    contest.warm()?;
    for round in 1..=options.repeat {
        eprintln!("round {round} of {}", options.repeat);
        floor.add(contest.floor()?);
        if options.peers {
            base.add(contest.peer("duckdb-one")?);
        }
        let (first, second) = contest.lithify()?;
        fresh.add(first);
        again.add(second);
    }
    contest.verify()?;
    let mut contenders = vec![floor, base, fresh, again];
    if options.peers {
        let mut polars = Contender::new("Polars `scan_ndjson` + `write_delta`, micro-files");
        eprintln!("Polars over the micro-files ...");
        polars.add(contest.peer("polars-many")?);
        contenders.push(polars);
    }
    if options.all {
        let mut duckdb = Contender::new("DuckDB, micro-files -> Parquet");
        eprintln!("DuckDB over the micro-files; this takes minutes ...");
        duckdb.add(contest.peer("duckdb-many")?);
        contenders.push(duckdb);
    }
    contest.clear()?;
    Ok(table::markdown(&contenders, &data.truth, options))
}

struct Contest<'a> {
    options: &'a Options,
    data: &'a Data,
    /// What contenders write; emptied before each of them, outside the measured time.
    out: PathBuf,
}

impl Contest<'_> {
    fn clear(&self) -> Result<(), String> {
        if self.out.exists() {
            fs::remove_dir_all(&self.out).map_err(|error| format!("cannot clear {}: {error}", self.out.display()))?;
        }
        Ok(())
    }

    fn fresh(&self) -> Result<(), String> {
        self.clear()?;
        fs::create_dir_all(&self.out).map_err(|error| format!("cannot make {}: {error}", self.out.display()))
    }

    /// Brings the drops into the page cache, so that the first contender pays no more than the last.
    fn warm(&self) -> Result<(), String> {
        floor::run(&self.data.files, self.data.truth.bytes as u64)?;
        match &self.data.one {
            Some(one) => floor::run(std::slice::from_ref(one), self.data.truth.bytes as u64).map(drop),
            None => Ok(()),
        }
    }

    fn floor(&self) -> Result<Sample, String> {
        let seconds = floor::run(&self.data.files, self.data.truth.bytes as u64)?;
        Ok(Sample { seconds, peak_bytes: None })
    }

    fn peer(&self, what: &str) -> Result<Sample, String> {
        self.fresh()?;
        let many = &self.data.many;
        let source = if what == "duckdb-one" { self.data.one.as_ref().unwrap_or(many) } else { many };
        let answer = self.python(&[what, text(source)?, text(&self.out.join("peer"))?])?;
        let fields = measure::fields(&answer);
        let number = |name: &str| -> Result<f64, String> {
            let value = fields.get(name).and_then(|value| value.parse().ok());
            value.ok_or_else(|| format!("{what} did not tell its {name}: {answer:?}"))
        };
        if number("rows")? as i64 != self.data.truth.rows {
            return Err(format!("{what} wrote {} rows of {}", number("rows")?, self.data.truth.rows));
        }
        Ok(Sample { seconds: number("seconds")?, peak_bytes: Some(number("peak_bytes")? as u64) })
    }

    /// A run into a fresh table, and one over the files that it knows by then.
    fn lithify(&self) -> Result<(Sample, Sample), String> {
        self.fresh()?;
        Ok((self.lithify_once()?, self.lithify_once()?))
    }

    fn lithify_once(&self) -> Result<Sample, String> {
        let (report, log) = (self.out.join("report"), self.out.join("stderr"));
        let log_file = fs::File::create(&log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let mut command = measure::command(&report, &self.options.lithify);
        command.arg("run").arg(&self.data.many).arg(self.table()).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        command.status().map_err(|error| format!("cannot start python3: {error}"))?;
        let measured = measure::read(&report)?;
        if measured.code != 0 {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("lithify ended with {}:\n{said}", measured.code));
        }
        Ok(Sample { seconds: measured.seconds, peak_bytes: Some(measured.peak_bytes) })
    }

    fn table(&self) -> PathBuf {
        self.out.join("table")
    }

    /// A quick table that is wrong is worth nothing: the last one is read by others and held against the truth.
    fn verify(&self) -> Result<(), String> {
        let select = format!("{}, count(DISTINCT (_source_file, _source_row))", truth::select_list());
        let answer = self.python(&["verify", text(&self.table())?, &select])?;
        let mut expected: Vec<String> = self.data.truth.figures().iter().map(i64::to_string).collect();
        expected.push(self.data.truth.rows.to_string());
        let found = measure::fields(&answer).get("values").copied().unwrap_or_default().to_owned();
        if found != expected.join(",") {
            return Err(format!("the table is not the truth: expected {}, found {found}", expected.join(",")));
        }
        eprintln!("the table holds the truth: {} rows, each once", self.data.truth.rows);
        Ok(())
    }

    fn python(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.options.python);
        command.arg(measure::script("peers.py")).args(arguments).stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} failed ({}):\n{said}", arguments.join(" "), output.status));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8: set XDG_CACHE_HOME to a folder that is", path.display()))
}
