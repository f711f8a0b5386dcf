//! What is said of drops, batches and pipelines everywhere in Lithify. Pure: no I/O, no clock, no randomness.

mod batch;
mod causes;
mod drop;
pub mod notification;
mod pipeline;
mod skip;
mod time;

pub use batch::BatchId;
pub use causes::causes;
pub use drop::{DropId, DroppedObject};
pub use pipeline::{InvalidPipelineName, PipelineName};
pub use skip::{is_folder_marker, is_hidden_or_temporary};
pub use time::Timestamp;
