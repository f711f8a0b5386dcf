use std::fmt;

use serde::Serialize;

/// The invariants of ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// Every good record of a drop is in the table exactly once after its batch is committed; none of it is there if it is quarantined.
    #[serde(rename = "I-1")]
    RowsOnce,
    /// At most one sealed batch holds a drop's rows.
    #[serde(rename = "I-2")]
    OneHolder,
    /// A batch is committed at v only if commit v carries an intent that names it.
    #[serde(rename = "I-3")]
    CommittedByIntent,
    /// What was acknowledged is final.
    #[serde(rename = "I-4")]
    AcknowledgedIsFinal,
    /// A run is in at most one commit.
    #[serde(rename = "I-5")]
    RunOnce,
    /// Records read are rows committed and records quarantined; every commit is in the audit table exactly once.
    #[serde(rename = "I-6")]
    Balance,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::RowsOnce,
        Self::OneHolder,
        Self::CommittedByIntent,
        Self::AcknowledgedIsFinal,
        Self::RunOnce,
        Self::Balance,
    ];

    /// What holds where it holds, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RowsOnce => "each good record is in the table exactly once, and nothing of what is quarantined",
            Self::OneHolder => "no two sealed batches hold rows of one drop, and the one that does has its claim",
            Self::CommittedByIntent => "each committed batch is named by the intent of its commit",
            Self::AcknowledgedIsFinal => "each drop that was acknowledged is final",
            Self::RunOnce => "no batch is in two commits",
            Self::Balance => {
                "records read = rows + quarantined, which is kept, and the audit table has each commit once"
            }
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowsOnce => "I-1",
            Self::OneHolder => "I-2",
            Self::CommittedByIntent => "I-3",
            Self::AcknowledgedIsFinal => "I-4",
            Self::RunOnce => "I-5",
            Self::Balance => "I-6",
        })
    }
}

/// Something that contradicts an invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The invariant.
    pub invariant: Invariant,
    /// The drop, batch, commit or file.
    pub object: String,
    /// What was seen, and what should be.
    pub what: String,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pipelines of the table.
    pub pipelines: u64,
    /// Sealed batches.
    pub batches: u64,
    /// Of these, those that no commit has yet: their rows are in no table.
    pub staged: u64,
    /// Batches that were aborted.
    pub aborted: u64,
    /// Drops that sealed batches hold.
    pub drops: u64,
    /// Commits that carry an intent.
    pub commits: u64,
    /// Of these, those that are not settled yet: their batches count as staged until the next run.
    pub unsettled: u64,
    /// Live files of the table.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Rows that did not come from drops of ours: others wrote them.
    pub foreign_rows: u64,
    /// Commits of other writers that added or removed files, of those that the log still has.
    pub foreign_commits: u64,
    /// Rows of the audit table.
    pub audit_rows: u64,
}

/// How many findings are kept of each invariant; all are counted.
const KEPT: usize = 1_000;

/// What came of an audit.
#[must_use]
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// How much was looked at.
    pub counts: Counts,
    /// The first of what contradicts an invariant.
    pub findings: Vec<Finding>,
    /// How many there are in all.
    pub found: u64,
    /// What could not be looked at, and why.
    pub unchecked: Vec<String>,
}

impl Verdict {
    /// Whether every invariant holds as far as it could be seen.
    pub fn holds(&self) -> bool {
        self.found == 0
    }

    pub(crate) fn find(&mut self, invariant: Invariant, object: impl Into<String>, what: impl Into<String>) {
        self.found += 1;
        if self.findings.iter().filter(|finding| finding.invariant == invariant).count() < KEPT {
            self.findings.push(Finding { invariant, object: object.into(), what: what.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_kept_up_to_a_number_of_each_invariant_and_all_are_counted() {
        let mut verdict = Verdict::default();
        assert!(verdict.holds());
        for at in 0..KEPT + 5 {
            verdict.find(Invariant::RowsOnce, at.to_string(), "what");
        }
        verdict.find(Invariant::Balance, "the last", "what");
        assert_eq!((verdict.findings.len(), verdict.found), (KEPT + 1, KEPT as u64 + 6));
        assert_eq!(verdict.findings.last().map(|last| last.invariant), Some(Invariant::Balance));
        assert!(!verdict.holds());
    }

    #[test]
    fn each_invariant_has_a_name_and_a_sentence_of_its_own() {
        for (at, invariant) in Invariant::ALL.into_iter().enumerate() {
            assert_eq!(invariant.to_string(), format!("I-{}", at + 1));
            let others = Invariant::ALL.into_iter().filter(|other| *other != invariant);
            assert!(
                invariant.sentence().len() > 20
                    && others.into_iter().all(|other| other.sentence() != invariant.sentence())
            );
        }
    }
}
