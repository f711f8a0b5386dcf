use super::*;

#[test]
fn each_wrong_value_alone() {
    let cases = [
        ("name = ''", "cannot name a pipeline"),
        ("name = '../x'", "cannot name a pipeline"),
        ("format = 'parquet'", "'parquet' is no format (known: json, csv)"),
        ("compression = 'gzp'", "'gzp' is no compression, did you mean 'gzip'? (known: none, gzip, zstd)"),
        ("schema_hints = 'price money, id long, x y z'", "`money` is no type"),
        ("schema_hints = 'price money, id long, x y z'", "schema hint `x y z`"),
        ("cluster_by = []", "names no column"),
        ("cluster_by = 'a,,b'", "holds an empty name"),
        ("cluster_by = ['a', 'b', 'A']", "names the column 'A' twice"),
        ("z_order_by = ['x', 'x']", "names the column 'x' twice"),
        ("cluster_by = ['order date']", "there it is called 'order_date'"),
        ("cluster_by = 'a'\nz_order_by = 'b'", "not both"),
        ("partition_columns = ['day', 'day']", "names the column 'day' twice"),
        ("partition_columns = ['_rescued_data']", "a column that Lithify writes"),
        ("target_file_size = '1023KiB'", "1023 KiB is not between 1 MiB and 8 GiB"),
        ("target_file_size = '8193MiB'", "is not between 1 MiB and 8 GiB"),
        ("target_file_size = -1", "is no size"),
        ("target_file_size = '128M'", "MB (powers of 1000) or MiB"),
        ("longest_delay = 'soon'", "is no duration"),
        ("longest_delay = '31d'", "31d is longer than the limit of 30d"),
        ("settle_time = '5'", "has no unit"),
        ("colour = 'red'", "there is no such setting"),
        ("tabel = '/t'", "did you mean 'table'?"),
    ];
    for (line, problem) in cases {
        let found = errors(&format!("[[pipeline]]\nsource = '/d/a'\ntable = '/t'\n{line}\n"));
        assert!(found.iter().all(|e| e.starts_with("x.toml:4: ") || e.starts_with("x.toml:5: ")), "{line}: {found:#?}");
        assert!(found.iter().any(|e| e.contains(problem)), "{line}: {found:#?}");
    }
}

#[test]
fn every_wrong_column_is_named() {
    let found = errors(
        "[[pipeline]]\nsource = '/d/a'\ntable = '/t'\npartition_columns = '_rescued_data,a,,a,_source_file'\n\
         cluster_by = ['x y', 'A', 'z', 'z']\n",
    );
    let expected = [
        "x.toml:4: partition_columns: names no column, or holds an empty name",
        "x.toml:4: partition_columns: names the column 'a' twice",
        "x.toml:4: partition_columns: '_rescued_data' is a column that Lithify writes",
        "x.toml:4: partition_columns: '_source_file' is a column that Lithify writes",
        "x.toml:5: cluster_by: 'x y' can be no column's name",
        "x.toml:5: cluster_by: names the column 'z' twice",
        "x.toml:5: cluster_by: 'A' is a partition column",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for begin in expected {
        assert!(found.iter().any(|error| error.starts_with(begin)), "{begin}: {found:#?}");
    }
    let many = error_of("z_order_by = 'a,b,c,d,e,f,g,h,i'");
    assert!(many.contains("at most 8 columns, 9 are named"), "{many}");
}

#[test]
fn bounds_are_inside() {
    let right = [
        "target_file_size = '1MiB'",
        "target_file_size = '8GiB'",
        "longest_delay = '0s'",
        "longest_delay = '30d'",
        "settle_time = '0s'",
        "format = 'JSON'",
        "compression = 'none'",
        "cluster_by = ['_source_time']",
        "cluster_by = ['customer.zip', 'größe']",
    ];
    for line in right {
        let verdict = judge_file(&format!("[[pipeline]]\nsource = '/d/a'\ntable = '/t'\n{line}\n"));
        assert!(verdict.is_ok(), "{line}: {verdict:?}");
    }
}

#[test]
fn memory_and_workers_have_bounds() {
    let pipeline = "[[pipeline]]\nsource = '/d/a'\ntable = '/t'\n";
    for (line, right) in [
        ("memory = '256MiB'", true),
        ("memory = '255MiB'", false),
        ("memory = 'lots'", false),
        ("workers = 1", true),
        ("workers = 256", true),
        ("workers = '4'", true),
        ("workers = 0", false),
        ("workers = 257", false),
        ("workers = -1", false),
        ("workers = 'all'", false),
    ] {
        let verdict = judge_file(&format!("{line}\n{pipeline}"));
        assert_eq!(verdict.is_ok(), right, "{line}: {verdict:?}");
        assert!(verdict.is_ok_and(|s| s.memory >= MIN_MEMORY) || !right);
    }
}

#[test]
fn the_number_of_processors_is_the_default_within_bounds() {
    for (processors, workers) in [(0, 1), (2, 2), (1_000, MAX_WORKERS)] {
        let raw = file::read("[[pipeline]]\nsource = '/d/a'\ntable = '/t'\n", "x.toml").expect("TOML");
        let settings = check(&raw, &Surroundings { processors, s3: true, look: &look }).expect("right");
        assert_eq!(settings.workers, workers);
    }
}

#[test]
fn flags_are_named_in_place_of_lines() {
    let mut pipeline = RawPipeline::new(Origin::Absent);
    pipeline.source = Some(Given::by_flag("SOURCE", "/d/a".to_owned()));
    pipeline.target_file_size = Some(Given::by_flag("--target-file-size", "7".to_owned()));
    let mut raw = RawSettings::new(Origin::Absent);
    raw.memory = Some(Given::by_flag("--memory", "7".to_owned()));
    raw.pipelines.push(pipeline);
    let found: Vec<String> = judge(&raw).expect_err("wrong").iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "--memory: 7 bytes is too little: give at least 256 MiB",
            "--target-file-size: 7 bytes is not between 1 MiB and 8 GiB",
            "table: is missing: name the folder of the Delta table, which is made if it is not there",
        ]
    );
}
