use std::fs::{create_dir, write};

use tempfile::TempDir;

use super::*;

/// A folder with a folder `drops`, a file `file` and a settings file.
fn place(settings: &str) -> (TempDir, RunArgs) {
    let folder = tempfile::tempdir().expect("a folder");
    create_dir(folder.path().join("drops")).expect("made");
    write(folder.path().join("file"), "x").expect("written");
    let file = folder.path().join("lithify.toml");
    write(&file, settings).expect("written");
    let args = RunArgs { config: file.to_str().map(str::to_owned), ..RunArgs::default() };
    (folder, args)
}

fn canonical(folder: &TempDir, below: &str) -> String {
    let path = folder.path().canonicalize().expect("there").join(below);
    path.to_str().expect("text").to_owned()
}

fn errors(args: &RunArgs) -> Vec<String> {
    settings(args).expect_err("wrong").iter().map(ToString::to_string).collect()
}

#[test]
fn source_and_table_are_enough() {
    let (folder, _) = place("");
    let at = |below: &str| folder.path().join(below).to_str().map(str::to_owned);
    let args = RunArgs { source: at("drops"), table: at("tables/new"), ..RunArgs::default() };
    let settings = settings(&args).expect("right");
    assert_eq!(settings.pipelines[0].source, canonical(&folder, "drops"));
    assert_eq!(settings.pipelines[0].table, canonical(&folder, "tables/new"));
    assert_eq!(settings.pipelines[0].name.as_str(), "default");
    assert_eq!(watch(&args), Ok(None));
}

#[test]
fn paths_in_a_file_begin_at_its_folder_and_flags_win() {
    let (folder, args) = place("memory = '1GiB'\n[[pipeline]]\nsource = 'drops'\ntable = 't'\nlongest_delay = '1h'\n");
    let plain = settings(&args).expect("right");
    assert_eq!((plain.memory, plain.pipelines[0].longest_delay), (1 << 30, Duration::from_secs(3600)));
    assert_eq!(plain.pipelines[0].source, canonical(&folder, "drops"));
    let memory = Some("256MiB".to_owned());
    let longest_delay = Some("1m".to_owned());
    let flags = RunArgs { memory, longest_delay, append_existing: true, ..args };
    let flagged = settings(&flags).expect("right");
    assert_eq!((flagged.memory, flagged.pipelines[0].longest_delay), (256 << 20, Duration::from_secs(60)));
    assert!(flagged.pipelines[0].append_existing);
}

#[test]
fn flags_and_file_are_reported_together() {
    let (_folder, args) = place("workers = 0\n[[pipeline]]\nsource = 'file'\nlongest_delay = 'x'\nsettle_time = 'y'\n");
    let file = args.config.clone().unwrap_or_default();
    let every = Some("0s".to_owned());
    let settle_time = Some("z".to_owned());
    let found = errors(&RunArgs { every, settle_time, memory: Some("1B".to_owned()), ..args });
    let begins = ["--every: ", "--memory: ", "--settle-time: 'z'"].map(str::to_owned);
    let lines = [format!("{file}:1: workers: "), format!("{file}:2: table: "), format!("{file}:3: source: ")];
    let last = [format!("{file}:4: longest_delay: ")];
    let expected: Vec<&String> = begins.iter().chain(&lines).chain(&last).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for begin in expected {
        assert!(found.iter().any(|error| error.starts_with(begin.as_str())), "{begin}: {found:#?}");
    }
}

#[test]
fn one_order_of_rows_is_chosen() {
    let (_folder, args) = place("[[pipeline]]\nsource = 'drops'\ntable = 't'\ncluster_by = 'a'\n");
    let z_order_by = Some(vec!["x".to_owned()]);
    let flagged = RunArgs { z_order_by, ..args };
    let orders = settings(&flagged).expect("the flag replaces the file's order").pipelines[0].cluster_by.clone();
    assert_eq!(orders, runtime::settings::ClusterBy::ZOrder(vec!["x".to_owned()]));
    let both = RunArgs { cluster_by: Some(vec!["b".to_owned()]), ..flagged };
    assert!(errors(&both)[0].starts_with("--z-order-by: rows can be sorted"), "{:?}", errors(&both));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let args =
        RunArgs { config: Some("/nowhere/x.toml".to_owned()), every: Some("x".to_owned()), ..RunArgs::default() };
    let found = errors(&args);
    assert!(found.len() == 2 && found[1].starts_with("--config: cannot read /nowhere/x.toml: "), "{found:?}");
}

#[test]
fn every_implies_watching() {
    let every = |text: &str| watch(&RunArgs { every: Some(text.to_owned()), ..RunArgs::default() });
    assert_eq!(every("90s"), Ok(Some(Duration::from_secs(90))));
    assert_eq!(watch(&RunArgs { watch: true, ..RunArgs::default() }), Ok(Some(DEFAULT_EVERY)));
    for wrong in ["0s", "999ms", "31d", "often", "5"] {
        assert!(every(wrong).is_err_and(|error| error.to_string().starts_with("--every: ")), "{wrong}");
    }
}

#[cfg(unix)]
#[test]
fn looks_through_links() {
    let (folder, _) = place("");
    let at = |below: &str| folder.path().join(below);
    let look_at = |below: &str| look(at(below).to_str().expect("text"));
    std::os::unix::fs::symlink(at("drops"), at("link")).expect("linked");
    std::os::unix::fs::symlink(at("gone"), at("broken")).expect("linked");
    assert_eq!(look_at("link"), Place::Folder(canonical(&folder, "drops")));
    assert_eq!(look_at("link/new/table"), Place::Vacant(canonical(&folder, "drops/new/table")));
    assert_eq!(look_at("drops/../drops"), Place::Folder(canonical(&folder, "drops")));
    assert_eq!(look_at("file"), Place::NoFolder);
    for unknown in ["broken", "broken/x", "new/../x", "file/x"] {
        assert!(matches!(look_at(unknown), Place::Unknown(_)), "{unknown}: {:?}", look_at(unknown));
    }
}

/// A pipeline that the functions opened with versions must be run with them, by a file and by flags.
#[test]
fn what_is_done_with_overwrites_can_be_said_by_a_flag() {
    let (folder, args) = place("[[pipeline]]\nsource = 'drops'\ntable = 't'\noverwrites = 'ignore'\n");
    let overwrites = |word: &str| Some(word.to_owned());
    assert!(settings(&RunArgs { overwrites: overwrites("ignore"), ..args }).is_ok());
    let at = |below: &str| folder.path().join(below).to_str().map(str::to_owned);
    let flags =
        |word| RunArgs { source: at("drops"), table: at("t"), overwrites: overwrites(word), ..RunArgs::default() };
    for (word, begins) in
        [("ingest", "--overwrites: 'ingest' is for sources on S3"), ("keep", "--overwrites: 'keep' is")]
    {
        let found = errors(&flags(word));
        assert!(found.len() == 1 && found[0].starts_with(begins), "{found:?}");
    }
}
