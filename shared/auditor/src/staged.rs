//! I-1 of what waits: the rows of a batch that no commit carries are in its runs, which must be there until one does.

use store::StoreError;

use crate::history::{History, Landed};
use crate::{AuditError, Invariant, Subject, Verdict};

pub(crate) async fn check(subject: &Subject, history: &History, verdict: &mut Verdict) -> Result<(), AuditError> {
    for pipeline in &history.pipelines {
        let landed = |id| pipeline.landed.iter().any(|one: &Landed| one.batches.contains(id));
        for (id, batch) in pipeline.batches.iter().filter(|(id, batch)| batch.version.is_none() && !landed(*id)) {
            for run in &batch.manifest.runs {
                let what = match subject.state.open(&run.address).await {
                    Ok(object) if object.size() == run.bytes => continue,
                    Ok(object) => format!("has {} bytes, its manifest says {}", object.size(), run.bytes),
                    Err(StoreError::Missing(_)) => "is not there".to_owned(),
                    Err(error) => return Err(error.into()),
                };
                let what = format!("{} rows of it wait in {}, which {what}", run.rows, run.address);
                verdict.find(Invariant::RowsOnce, format!("batch {id}"), what);
            }
        }
    }
    Ok(())
}
