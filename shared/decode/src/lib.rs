//! Bytes to Arrow: formats, compression, schema inference, evolution, rescue. Pure CPU: no I/O but the `Read` it is given.

pub mod schema;
