//! What measurements and end-to-end tests share: orders as Kafka Connect's S3 sink drops them, the truth about them, and
//! the running of other programs with a stopwatch.
//!
//! * [`row`]: one order as a JSON line, a pure function of seed, partition and offset
//! * [`truth`]: what a reader of the table must find, added up while the rows are made
//! * [`layout`]: how the rows lie in files, and the writing of them
//! * [`measure`]: time and peak memory of another program

pub mod layout;
pub mod measure;
pub mod random;
pub mod row;
pub mod truth;
