//! The command line. Values of settings stay texts here: they are judged together with a file's (`config`), so that all wrong
//! ones are reported at once.

use std::ffi::OsString;

use clap::{
    Args, Parser, Subcommand, ValueHint,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};
use clap_complete::Shell;
use runtime::settings::SettingError;

use crate::{
    exit, help,
    report::{show_setting_errors, show_setting_errors_object},
    run::Look,
};

mod words;

pub(crate) use words::BESIDE_FILE;

/// Turns folders of micro-files into Delta tables of a few large, sorted files: each row exactly once.
#[derive(Debug, Parser)]
#[command(name = "lithify", version, after_help = help::TOP, arg_required_else_help = true, max_term_width = 110)]
pub struct Cli {
    /// Print one JSON object on standard output, and nothing else there.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ingest every new file of a source into its table, until nothing is left.
    Run(Box<RunArgs>),
    /// Show what the ledger and the table hold.
    Status(StatusArgs),
    /// Prove that nothing was lost or doubled: hold every row against manifests, ledger, log and audit table.
    Reconcile(ReconcileArgs),
    /// Print completions for a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// `lithify status`.
#[derive(Debug, Args)]
#[command(after_help = help::STATUS)]
pub struct StatusArgs {
    /// The folder of the Delta table, or its s3:// address.
    #[arg(value_hint = ValueHint::DirPath)]
    pub table: String,
    /// The ledger of a table on S3: dynamodb://NAME.
    #[arg(long, value_name = "LEDGER")]
    pub ledger: Option<String>,
}

/// `lithify reconcile`.
#[derive(Debug, Args)]
#[command(after_help = help::RECONCILE)]
pub struct ReconcileArgs {
    /// The folder of the Delta table, or its s3:// address.
    #[arg(value_hint = ValueHint::DirPath)]
    pub table: String,
    /// The ledger of a table on S3: dynamodb://NAME.
    #[arg(long, value_name = "LEDGER")]
    pub ledger: Option<String>,
}

/// `lithify run`.
#[derive(Debug, Default, Args)]
#[command(after_help = help::RUN, override_usage = help::RUN_USAGE, allow_negative_numbers = true)]
pub struct RunArgs {
    /// The folder that drops arrive in, with all folders below it, or s3://BUCKET/PREFIX/.
    #[arg(value_hint = ValueHint::DirPath)]
    pub source: Option<String>,
    /// The folder of the Delta table, or its s3:// address; made if it is not there.
    #[arg(value_hint = ValueHint::DirPath)]
    pub table: Option<String>,
    /// Read pipelines and settings from a TOML file, in place of SOURCE and TABLE.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<String>,

    /// The pipeline's name. Several pipelines may feed one table [default: default].
    #[arg(long, help_heading = "Reading")]
    pub name: Option<String>,
    /// The files' format; told by name, then by the first bytes, if not given.
    #[arg(long, help_heading = "Reading", value_parser = OneOf(&["json", "csv"]))]
    pub format: Option<String>,
    /// The files' compression; told by name, then by the first bytes, if not given.
    #[arg(long, help_heading = "Reading", value_parser = OneOf(&["none", "gzip", "zstd"]))]
    pub compression: Option<String>,
    /// Types of columns, e.g. 'price double, customer.zip string, tags array<string>'; may be given again. They win over what is seen.
    #[arg(long, help_heading = "Reading", value_name = "TYPES")]
    pub schema_hints: Option<Vec<String>>,
    /// How long ago a file must have been modified before it is read [default: 2s]. A run that ends waits at most 30s for it.
    #[arg(long, help_heading = "Reading", value_name = "DURATION")]
    pub settle_time: Option<String>,
    /// What is done with an object on S3 that was put over another: ignored and counted, or ingested as a drop of its own [default: ignore].
    #[arg(long, help_heading = "Reading", value_parser = OneOf(&["ignore", "ingest"]))]
    pub overwrites: Option<String>,

    /// Sort rows by these columns. Without either order they lie by source file and row. Not with --z-order-by.
    #[arg(long, help_heading = "Table", value_name = "COLUMNS", value_delimiter = ',')]
    pub cluster_by: Option<Vec<String>>,
    /// Lay rows along a Z-order over these columns: good where queries filter by any of them.
    #[arg(long, help_heading = "Table", value_name = "COLUMNS", value_delimiter = ',')]
    pub z_order_by: Option<Vec<String>>,
    /// Partition the table by these columns. A table is not partitioned unless asked.
    #[arg(long, help_heading = "Table", value_name = "COLUMNS", value_delimiter = ',')]
    pub partition_columns: Option<Vec<String>>,
    /// How large the table's files should be, on disk [default: 128MiB].
    #[arg(long, help_heading = "Table", value_name = "SIZE")]
    pub target_file_size: Option<String>,
    /// Append to a Delta table that Lithify did not make.
    #[arg(long, help_heading = "Table")]
    pub append_existing: bool,

    /// Go on with files that arrive, until Ctrl-C.
    #[arg(long, help_heading = "Watching")]
    pub watch: bool,
    /// How often the source is listed while watching, as file-system events can be lost; implies --watch [default: 5m].
    #[arg(long, help_heading = "Watching", value_name = "DURATION")]
    pub every: Option<String>,
    /// While watching, how long rows may wait for a file to fill before they are committed [default: 5m].
    #[arg(long, help_heading = "Watching", value_name = "DURATION")]
    pub longest_delay: Option<String>,

    /// The ledger of tables on S3: dynamodb://NAME. Tables in folders keep their own.
    #[arg(long, help_heading = "Process", value_name = "LEDGER")]
    pub ledger: Option<String>,
    /// The bound on memory [default: 512MiB].
    #[arg(long, help_heading = "Process", value_name = "SIZE")]
    pub memory: Option<String>,
    /// Worker threads, 1 to 256 [default: one for each processor].
    #[arg(long, help_heading = "Process", value_name = "NUMBER")]
    pub workers: Option<String>,
    /// Show no progress. Warnings and the summary are still printed.
    #[arg(long, short, help_heading = "Process")]
    pub quiet: bool,
    /// What was wrong with the words themselves: reported with all wrong settings.
    #[arg(skip)]
    pub faults: Vec<SettingError>,
}

/// A word out of a few: help and completions show them, but any text passes, as the check of the settings judges it.
#[derive(Clone)]
struct OneOf(&'static [&'static str]);

impl TypedValueParser for OneOf {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// Reads the process's command line. Help, the version and usage errors end the process here: the latter with code 2, and
/// with `--json` with an object on standard output as well.
pub fn parse() -> Cli {
    let words: Vec<OsString> = std::env::args_os().collect();
    let json = || words.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "--json");
    match try_parse(&words) {
        Ok(cli) => cli,
        Err(Refused::Words(errors)) => {
            // A closed standard output changes nothing: the exit code says the same.
            let _ = show_setting_errors(&errors, json());
            std::process::exit(i32::from(exit::WRONG_SETTINGS))
        }
        Err(Refused::Usage(error, faults)) => {
            if error.use_stderr() && json() {
                // As above.
                let _ = show_setting_errors_object(&faults);
            }
            error.exit()
        }
    }
}

/// Why a command line is not carried out.
#[derive(Debug)]
pub enum Refused {
    /// Help, the version, or what is wrong with the command as a whole, with its usage; and the same as a list.
    Usage(clap::Error, Vec<SettingError>),
    /// Words that nothing can be made of, and what else is wrong.
    Words(Vec<SettingError>),
}

/// Reads a command line whose first word is the program's name. Wrong words of `run` are in [`RunArgs::faults`], so that they are told together
/// with wrong settings; those of other commands are an error.
pub fn try_parse(words: &[OsString]) -> Result<Cli, Refused> {
    let (parsed, mut faults) = words::parse_leniently(words);
    // Of which command the others are nobody knows.
    if let Some(fault) = faults.iter().find(|fault| fault.problem == words::NO_SUCH_COMMAND) {
        return Err(Refused::Words(vec![fault.clone()]));
    }
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) if faults.is_empty() => {
            let faults = words::faults_of(&error);
            return Err(Refused::Usage(error, faults));
        }
        Err(error) => {
            faults.extend(words::faults_of(&error));
            return Err(Refused::Words(faults));
        }
    };
    match &mut cli.command {
        Command::Run(run) => {
            let refused = words::refuse(run).filter(|_| faults.is_empty());
            run.faults = faults;
            let Some(refused) = refused else { return Ok(cli) };
            let errors = crate::config::errors_of(run);
            let alone = errors.iter().all(|error| words::is_told(error, run));
            return if alone { Err(Refused::Usage(refused, errors)) } else { Ok(cli) };
        }
        Command::Status(StatusArgs { table, ledger }) | Command::Reconcile(ReconcileArgs { table, ledger }) => {
            faults.extend(Look::faults(table, ledger.as_deref()));
        }
        Command::Completions { .. } => {}
    }
    if faults.is_empty() { Ok(cli) } else { Err(Refused::Words(faults)) }
}

// Clap's own usage errors must exit with the code that the help promises.
const _: () = assert!(exit::WRONG_SETTINGS == 2);

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn run(line: &str) -> RunArgs {
        match try_parse(&words(line)).expect("right").command {
            Command::Run(run) => *run,
            other => panic!("{other:?}"),
        }
    }

    /// The message of a usage error.
    fn refused(line: &str) -> String {
        match try_parse(&words(line)).expect_err("wrong") {
            Refused::Usage(error, _) => {
                assert_eq!(error.exit_code(), i32::from(exit::WRONG_SETTINGS), "{line}");
                assert!(error.use_stderr(), "{line}");
                error.to_string()
            }
            Refused::Words(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
        }
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn reads_every_flag_as_it_was_written() {
        let line = "lithify run s t --name n --format jsn --compression gzip --overwrites ingest --cluster-by a,b --partition-columns c \
                    --target-file-size 1GiB --longest-delay 1m --settle-time 0s --append-existing --memory 1GiB --workers 4 \
                    --watch --every 5m --quiet";
        let run = run(line);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        assert_eq!([text(&run.source), text(&run.table), text(&run.name)], ["s", "t", "n"]);
        let read = [text(&run.format), text(&run.compression), text(&run.overwrites)];
        assert_eq!(read, ["jsn", "gzip", "ingest"], "judged later, with everything else");
        assert_eq!(run.cluster_by, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(run.partition_columns, Some(vec!["c".to_owned()]));
        assert_eq!(
            [text(&run.target_file_size), text(&run.longest_delay), text(&run.settle_time)],
            ["1GiB", "1m", "0s"]
        );
        assert_eq!([text(&run.memory), text(&run.workers), text(&run.every)], ["1GiB", "4", "5m"]);
        assert!(run.append_existing && run.watch && run.quiet);
    }

    #[test]
    fn json_stands_anywhere() {
        for line in ["lithify --json run s t", "lithify run --json s t", "lithify status t --json"] {
            assert!(try_parse(&words(line)).expect("right").json, "{line}");
        }
    }

    #[test]
    fn run_without_source_and_table_says_what_to_do() {
        let nothing = refused("lithify run");
        assert!(nothing.contains("lithify run SOURCE TABLE") && nothing.contains("--config lithify.toml"), "{nothing}");
        let half = refused("lithify run / --memory 1GiB");
        assert!(half.contains("into which table?") && half.contains("lithify run / TABLE"), "{half}");
        assert!(half.contains("Usage: lithify run"), "{half}");
    }

    #[test]
    fn a_file_stands_in_place_of_source_table_and_name() {
        assert_eq!(run("lithify run --config x.toml --memory 1GiB").config.as_deref(), Some("x.toml"));
        let (folder, file) = (tempfile::tempdir().expect("a folder"), "x.toml");
        let file = folder.path().join(file);
        std::fs::write(&file, "[[pipeline]]\nsource = '/'\ntable = '/t'\n").expect("written");
        let file = file.to_str().expect("text");
        for words in ["s t --config FILE", "s --config FILE", "--config FILE --name n"] {
            let line = format!("lithify run {}", words.replace("FILE", file));
            assert!(refused(&line).contains("cannot be used with"), "{line}");
        }
        let unknown = faults("lithify run / /t --tarket-file-size 1GiB");
        assert!(matches!(&unknown[..], [one] if one.contains("did you mean '--target-file-size'?")), "{unknown:?}");
    }

    /// What is wrong with words and settings together, where that is more than one thing.
    fn faults(line: &str) -> Vec<String> {
        crate::config::errors_of(&run(line)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn wrong_words_hide_no_wrong_settings() {
        let begin = |line: &str, begins: &[&str]| {
            let found = faults(line);
            assert_eq!(found.len(), begins.len(), "{line}: {found:#?}");
            for begin in begins {
                assert!(found.iter().any(|fault| fault.starts_with(begin)), "{line}: {begin}: {found:#?}");
            }
        };
        begin(
            "lithify run / /t --tarket-file-size 1 --memory 1B",
            &[
                "--tarket-file-size: there is no such flag, did you mean '--target-file-size'?",
                "--target-file-size: 1 ",
                "--memory: ",
            ],
        );
        begin("lithify run / /t --colour red --memory=1B", &["--colour: there is no such flag", "--memory: "]);
        begin("lithify run --colour red / /t --sise=9", &["--colour: there is no such flag", "--sise: there is no"]);
        begin("lithify run / /t x --workers 0", &["x: is one word too many", "--workers: "]);
        begin("lithify run / /t --every x --memory", &["--memory: needs a value", "--every: "]);
        begin("lithify run / /t --workers 0 --memory 1GiB --memory 2GiB", &["--memory: stands twice", "--workers: "]);
        begin("lithify run / /t --quiet=yes --workers 0", &["--quiet: takes no value", "--workers: "]);
        begin("lithify run / --memory 1B", &["--memory: ", "TABLE: is missing"]);
        begin("lithify run /nowhere /t --wathc", &["--wathc: there is no such flag", "SOURCE: there is no folder"]);
        begin("lithify run / /t -qx --workers", &["-qx: there is no such flag", "--workers: needs a value"]);
        begin(
            "lithify run / /t -watch -every 5x",
            &["-watch: there is no such flag, did you mean '--watch'?", "-every: ", "--every: "],
        );
        begin("lithify run / /t -qq --workers 0", &["-qq: stands twice", "--workers: "]);
        begin("lithify run / --zz", &["--zz: there is no such flag", "TABLE: is missing"]);
        begin("lithify rum / /t --zz", &["rum: there is no such command, did you mean 'run'?", "--zz: there is no"]);
        begin("lithify run --zz", &["--zz: there is no such flag", "SOURCE: is missing", "TABLE: is missing"]);
        begin("lithify run / /t --workers -3 --memory -1GiB", &["--workers: ", "-1GiB: is no flag", "--memory: needs"]);
        begin(
            "lithify run / --config /nowhere/x.toml --workers 0",
            &["SOURCE: cannot be used with --config", "--workers: ", "--config: cannot read"],
        );
    }

    #[test]
    fn wrong_words_of_other_commands_are_told_together() {
        for (line, told) in [
            (
                "status /t --wat --ledgre dynamodb://x",
                &["--wat: there is no such flag", "'--ledger'", "--ledger: 'x'"][..],
            ),
            ("reconcile --wat", &["--wat: there is no such flag", "TABLE: is missing"]),
            ("status t x y --ledger foo --bad", &["x: is one word", "y: is one word", "--bad: ", "--ledger: 'foo'"]),
            ("status --json --json t", &["--json: stands twice"]),
            ("--json --json status t", &["--json: stands twice"]),
            ("--zz", &["--zz: there is no such flag", "COMMAND: is missing"]),
            ("completions bsh --x", &["--x: there is no such flag", "SHELL: 'bsh' is none of bash"]),
            ("status", &["<TABLE>"]),
        ] {
            let found = refused(&format!("lithify {line}"));
            assert!(told.iter().all(|told| found.contains(told)), "{line}: {found}");
        }
        for (line, listed) in [
            ("status --json", "TABLE: is missing: name the table's folder, or its s3:// address"),
            ("completions", "SHELL: is missing: one of bash"),
            ("run --json", "SOURCE: is missing"),
            ("run --json /", "TABLE: is missing"),
            ("run --json --config x.toml /", "SOURCE: cannot be used with --config"),
            ("run --config x.toml --name y", "--name: cannot be used with --config"),
        ] {
            let faults = match try_parse(&words(&format!("lithify {line}"))) {
                Err(Refused::Usage(_, faults) | Refused::Words(faults)) => faults,
                Ok(Cli { command: Command::Run(run), .. }) => crate::config::errors_of(&run),
                Ok(other) => panic!("{line}: {other:?}"),
            };
            assert!(faults.iter().any(|fault| fault.to_string().starts_with(listed)), "{line}: {faults:?}");
            assert!(
                faults.iter().all(|fault| fault.setting.chars().all(|c| c.is_lowercase() || c == '_')),
                "{faults:?}"
            );
        }
    }

    #[test]
    fn the_usage_shows_both_ways() {
        let usage = refused("lithify run");
        assert!(usage.contains("lithify run [OPTIONS] SOURCE TABLE"), "{usage}");
        assert!(usage.contains("lithify run [OPTIONS] --config FILE"), "{usage}");
    }

    #[test]
    fn help_has_examples_and_exit_codes() {
        let help = |line: &str| match try_parse(&words(line)).expect_err("help") {
            Refused::Usage(help, _) => help.to_string(),
            Refused::Words(errors) => panic!("{errors:?}"),
        };
        let top = help("lithify --help");
        for code in [
            "0  everything is final",
            "1  failed",
            "2  wrong settings",
            "3  something was quarantined",
            "4  drops were left out",
        ] {
            assert!(top.contains(code), "{code}: {top}");
        }
        assert!(top.contains("130  interrupted") && top.contains("1, then 4, then 3"), "{top}");
        for line in [
            "lithify --help",
            "lithify run --help",
            "lithify status --help",
            "lithify completions --help",
            "lithify run -h",
        ] {
            assert!(help(line).contains("Examples:"), "{line}");
        }
        assert!(help("lithify run --help").contains("[possible values: json, csv]"));
    }

    #[test]
    fn the_words_of_help_are_those_that_decoding_knows() {
        let known = |words: &'static [&'static str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let formats: Vec<String> = decode::format::Format::ALL.iter().map(ToString::to_string).collect();
        let compressions: Vec<String> = decode::format::Compression::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(formats, known(&["json", "csv"]));
        assert_eq!(compressions, known(&["none", "gzip", "zstd"]));
    }
}
