use super::*;

/// The verdict over pipelines of (name, source, table, further lines).
fn pipelines(all: &[(&str, &str, &str, &str)]) -> Result<Settings, Vec<String>> {
    let one = |(name, source, table, more): &(&str, &str, &str, &str)| {
        format!("[[pipeline]]\nname = '{name}'\nsource = '{source}'\ntable = '{table}'\n{more}\n")
    };
    let text: String = all.iter().map(one).collect();
    judge_file(&text).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The only error of these pipelines.
fn only_error(all: &[(&str, &str, &str, &str)]) -> String {
    let errors = pipelines(all).expect_err("wrong");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors[0].clone()
}

#[test]
fn a_source_is_a_folder_that_is_there() {
    for (source, problem) in [
        ("/nowhere", "x.toml:3: source: there is no folder /nowhere"),
        ("~/drops", "'~' stands for no folder here"),
        ("/f", "/f is no folder"),
        ("/denied", "cannot look at /denied: permission denied"),
        (" ", "is empty"),
    ] {
        let found = only_error(&[("a", source, "/t", "")]);
        assert!(found.contains(problem), "{found}");
    }
}

#[test]
fn a_table_is_a_folder_or_not_there_yet() {
    for (table, problem) in
        [("/f", "is no folder"), ("/denied", "permission denied"), ("~/t", "'~' stands"), ("", "is empty")]
    {
        let found = only_error(&[("a", "/d/a", table, "")]);
        assert!(found.starts_with("x.toml:4: table: ") && found.contains(problem), "{found}");
    }
    assert!(pipelines(&[("a", "/d/a", "/d/b", "")]).is_ok());
}

#[test]
fn addresses_of_other_stores_are_no_folders() {
    for address in ["gs://bucket/t", "abfss://container@account.dfs.core.windows.net/t", "file:///d/t", "dbfs://t"] {
        for (source, table, setting) in [("/d/a", address, "table"), (address, "/t", "source")] {
            let found = only_error(&[("a", source, table, "")]);
            assert!(
                found.contains(&format!("{setting}: {address} is neither a folder nor on S3: name a folder")),
                "{found}"
            );
        }
    }
    assert!(pipelines(&[("a", "/d/a", "/d/x:/y", "")]).is_ok());
}

#[test]
fn a_table_has_a_name_that_readers_find() {
    for (table, what) in [("/t/a%41b", "'%41'"), ("/t/a%zz%f0", "'%f0'"), ("/t/a\\b", "'\\'")] {
        let found = only_error(&[("a", "/d/a", table, "")]);
        assert!(found.contains("would not be found by readers: it holds") && found.contains(what), "{found}");
        assert!(S3Address::table(&format!("s3://bucket{table}")).is_err(), "{table}");
    }
    let control = S3Address::table("s3://bucket/a\nb").expect_err("no reader takes it");
    assert!(control.contains("the control character '\\n'"), "{control}");
    for table in ["/t/100%", "/t/50% of it", "/t/a%4z", "/t/ü b+c#d?e"] {
        assert!(pipelines(&[("a", "/d/a", table, "")]).is_ok(), "{table}");
    }
    assert!(S3Address::source("s3://bucket/a%41/").is_ok(), "a source is read by us");
}

#[test]
fn settings_hold_canonical_places() {
    let settings = pipelines(&[("a", "/link/a/", "/link/new", "")]).expect("right");
    assert_eq!((settings.pipelines[0].source.as_str(), settings.pipelines[0].table.as_str()), ("/d/a", "/d/new"));
}

#[test]
fn what_lithify_writes_is_no_source() {
    assert!(
        only_error(&[("a", "/d/a", "/link/a", "")]).contains("x.toml:4: table: is the folder of the source itself")
    );
    assert!(
        only_error(&[("a", "/d/table/inside", "/d/table", "")])
            .contains("source: lies inside the table /d/table (x.toml:4)")
    );
    assert!(only_error(&[("a", "/d/table_drops", "/d/table", "")]).contains("lies inside the table /d/table_drops"));
    assert!(pipelines(&[("a", "/d/a", "/d/a/deep", "")]).is_ok(), "a table inside its source is skipped there");
}

#[test]
fn one_pipelines_table_is_not_anothers_source() {
    let found = only_error(&[("a", "/d/a", "/d/table", ""), ("b", "/d/table/inside", "/other", "")]);
    assert!(found.starts_with("x.toml:4: table: /d/table holds the source /d/table/inside (x.toml:8)"), "{found}");
    let earlier = only_error(&[("b", "/d/table/inside", "/other", ""), ("a", "/d/a", "/d/table", "")]);
    assert!(earlier.starts_with("x.toml:9: table: /d/table holds the source /d/table/inside (x.toml:3)"), "{earlier}");
}

#[test]
fn one_wrong_place_does_not_make_the_others_look_wrong() {
    let table = only_error(&[("a", "/d/a", "/t", ""), ("b", "/d/b", "/d", ""), ("c", "/d/a", "/u", "")]);
    let sources = "/d/a (x.toml:3), /d/b (x.toml:8), /d/a (x.toml:13)";
    assert!(table.starts_with(&format!("x.toml:9: table: /d holds the sources {sources}: ")), "{table}");
    let above = only_error(&[("a", "/d/a", "/t", ""), ("b", "/d/b", "/t/u", ""), ("c", "/d/a", "/t/v", "")]);
    assert!(
        above.starts_with("x.toml:4: table: overlaps the tables /t/u (x.toml:9), /t/v (x.toml:14), or their"),
        "{above}"
    );
    let first = ("a", "/d/a", "/t", "cluster_by = 'x'");
    let odd = only_error(&[first, ("b", "/d/b", "/t", ""), ("c", "/d/table", "/t", "")]);
    assert!(odd.starts_with("x.toml:5: cluster_by: must be the same"), "{odd}");
    let parent = only_error(&[("a", "/d", "/t", ""), ("b", "/d/b", "/t", ""), ("c", "/d/a", "/t", "")]);
    let shared = "x.toml:3: source: shares files with the sources /d/b (x.toml:8), /d/a (x.toml:13) of the same";
    assert!(parent.starts_with(shared), "{parent}");
}

#[test]
fn tables_are_apart() {
    for (first, second) in
        [("/t", "/t/x"), ("/t/x/y", "/t"), ("/t", "/t_drops"), ("/t_drops", "/t"), ("/t_drops/x", "/t")]
    {
        let found = only_error(&[("a", "/d/a", first, ""), ("b", "/d/b", second, "")]);
        assert!(found.starts_with("x.toml:9: table: overlaps the table"), "{found}");
    }
    assert!(pipelines(&[("a", "/d/a", "/t", ""), ("b", "/d/b", "/tt", "")]).is_ok());
}

#[test]
fn names_are_unique_without_case() {
    let found = only_error(&[("a", "/d/a", "/t", ""), ("a", "/d/b", "/u", "")]);
    assert!(found.starts_with("x.toml:7: name: another pipeline (x.toml:2) is called 'a' already"), "{found}");
    assert!(
        only_error(&[("a", "/d/a", "/t", ""), ("A", "/d/b", "/u", "")])
            .contains("differs from 'a' (x.toml:2) by case only")
    );
    let unnamed = errors("[[pipeline]]\nsource='/d/a'\ntable='/t'\n[[pipeline]]\nsource='/d/b'\ntable='/u'\n");
    assert_eq!(
        unnamed,
        ["x.toml:4: name: is missing, and another pipeline (x.toml:1) is called 'default' already: give each a name"]
    );
}

#[test]
fn pipelines_of_one_table_agree() {
    for (first, second, setting) in [
        ("cluster_by = 'a'", "cluster_by = 'b'", "x.toml:10: cluster_by"),
        ("cluster_by = 'a'", "z_order_by = 'a'", "x.toml:10: z_order_by"),
        ("cluster_by = 'a'", "", "x.toml:6: cluster_by"),
        ("partition_columns = 'a'", "partition_columns = 'a,b'", "x.toml:10: partition_columns"),
        ("", "target_file_size = '1GiB'", "x.toml:10: target_file_size"),
    ] {
        let found = only_error(&[("a", "/d/a", "/t", first), ("b", "/d/b", "/t", second)]);
        assert!(
            found.starts_with(setting) && found.contains("must be the same in every pipeline of the table /t"),
            "{found}"
        );
    }
    let same = "cluster_by = 'a'\npartition_columns = 'b'\ntarget_file_size = '1GiB'";
    assert!(pipelines(&[("a", "/d/a", "/t", same), ("b", "/d/b", "/t", same)]).is_ok());
    assert!(
        pipelines(&[("a", "/d/a", "/t", "cluster_by = 'a'"), ("b", "/d/b", "/u", "")]).is_ok(),
        "two tables may differ"
    );
}

#[test]
fn one_table_takes_no_file_twice() {
    let found = only_error(&[("a", "/d/a", "/t", ""), ("b", "/d/a/deep", "/t", "")]);
    assert!(found.starts_with("x.toml:8: source: shares files with the source /d/a (x.toml:3)"), "{found}");
    assert!(
        pipelines(&[("a", "/d/a", "/t", ""), ("b", "/d/a/deep", "/u", "")]).is_ok(),
        "two tables may read one source"
    );
}
