//! Fields that the schema lacks: told of once, proposed or refused, taken on while rows are there.

use super::*;
use crate::limits::MAX_STRANGERS;
use crate::schema::Field;

fn append(rows: &mut Rows, records: &[&str]) {
    records.iter().for_each(|record| rows.append_json(record).unwrap());
}

/// The names of the columns that would be new.
fn proposed(rows: &Rows) -> Vec<String> {
    let Some(unknown) = rows.unknown() else { return Vec::new() };
    let schema = unknown.resolve(&Hints::default(), Some(rows.schema())).schema;
    schema.fields[rows.schema().fields.len()..].iter().map(|field| field.source_name.clone()).collect()
}

fn take_on(rows: &mut Rows) -> Arc<TableSchema> {
    let schema = rows.unknown().unwrap().resolve(&Hints::default(), Some(rows.schema())).schema;
    rows.evolve(Arc::new(schema)).unwrap();
    rows.refuse_unknown();
    rows.schema().clone()
}

#[test]
fn a_new_field_is_told_of_and_taken_on() {
    let mut rows = rows("a bigint, s struct<b: bigint>, l array<struct<c: bigint>>");
    append(&mut rows, &[r#"{"a":1,"s":{"b":2},"l":[{"c":3}]}"#]);
    assert!(rows.unknown().is_none());
    append(&mut rows, &[r#"{"new":"x","a":1,"s":{"b":2,"deep":{"er":true}},"l":[{},{"c":3,"day":"1970-01-01"}]}"#]);
    let evolved = take_on(&mut rows);
    assert_eq!(
        evolved,
        schema(
            "a bigint, s struct<b: bigint, deep: struct<er: boolean>>, l array<struct<c: bigint, day: date>>, new string"
        )
    );
    assert!(rows.unknown().is_none());
    append(&mut rows, &[r#"{"new":"y","s":{"deep":{"er":false}},"l":[{"day":"1970-01-02"}]}"#]);
    assert!(rows.unknown().is_none());
    assert_eq!(rows.rescued_rows(), 1);
    assert_eq!(
        read(&rows.finish()),
        [
            kept(json!({"a": 1, "s": {"b": 2}, "l": [{"c": 3}]})),
            rescued(
                json!({"a": 1, "s": {"b": 2}, "l": [{}, {"c": 3}]}),
                r#"{"new":"x","s":{"deep":{"er":true}},"l":[null,{"day":"1970-01-01"}]}"#
            ),
            kept(json!({"new": "y", "s": {"deep": {"er": false}}, "l": [{"day": 1}]})),
        ]
    );
}

#[test]
fn csv_fields_are_told_of_too() {
    let mut rows = rows("a bigint, s struct<b: bigint>");
    rows.set_csv_header(&["a", "n", "n", "A", "s", "e"].map(str::to_owned));
    rows.append_csv(&fields(&["1", "2", "x", "3", "{\"c\":true}", ""])).unwrap();
    assert_eq!(proposed(&rows), ["n"]);
    assert_eq!(take_on(&mut rows), schema("a bigint, s struct<b: bigint, c: boolean>, n bigint"));
    rows.append_csv(&fields(&["1", "2", "x", "3", "{\"c\":true}", ""])).unwrap();
    assert_eq!(read(&rows.finish())[1], rescued(json!({"a": 1, "n": 2, "s": {"c": true}}), r#"{"n":"x","A":"3"}"#));
}

#[test]
fn nulls_and_empty_containers_wait_for_a_type() {
    let mut rows = rows("a bigint");
    append(&mut rows, &[r#"{"n":null,"o":{},"l":[]}"#]);
    assert!(rows.unknown().is_none());
    rows.refuse_unknown();
    append(&mut rows, &[r#"{"n":1,"o":{"x":1},"l":[1]}"#]);
    assert_eq!(proposed(&rows), ["n", "o", "l"]);
    rows.clear_unknown();
    assert!(rows.unknown().is_none());
}

#[test]
fn names_that_collide_are_never_proposed() {
    let mut rows = rows("`unit price` double, s struct<`b c`: bigint>");
    append(
        &mut rows,
        &[
            r#"{"unit_price":1,"UNIT PRICE":1,"Unit_Price":1,"unit;price":1,"_Source_File":1,"_RESCUED_data":1," source_row":1}"#,
            r#"{"s":{"b_c":1,"B C":1}}"#,
        ],
    );
    assert!(rows.unknown().is_none());
    append(&mut rows, &[r#"{"s":{"_source_file":1}}"#]);
    assert_eq!(take_on(&mut rows), schema("`unit price` double, s struct<`b c`: bigint, _source_file: bigint>"));
}

#[test]
fn of_new_twins_the_first_is_taken_on_and_the_other_refused() {
    let mut rows = rows("a bigint");
    append(&mut rows, &[r#"{"x y":1,"X Y":2}"#]);
    assert_eq!(take_on(&mut rows), schema("a bigint, `x y` bigint"));
    append(&mut rows, &[r#"{"x y":1,"X Y":2}"#]);
    assert!(rows.unknown().is_none());
    assert_eq!(read(&rows.finish())[1], rescued(json!({"x_y": 1}), r#"{"X Y":2}"#));
}

#[test]
fn of_unknown_twins_in_a_record_the_first_tells_the_type() {
    let mut rows = rows("a bigint");
    append(&mut rows, &[r#"{"n":1,"n":"x","s":{"m":true,"m":2}}"#]);
    assert_eq!(take_on(&mut rows), schema("a bigint, n bigint, s struct<m: boolean>"));
}

#[test]
fn what_was_refused_is_not_told_of_again() {
    let mut rows = rows("a bigint, s struct<b: bigint>, l array<struct<c: bigint>>");
    let record = r#"{"n":1,"s":{"n":1},"l":[{"n":1}]}"#;
    append(&mut rows, &[record]);
    assert!(rows.unknown().is_some());
    rows.refuse_unknown();
    append(&mut rows, &[record]);
    assert!(rows.unknown().is_none());
    // Neither after the schema grew.
    append(&mut rows, &[r#"{"m":1}"#]);
    assert_eq!(take_on(&mut rows).fields.len(), 4);
    append(&mut rows, &[record]);
    assert!(rows.unknown().is_none());
}

#[test]
fn endless_new_names_are_refused_in_the_end() {
    let mut rows = rows("a bigint");
    for index in 0..MAX_STRANGERS {
        append(&mut rows, &[&format!("{{\"k{index}\":1}}")]);
    }
    rows.refuse_unknown();
    append(&mut rows, &[r#"{"another":1}"#]);
    assert!(rows.unknown().is_none());
    assert_eq!(rows.rescued_rows(), MAX_STRANGERS + 1);
    // A name too long for a column is rescued as well.
    append(&mut rows, &[&format!("{{\"{}\":1}}", "n".repeat(256))]);
    assert!(rows.unknown().is_none() && rows.rescued_rows() == MAX_STRANGERS + 2);
}

#[test]
fn rows_take_on_only_an_extension() {
    let mut rows = rows("a bigint, s struct<b: bigint>");
    append(&mut rows, &[r#"{"a":1}"#]);
    for other in
        ["a double, s struct<b: bigint>", "a bigint", "s struct<b: bigint>, a bigint", "a bigint, s struct<b: string>"]
    {
        assert_eq!(rows.evolve(schema(other)), Err(NotAnExtension), "{other}");
    }
    assert_eq!(read(&rows.finish()), [kept(json!({"a": 1}))]);
    rows.evolve(schema("a double")).unwrap();
    append(&mut rows, &[r#"{"a":1.5}"#]);
    assert_eq!(read(&rows.finish()), [kept(json!({"a": 1.5}))]);
}

#[test]
fn a_name_that_was_proposed_is_judged_again_when_columns_came() {
    let mut rows = rows("a bigint");
    append(&mut rows, &[r#"{"x y":1,"X Y":2}"#]);
    rows.evolve(schema("a bigint, `x y` bigint")).unwrap();
    rows.clear_unknown();
    append(&mut rows, &[r#"{"X Y":2}"#]);
    assert!(rows.unknown().is_none());
}

#[test]
fn a_column_keeps_both_its_names() {
    let field = Field { name: "city".to_owned(), source_name: "Home Town".to_owned(), data_type: Type::String };
    let mut rows = Rows::new(Arc::new(TableSchema { fields: vec![field] }));
    append(&mut rows, &[r#"{"home town":1,"CITY":2}"#, r#"{"Home Town":"x"}"#]);
    assert!(rows.unknown().is_none());
    assert_eq!(read(&rows.finish())[1], kept(json!({"city": "x"})));
}
