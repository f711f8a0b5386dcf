//! Manifests and intent lists.
//!
//! - What is read is sound: records add up, drop by drop and over the runs.
//! - What is read is written, and read back, the same.
//! - Bytes of another digest are refused, whatever they are.

use std::fmt::Write as _;

use runs::{IntentList, Manifest};
use sha2::{Digest, Sha256};

pub(super) fn check(text: &[u8]) -> bool {
    let mut understood = false;
    let packed = zstd::encode_all(text, 1).expect("memory");
    for bytes in [&packed[..], text] {
        let digest = digest(bytes);
        assert!(Manifest::decode(bytes, &digest.replace(|c: char| c.is_ascii_digit(), "x")).is_err());
        if let Ok(manifest) = Manifest::decode(bytes, &digest) {
            understood = true;
            let rows: u128 = manifest.held.iter().map(|drop| u128::from(drop.rows)).sum();
            assert_eq!(rows, u128::from(manifest.rows()));
            for drop in &manifest.held {
                let records = u128::from(drop.rows) + u128::from(drop.quarantined_records);
                assert_eq!(records, u128::from(drop.records));
            }
            let (encoded, digest) = manifest.encode().expect("what is sound can be written");
            assert_eq!(Manifest::decode(&encoded, &digest).expect("what we write is read"), manifest);
        }
        if let Ok(list) = IntentList::decode(bytes, &digest) {
            let (encoded, digest) = list.encode().expect("a list can be written");
            assert_eq!(IntentList::decode(&encoded, &digest).expect("what we write is read"), list);
        }
    }
    understood
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
