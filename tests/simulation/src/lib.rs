//! The simulation: the real ingest and compactor over a world in memory, every history from a seed.
//!
//! - [`world`]: what is outside the processes, and what is demanded of it; [`doubles`]: the traits that the real code works with
//! - [`scheduler`]: of all processes one runs at any moment; [`port`]: a process's door, where each call takes its turn
//! - [`fault`]: what goes wrong, as data; [`random`]: where chance comes from

pub mod command;
pub mod doubles;
pub mod enumerate;
pub mod fault;
pub mod flows;
pub mod history;
pub mod points;
pub mod port;
pub mod races;
pub mod random;
pub mod replay;
pub mod report;
pub mod scenarios;
pub mod scheduler;
pub mod world;
