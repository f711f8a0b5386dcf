//! What is done to the protocol: each a change of one place, or of few, in the words of ARCHITECTURE.md.

use super::tests_of::LAKE;

/// One change of the text of one file, with those that belong to it. Where `SABOTAGED` holds, which it does in its turn alone, the code does what
/// is wrong, else what it did: all are built at once.
pub struct Sabotage {
    /// Its name.
    pub name: &'static str,
    /// What it does to the protocol.
    pub what: &'static str,
    /// The file, below the checkout.
    pub file: &'static str,
    /// What stands there, once.
    pub find: &'static str,
    /// What is put in its place.
    pub replace: &'static str,
    /// Further changes that belong to it.
    pub also: &'static [Edit],
    /// Who is to see it.
    pub seen_by: SeenBy,
    /// The test that is expected to see it, where that is none of those that are tried first anyway.
    pub expected: Option<Test>,
}

/// A further change of the text of one file.
pub struct Edit {
    /// The file, below the checkout.
    pub file: &'static str,
    /// What stands there, once.
    pub find: &'static str,
    /// What is put in its place.
    pub replace: &'static str,
}

/// A test by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// The words that choose its binary.
    pub binary: &'static [&'static str],
    /// Its name there.
    pub name: &'static str,
    /// The file that it stands in.
    pub file: &'static str,
}

/// The tests that are to see a sabotage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    /// The simulation, or those of the ledger, ingest and the compactor.
    Protocol,
    /// Those of the ledgers, embedded and on DynamoDB.
    Ledger,
    /// Those of the Delta log, in folders and on S3.
    Log,
}

impl SeenBy {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Protocol, Self::Log, Self::Ledger];
}

/// A sabotage that changes nothing: what the others have where they say nothing else.
pub const PLAIN: Sabotage = Sabotage {
    name: "",
    what: "",
    file: "",
    find: "",
    replace: "",
    also: &[],
    seen_by: SeenBy::Protocol,
    expected: None,
};

const SHIFT: &str = "functions/ingest/src/receive/shift.rs";
const FATE: &str = "functions/ingest/src/receive/fate.rs";
const INGEST: &str = "functions/ingest/src/lib.rs";
const JUDGE: &str = "functions/ingest/src/judge.rs";
const STAGE: &str = "functions/ingest/src/stage.rs";
const COMMIT: &str = "functions/compactor/src/commit.rs";
const SETTLE: &str = "functions/compactor/src/settle.rs";
const RECOVER: &str = "functions/compactor/src/recover.rs";
const COMPACT: &str = "functions/compactor/src/lib.rs";
const AUDIT: &str = "functions/compactor/src/audit.rs";
const LAND: &str = "functions/compactor/src/upkeep/land.rs";
const LEFTOVERS: &str = "functions/compactor/src/upkeep/leftovers.rs";
const MEMORY: &str = "shared/ledger/src/memory/records.rs";
const EMBEDDED: &str = "shared/ledger/src/embedded/batches.rs";
const LOG: &str = "shared/lake/src/delta.rs";
const LOG_IN_FOLDERS: &str = "shared/lake/src/files/local.rs";
const LOG_ON_S3: &str = "shared/lake/src/files/s3.rs";

const fn of_dynamodb(name: &'static str, file: &'static str) -> Option<Test> {
    Some(Test { binary: &["--workspace", "--test", "dynamodb"], name, file })
}

const fn of_the_log(name: &'static str, file: &'static str) -> Option<Test> {
    Some(Test { binary: &LAKE, name, file })
}

const fn of_the_log_on_s3(name: &'static str) -> Option<Test> {
    Some(Test { binary: &["--workspace", "--test", "s3"], name, file: "shared/lake/tests/s3/main.rs" })
}

const SLEPT: Option<Test> = of_the_log(
    "delta::tests::remote::a_commit_of_who_slept_until_the_log_was_cleaned_up_beyond_it_is_no_commit",
    "shared/lake/src/delta/tests/remote.rs",
);

/// A condition that everything meets.
const ANYTHING: [Edit; 2] = [
    Edit {
        file: "shared/ledger/src/dynamodb/condition.rs",
        find: "    /// An item, whatever it says.\n    Present,",
        replace: "    /// An item, whatever it says.\n    Present,\n    /// Whatever there is.\n    Anything,",
    },
    Edit {
        file: "shared/ledger/src/dynamodb/condition.rs",
        find: "            Self::Present => (",
        replace: "            Self::Anything => (\"attribute_not_exists(pk) OR attribute_exists(pk)\".to_owned(), Vec::new()),\n            Self::Present => (",
    },
];

const ON_DYNAMODB: &str = "shared/ledger/src/dynamodb/batches.rs";
const CLAIMS_ON_DYNAMODB: &str = "shared/ledger/src/dynamodb/claims.rs";
const LANES: &str = "functions/ingest/src/receive/lanes.rs";

/// All of them.
pub const SABOTAGES: &[Sabotage] = &[
    Sabotage {
        name: "seal-without-the-condition",
        what: "a seal overwrites the word that its batch is void",
        file: MEMORY,
        find: "            BatchRecord::Aborted | BatchRecord::GivenUp => Ok(SealOutcome::Void),\n",
        replace: "            BatchRecord::Aborted | BatchRecord::GivenUp if SABOTAGED => { self.batches.insert(id, new()); Ok(SealOutcome::Sealed) }\n            BatchRecord::Aborted | BatchRecord::GivenUp => Ok(SealOutcome::Void),\n",
        ..PLAIN
    },
    Sabotage {
        name: "take-over-unconditionally",
        what: "a take-over is granted whoever holds the claim by now",
        file: MEMORY,
        find: "(Some(standing), Expected::HeldBy(batch)) => standing.batch == *batch,",
        replace: "(Some(standing), Expected::HeldBy(batch)) => SABOTAGED || standing.batch == *batch,",
        ..PLAIN
    },
    Sabotage {
        name: "acknowledge-before-the-seal",
        what: "drops of a batch that failed are acknowledged",
        file: SHIFT,
        find: r#"ids.iter().for_each(|id| self.again(id, Wait::BackOff, "its batch failed"));"#,
        replace: r#"ids.iter().for_each(|id| if SABOTAGED { self.decide(id, Fate::Staged) } else { self.again(id, Wait::BackOff, "its batch failed") });"#,
        ..PLAIN
    },
    Sabotage {
        name: "acknowledge-left-out-drops",
        what: "whatever a sealed batch claimed is taken for held",
        file: SHIFT,
        find: "for id in ids.iter().filter(|id| !left_out.contains(id)) {",
        replace: "for id in ids.iter().filter(|id| SABOTAGED || !left_out.contains(id)) {",
        ..PLAIN
    },
    Sabotage {
        name: "acknowledge-what-others-work-on",
        what: "a drop that another invocation works on is acknowledged",
        file: SHIFT,
        find: r#"self.again(&object.id, Wait::BackOff, &format!("invocation {holder} works on it"));"#,
        replace: r#"if SABOTAGED { self.decide(&object.id, Fate::Duplicate) } else { self.again(&object.id, Wait::BackOff, &format!("invocation {holder} works on it")) }"#,
        ..PLAIN
    },
    Sabotage {
        name: "forget-what-the-other-queue-refused",
        what: "a large drop is acknowledged though the other queue did not take it",
        file: FATE,
        find: "Self::Large | Self::NotUnderstood(_) => Some(Wait::BackOff),",
        replace: "Self::Large if SABOTAGED => None,\n            Self::Large | Self::NotUnderstood(_) => Some(Wait::BackOff),",
        ..PLAIN
    },
    Sabotage {
        name: "drop-the-last-partial-batch",
        what: "the last batch of an invocation is not begun",
        file: SHIFT,
        find: "    cut\n}",
        replace: "    if SABOTAGED && (cut.len() > 1 || cut.last().is_some_and(|last| last.len() > 1)) { cut.pop(); }\n    cut\n}",
        ..PLAIN
    },
    Sabotage {
        name: "take-over-a-young-claim",
        what: "a claim whose batch has no record is aborted, however young it is",
        file: JUDGE,
        find: "            None if !self.is_dead(claim) => {",
        replace: "            None if !SABOTAGED && !self.is_dead(claim) => {",
        ..PLAIN
    },
    Sabotage {
        name: "take-over-without-abort",
        what: "an old claim is taken over, its batch left as it is",
        file: JUDGE,
        find: "            None => match self.ledger.abort(&self.settings.pipeline, claim.batch).await? {",
        replace: "            None if SABOTAGED => Verdict::Aborted,\n            None => match self.ledger.abort(&self.settings.pipeline, claim.batch).await? {",
        ..PLAIN
    },
    Sabotage {
        name: "lost-abort-means-duplicate",
        what: "who loses against a seal takes the drop for done, held or not",
        file: JUDGE,
        find: "                AbortOutcome::Stands(record) => self.manifests.verdict_of(claim.batch, &record).await?,",
        replace: "                AbortOutcome::Stands(_) if SABOTAGED => return Ok(Standing::Final { quarantined: false, changed: false }),\n                AbortOutcome::Stands(record) => self.manifests.verdict_of(claim.batch, &record).await?,",
        expected: Some(Test {
            binary: &["--workspace", "--lib"],
            name: "receive::tests::deaths::what_a_batch_left_out_that_was_sealed_before_it_could_be_aborted_is_open",
            file: "functions/ingest/src/receive/tests/deaths.rs",
        }),
        ..PLAIN
    },
    Sabotage {
        name: "judge-by-the-seal-alone",
        what: "a drop is a duplicate if the batch that claimed it was sealed, whether it holds it or not",
        file: JUDGE,
        find: "                None => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),\n                Some(held)",
        replace: "                None if SABOTAGED => Standing::Final { quarantined: false, changed: false },\n                None => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),\n                Some(held)",
        ..PLAIN
    },
    Sabotage {
        name: "count-what-was-given-up-as-deaths",
        what: "a batch that its own holder gave up speaks against its drops",
        file: JUDGE,
        find: "            Verdict::GivenUp => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),",
        replace: "            Verdict::GivenUp if SABOTAGED => Standing::Open(self.after_abort(object, claim)),\n            Verdict::GivenUp => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),",
        ..PLAIN
    },
    Sabotage {
        name: "keep-the-rows-of-a-drop-that-was-left-out",
        what: "rows of a drop that was read in part stay in the run",
        file: STAGE,
        find: "        self.rows.truncate(current.mark);\n",
        replace: "        if !SABOTAGED { self.rows.truncate(current.mark); }\n",
        ..PLAIN
    },
    Sabotage {
        name: "lose-a-record-that-cannot-be-read",
        what: "the second record of a drop, where it cannot be read, is neither counted nor kept",
        file: STAGE,
        find: "faults.push(BadRecord { row, span: span.clone(), fault });",
        replace: "if !SABOTAGED || row != 1 { faults.push(BadRecord { row, span: span.clone(), fault }); }",
        ..PLAIN
    },
    Sabotage {
        name: "claim-with-another-ledger",
        what: "ingest claims though the ledger is not the one that the pipeline was opened with",
        file: LANES,
        find: "if fixed.ledger != self.identity(clock).await? {",
        replace: "if fixed.ledger != self.identity(clock).await? && !SABOTAGED {",
        ..PLAIN
    },
    Sabotage {
        name: "leave-claims-that-failed",
        what: "claiming that failed leaves its claims as they are, to look like a death",
        file: INGEST,
        find: "                // Some may have been granted: nobody is to wait for this batch, nor to take it for dead.\n                self.give_up(id).await;\n",
        replace: "                if !SABOTAGED {\n                    self.give_up(id).await;\n                }\n",
        ..PLAIN
    },
    Sabotage {
        name: "judge-by-left-out",
        what: "a drop is a duplicate unless the list of what its batch left out names it, and a claim whose answer was lost is in no list",
        file: JUDGE,
        find: "                None => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),\n                Some(held)",
        replace: r#"                None if SABOTAGED => {
                    let list = self.state.get(&format!("left-out/{}", claim.batch)).await.unwrap_or_default();
                    let named = String::from_utf8_lossy(&list).lines().any(|line| line == object.id.to_string());
                    match named {
                        true => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),
                        false => Standing::Final { quarantined: false, changed: false },
                    }
                }
                None => Standing::Open(Right::fresh(Expected::HeldBy(claim.batch))),
                Some(held)"#,
        also: &[
            Edit {
                file: INGEST,
                find: "        let outcomes = match self.ledger.claim(&wanted).await {",
                replace: r#"        let claimed = if SABOTAGED {
            let mut answers = Vec::with_capacity(wanted.len());
            for one in &wanted {
                answers.push(match self.ledger.claim(std::slice::from_ref(one)).await {
                    Ok(mut answer) => answer.remove(0),
                    Err(_) => ClaimOutcome::Held(one.2.clone()),
                });
            }
            Ok(answers)
        } else {
            self.ledger.claim(&wanted).await
        };
        let outcomes = match claimed {"#,
            },
            Edit {
                file: INGEST,
                find: "        let address = Manifest::address_of(&self.settings.pipeline, id);\n        self.state.put(&address, content).await?;",
                replace: r#"        if SABOTAGED {
            let list: Vec<String> = outcome.left_out.iter().map(|(candidate, _)| candidate.object.id.to_string()).collect();
            self.state.put(&format!("left-out/{id}"), list.join("\n").into_bytes().into()).await?;
        }
        let address = Manifest::address_of(&self.settings.pipeline, id);
        self.state.put(&address, content).await?;"#,
            },
        ],
        ..PLAIN
    },
    Sabotage {
        name: "trust-an-error-as-no-commit",
        what: "a commit whose answer was lost is taken for one that did not land, and its files are deleted",
        file: COMMIT,
        find: "                Err(e) => last = e.to_string(),\n            }\n            match self.parts.lake",
        replace: "                Err(_) if SABOTAGED => return Ok(None),\n                Err(e) => last = e.to_string(),\n            }\n            match self.parts.lake",
        ..PLAIN
    },
    Sabotage {
        name: "trust-an-error-as-a-commit",
        what: "a commit whose answer was lost is taken for one that landed",
        file: COMMIT,
        find: "                Err(e) => last = e.to_string(),\n            }\n            match self.parts.lake",
        replace: "                Err(_) if SABOTAGED => return Ok(Some(version)),\n                Err(e) => last = e.to_string(),\n            }\n            match self.parts.lake",
        ..PLAIN
    },
    Sabotage {
        name: "reuse-a-number",
        what: "an intent takes the number after the log's, though another intent has it",
        file: COMMIT,
        find: "if self.parts.ledger.reserve_intent(&self.settings.pipeline, &intent).await? {",
        replace: "if self.parts.ledger.reserve_intent(&self.settings.pipeline, &intent).await? || SABOTAGED {",
        ..PLAIN
    },
    Sabotage {
        name: "step-over-our-own",
        what: "a commit of another intent of this pipeline is stepped over like a stranger's",
        file: COMMIT,
        find: "                    Some(_) => return Ok(None),\n",
        replace: "                    Some(_) if SABOTAGED => version += 1,\n                    Some(_) => return Ok(None),\n",
        ..PLAIN
    },
    Sabotage {
        name: "write-over-a-foreign-schema",
        what: "a commit goes on after another writer changed the table",
        file: COMMIT,
        find: "                    None if stands.changes_table => return Ok(None),\n",
        replace: "                    None if stands.changes_table && !SABOTAGED => return Ok(None),\n",
        ..PLAIN
    },
    Sabotage {
        name: "settle-before-the-audit-rows",
        what: "batches are marked and head moves before the audit table has the accounting",
        file: SETTLE,
        find: "        self.append_audit(intent, version, &batches).await?;\n        self.parts.ledger.mark_committed(&batches, version).await?;\n        let _already_there = self.parts.ledger.move_head(&self.settings.pipeline, intent.number).await?;\n",
        replace: "        if !SABOTAGED {\n            self.append_audit(intent, version, &batches).await?;\n        }\n        self.parts.ledger.mark_committed(&batches, version).await?;\n        let _already_there = self.parts.ledger.move_head(&self.settings.pipeline, intent.number).await?;\n        if SABOTAGED {\n            self.append_audit(intent, version, &batches).await?;\n        }\n",
        ..PLAIN
    },
    Sabotage {
        name: "append-audit-rows-twice",
        what: "the audit table's own number is not looked at",
        file: AUDIT,
        find: "if holds.is_some_and(|number| number >= intent.number) {",
        replace: "if holds.is_some_and(|number| number >= intent.number && !(SABOTAGED && attempt == 0)) {",
        ..PLAIN
    },
    Sabotage {
        name: "delete-audit-rows-of-a-commit-sent-twice",
        what: "a version of the audit table that is taken is another's",
        file: AUDIT,
        find: "Ok(CommitOutcome::Taken) => unsure |= !self.is_anothers(next, &path).await,",
        replace: "Ok(CommitOutcome::Taken) if SABOTAGED => unsure |= self.is_anothers(next, &path).await && false,\n                Ok(CommitOutcome::Taken) => unsure |= !self.is_anothers(next, &path).await,",
        ..PLAIN
    },
    Sabotage {
        name: "settle-without-reading-the-log",
        what: "recovery takes the ledger's word for what is in the table",
        file: RECOVER,
        find: "        for intent in self.unsettled(self.txn(&head)).await? {\n",
        replace: "        let unsettled = if SABOTAGED { Vec::new() } else { self.unsettled(self.txn(&head)).await? };\n        for intent in unsettled {\n",
        ..PLAIN
    },
    Sabotage {
        name: "recover-the-last-commit-only",
        what: "of several commits that were not settled only the newest is",
        file: RECOVER,
        find: "for (intent, version) in chain.iter().rev() {",
        replace: "for (intent, version) in chain.iter().take(if SABOTAGED { 1 } else { chain.len() }).rev() {",
        ..PLAIN
    },
    Sabotage {
        name: "list-before-recovery",
        what: "the batches are chosen before recovery: some of them are in the table already",
        file: COMPACT,
        find: "            let head = self.recover().await?;\n            self.check_table_id(&head.table_id, &fixed)?;\n            let chosen = self.choose(trigger, until).await?;\n",
        replace: "            let early = if SABOTAGED { Some(self.choose(trigger, until).await?) } else { None };\n            let head = self.recover().await?;\n            self.check_table_id(&head.table_id, &fixed)?;\n            let chosen = match early {\n                Some(early) => early,\n                None => self.choose(trigger, until).await?,\n            };\n",
        ..PLAIN
    },
    Sabotage {
        name: "compact-a-file-that-is-not-live",
        what: "a rewrite goes on after another commit removed one of its files",
        file: LAND,
        find: "if names_one || stands.changes_table || stands.txns.contains_key(UPKEEP_APP_ID) {",
        replace: "if stands.changes_table || (!SABOTAGED && (names_one || stands.txns.contains_key(UPKEEP_APP_ID))) {",
        ..PLAIN
    },
    Sabotage {
        name: "delete-runs-by-age",
        what: "runs of batches that are staged are swept like those of the dead",
        file: LEFTOVERS,
        find: "            None | Some(BatchRecord::Staged(_)) => Needed::All,",
        replace: "            Some(BatchRecord::Staged(_)) if SABOTAGED => Needed::Manifest,\n            None | Some(BatchRecord::Staged(_)) => Needed::All,",
        ..PLAIN
    },
    Sabotage {
        name: "settle-without-commit",
        what: "batches are settled before their commit has landed",
        file: COMPACT,
        find: "            let Some(version) = self.commit(&head, &intent, &merged).await? else {",
        replace: "            if SABOTAGED {\n                self.settle(&intent, head.version + 1).await?;\n            }\n            let Some(version) = self.commit(&head, &intent, &merged).await? else {",
        ..PLAIN
    },
    Sabotage {
        name: "put-a-commit-over-what-stands-on-disk",
        what: "a commit in a folder takes its version's name whether it is free or not",
        file: LOG_IN_FOLDERS,
        find: "fs::hard_link(&temporary, &target)",
        replace: "if SABOTAGED { fs::rename(&temporary, &target) } else { fs::hard_link(&temporary, &target) }",
        seen_by: SeenBy::Log,
        expected: of_the_log("files::local::tests::a_name_is_put_once_and_leaves_nothing_behind", LOG_IN_FOLDERS),
        ..PLAIN
    },
    Sabotage {
        name: "look-before-a-commit-on-disk",
        what: "a commit in a folder looks whether its version's name is free, and then takes it",
        file: LOG_IN_FOLDERS,
        find: "fs::hard_link(&temporary, &target)",
        replace: "if SABOTAGED && !target.exists() { fs::rename(&temporary, &target) } else { fs::hard_link(&temporary, &target) }",
        seen_by: SeenBy::Log,
        expected: of_the_log("files::local::tests::of_many_writers_one_wins_and_its_bytes_stand", LOG_IN_FOLDERS),
        ..PLAIN
    },
    Sabotage {
        name: "take-anothers-commit-on-disk-for-ours",
        what: "of a version in a folder that is taken it is said that our commit landed there",
        file: LOG_IN_FOLDERS,
        find: "Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::Exists),",
        replace: "Err(error) if SABOTAGED && error.kind() == ErrorKind::AlreadyExists => Ok(Put::Done),\n            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::Exists),",
        seen_by: SeenBy::Log,
        expected: of_the_log("files::local::tests::a_name_is_put_once_and_leaves_nothing_behind", LOG_IN_FOLDERS),
        ..PLAIN
    },
    Sabotage {
        name: "trust-a-put-below-a-cleaned-log",
        what: "a commit that was written where the log was cleaned up beyond it is said to have landed",
        file: LOG,
        find: "Put::Done if self.goes_through(version, commit)? =>",
        replace: "Put::Done if SABOTAGED || self.goes_through(version, commit)? =>",
        seen_by: SeenBy::Log,
        expected: SLEPT,
        ..PLAIN
    },
    Sabotage {
        name: "trust-a-higher-number",
        what: "a higher number than the commit's is taken for proof that it landed",
        file: LOG,
        find: "Some(txn) if txn > commit.txn => Err(self.passing(",
        replace: "Some(txn) if SABOTAGED && txn > commit.txn => Ok(true),\n            Some(txn) if txn > commit.txn => Err(self.passing(",
        seen_by: SeenBy::Log,
        expected: of_the_log(
            "delta::tests::a_commit_below_a_cleaned_log_is_no_commit",
            "shared/lake/src/delta/tests.rs",
        ),
        ..PLAIN
    },
    Sabotage {
        name: "leave-a-commit-that-came-too-late",
        what: "a commit that is in no version of the table is left in its log",
        file: LOG,
        find: "let removed = self.files.remove(&commit_name(version));",
        replace: "let removed = if SABOTAGED { Ok(()) } else { self.files.remove(&commit_name(version)) };",
        seen_by: SeenBy::Log,
        expected: SLEPT,
        ..PLAIN
    },
    Sabotage {
        name: "put-a-commit-over-what-stands-on-s3",
        what: "a commit on S3 is put without the condition",
        file: LOG_ON_S3,
        find: "PutMode::Create.into()",
        replace: "if SABOTAGED { PutMode::Overwrite.into() } else { PutMode::Create.into() }",
        seen_by: SeenBy::Log,
        expected: of_the_log_on_s3("of_six_writers_of_one_version_one_lands"),
        ..PLAIN
    },
    Sabotage {
        name: "take-a-conflict-for-a-commit",
        what: "that others write a version on S3 just now is taken for their commit",
        file: LOG_ON_S3,
        find: "Err(Error::AlreadyExists { source, .. }) if is_taken(source.as_ref()) => return Ok(Put::Exists),",
        replace: "Err(Error::AlreadyExists { .. }) if SABOTAGED => return Ok(Put::Exists),\n                    Err(Error::AlreadyExists { source, .. }) if is_taken(source.as_ref()) => return Ok(Put::Exists),",
        seen_by: SeenBy::Log,
        expected: of_the_log_on_s3("a_conflict_is_no_commit"),
        ..PLAIN
    },
    Sabotage {
        name: "seal-on-disk-without-the-condition",
        what: "the embedded ledger says of an aborted batch that it is sealed",
        file: EMBEDDED,
        find: "Some(BatchRecord::Aborted | BatchRecord::GivenUp) => return Ok(SealOutcome::Void),",
        replace: "Some(BatchRecord::Aborted | BatchRecord::GivenUp) if SABOTAGED => return Ok(SealOutcome::Sealed),\n        Some(BatchRecord::Aborted | BatchRecord::GivenUp) => return Ok(SealOutcome::Void),",
        seen_by: SeenBy::Ledger,
        expected: of_dynamodb("history::answers_are_those_of_the_model", "shared/ledger/tests/dynamodb/history.rs"),
        ..PLAIN
    },
    Sabotage {
        name: "seal-on-dynamodb-without-the-condition",
        what: "a seal in DynamoDB overwrites whatever record its batch has",
        file: ON_DYNAMODB,
        find: "Write::Put(record, Condition::Absent), Write::Put(entry",
        replace: "Write::Put(record, if SABOTAGED { Condition::Anything } else { Condition::Absent }), Write::Put(entry",
        also: &ANYTHING,
        seen_by: SeenBy::Ledger,
        expected: of_dynamodb(
            "faults::a_lost_answer_to_a_seal_is_judged_by_what_stands",
            "shared/ledger/tests/dynamodb/faults.rs",
        ),
    },
    Sabotage {
        name: "abort-on-dynamodb-without-the-condition",
        what: "an abort in DynamoDB overwrites whatever record its batch has",
        file: ON_DYNAMODB,
        find: "door.put(item(id, pipeline, void)?, Condition::Absent)",
        replace: "door.put(item(id, pipeline, void)?, if SABOTAGED { Condition::Anything } else { Condition::Absent })",
        also: &ANYTHING,
        seen_by: SeenBy::Ledger,
        expected: of_dynamodb(
            "faults::one_wins_each_race_whatever_gets_lost_or_comes_late",
            "shared/ledger/tests/dynamodb/faults.rs",
        ),
    },
    Sabotage {
        name: "take-over-on-dynamodb-without-the-condition",
        what: "a take-over in DynamoDB is granted whoever holds the claim by now",
        file: CLAIMS_ON_DYNAMODB,
        find: r#"Expected::HeldBy(batch) => Condition::is("batch", text(batch.to_string())),"#,
        replace: "Expected::HeldBy(_) if SABOTAGED => Condition::Anything,\n        Expected::HeldBy(batch) => Condition::is(\"batch\", text(batch.to_string())),",
        also: &ANYTHING,
        seen_by: SeenBy::Ledger,
        expected: of_dynamodb("holds_the_contract", "shared/ledger/tests/dynamodb/main.rs"),
    },
    Sabotage {
        name: "claim-on-dynamodb-without-the-condition",
        what: "a first claim in DynamoDB is granted whoever holds one",
        file: CLAIMS_ON_DYNAMODB,
        find: "Expected::Absent => Condition::Absent,",
        replace: "Expected::Absent if SABOTAGED => Condition::Anything,\n        Expected::Absent => Condition::Absent,",
        also: &ANYTHING,
        seen_by: SeenBy::Ledger,
        expected: of_dynamodb(
            "faults::a_thousand_drops_are_granted_once_each",
            "shared/ledger/tests/dynamodb/faults.rs",
        ),
    },
];
