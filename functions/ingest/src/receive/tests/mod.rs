//! The flow over an embedded ledger, a folder for state, and a bucket, queues and a clock in memory.

mod ahead;
mod bucket;
mod deaths;
mod envelopes;
mod fates;
mod flow;
mod identity;
mod keys;
mod logs;
mod patience;
mod runs;
mod secrets;
mod versions;
mod weight;
mod world;
