//! The texts of `--help` that are longer than a line.

/// The end of `lithify --help`.
pub const TOP: &str = "\
Examples:
  lithify run drops/ tables/orders            a folder of JSON or CSV files into a Delta table
  lithify run drops/ tables/orders --watch    and go on with each file that arrives
  lithify status tables/orders                what the ledger and the table hold
  lithify reconcile tables/orders             prove that nothing was lost or doubled

Exit codes:
    0  everything is final
    1  failed: nothing is lost, run it again when the cause is gone
    2  wrong settings or flags: nothing was touched (where another pipeline of the run did anything, 1)
    3  something was quarantined in this run, a file or a record
    4  drops were left out after three tries
  130  interrupted, whatever else holds but 1: the next run goes on from there
Where several of the others hold: 1, then 4, then 3.";

/// The usage of `lithify run`.
pub const RUN_USAGE: &str = "\
lithify run [OPTIONS] SOURCE TABLE
       lithify run [OPTIONS] --config FILE";

/// The end of `lithify run --help`.
pub const RUN: &str = "\
Examples:
  Ingest what is in a folder, then stop. Running it again takes only what is new:
    lithify run drops/ tables/orders

  Gzip files whose names do not say so, rows sorted by two columns, the type of one column given:
    lithify run drops/ orders/ --compression gzip --cluster-by day,id --schema-hints 'zip string'

  Go on with each file that arrives, commit at least every minute, list the source again every ten:
    lithify run drops/ tables/orders --watch --longest-delay 1m --every 10m

  Several pipelines out of a file, with a flag that is stronger than the file:
    lithify run --config lithify.toml --memory 1GiB

  The summary as one JSON object, for scripts:
    lithify run drops/ tables/orders --json | jq .total.rows

Names tell the format: .json .jsonl .jsonlines .ndjson .csv, with .gz or .zst. Names that say nothing (no extension,
.log .txt .out .bak .bin .dat .1) are JSON if their first bytes are; all others are skipped, unless --format is given
(it reads files of any name but hidden and temporary ones). .jsonl .jsonlines .ndjson hold a record a line.

Sizes are written 128MiB, 512MB or 1GiB, durations 90s, 5m, 1h30m or 250ms, columns a,b.
A flag given with --config holds for every pipeline of the file, in place of the file's value.
In the file, settings have the flags' names with '_' for '-'; relative paths begin at its folder.
Exit codes: see `lithify --help`.";

/// The end of `lithify status --help`.
pub const STATUS: &str = "\
Examples:
  lithify status tables/orders
  lithify status tables/orders --json | jq '.pipelines[].waiting'

Exit codes: 0, 1 if the table or its ledger cannot be read, 2 if the words are wrong.";

/// The end of `lithify reconcile --help`.
pub const RECONCILE: &str = "\
Examples:
  lithify reconcile tables/orders
  lithify reconcile tables/orders --json | jq '.findings[]'

It reads the table's columns _source_file, _source_version and _source_row whole, and writes nothing.
What is committed is judged; what is staged is counted, and what is being read is not seen. While commits land one after the other
it looks three times, then says so and gives no verdict: ask when the table rests.

Exit codes: 0 if every invariant holds, 1 if one is broken or the table cannot be read, 2 if the words are wrong.";

/// The end of `lithify completions --help`.
pub const COMPLETIONS: &str = "\
Examples:
  lithify completions bash > ~/.local/share/bash-completion/completions/lithify
  lithify completions zsh  > ~/.zfunc/_lithify    (and fpath+=~/.zfunc above compinit in ~/.zshrc)
  lithify completions fish > ~/.config/fish/completions/lithify.fish";
