//! Opening the files that a plan chose: what is fit to be merged, and why the rest is left alone.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use futures::StreamExt;
use lake::{Head, LiveFile};
use runs::{Order, RunInput, RunsError, TableRun, table_run};
use store::{Store, StoreError};

use super::{Kept, UpkeepReport};
use crate::{CompactError, Compactor};

/// How many files are looked at side by side.
const AT_ONCE: usize = 8;

/// What is asked of every file.
#[derive(Clone)]
struct Wanted {
    files: Arc<dyn Store>,
    columns: SchemaRef,
    order: Order,
    sorted_as: Vec<String>,
}

impl Compactor {
    /// Those of the files that can be merged, in their order. The others are noted in the report.
    pub(super) async fn inspect(
        &self,
        kept: &Kept,
        head: &Head,
        files: Vec<LiveFile>,
        report: &mut UpkeepReport,
    ) -> Result<Vec<(LiveFile, RunInput)>, CompactError> {
        let wanted = Wanted {
            files: kept.files.clone(),
            columns: file_columns(head),
            order: kept.order_within(),
            sorted_as: kept.sorted_as(),
        };
        let looks = files.into_iter().map(|file| look(wanted.clone(), file));
        let mut looked = futures::stream::iter(looks).buffered(AT_ONCE);
        let mut fit = Vec::new();
        while let Some(found) = looked.next().await {
            match found? {
                (file, Ok(run)) => fit.push((file, run)),
                (file, Err(reason)) => _ = report.left_alone.insert(file.path, reason),
            }
        }
        Ok(fit)
    }
}

/// The columns that the table's files hold: all but the partition columns.
pub(super) fn file_columns(head: &Head) -> SchemaRef {
    let kept = head.schema.fields().iter().filter(|field| !head.partition_columns.contains(field.name()));
    Arc::new(Schema::new(kept.cloned().collect::<Vec<_>>()))
}

/// One file as a run, or why it is left alone.
async fn look(wanted: Wanted, file: LiveFile) -> Result<(LiveFile, Result<RunInput, String>), CompactError> {
    let object = match wanted.files.open(&file.path).await {
        Ok(object) => object,
        Err(StoreError::Missing(_) | StoreError::Address(_)) => {
            return Ok((file, Err("the log calls it live and it is not there".to_owned())));
        }
        Err(error) => return Err(error.into()),
    };
    if object.size() != file.size {
        let reason = format!("it has {} bytes and the log says {}", object.size(), file.size);
        return Ok((file, Err(reason)));
    }
    let path = file.path.clone();
    let looking = tokio::task::spawn_blocking(move || {
        table_run(&path, object, &wanted.columns, &wanted.order, &wanted.sorted_as)
    });
    let looked = looking.await.map_err(|error| CompactError::Internal(error.to_string()))?;
    let run = match looked {
        Ok(TableRun::Run(run)) if file.rows.is_some_and(|rows| rows != run.rows) => {
            Err(format!("it has {} rows and the log says {}", run.rows, file.rows.unwrap_or_default()))
        }
        Ok(TableRun::Run(run)) if run.rows == 0 => Err("it has no rows".to_owned()),
        Ok(TableRun::Run(run)) => Ok(*run),
        Ok(TableRun::Unfit(reason)) => Err(reason),
        Err(RunsError::Store(error)) => return Err(error.into()),
        Err(RunsError::Damaged { reason, .. }) => Err(format!("it cannot be read: {reason}")),
        Err(error) => Err(error.to_string()),
    };
    Ok((file, run))
}
