//! A run's rows in the table's columns, whatever has become of these since the run was written.
//!
//! Columns are matched by name, nested ones too. A column that came later is null. Where the type is another now, a value is cast if the
//! cast loses nothing; what does not fit, and what the table has no column for any more, goes to `_rescued_data`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, RecordBatch, StructArray, new_null_array};
use arrow_cast::cast::{CastOptions, cast_with_options};
use arrow_ord::cmp::not_distinct;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow_select::nullif::nullif;
use serde_json::{Map, Value};

use super::RescuedColumn;
use super::rescue::{json_value, merge_rescued};
use crate::error::RunsError;
use crate::row_columns::RESCUED_DATA;

/// What did not fit, row by row; `None` where everything did.
type Unfit = Option<Vec<Option<Value>>>;

/// A batch in the table's columns.
pub(super) struct Adapted {
    pub(super) batch: RecordBatch,
    /// How many of its rows have something in `_rescued_data` only by that.
    pub(super) newly_rescued: u64,
    /// The columns whose values did not all fit.
    pub(super) columns: Vec<RescuedColumn>,
}

/// Brings the batches of one run into the table's columns.
pub(super) struct Adapter {
    target: SchemaRef,
    /// Where each column of the table comes from.
    places: Vec<Place>,
    /// A column without values for each type that columns which came later have: as long as the longest batch, for all of them.
    nulls: Vec<(DataType, ArrayRef)>,
    /// The run's columns that the table has not.
    homeless: Vec<usize>,
    /// What the source calls each column of the run.
    names: Vec<Naming>,
    /// Whether the run's columns are the table's already.
    same: bool,
}

/// Where a column of the table comes from.
#[derive(Clone, Copy)]
enum Place {
    /// The run has it there.
    Run(usize),
    /// It came later: one of the columns without values.
    Null(usize),
}

/// The source's names of a column and of the fields in it.
#[derive(Clone, Default)]
struct Naming {
    source_name: String,
    children: Vec<(String, Naming)>,
}

impl Adapter {
    /// For a file of these columns, written when the table had the schema `written`. `target` is without metadata.
    pub(super) fn new(file: &Schema, written: &Schema, target: SchemaRef) -> Self {
        let (in_file, in_target, in_written) = (by_name(file), by_name(&target), by_name(written));
        let naming = |field: &FieldRef| Naming::of(field, in_written.get(field.name()).map(|(_, f)| *f));
        let names = file.fields().iter().map(naming).collect();
        let (mut null_of, mut nulls) = (HashMap::new(), Vec::new());
        let place = |field: &FieldRef| match in_file.get(field.name()) {
            Some((i, _)) => Place::Run(*i),
            None => Place::Null(*null_of.entry(field.data_type().clone()).or_insert_with_key(|data_type| {
                nulls.push((data_type.clone(), new_null_array(data_type, 0)));
                nulls.len() - 1
            })),
        };
        let places = target.fields().iter().map(place).collect();
        let file_fields = file.fields().iter().enumerate();
        let homeless = file_fields.filter(|(_, field)| !in_target.contains_key(field.name())).map(|(i, _)| i).collect();
        let plain = |field: &FieldRef| (field.name().clone(), field.data_type().clone());
        let same = file.fields().iter().map(plain).eq(target.fields().iter().map(plain));
        Self { target, places, nulls, homeless, names, same }
    }

    /// The batch in the table's columns.
    pub(super) fn adapt(&mut self, batch: RecordBatch) -> Result<Adapted, RunsError> {
        let failed = RunsError::encode("bring a run into the table's columns");
        if self.same {
            let rebuilt = RecordBatch::try_new(Arc::clone(&self.target), batch.columns().to_vec());
            return Ok(Adapted { batch: rebuilt.map_err(failed)?, newly_rescued: 0, columns: Vec::new() });
        }
        let (rows, mut newly_rescued) = (batch.num_rows(), 0);
        let mut rescued: Unfit = None;
        let mut unfit_columns = Vec::new();
        let mut columns = Vec::with_capacity(self.target.fields().len());
        for (data_type, values) in &mut self.nulls {
            if values.len() < rows {
                *values = new_null_array(data_type, rows);
            }
        }
        for (field, place) in self.target.fields().iter().zip(&self.places) {
            columns.push(match *place {
                Place::Null(n) => self.nulls[n].1.slice(0, rows),
                Place::Run(i) => {
                    let (column, unfit) = fit(batch.column(i), field.data_type(), &self.names[i]).map_err(&failed)?;
                    unfit_columns.extend(told(field.name(), batch.column(i), Some(field.data_type()), &unfit));
                    add_member(&mut rescued, &self.names[i].source_name, unfit);
                    column
                }
            });
        }
        for &i in &self.homeless {
            let unfit = whole(batch.column(i), &self.names[i]);
            unfit_columns.extend(told(batch.schema_ref().field(i).name(), batch.column(i), None, &unfit));
            add_member(&mut rescued, &self.names[i].source_name, unfit);
        }
        if let Some(rescued) = rescued {
            let place = self.target.index_of(RESCUED_DATA).ok();
            let texts = place.and_then(|i| columns.get(i)).and_then(|column| column.as_string_opt::<i32>());
            let homeless = || unfit_columns.last().map(|last| last.column.clone()).unwrap_or_default();
            let texts = texts.ok_or_else(|| RunsError::NoRescue { column: homeless() })?;
            let (merged, first) = merge_rescued(texts, rescued);
            newly_rescued = first;
            columns[place.unwrap_or_default()] = Arc::new(merged);
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.target), columns).map_err(failed)?;
        Ok(Adapted { batch, newly_rescued, columns: unfit_columns })
    }
}

/// The columns with their places; of several with one name the first.
fn by_name(schema: &Schema) -> HashMap<&String, (usize, &FieldRef)> {
    schema.fields().iter().enumerate().rev().map(|(i, field)| (field.name(), (i, field))).collect()
}

/// How much of a value is shown, in characters.
const SHOWN: usize = 60;

/// A column with what of it did not fit; none where all did.
fn told(name: &str, column: &ArrayRef, has: Option<&DataType>, unfit: &Unfit) -> Option<RescuedColumn> {
    let mut values = unfit.as_ref()?.iter().flatten();
    let first = values.next()?.to_string();
    let example = match first.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &first[..end]),
        None => first,
    };
    let (column, had) = (name.to_owned(), column.data_type().clone());
    Some(RescuedColumn { column, had, has: has.cloned(), rows: 1 + values.count() as u64, example })
}

impl Naming {
    fn of(field: &Field, written: Option<&FieldRef>) -> Self {
        let known =
            written.map(|written| written.metadata().get(decode::schema::SOURCE_NAME).unwrap_or(written.name()));
        let below = |written: &FieldRef| match written.data_type() {
            DataType::Struct(fields) => fields.clone(),
            DataType::List(element) => Fields::from(vec![Arc::clone(element)]),
            _ => Fields::empty(),
        };
        let written_children = written.map(below).unwrap_or_default();
        let child = |child: &FieldRef, by_name: bool| {
            let same = |other: &&FieldRef| !by_name || other.name() == child.name();
            (child.name().clone(), Self::of(child, written_children.iter().find(same)))
        };
        let children = match field.data_type() {
            DataType::Struct(fields) => fields.iter().map(|field| child(field, true)).collect(),
            DataType::List(element) => vec![child(element, false)],
            _ => Vec::new(),
        };
        Self { source_name: known.unwrap_or(field.name()).clone(), children }
    }

    fn child(&self, i: usize) -> Self {
        self.children.get(i).map(|(_, naming)| naming.clone()).unwrap_or_default()
    }
}

/// The schema with no metadata on any field: what is worked with has the names and types alone.
pub(super) fn without_metadata(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(bare).collect::<Vec<_>>())
}

fn bare(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(bare).collect()),
        DataType::List(element) => DataType::List(bare(element)),
        DataType::LargeList(element) => DataType::LargeList(bare(element)),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

/// A column in another type, and what of it does not fit.
fn fit(column: &ArrayRef, target: &DataType, naming: &Naming) -> Result<(ArrayRef, Unfit), ArrowError> {
    match (column.data_type(), target) {
        (same, target) if same == target => Ok((Arc::clone(column), None)),
        (DataType::Struct(_), DataType::Struct(fields)) => fit_struct(column.as_struct(), fields, naming),
        (DataType::List(_), DataType::List(element)) => fit_list(column.as_list::<i32>(), element, naming),
        (from, to) if may_cast(from, to) => fit_values(column, to, naming),
        _ => Ok((new_null_array(target, column.len()), whole(column, naming))),
    }
}

fn fit_struct(column: &StructArray, fields: &Fields, naming: &Naming) -> Result<(ArrayRef, Unfit), ArrowError> {
    let mut rescued: Unfit = None;
    let mut children = Vec::with_capacity(fields.len());
    for field in fields {
        let place = column.fields().iter().position(|child| child.name() == field.name());
        children.push(match place {
            None => new_null_array(field.data_type(), column.len()),
            Some(i) => {
                let (child, unfit) = fit(column.column(i), field.data_type(), &naming.child(i))?;
                add_member(&mut rescued, &naming.child(i).source_name, unfit);
                child
            }
        });
    }
    for (i, child) in column.fields().iter().enumerate() {
        if !fields.iter().any(|field| field.name() == child.name()) {
            add_member(&mut rescued, &naming.child(i).source_name, whole(column.column(i), &naming.child(i)));
        }
    }
    if let (Some(rescued), Some(nulls)) = (&mut rescued, column.nulls()) {
        rescued.iter_mut().enumerate().filter(|(row, _)| nulls.is_null(*row)).for_each(|(_, value)| *value = None);
    }
    let built = StructArray::try_new_with_length(fields.clone(), children, column.nulls().cloned(), column.len())?;
    Ok((Arc::new(built), rescued.filter(|rows| rows.iter().any(Option::is_some))))
}

/// Elements that do not fit are null; the rescued list has a null for each that does, so that positions stay.
fn fit_list(column: &ListArray, element: &FieldRef, naming: &Naming) -> Result<(ArrayRef, Unfit), ArrowError> {
    let (values, unfit) = fit(column.values(), element.data_type(), &naming.child(0))?;
    let rescued = unfit.map(|elements| {
        let row = |row: usize| {
            let offsets = column.value_offsets();
            let range = usize::try_from(offsets[row]).ok()?..usize::try_from(offsets[row + 1]).ok()?;
            let here = elements.get(range).filter(|here| column.is_valid(row) && here.iter().any(Option::is_some))?;
            Some(Value::Array(here.iter().map(|value| value.clone().unwrap_or(Value::Null)).collect()))
        };
        (0..column.len()).map(row).collect::<Vec<_>>()
    });
    let built = ListArray::try_new(Arc::clone(element), column.offsets().clone(), values, column.nulls().cloned())?;
    Ok((Arc::new(built), rescued.filter(|rows| rows.iter().any(Option::is_some))))
}

/// Whether values of one type can mean the same in the other.
fn may_cast(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let number = |t: &T| t.is_numeric();
    let text = |t: &T| matches!(t, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    let plain = |t: &T| number(t) || text(t) || t.is_temporal() || matches!(t, T::Boolean);
    let moments = matches!((from, to), (T::Timestamp(_, a), T::Timestamp(_, b)) if a.is_some() == b.is_some());
    (number(from) && number(to)) || (text(from) && plain(to)) || (plain(from) && text(to)) || moments
}

/// Casts value by value. A value fits if casting it back gives the value again.
fn fit_values(column: &ArrayRef, target: &DataType, naming: &Naming) -> Result<(ArrayRef, Unfit), ArrowError> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let there = cast_with_options(column, target, &options)?;
    let back = cast_with_options(&there, column.data_type(), &options)?;
    let fits = not_distinct(&back, column)?;
    if fits.true_count() == fits.len() {
        return Ok((there, None));
    }
    let lost = BooleanArray::new(!fits.values(), None);
    let unfit = whole_where(column, naming, |row| lost.value(row));
    Ok((nullif(&there, &lost)?, unfit))
}

/// Every value of a column that is not null.
fn whole(column: &ArrayRef, naming: &Naming) -> Unfit {
    whole_where(column, naming, |_| true)
}

fn whole_where(column: &ArrayRef, naming: &Naming, wanted: impl Fn(usize) -> bool) -> Unfit {
    let nulls = column.logical_nulls();
    let value = |row: usize| {
        let there = wanted(row) && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        there.then(|| json_value(column, row, &|path| naming.name_at(path)))
    };
    let values: Vec<_> = (0..column.len()).map(value).collect();
    Some(values).filter(|values| values.iter().any(Option::is_some))
}

impl Naming {
    /// The source's name of a field below this one; `path` holds a position for each level.
    fn name_at(&self, path: &[usize]) -> Option<String> {
        let found = path.iter().try_fold(self, |naming, i| naming.children.get(*i).map(|(_, child)| child))?;
        Some(found.source_name.clone())
    }
}

/// Adds what did not fit of one column to what did not fit of the row.
fn add_member(rescued: &mut Unfit, name: &str, unfit: Unfit) {
    let Some(unfit) = unfit else { return };
    let rows = rescued.get_or_insert_with(|| vec![None; unfit.len()]);
    for (row, value) in rows.iter_mut().zip(unfit) {
        if let Some(value) = value {
            match row {
                Some(Value::Object(members)) => _ = members.insert(name.to_owned(), value),
                other => *other = Some(Value::Object(Map::from_iter([(name.to_owned(), value)]))),
            }
        }
    }
}
