//! The columns that a commit needs: the table's own, and what the runs have besides.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

/// The table's columns with those of `wanted` that it lacks at the end, nested ones too; the table's types stand. Returns
/// the very same schema where it lacks none.
pub(crate) fn widen(table: &SchemaRef, wanted: &Schema) -> SchemaRef {
    match widen_fields(table.fields(), wanted.fields()) {
        None => table.clone(),
        Some(fields) => Arc::new(Schema::new_with_metadata(fields, table.metadata().clone())),
    }
}

fn widen_fields(table: &Fields, wanted: &Fields) -> Option<Fields> {
    let mut changed = false;
    let mut fields: Vec<FieldRef> = Vec::with_capacity(table.len());
    for field in table {
        let other = wanted.iter().find(|f| f.name() == field.name());
        let widened = other.and_then(|other| widen_type(field.data_type(), other.data_type()));
        changed |= widened.is_some();
        fields.push(match widened {
            Some(data_type) => Arc::new(Field::clone(field).with_data_type(data_type)),
            None => field.clone(),
        });
    }
    for field in wanted {
        let same = |f: &FieldRef| f.name().to_lowercase() == field.name().to_lowercase();
        if !table.iter().any(same) {
            changed = true;
            fields.push(field.clone());
        }
    }
    changed.then(|| fields.into())
}

fn widen_type(table: &DataType, wanted: &DataType) -> Option<DataType> {
    match (table, wanted) {
        (DataType::Struct(table), DataType::Struct(wanted)) => widen_fields(table, wanted).map(DataType::Struct),
        (DataType::List(table), DataType::List(wanted)) => {
            let element = widen_type(table.data_type(), wanted.data_type())?;
            Some(DataType::List(Arc::new(Field::clone(table).with_data_type(element))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: Vec<Field>) -> SchemaRef {
        Arc::new(Schema::new(fields))
    }

    fn list_of_struct(fields: Vec<Field>) -> DataType {
        DataType::List(Arc::new(Field::new("element", DataType::Struct(fields.into()), true)))
    }

    #[test]
    fn what_the_table_lacks_comes_at_the_end_and_its_types_stand() {
        let long = |name: &str| Field::new(name, DataType::Int64, true);
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let table = schema(vec![text("a"), Field::new("items", list_of_struct(vec![long("x")]), true), long("z")]);
        let wanted = schema(vec![
            long("a"),
            long("b"),
            Field::new("items", list_of_struct(vec![long("x"), text("y")]), true),
            long("Z"),
        ]);
        let widened = widen(&table, &wanted);
        let expected = schema(vec![
            text("a"),
            Field::new("items", list_of_struct(vec![long("x"), text("y")]), true),
            long("z"),
            long("b"),
        ]);
        assert_eq!(widened, expected);
        assert!(Arc::ptr_eq(&widen(&widened, &wanted), &widened));
    }
}
