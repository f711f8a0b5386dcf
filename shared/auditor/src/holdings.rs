//! I-2 and I-4: who holds which drop; and what rows the table must have for it.

use std::collections::{BTreeMap, HashMap};

use drops::{BatchId, DropId, PipelineName};
use runs::Fate;

use crate::history::{History, drop_of};
use crate::{Invariant, Verdict};

/// What the table must hold of one content of one file: the sums over its holders, more than one only where two pipelines have files
/// of the same name and content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// Rows that must be there.
    pub rows: u64,
    /// Records that were read: every `_source_row` is below.
    pub records: u64,
    /// How often each ordinal may stand.
    pub copies: usize,
    /// The ordinals of its records that the quarantine keeps: no rows have these.
    pub quarantined: Vec<u64>,
    /// A batch that holds it, and which of [`Holdings::pipelines`] that is of: for messages.
    pub holder: Option<(usize, BatchId)>,
    /// Whether a holder is still staged: its rows are not there yet.
    pub staged: bool,
}

/// Every content of every file that sealed batches hold, by `_source_file` and `_source_version`.
#[derive(Default)]
pub(crate) struct Holdings {
    pub files: HashMap<String, BTreeMap<String, Expected>>,
    /// The table's pipelines.
    pub pipelines: Vec<PipelineName>,
}

impl Holdings {
    /// `pipeline NAME, batch ID`: who holds a content.
    pub(crate) fn holder_of(&self, expected: &Expected) -> String {
        let Some((pipeline, batch)) = expected.holder else { return "no pipeline".to_owned() };
        let name = self.pipelines.get(pipeline).map(PipelineName::as_str).unwrap_or_default();
        format!("pipeline {name}, batch {batch}")
    }

    pub(crate) fn of(history: &History, acknowledged: &[DropId], verdict: &mut Verdict) -> Self {
        let mut files: HashMap<String, BTreeMap<String, Expected>> = HashMap::new();
        let mut holders: HashMap<DropId, Vec<(BatchId, bool)>> = HashMap::new();
        for (at, pipeline) in history.pipelines.iter().enumerate() {
            // What landed is in the table, whether or not it was settled.
            let landed: std::collections::HashSet<&BatchId> =
                pipeline.landed.iter().flat_map(|intent| &intent.batches).collect();
            for (id, batch) in &pipeline.batches {
                for held in &batch.manifest.held {
                    let drop = drop_of(&pipeline.name, held);
                    let ingested = held.fate == Fate::Ingested;
                    holders.entry(drop).or_default().push((*id, ingested));
                    let contents = files.entry(held.source_file()).or_default();
                    let expected = contents.entry(held.source_version().to_owned()).or_default();
                    expected.holder = Some((at, *id));
                    let in_table = batch.version.is_some() || landed.contains(id);
                    expected.staged |= ingested && !in_table;
                    if ingested && in_table {
                        expected.rows += held.rows;
                        expected.records = expected.records.max(held.records);
                        expected.copies += 1;
                        let content = (held.source_file(), held.source_version().to_owned());
                        expected.quarantined.extend(batch.quarantined.get(&content).into_iter().flatten());
                    }
                }
            }
        }
        one_holder_each(&holders, verdict);
        for drop in acknowledged.iter().filter(|drop| !holders.contains_key(drop)) {
            verdict.find(Invariant::AcknowledgedIsFinal, drop.to_string(), "no sealed batch holds it");
        }
        Self { files, pipelines: history.pipelines.iter().map(|pipeline| pipeline.name.clone()).collect() }
    }
}

fn one_holder_each(holders: &HashMap<DropId, Vec<(BatchId, bool)>>, verdict: &mut Verdict) {
    for (drop, batches) in holders {
        let with_rows: Vec<String> =
            batches.iter().filter(|(_, ingested)| *ingested).map(|(id, _)| id.to_string()).collect();
        if with_rows.len() > 1 {
            let what = format!("the sealed batches {} hold its rows", with_rows.join(", "));
            verdict.find(Invariant::OneHolder, drop.to_string(), what);
        }
    }
}

#[cfg(test)]
mod tests {
    use drops::Timestamp;
    use runs::{HeldDrop, Manifest};

    use super::*;
    use crate::history::{Landed, PipelineHistory, SealedBatch};

    fn held(key: &str, fate: Fate, rows: u64, quarantined_records: u64) -> HeldDrop {
        HeldDrop {
            bucket: "b".into(),
            key: key.into(),
            version: None,
            etag: "e".into(),
            size: 1,
            modified: Timestamp(0),
            arrived: None,
            fate,
            records: rows + quarantined_records,
            rows,
            rescued_rows: 0,
            quarantined_records,
        }
    }

    fn sealed(id: BatchId, held: Vec<HeldDrop>, version: Option<u64>) -> (BatchId, SealedBatch) {
        let pipeline = "p".parse().unwrap();
        // The last of each drop's records.
        let bad = held.iter().map(|held| {
            let content = (held.source_file(), held.source_version().to_owned());
            (content, (held.rows..held.records).collect::<Vec<_>>())
        });
        let quarantined = bad.collect();
        let manifest = Manifest { batch: id, pipeline, schema_version: 1, held, runs: Vec::new(), quarantine: None };
        (id, SealedBatch { manifest, version, quarantined })
    }

    #[test]
    fn what_is_marked_or_has_landed_is_in_the_table_and_nothing_else() {
        let id = |n| BatchId::from_parts(n, 1);
        let unreadable = Fate::Quarantined { reason: "r".into() };
        let batches = [
            sealed(id(1), vec![held("marked", Fate::Ingested, 3, 2), held("bad", unreadable, 0, 0)], Some(1)),
            sealed(id(2), vec![held("landed", Fate::Ingested, 4, 0)], None),
            sealed(id(3), vec![held("staged", Fate::Ingested, 5, 0)], None),
        ];
        let landed = vec![Landed { number: 1, batches: vec![id(1)] }, Landed { number: 2, batches: vec![id(2)] }];
        let name: drops::PipelineName = "p".parse().unwrap();
        let pipeline = PipelineHistory { name: name.clone(), batches: batches.into(), landed, settled: Some(1) };
        let lost = DropId { pipeline: name, bucket: "b".into(), key: "lost".into(), version: None };
        let mut verdict = Verdict::default();
        let holdings = Holdings::of(&History { pipelines: vec![pipeline] }, std::slice::from_ref(&lost), &mut verdict);
        let of = |key: &str| {
            let expected = &holdings.files[&format!("s3://b/{key}")]["e"];
            (expected.rows, expected.records, expected.copies, expected.staged)
        };
        assert_eq!((of("marked"), of("landed")), ((3, 5, 1, false), (4, 4, 1, false)));
        assert_eq!((of("bad"), of("staged")), ((0, 0, 0, false), (0, 0, 0, true)));
        let quarantined = |key: &str| holdings.files[&format!("s3://b/{key}")]["e"].quarantined.clone();
        assert_eq!((quarantined("marked"), quarantined("landed")), (vec![3, 4], vec![]));
        let found: Vec<_> = verdict.findings.iter().map(|one| (one.invariant, one.object.clone())).collect();
        assert_eq!(found, [(Invariant::AcknowledgedIsFinal, lost.to_string())]);
    }
}
