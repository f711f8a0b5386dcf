//! The item `table#<table>` / `lease`: who compacts the table. It stays for ever, also while nobody holds it, so that its token never
//! repeats. The token tells the owner, so token, `held` and `expires` together are all that a lease can change in.

use drops::Timestamp;

use crate::{Lease, LeaseOutcome};

use super::condition::Condition;
use super::door::{Door, Waits, Written};
use super::failure::Failure;
use super::item::{Item, Key, flag_in, number, number_in, text, text_in};
use super::transaction::{Transacted, Write};

use aws_sdk_dynamodb::types::AttributeValue::Bool;

fn key(table: &str) -> Result<Key, Failure> {
    Key::new(format!("table#{table}"), "lease".to_owned())
}

fn item(table: &str, lease: &Lease, held: bool) -> Result<Item, Failure> {
    let mut item = key(table)?.into_item();
    item.extend([
        ("owner".to_owned(), text(&lease.owner)),
        ("token".to_owned(), number(lease.token)),
        ("expires".to_owned(), number(lease.expires.0)),
        ("held".to_owned(), Bool(held)),
    ]);
    Ok(item)
}

/// The lease as it was held last, and whether it still is.
fn parse(item: &Item) -> Result<(Lease, bool), Failure> {
    let lease = Lease {
        owner: text_in(item, "owner")?.to_owned(),
        token: number_in(item, "token")?,
        expires: Timestamp(number_in(item, "expires")?),
    };
    Ok((lease, flag_in(item, "held")?))
}

/// That a lease still stands as it was read.
fn unchanged(lease: &Lease, held: bool) -> Condition {
    Condition::All(vec![("token", number(lease.token)), ("expires", number(lease.expires.0)), ("held", Bool(held))])
}

/// That owner and token still hold it, renewed or not.
fn held_by(lease: &Lease) -> Condition {
    Condition::All(vec![("owner", text(&lease.owner)), ("token", number(lease.token)), ("held", Bool(true))])
}

/// See `Ledger::acquire_lease`: judges by what stands and writes on condition that it stands, until one of both gives the answer.
pub(super) async fn acquire(
    door: &Door,
    table: &str,
    owner: &str,
    expires: Timestamp,
    seen: Option<&Lease>,
) -> Result<LeaseOutcome, Failure> {
    let mut standing = door.get(key(table)?).await?;
    let mut waits = Waits::default();
    loop {
        let (token, condition) = match standing.as_ref().map(parse).transpose()? {
            None => (1, Condition::Absent),
            Some((lease, true)) if lease.owner == owner => (lease.token, unchanged(&lease, true)),
            Some((lease, true)) if seen != Some(&lease) => return Ok(LeaseOutcome::Held(lease)),
            Some((lease, held)) => (lease.token + 1, unchanged(&lease, held)),
        };
        let wanted = Lease { owner: owner.to_owned(), token, expires };
        match door.put(item(table, &wanted, true)?, condition).await? {
            Written::Done => return Ok(LeaseOutcome::Granted(wanted)),
            Written::Refused(item) => standing = item,
        }
        waits.next(Failure::passing("many ask for the same lease at this moment: try again")).await?;
    }
}

/// See `Ledger::renew_lease`. A transaction, though of one item: by its token, a try that was given up and arrives after the next renewal
/// does not shorten the lease again.
pub(super) async fn renew(door: &Door, table: &str, lease: &Lease, expires: Timestamp) -> Result<bool, Failure> {
    let renewed = Lease { expires, ..lease.clone() };
    match door.transact(vec![Write::Put(item(table, &renewed, true)?, held_by(lease))]).await? {
        Transacted::Done => Ok(true),
        Transacted::Refused(_) => Ok(false),
    }
}

/// See `Ledger::release_lease`.
pub(super) async fn release(door: &Door, table: &str, lease: &Lease) -> Result<(), Failure> {
    match door.put(item(table, lease, false)?, held_by(lease)).await? {
        Written::Done | Written::Refused(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_come_back() {
        let lease = Lease { owner: "é".to_owned(), token: u64::MAX, expires: Timestamp(i64::MIN) };
        for held in [true, false] {
            assert_eq!(parse(&item("t", &lease, held).unwrap()).unwrap(), (lease.clone(), held));
        }
    }
}
