//! What must hold between values: names, places and the pipelines of one table.

use std::path::Path;

use super::{Origin, RawPipeline, RawSettings, S3Address, SettingError, check::Candidate};

/// Checks every pipeline against itself and all of them against each other.
pub(super) fn check(candidates: &[Candidate], errors: &mut Vec<SettingError>) {
    for (at, one) in candidates.iter().enumerate() {
        own_places(one, errors);
        own_columns(one, errors);
        for earlier in &candidates[..at] {
            names(earlier, one, errors);
            places(earlier, one, errors);
        }
    }
    sources_inside_tables(candidates, errors);
    tables_apart(candidates, errors);
    one_table(candidates, errors);
}

/// A column that files are divided by has one value in each file, so it orders nothing there.
fn own_columns(one: &Candidate, errors: &mut Vec<SettingError>) {
    let Some(partition) = &one.raw.partition_columns else { return };
    let orders = [("cluster_by", &one.raw.cluster_by), ("z_order_by", &one.raw.z_order_by)];
    for (setting, given) in orders.into_iter().filter_map(|(setting, given)| Some((setting, given.as_ref()?))) {
        for name in given.value.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            if partition.value.iter().any(|other| other.trim().eq_ignore_ascii_case(name)) {
                let divides = at(&partition.origin);
                let problem = format!(
                    "'{name}' is a partition column{divides}, so it is one value in every file: leave it out in one of the two"
                );
                errors.push(SettingError::new(&given.origin, setting, problem));
            }
        }
    }
}

/// Of pipelines that do not go together in pairs, those to blame, each with the ones it does not go with: the one with most of
/// them first, as one that is wrong makes all others look wrong; of two that are equal, the later.
fn blamed(count: usize, clash: impl Fn(usize, usize) -> bool) -> Vec<(usize, Vec<usize>)> {
    let mut pairs: Vec<(usize, usize)> =
        (0..count).flat_map(|b| (0..b).map(move |a| (a, b))).filter(|(a, b)| clash(*a, *b)).collect();
    let mut found = Vec::new();
    while !pairs.is_empty() {
        let of = |one: usize| pairs.iter().filter(|(a, b)| *a == one || *b == one).count();
        let Some(worst) = (0..count).max_by_key(|one| of(*one)) else { break };
        let others = pairs.iter().filter_map(|(a, b)| match worst {
            one if one == *a => Some(*b),
            one if one == *b => Some(*a),
            _ => None,
        });
        let mut others: Vec<usize> = others.collect();
        others.sort_unstable();
        pairs.retain(|(a, b)| *a != worst && *b != worst);
        found.push((worst, others));
    }
    found
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
    if matches!(raw.origin, Origin::Object { .. }) {
        return;
    }
    let is_on_s3 = |one: &&Candidate| one.table.as_deref().is_some_and(S3Address::is_meant);
    if let Some(ledger) = &raw.aws.ledger {
        if !candidates.is_empty() && candidates.iter().all(|one| one.table.is_some() && !is_on_s3(&one)) {
            let problem = "is for tables on S3; one in a folder keeps its own: leave it out";
            errors.push(SettingError::new(&ledger.origin, "ledger", problem));
        }
        return;
    }
    for one in candidates.iter().filter(is_on_s3) {
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
            table_inside_s3(reader, source, writer, table, errors);
        }
    }
    sources_on_s3(earlier, later, errors);
}

/// Tables lie apart, and apart from each other's audit tables.
fn tables_apart(candidates: &[Candidate], errors: &mut Vec<SettingError>) {
    let clash = |a: usize, b: usize| {
        let (Some(first), Some(second)) = (&candidates[a].table, &candidates[b].table) else { return false };
        let overlap = first != second
            && [(first, second), (second, first)].iter().any(|(a, b)| within(a, b) || within(a, &audit_table(b)));
        overlap || audit_table(first) == *second || audit_table(second) == *first
    };
    for (one, others) in blamed(candidates.len(), clash) {
        let mut named: Vec<(&str, String)> = Vec::new();
        for other in others.into_iter().map(|other| &candidates[other]) {
            let table = other.table.as_deref().unwrap_or_default();
            if !named.iter().any(|(known, _)| *known == table) {
                named.push((table, at(table_origin(other))));
            }
        }
        let problem = match &named[..] {
            [(table, place)] => {
                format!("overlaps the table {table}{place}, or its audit table {}: keep them apart", audit_table(table))
            }
            several => format!("overlaps the tables {}, or their audit tables: keep them apart", listed(several)),
        };
        errors.push(SettingError::new(table_origin(&candidates[one]), "table", problem));
    }
}

/// `a (x.toml:3), b (x.toml:8)`.
fn listed(named: &[(&str, String)]) -> String {
    named.iter().map(|(name, place)| format!("{name}{place}")).collect::<Vec<_>>().join(", ")
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

/// No source lies inside what Lithify writes. Where a table holds others' sources it is the table that is wrong, and told once.
fn sources_inside_tables(candidates: &[Candidate], errors: &mut Vec<SettingError>) {
    for (at_writer, writer) in candidates.iter().enumerate() {
        let Some(table) = &writer.table else { continue };
        if candidates[..at_writer].iter().any(|earlier| earlier.table.as_ref() == Some(table)) {
            continue;
        }
        let written = [table.to_owned(), audit_table(table)];
        let inside = candidates.iter().filter_map(|reader| {
            let source = reader.source.as_ref()?;
            // That one is told by itself.
            let same = source == table && reader.table.as_ref() == Some(table);
            let holder = written.iter().find(|written| within(source, written)).filter(|_| !same)?;
            Some((reader, source.as_str(), holder))
        });
        let inside: Vec<_> = inside.collect();
        let Some((first, _, holder)) = inside.first() else { continue };
        let why = "Lithify would read what it wrote itself, keep them apart";
        if inside.len() == 1 && first.table.as_ref() == Some(table) {
            let problem = format!("lies inside the table {holder}{}: {why}", at(table_origin(writer)));
            errors.push(SettingError::new(source_origin(first), "source", problem));
        } else {
            let sources: Vec<_> =
                inside.iter().map(|(reader, source, _)| (*source, at(source_origin(reader)))).collect();
            let (these, sources) = (if sources.len() == 1 { "source" } else { "sources" }, listed(&sources));
            let problem = format!("{holder} holds the {these} {sources}: {why}");
            errors.push(SettingError::new(table_origin(writer), "table", problem));
        }
    }
}

/// Pipelines that feed one table agree on what the table is, and read different files.
fn one_table(candidates: &[Candidate], errors: &mut Vec<SettingError>) {
    let shared = |a: usize, b: usize| candidates[a].table.is_some() && candidates[a].table == candidates[b].table;
    let mut agree =
        |setting: &str, of: &dyn Fn(&RawPipeline) -> Option<&Origin>, differ: &dyn Fn(usize, usize) -> bool| {
            for (one, others) in blamed(candidates.len(), |a, b| shared(a, b) && differ(a, b)) {
                let (one, other) = (&candidates[one], others.first().map_or(one, |other| *other));
                let table = one.table.as_deref().unwrap_or_default();
                let others = at(origin(&candidates[other], of));
                let problem = format!(
                    "must be the same in every pipeline of the table {table}, but another{others} has it otherwise"
                );
                // Where it is not given, it is what the other gives that is missing.
                let given = if one.raw.cluster_by.is_some() { one } else { &candidates[other] };
                let z_order = one.raw.z_order_by.is_some() || given.raw.cluster_by.is_none();
                let setting = if setting == "cluster_by" && z_order { "z_order_by" } else { setting };
                errors.push(SettingError::new(origin(one, of), setting, problem));
            }
        };
    agree(
        "cluster_by",
        &|raw| raw.cluster_by.as_ref().or(raw.z_order_by.as_ref()).map(|given| &given.origin),
        &|a, b| differ(&candidates[a].cluster_by, &candidates[b].cluster_by),
    );
    agree("partition_columns", &|raw| raw.partition_columns.as_ref().map(|given| &given.origin), &|a, b| {
        differ(&candidates[a].partition_columns, &candidates[b].partition_columns)
    });
    agree("target_file_size", &|raw| raw.target_file_size.as_ref().map(|given| &given.origin), &|a, b| {
        differ(&candidates[a].target_file_size, &candidates[b].target_file_size)
    });
    let twice = |a: usize, b: usize| {
        let sources = candidates[a].source.as_ref().zip(candidates[b].source.as_ref());
        shared(a, b) && sources.is_some_and(|(a, b)| within(a, b) || within(b, a))
    };
    for (one, others) in blamed(candidates.len(), twice) {
        let others = others.into_iter().map(|other| &candidates[other]);
        let others: Vec<_> =
            others.map(|other| (other.source.as_deref().unwrap_or_default(), at(source_origin(other)))).collect();
        let (these, others) = (if others.len() == 1 { "source" } else { "sources" }, listed(&others));
        let problem = format!(
            "shares files with the {these} {others} of the same table: each of their rows would be there twice"
        );
        errors.push(SettingError::new(source_origin(&candidates[one]), "source", problem));
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

fn source_origin(one: &Candidate) -> &Origin {
    origin(one, |raw| raw.source.as_ref().map(|given| &given.origin))
}

/// Where a value stands, or else where its pipeline begins.
fn origin<'a>(one: &'a Candidate, of: impl Fn(&'a RawPipeline) -> Option<&'a Origin>) -> &'a Origin {
    of(&one.raw).unwrap_or(&one.raw.origin)
}

/// ` (file:line)`, or nothing where nothing was written.
fn at(origin: &Origin) -> String {
    match origin {
        Origin::Absent => String::new(),
        Origin::Object { pipeline: Some(place), .. } => format!(" ({place})"),
        other => format!(" ({other})"),
    }
}
