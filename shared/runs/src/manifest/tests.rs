use super::*;

fn drop(key: &str, rows: u64, quarantined: u64) -> HeldDrop {
    HeldDrop {
        bucket: String::new(),
        key: key.into(),
        version: None,
        etag: format!("{rows}-1"),
        size: 10 * rows,
        modified: Timestamp(5),
        arrived: None,
        fate: Fate::Ingested,
        records: rows + quarantined,
        rows,
        rescued_rows: 0,
        quarantined_records: quarantined,
    }
}

fn run(rows: u64) -> StagedRun {
    StagedRun {
        address: "staging/default/x-0.parquet".into(),
        schema_version: 2,
        order: crate::Order::default().id(),
        rows,
        bytes: 100,
        first_key: vec![0, 1, 255],
        last_key: vec![16],
        row_groups: vec![RowGroupFacts { rows, bytes: 90, row_bytes: 200, page_bytes: 50 }],
    }
}

fn pipeline() -> PipelineName {
    "default".parse().unwrap()
}

fn manifest() -> Manifest {
    let mut bad = drop("bad.json", 0, 0);
    bad.fate = Fate::Quarantined { reason: "its gzip stream is broken\nat byte 7".into() };
    let mut versioned = drop("b/é \"x\".json", 3, 1);
    (versioned.bucket, versioned.version) = ("bucket".into(), Some("v1".into()));
    let held = vec![versioned, drop("z.json", 2, 0), bad, drop("a.json", 1, 0)];
    let quarantine = Some("quarantine/default/x.jsonl".into());
    Manifest::new(BatchId::from_parts(7, 8), pipeline(), 2, held, vec![run(4), run(2)], quarantine).unwrap()
}

fn id(bucket: &str, key: &str, version: Option<&str>) -> DropId {
    DropId { pipeline: pipeline(), bucket: bucket.into(), key: key.into(), version: version.map(str::to_owned) }
}

#[test]
fn a_manifest_reads_back_and_knows_what_it_holds() {
    let manifest = manifest();
    let (bytes, digest) = manifest.encode().unwrap();
    let read = Manifest::decode(&bytes, &digest).unwrap();
    assert_eq!(read, manifest);
    assert_eq!(read.rows(), 6);
    assert_eq!(read.holds(&id("", "z.json", None)).map(|d| d.rows), Some(2));
    assert_eq!(read.holds(&id("bucket", "b/é \"x\".json", Some("v1"))).map(|d| d.records), Some(4));
    assert!(matches!(read.holds(&id("", "bad.json", None)), Some(HeldDrop { fate: Fate::Quarantined { .. }, .. })));
    for absent in [id("", "y.json", None), id("", "z.json", Some("v1")), id("b", "z.json", None)] {
        assert_eq!(read.holds(&absent), None, "{absent}");
    }
    let other = DropId { pipeline: "other".parse().unwrap(), ..id("", "z.json", None) };
    assert_eq!(read.holds(&other), None);
}

#[test]
fn the_runs_of_a_manifest_are_read_without_its_drops() {
    for count in 0..4 {
        let held: Vec<_> = (0..count).map(|i| drop(&format!("{i}.json"), 2, 0)).collect();
        let runs = if count == 0 { Vec::new() } else { vec![run(2 * count)] };
        let whole = Manifest::new(BatchId::from_parts(7, 8), pipeline(), 2, held, runs, None).unwrap();
        let (bytes, digest) = whole.encode().unwrap();
        let read = Manifest::decode_runs(&bytes, &digest).unwrap();
        let ends: Vec<_> = whole
            .held
            .iter()
            .filter(|d| d.key == "0.json" || d.key == format!("{}.json", count - 1))
            .cloned()
            .collect();
        assert_eq!(read, ManifestRuns { runs: whole.runs, ends }, "{count} drops");
        assert!(matches!(Manifest::decode_runs(&bytes, "00"), Err(ManifestError::WrongDigest { .. })));
    }
}

#[test]
fn the_same_manifest_has_the_same_digest() {
    assert_eq!(manifest().encode().unwrap(), manifest().encode().unwrap());
}

#[test]
fn records_that_do_not_add_up_are_refused() {
    let mut wrong = drop("a.json", 3, 1);
    wrong.records = 5;
    let refused = Manifest::new(BatchId::from_parts(1, 1), pipeline(), 1, vec![wrong], vec![run(3)], None);
    assert!(matches!(refused, Err(ManifestError::Unbalanced { records: 5, rows: 3, quarantined: 1, .. })));
    // Rows that no run has.
    let refused = Manifest::new(BatchId::from_parts(1, 1), pipeline(), 1, vec![drop("a", 3, 0)], vec![run(2)], None);
    assert!(matches!(refused, Err(ManifestError::Damaged(reason)) if reason.contains("3 rows")));
    // A drop held twice would be counted twice.
    let twice = vec![drop("a", 1, 0), drop("b", 1, 0), drop("a", 1, 0)];
    assert!(Manifest::new(BatchId::from_parts(1, 1), pipeline(), 1, twice, vec![run(3)], None).is_err());
    // Numbers whose sum no counter holds: it must not come round to what the runs say.
    let mut huge = drop("a", 0, 0);
    (huge.rows, huge.records) = (u64::MAX, u64::MAX);
    let refused =
        Manifest::new(BatchId::from_parts(1, 1), pipeline(), 1, vec![huge, drop("b", 3, 0)], vec![run(2)], None);
    assert!(matches!(refused, Err(ManifestError::Damaged(reason)) if reason.contains("18446744073709551618 rows")));
    // Changed after it was made.
    let mut changed = manifest();
    changed.held[0].rows += 1;
    assert!(changed.encode().is_err());
}

#[test]
fn damaged_manifests_say_what_is_wrong() {
    let (bytes, digest) = manifest().encode().unwrap();
    let mut flipped = bytes.to_vec();
    flipped[20] ^= 1;
    assert!(matches!(Manifest::decode(&flipped, &digest), Err(ManifestError::WrongDigest { .. })));
    assert!(matches!(Manifest::decode(&bytes[..40], &digest), Err(ManifestError::WrongDigest { .. })));

    let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
    let decode = |text: &str| {
        let bytes = zstd::encode_all(text.as_bytes(), 1).unwrap();
        Manifest::decode(&bytes, &framing::digest(&bytes))
    };
    assert!(decode(&text).is_ok());
    let without_last = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    assert!(matches!(decode(&without_last), Err(ManifestError::Damaged(reason)) if reason.contains("ends before")));
    assert!(matches!(decode(&text[..text.len() - 5]), Err(ManifestError::Damaged(_))));
    assert!(
        matches!(decode(&(text.clone() + "{}\n")), Err(ManifestError::Damaged(reason)) if reason.contains("goes on"))
    );
    let newer = text.replacen("\"version\":1", "\"version\":9", 1);
    assert!(matches!(decode(&newer), Err(ManifestError::UnknownVersion(9))));
    assert!(matches!(decode(&text.replacen("\"rows\":3", "\"rows\":2", 1)), Err(ManifestError::Unbalanced { .. })));
    let (intents, digest) = IntentList::default().encode().unwrap();
    assert!(
        matches!(Manifest::decode(&intents, &digest), Err(ManifestError::Damaged(reason)) if reason.contains("intent"))
    );
}

#[test]
fn an_intent_list_reads_back() {
    let list = IntentList { batches: (0..100).map(|n| BatchId::from_parts(n, n.into())).collect() };
    let (bytes, digest) = list.encode().unwrap();
    assert_eq!(IntentList::decode(&bytes, &digest).unwrap(), list);
    assert!(matches!(IntentList::decode(&bytes, "00"), Err(ManifestError::WrongDigest { .. })));
}

#[test]
fn hexadecimal_reads_back_and_nothing_else_passes() {
    #[derive(Serialize, Deserialize)]
    struct Holder(#[serde(with = "framing::hex")] Vec<u8>);
    let all: Vec<u8> = (0..=255).collect();
    let text = serde_json::to_string(&Holder(all.clone())).unwrap();
    assert_eq!(serde_json::from_str::<Holder>(&text).unwrap().0, all);
    for wrong in ["\"0\"", "\"0g\"", "\"é\"", "\"+1\""] {
        assert!(serde_json::from_str::<Holder>(wrong).is_err(), "{wrong}");
    }
}
