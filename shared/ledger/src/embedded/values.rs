//! How identities and numbers lie in the file: a batch id as its 16 bytes, so that blobs sort as ids do; SQLite's integers are signed.

use drops::BatchId;
use ulid::Ulid;

use super::failure::Failure;

/// A batch id as it is stored.
pub(super) type IdBytes = [u8; 16];

/// The bytes of a batch id.
pub(super) fn id_bytes(id: BatchId) -> Result<IdBytes, Failure> {
    Ulid::from_string(&id.to_string())
        .map(|ulid| ulid.to_bytes())
        .map_err(|e| Failure::lasting(format!("'{id}' is no batch id: {e}")))
}

/// The batch id with these bytes.
pub(super) fn id_of(bytes: IdBytes) -> BatchId {
    let number = u128::from_be_bytes(bytes);
    // The time is the upper 48 bits, `from_parts` drops what is above the lower 80 of the rest.
    BatchId::from_parts((number >> 80) as u64, number)
}

/// A number as SQLite stores it.
pub(super) fn stored(number: u64) -> Result<i64, Failure> {
    i64::try_from(number)
        .map_err(|_| Failure::lasting(format!("the number {number} is too large: at most {}", i64::MAX)))
}

/// A number that SQLite stored.
pub(super) fn counted(stored: i64) -> Result<u64, Failure> {
    u64::try_from(stored)
        .map_err(|_| Failure::lasting(format!("a record in it has the number {stored}: restore the file from a copy")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_come_back_and_their_bytes_sort_as_they_do(a in (0..1_u64 << 48, any::<u128>()), b in (0..1_u64 << 48, any::<u128>())) {
            let (a, b) = (BatchId::from_parts(a.0, a.1), BatchId::from_parts(b.0, b.1));
            let (x, y) = (id_bytes(a).unwrap(), id_bytes(b).unwrap());
            prop_assert_eq!((id_of(x), id_of(y)), (a, b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert_eq!(stored(7).unwrap(), 7);
        assert!(stored(u64::MAX).is_err());
        assert!(counted(-1).is_err());
    }
}
