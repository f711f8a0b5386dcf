//! What is demanded: the auditor finds nothing; and once it has healed, the table holds what suppliers gave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auditor::{Subject, audit};
use drops::{BatchId, DropId, Timestamp};
use runs::Fate;
use tokio::runtime::Builder;

use super::World;
use super::holdings::Held;
use super::reader::{Moments, Rows};
use crate::doubles::{Content, Notified};

impl World {
    /// Asks the auditor, of all that was acknowledged.
    pub fn audit(&self) {
        let subject = Subject {
            ledger: Arc::new(self.ledger.clone()),
            lake: Arc::new(self.table.clone()),
            audit: Arc::new(self.audit.clone()),
            state: Arc::new(self.state.clone()),
            table_store: Arc::new(self.files.clone()),
            audit_store: Arc::new(self.audit_files.clone()),
        };
        let verdict = Builder::new_current_thread()
            .build()
            .map_err(|e| e.to_string())
            .and_then(|runtime| runtime.block_on(audit(&subject, &self.acknowledged())).map_err(|e| e.to_string()));
        match verdict {
            Err(why) => self.violation("the auditor can judge", why),
            Ok(verdict) => {
                for what in verdict.unchecked {
                    self.violation("the auditor sees everything", what);
                }
                for finding in verdict.findings {
                    self.violation(finding.invariant.to_string(), format!("{}: {}", finding.object, finding.what));
                }
            }
        }
    }

    /// What must hold after [`World::heal`]: everything final, everything settled, and the rows that suppliers gave.
    pub fn judge_healed(&self) {
        self.audit();
        let (seen, held) = match (self.seen(), self.held()) {
            (Ok(seen), Ok(held)) => (seen, held),
            (Err(why), _) | (_, Err(why)) => return self.violation("L-1", why),
        };
        let rows = seen.rows;
        self.judge_batches(&seen.moments, &held);
        for notified in self.all_notified() {
            if let Some(why) = self.lacks(&notified, &rows, &held) {
                self.violation("L-1", format!("{} ({}): {why}", notified.key, notified.etag));
            }
        }
        if let Some(((key, version), _)) = held.iter().find(|(_, all)| all.iter().any(|one| !one.committed)) {
            self.violation("L-1", format!("{key} ({version}) is held by a batch that is not committed"));
        }
    }

    /// All rows of a batch say one moment, between its beginning and its seal.
    fn judge_batches(&self, moments: &Moments, held: &BTreeMap<(String, String), Vec<Held>>) {
        let mut of_batches: BTreeMap<BatchId, (Timestamp, BTreeSet<i64>)> = BTreeMap::new();
        for (place, all) in held {
            for one in all.iter().filter(|one| one.fate == Fate::Ingested) {
                let (_, said) = of_batches.entry(one.batch).or_insert_with(|| (one.sealed, BTreeSet::new()));
                said.extend(moments.get(place).into_iter().flatten());
            }
        }
        for (batch, (sealed, said)) in of_batches {
            let worked = i64::try_from(batch.milliseconds()).unwrap_or(i64::MAX).saturating_mul(1_000)..=sealed.0;
            if said.len() > 1 || said.iter().any(|moment| !worked.contains(moment)) {
                let what = format!("rows of batch {batch}, at work in {worked:?}, say {said:?}");
                self.violation("a row says when its batch was ingested", what);
            }
        }
    }

    /// Why a drop of which S3 told is not as it must be.
    fn lacks(&self, notified: &Notified, rows: &Rows, held: &BTreeMap<(String, String), Vec<Held>>) -> Option<String> {
        let Notified { key, etag, version } = notified;
        if !self.bucket.stands(notified) {
            return None;
        }
        let Some(version) = version else { return self.lacks_key(notified, rows, held) };
        let content = self.bucket.content(key, etag)?;
        let place = (key.clone(), version.clone());
        match held.get(&place).and_then(|all| all.last()) {
            None => Some("no sealed batch holds it".to_owned()),
            Some(Held { fate: Fate::Quarantined { reason }, .. }) => {
                self.wrongly_quarantined(&self.identity(notified), etag, &content, reason)
            }
            Some(_) => rows_differ(rows, &place, &content.good),
        }
    }

    /// The same where a key is one drop, whatever is put there: one of its contents, the first that could be read. Where it was deleted and
    /// its versions stand, none of them is the one that must be held.
    fn lacks_key(
        &self,
        notified: &Notified,
        rows: &Rows,
        held: &BTreeMap<(String, String), Vec<Held>>,
    ) -> Option<String> {
        let key = notified.key.as_str();
        let current = self.bucket.current(key);
        let of_key = || held.iter().filter(|((held_key, _), _)| held_key == key);
        let ingested: Vec<&String> = of_key()
            .filter(|(_, all)| all.iter().any(|one| one.fate == Fate::Ingested))
            .map(|((_, version), _)| version)
            .collect();
        match ingested.as_slice() {
            [one] => {
                let content = self.bucket.content(key, one)?;
                rows_differ(rows, &(key.to_owned(), (*one).clone()), &content.good)
            }
            [] => {
                let is_meant = |version: &String| current.as_ref().is_none_or(|current| current == version);
                let mut last = of_key().filter(|((_, version), _)| is_meant(version));
                match last.next_back().and_then(|((_, version), all)| all.last().map(|one| (version, &one.fate))) {
                    Some((version, Fate::Quarantined { reason })) => {
                        let content = self.bucket.content(key, version)?;
                        self.wrongly_quarantined(&self.identity(notified), version, &content, reason)
                    }
                    _ => Some("no sealed batch holds what stands there".to_owned()),
                }
            }
            several => Some(format!("several of its contents are held: {several:?}")),
        }
    }

    /// Why a content must not be quarantined. One whose own batches died may be: that it was not its fault cannot be known.
    fn wrongly_quarantined(&self, drop: &DropId, etag: &str, content: &Content, reason: &str) -> Option<String> {
        let may_be = content.unreadable || content.deadly || reason.contains("died") && self.may_be_deadly(drop, etag);
        (!may_be).then(|| format!("it is quarantined: {reason}"))
    }
}

fn rows_differ(rows: &Rows, place: &(String, String), good: &[i64]) -> Option<String> {
    let found = rows.get(place).map_or(&[][..], Vec::as_slice);
    (found != good).then(|| format!("the table has the rows {found:?} of {good:?}"))
}
