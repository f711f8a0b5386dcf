//! The services of AWS that a process works with.

use super::{
    DEFAULT_LARGE_DROP_SIZE, Given, Origin, RawAws, RawSettings, SettingError, address,
    values::{self, Errors},
};

/// The ledger and the queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// The ledger's table in DynamoDB.
    pub ledger: String,
    /// The queues; absent where nothing is received (the command line).
    pub queues: Option<Queues>,
}

/// Where messages come from and go to. Addresses of SQS queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Notifications come through it.
    pub queue: String,
    /// Drops of [`Queues::large_drop_size`] and more go through it; absent where all are ingested alike.
    pub large_queue: Option<String>,
    /// What cannot be understood goes there; absent where SQS alone moves messages there, after their receives.
    pub dead_letter_queue: Option<String>,
    /// From how many bytes on a drop is large.
    pub large_drop_size: u64,
}

/// What a queue's setting came to: right, absent, or wrong.
type Checked = Result<Option<String>, ()>;

/// Checks the services. Absent is right for a process that works on folders.
pub(super) fn check(raw: &RawSettings, errors: &mut Errors) -> Option<Aws> {
    let RawAws { ledger, queue, large_queue, dead_letter_queue, .. } = &raw.aws;
    let ledger = checked(ledger.as_ref(), "ledger", address::dynamodb_table, errors);
    let queue = checked(queue.as_ref(), "queue", address::queue, errors);
    let large = checked(large_queue.as_ref(), "large_queue", address::queue, errors);
    let dead = checked(dead_letter_queue.as_ref(), "dead_letter_queue", address::queue, errors);
    let large_drop_size = match &raw.aws.large_drop_size {
        None => Some(DEFAULT_LARGE_DROP_SIZE),
        Some(given) => values::size(given, "large_drop_size", errors),
    };
    if let Origin::Object { .. } = raw.origin {
        // Functions work with nothing else.
        for (setting, given, what) in [("ledger", &ledger, "dynamodb://NAME"), ("queue", &queue, "the queue's URL")] {
            if *given == Ok(None) {
                errors.push(SettingError::new(&raw.origin, setting, format!("is missing: write {what}")));
            }
        }
    }
    apart(&raw.aws, errors);
    let queues = match (queue, large, dead, large_drop_size) {
        (Ok(Some(queue)), Ok(large_queue), Ok(dead_letter_queue), Some(large_drop_size)) => {
            Some(Queues { queue, large_queue, dead_letter_queue, large_drop_size })
        }
        _ => None,
    };
    Some(Aws { ledger: ledger.ok()??, queues })
}

fn checked(
    given: Option<&Given<String>>,
    setting: &str,
    parse: fn(&str) -> Result<String, String>,
    errors: &mut Errors,
) -> Checked {
    let Some(given) = given else { return Ok(None) };
    parse(&given.value).map(Some).map_err(|problem| errors.push(SettingError::new(&given.origin, setting, problem)))
}

/// A message that is sent to the queue it came from would go round for ever.
fn apart(raw: &RawAws, errors: &mut Errors) {
    let named =
        [("queue", &raw.queue), ("large_queue", &raw.large_queue), ("dead_letter_queue", &raw.dead_letter_queue)];
    for (at, (setting, given)) in named.iter().enumerate() {
        let Some(given) = given else { continue };
        let same = named[..at].iter().find(|(_, other)| other.as_ref().is_some_and(|other| other.value == given.value));
        if let Some((other, _)) = same {
            errors.push(SettingError::new(&given.origin, setting, format!("is the {other} as well: name another one")));
        }
    }
}
