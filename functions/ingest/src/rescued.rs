//! Values beside their columns: which columns they were rescued from, in words, so that the user is told each by name.

use decode::hints::setting;
use decode::infer::Conflict;
use decode::limits::{MAX_COLUMN_NAME_BYTES, MAX_COLUMN_NESTING};
use decode::names::ROW_COLUMNS;
use decode::rows::{Misfit, MisfitCause, NoColumn};
use decode::schema::{Type, type_name};

/// A column that values were rescued from, as something to settle; `file` is the drop of the example.
pub(crate) fn conflict(misfit: Misfit, file: &str) -> Conflict {
    let Misfit { column, cause, mut example, .. } = misfit;
    if example.is_empty() {
        example = "the empty text".to_owned();
    }
    let read = || "read them from _rescued_data".to_owned();
    let (reason, remedy) = match cause {
        MisfitCause::Empty => (
            format!(
                "the empty text, as in {file}, cannot be a partition's value, as Delta reads it as null: it is in _rescued_data"
            ),
            "read it from _rescued_data, or partition another table by another column".to_owned(),
        ),
        MisfitCause::Type(Type::Other(other)) => (
            format!(
                "Lithify does not write columns of type {}: {example} in {file} and the like are in _rescued_data",
                type_name(&other)
            ),
            read(),
        ),
        MisfitCause::Type(data_type) => (
            format!("{example} in {file} and the like do not fit {data_type} and are in _rescued_data"),
            format!(
                "types of a table never change: {}, or ingest into a new table with {}",
                read(),
                wider(&data_type, &example, &column)
            ),
        ),
        MisfitCause::Twice => (
            format!(
                "the name stands twice in a record: the first value is the column's, {example} in {file} and the like are in _rescued_data"
            ),
            format!("{}, or have the field renamed", read()),
        ),
        MisfitCause::NoColumn(why) => {
            let (because, remedy) = no_column(why, &column);
            (format!("{example} in {file} and the like have no column and are in _rescued_data: {because}"), remedy)
        }
    };
    Conflict { column, reason, remedy }
}

/// Why a name has no column, and what settles it.
fn no_column(why: NoColumn, column: &str) -> (String, String) {
    match why {
        NoColumn::NoType => (
            "nothing in them has a type yet".to_owned(),
            format!("the column comes with the first value that has one, or with {}", as_string(column)),
        ),
        NoColumn::Taken(other) if ROW_COLUMNS.contains(&other.as_str()) => (
            format!("every table has a column {other} of its own"),
            "read them from _rescued_data, or have the field renamed".to_owned(),
        ),
        NoColumn::Taken(other) if other == column => (
            format!(
                "another field has the column {other}, as its own name has characters that no column's name can have"
            ),
            "read them from _rescued_data, or have one of the fields renamed".to_owned(),
        ),
        NoColumn::Taken(other) => (
            format!("the column {other} has that name, but for case or characters that no column's name can have"),
            "read them from _rescued_data, or have one of the fields renamed".to_owned(),
        ),
        NoColumn::LongName => (
            format!("a column's name has at most {MAX_COLUMN_NAME_BYTES} bytes"),
            "read them from _rescued_data, or have the field renamed".to_owned(),
        ),
        NoColumn::Nesting => (
            format!("a column nests no deeper than {MAX_COLUMN_NESTING} levels, elements of lists counted"),
            match column.contains('.') {
                true => in_place(column),
                false => {
                    format!("{} keeps it whole as JSON, where the table has no such column yet", as_string(column))
                }
            },
        ),
        NoColumn::Limit => ("the table has as many columns as it may".to_owned(), in_place(column)),
    }
}

/// What can be done where no further column is made: within another field, that one can be kept whole.
fn in_place(column: &str) -> String {
    let whole = if column.contains('.') { ", or ingest into a new table with a parent hinted as string" } else { "" };
    format!("read them from _rescued_data{whole}")
}

/// The hints with which a column would hold a value that it does not: for a real in a column of integers there are two.
fn wider(data_type: &Type, example: &str, column: &str) -> String {
    let is_real = example.parse::<f64>().is_ok_and(f64::is_finite) && example.parse::<i128>().is_err();
    let double = match data_type {
        Type::Long if is_real => format!("{}, or with ", setting(&format!("{column} double"))),
        _ => String::new(),
    };
    double + &as_string(column)
}

fn as_string(column: &str) -> String {
    setting(&format!("{column} string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_says_what_settles_it() {
        let told = |cause| {
            let misfit = Misfit { column: "a.`b c`".to_owned(), cause, example: "1e400".to_owned(), row: 0 };
            conflict(misfit, "x.json")
        };
        let long = told(MisfitCause::Type(Type::Long));
        assert!(long.reason.starts_with("1e400 in x.json") && long.reason.contains("do not fit bigint"), "{long:?}");
        assert!(long.remedy.contains("schema_hints = \"a.`b c` string\""), "{long:?}");
        assert!(!long.remedy.contains("double"), "no double holds it: {long:?}");
        let real =
            Misfit { column: "n".to_owned(), cause: MisfitCause::Type(Type::Long), example: "2.5".to_owned(), row: 0 };
        let real = conflict(real, "x.json").remedy;
        assert!(real.contains("schema_hints = \"n double\", or with schema_hints = \"n string\""), "{real}");
        let list = Type::List(Box::new(Type::Long)).to_arrow();
        assert!(told(MisfitCause::Type(Type::Other(list))).reason.contains("columns of type array<bigint>"));
        let empty = told(MisfitCause::Empty);
        assert!(empty.reason.contains("as in x.json, cannot be a partition's value"), "{empty:?}");
        assert!(told(MisfitCause::Twice).reason.contains("stands twice"));
        let typeless = told(MisfitCause::NoColumn(NoColumn::NoType));
        assert!(typeless.reason.contains("has a type yet") && !typeless.remedy.contains("renamed"), "{typeless:?}");
        let taken = told(MisfitCause::NoColumn(NoColumn::Taken("b_c".to_owned())));
        assert!(taken.reason.contains("the column b_c has that name") && taken.remedy.contains("renamed"), "{taken:?}");
        // The field `a_b` where the column of that name is that of the field `a b`.
        let misfit = |column: &str, cause| Misfit { column: column.to_owned(), cause, example: "1".to_owned(), row: 0 };
        let twin = conflict(misfit("a_b", MisfitCause::NoColumn(NoColumn::Taken("a_b".to_owned()))), "x.json");
        assert!(twin.reason.contains("another field has the column a_b"), "{twin:?}");
        let own =
            conflict(misfit("_Source_Row", MisfitCause::NoColumn(NoColumn::Taken("_source_row".to_owned()))), "x");
        assert!(own.reason.contains("every table has a column _source_row of its own"), "{own:?}");
        assert!(told(MisfitCause::NoColumn(NoColumn::Limit)).reason.contains("as many columns as it may"));
        let deep = told(MisfitCause::NoColumn(NoColumn::Nesting));
        assert!(
            deep.reason.contains("no deeper than 30 levels") && deep.remedy.contains("hinted as string"),
            "{deep:?}"
        );
        let deep = conflict(misfit("b", MisfitCause::NoColumn(NoColumn::Nesting)), "x.json");
        assert!(deep.remedy.contains("schema_hints = \"b string\" keeps it whole"), "{deep:?}");
    }
}
