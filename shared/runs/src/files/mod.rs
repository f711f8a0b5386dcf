//! Writing Parquet: runs into memory, table files as streams, both with the same properties, so that one can be copied into the other.

mod chunks;
mod copy;
mod deltas;
mod facts;
mod footer;
mod nesting;
mod page_headers;
mod pages;
mod properties;
mod read;
mod run;
mod table_file;
#[cfg(test)]
mod tests;
mod thrift;
mod waiting;
mod writer;

pub(crate) use chunks::Chunks;
pub(crate) use copy::CopySource;
pub use facts::RowGroupFacts;
pub(crate) use facts::row_group_facts;
pub(crate) use footer::check as check_footer;
pub(crate) use nesting::check as check_nesting;
pub(crate) use page_headers::check as check_pages;
pub(crate) use pages::FileGroups;
pub(crate) use properties::ORDER;
pub use properties::WriteSettings;
pub use read::read_columns;
pub use run::{FinishedRun, write_run};
pub use table_file::{TableFileWriter, WrittenFile};
