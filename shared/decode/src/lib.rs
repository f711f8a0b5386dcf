//! Bytes to Arrow: formats, compression, schema inference, evolution, rescue. Pure CPU: no I/O but the `Read` it is given.
//!
//! A drop flows through four steps: [`mod@format`] tells its format and compression, [`inflate`] decompresses it under a
//! limit, [`split`] cuts it into chunks of whole records, [`rows`] fits each record into columns. [`infer`] learns a schema.

mod calendar;
pub mod format;
pub mod hints;
pub mod infer;
pub mod inflate;
pub mod json;
pub mod limits;
pub mod names;
pub mod record;
pub mod rows;
pub mod schema;
pub mod split;
pub mod suggest;
