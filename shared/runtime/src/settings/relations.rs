//! What must hold between values: names, places and the pipelines of one table.

use std::path::Path;

use super::{Origin, RawSettings, S3Address, SettingError, check::Candidate};

/// Checks every pipeline against itself and against each one before it.
pub(super) fn check(candidates: &[Candidate], errors: &mut Vec<SettingError>) {
    for (at, one) in candidates.iter().enumerate() {
        own_places(one, errors);
        for earlier in &candidates[..at] {
            names(earlier, one, errors);
            places(earlier, one, errors);
            one_table(earlier, one, errors);
        }
    }
}

/// Names differ by more than case: they name folders, and some file systems do not tell case.
fn names(earlier: &Candidate, later: &Candidate, errors: &mut Vec<SettingError>) {
    let (Some(first), Some(second)) = (&earlier.name, &later.name) else { return };
    if !first.as_str().eq_ignore_ascii_case(second.as_str()) {
        return;
    }
    let other = origin(earlier, |raw| raw.name.as_ref().map(|given| &given.origin));
    let problem = match (&later.raw.name, first == second) {
        (None, _) => {
            format!("is missing, and another pipeline{} is called '{first}' already: give each a name", at(other))
        }
        (Some(_), true) => format!("another pipeline{} is called '{first}' already: give each its own name", at(other)),
        (Some(_), false) => format!("'{second}' differs from '{first}'{} by case only: choose another name", at(other)),
    };
    errors.push(SettingError::new(origin(later, |raw| raw.name.as_ref().map(|given| &given.origin)), "name", problem));
}

/// A table may lie inside its source (it is skipped there), a source never inside what Lithify writes.
fn own_places(one: &Candidate, errors: &mut Vec<SettingError>) {
    let (Some(source), Some(table)) = (&one.source, &one.table) else { return };
    if source == table {
        let problem = "is the folder of the source itself: name another folder, Lithify writes nothing among the drops";
        errors.push(SettingError::new(table_origin(one), "table", problem));
    } else {
        source_inside_table(one, source, one, table, errors);
        table_inside_s3(one, source, one, table, errors);
    }
}

/// S3 notifies of everything below a source's prefix, so nothing of ours may be written there.
fn table_inside_s3(reader: &Candidate, source: &str, writer: &Candidate, table: &str, errors: &mut Vec<SettingError>) {
    let written = [table.to_owned(), audit_table(table)].into_iter().find(|written| within(written, source));
    if let Some(written) = written.filter(|_| S3Address::is_meant(source)) {
        let of = at(origin(reader, |raw| raw.source.as_ref().map(|given| &given.origin)));
        let problem = format!("{written} lies inside the source {source}{of}: on S3 a source holds drops only");
        errors.push(SettingError::new(table_origin(writer), "table", problem));
    }
}

/// A ledger of its own lies beside a table in a folder only.
pub(super) fn ledger(raw: &RawSettings, candidates: &[Candidate], errors: &mut Vec<SettingError>) {
    if raw.aws.ledger.is_some() || matches!(raw.origin, Origin::Object { .. }) {
        return;
    }
    for one in candidates.iter().filter(|one| one.table.as_deref().is_some_and(S3Address::is_meant)) {
        let problem =
            "is on S3, where a table has no ledger of its own: name one as well, ledger = \"dynamodb://NAME\"";
        errors.push(SettingError::new(table_origin(one), "table", problem));
    }
}

fn places(earlier: &Candidate, later: &Candidate, errors: &mut Vec<SettingError>) {
    for (reader, writer) in [(later, earlier), (earlier, later)] {
        // A table shared by both is looked at once, with its own pipeline.
        if let (Some(source), Some(table)) = (&reader.source, &writer.table)
            && reader.table.as_ref() != Some(table)
        {
            source_inside_table(reader, source, writer, table, errors);
            table_inside_s3(reader, source, writer, table, errors);
        }
    }
    sources_on_s3(earlier, later, errors);
    let (Some(first), Some(second)) = (&earlier.table, &later.table) else { return };
    let overlap = first != second
        && [(first, second), (second, first)].iter().any(|(a, b)| within(a, b) || within(a, &audit_table(b)));
    if overlap || audit_table(first) == *second || audit_table(second) == *first {
        let other = at(table_origin(earlier));
        let problem =
            format!("overlaps the table {first}{other}, or its audit table {}: keep them apart", audit_table(first));
        errors.push(SettingError::new(table_origin(later), "table", problem));
    }
}

/// A notification belongs to one pipeline. Pipelines of one table are told so with all else that they must agree on.
fn sources_on_s3(earlier: &Candidate, later: &Candidate, errors: &mut Vec<SettingError>) {
    let (Some(a), Some(b)) = (&earlier.source, &later.source) else { return };
    let one_table = earlier.table.is_some() && earlier.table == later.table;
    if S3Address::is_meant(a) && !one_table && (within(a, b) || within(b, a)) {
        let other = at(origin(earlier, |raw| raw.source.as_ref().map(|given| &given.origin)));
        let problem = format!("overlaps the source {a}{other}: a drop on S3 belongs to one pipeline");
        let own = origin(later, |raw| raw.source.as_ref().map(|given| &given.origin));
        errors.push(SettingError::new(own, "source", problem));
    }
}

fn source_inside_table(
    reader: &Candidate,
    source: &str,
    writer: &Candidate,
    table: &str,
    errors: &mut Vec<SettingError>,
) {
    let written = [table.to_owned(), audit_table(table)].into_iter().find(|written| within(source, written));
    if let Some(written) = written {
        let of = at(table_origin(writer));
        let problem =
            format!("lies inside the table {written}{of}: Lithify would read what it wrote itself, keep them apart");
        let origin = origin(reader, |raw| raw.source.as_ref().map(|given| &given.origin));
        errors.push(SettingError::new(origin, "source", problem));
    }
}

/// Pipelines that feed one table agree on what the table is, and read different files.
fn one_table(earlier: &Candidate, later: &Candidate, errors: &mut Vec<SettingError>) {
    let (Some(first), Some(second)) = (&earlier.table, &later.table) else { return };
    if first != second {
        return;
    }
    let mut disagree = |setting: &str, own: Option<&Origin>, others: Option<&Origin>| {
        let other = at(others.unwrap_or(&earlier.raw.origin));
        let problem =
            format!("must be the same in every pipeline of the table {first}, but another{other} has it otherwise");
        errors.push(SettingError::new(own.unwrap_or(&later.raw.origin), setting, problem));
    };
    let order = |one: &Candidate| {
        let given = one.raw.cluster_by.as_ref().or(one.raw.z_order_by.as_ref());
        given.map(|given| given.origin.clone())
    };
    if differ(&earlier.cluster_by, &later.cluster_by) {
        let setting = if later.raw.z_order_by.is_some() { "z_order_by" } else { "cluster_by" };
        disagree(setting, order(later).as_ref(), order(earlier).as_ref());
    }
    if differ(&earlier.partition_columns, &later.partition_columns) {
        let origin = |one: &Candidate| one.raw.partition_columns.as_ref().map(|given| given.origin.clone());
        disagree("partition_columns", origin(later).as_ref(), origin(earlier).as_ref());
    }
    if differ(&earlier.target_file_size, &later.target_file_size) {
        let origin = |one: &Candidate| one.raw.target_file_size.as_ref().map(|given| given.origin.clone());
        disagree("target_file_size", origin(later).as_ref(), origin(earlier).as_ref());
    }
    if let (Some(a), Some(b)) = (&earlier.source, &later.source)
        && (within(a, b) || within(b, a))
    {
        let other = at(origin(earlier, |raw| raw.source.as_ref().map(|given| &given.origin)));
        let problem = format!(
            "shares files with the source {a}{other} of the same table: each of their rows would be there twice"
        );
        let own = origin(later, |raw| raw.source.as_ref().map(|given| &given.origin));
        errors.push(SettingError::new(own, "source", problem));
    }
}

/// Whether two values are known and not the same. An unknown one was wrong by itself and is reported as such.
fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// Whether `inner` is `outer` or lies below it.
fn within(inner: &str, outer: &str) -> bool {
    Path::new(inner).starts_with(outer)
}

/// Where the accounting of each drop of a table is kept.
fn audit_table(table: &str) -> String {
    format!("{table}_drops")
}

fn table_origin(one: &Candidate) -> &Origin {
    origin(one, |raw| raw.table.as_ref().map(|given| &given.origin))
}

/// Where a value stands, or else where its pipeline begins.
fn origin<'a>(one: &'a Candidate, of: impl Fn(&'a super::RawPipeline) -> Option<&'a Origin>) -> &'a Origin {
    of(&one.raw).unwrap_or(&one.raw.origin)
}

/// ` (file:line)`, or nothing where nothing was written.
fn at(origin: &Origin) -> String {
    match origin {
        Origin::Absent => String::new(),
        Origin::Object { pipeline: Some(at), .. } => format!(" (pipelines[{at}])"),
        other => format!(" ({other})"),
    }
}
