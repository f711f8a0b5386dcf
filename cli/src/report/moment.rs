//! Moments in reports: RFC 3339 for machines, plain words for people.

use std::fmt;

use drops::Timestamp;
use serde::{Serialize, Serializer};

/// A moment, in JSON as RFC 3339 in UTC, e.g. `2026-11-22T14:10:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    fn format(self, pattern: &str) -> String {
        match jiff::Timestamp::from_microsecond(self.0.0) {
            Ok(moment) => moment.strftime(pattern).to_string(),
            Err(_) => format!("{} microseconds since 1970", self.0.0),
        }
    }
}

impl fmt::Display for Moment {
    /// `2026-11-22 14:10:00 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("%Y-%m-%d %H:%M:%S UTC"))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.format("%Y-%m-%dT%H:%M:%S%.fZ"))
    }
}
