//! Where sources and tables are: in folders, or on S3 (cargo feature `aws`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lake::{DeltaLake, Lake};
use ledger::{EmbeddedLedger, Holder, Ledger};
use runtime::settings::{self, Origin, Pipeline, S3Address, SettingError, Settings};
use store::{ListError, Listed, LocalSource, LocalStore, Source, Store};

use super::RunError;
use super::machine::{Machine, Table, audit_folder, has_ledger, ledger_file, state_folder};
#[cfg(feature = "aws")]
use super::remote::{Bucket, Remote};
use crate::gone::Trail;
use crate::report::Failure;
use crate::status::{no_ledger, of_lake, of_ledger};

/// What an address on S3 begins with.
pub(crate) const S3: &str = "s3://";

/// A listing of a source.
pub(super) type Listing<'a> = Box<dyn Iterator<Item = Result<Listed, ListError>> + 'a>;

/// Where a pipeline's drops are.
pub(crate) enum SourcePlace {
    /// In a folder: one to list, one to read.
    Folder(LocalSource, Arc<LocalSource>),
    /// In a bucket.
    #[cfg(feature = "aws")]
    Bucket(Bucket),
}

impl SourcePlace {
    fn local(pipeline: &Pipeline, excluded: &[PathBuf]) -> Result<Self, RunError> {
        let root = Path::new(&pipeline.source);
        let open = || {
            let source = LocalSource::new(root, pipeline.name.clone(), excluded.to_vec());
            source.map_err(|e| RunError::Folder { folder: root.to_owned(), reason: e.to_string() })
        };
        Ok(Self::Folder(open()?, Arc::new(open()?)))
    }

    /// What opens its drops.
    pub(super) fn reader(&self) -> Arc<dyn Source> {
        match self {
            Self::Folder(_, reader) => reader.clone(),
            #[cfg(feature = "aws")]
            Self::Bucket(bucket) => bucket.reader(),
        }
    }

    /// Its canonical address.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Folder(listed, _) => listed.root().display().to_string(),
            #[cfg(feature = "aws")]
            Self::Bucket(bucket) => bucket.address(),
        }
    }

    /// Its canonical folder, if it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(listed, _) => Some(listed.root()),
            #[cfg(feature = "aws")]
            Self::Bucket(_) => None,
        }
    }

    /// Whether it is a folder, where a file can be half written.
    pub(super) fn is_folder(&self) -> bool {
        self.folder().is_some()
    }

    /// Whether a path in it is not listed.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        match self {
            Self::Folder(listed, _) => listed.excludes(path),
            #[cfg(feature = "aws")]
            Self::Bucket(_) => false,
        }
    }

    /// How much longer than on one machine to wait for what another process works on: there its death is seen at once.
    pub(super) fn patience(&self) -> Duration {
        if self.is_folder() { Duration::ZERO } else { Duration::from_secs(2) }
    }

    /// Everything in it. Blocks.
    pub(super) fn list(&self) -> Listing<'_> {
        match self {
            Self::Folder(listed, _) => Box::new(listed.list()),
            #[cfg(feature = "aws")]
            Self::Bucket(bucket) => Box::new(bucket.list()),
        }
    }

    /// What is at these keys now. Blocks.
    pub(super) fn list_at(&self, keys: Vec<String>) -> Listing<'_> {
        match self {
            Self::Folder(listed, _) => Box::new(listed.list_at(keys)),
            #[cfg(feature = "aws")]
            Self::Bucket(bucket) => Box::new(bucket.list_at(keys)),
        }
    }
}

/// The places of one run's settings. Each table is opened once, however many pipelines feed it.
pub(super) struct Places {
    excluded: Vec<PathBuf>,
    tables: BTreeMap<String, Table>,
    #[cfg(feature = "aws")]
    remote: Remote,
}

impl Places {
    /// `excluded` are folders in which no drops are.
    pub(super) fn new(settings: &Settings, excluded: Vec<PathBuf>) -> Self {
        #[cfg(not(feature = "aws"))]
        let _ = settings;
        Self {
            excluded,
            tables: BTreeMap::new(),
            #[cfg(feature = "aws")]
            remote: Remote::new(settings.aws.as_ref().map(|aws| aws.ledger.clone())),
        }
    }

    /// A pipeline's table, opened.
    pub(super) async fn table(&mut self, pipeline: &Pipeline, machine: &Machine) -> Result<Table, RunError> {
        if let Some(table) = self.tables.get(&pipeline.table) {
            return Ok(table.clone());
        }
        let table = match &pipeline.table {
            #[cfg(feature = "aws")]
            address if address.starts_with(S3) => self.remote.table(address, machine).await?,
            folder => Table::local(Path::new(folder), pipeline.append_existing, machine).await?,
        };
        self.tables.insert(pipeline.table.clone(), table.clone());
        Ok(table)
    }

    /// A pipeline was refused: its table's state goes, if it is new and nothing came of it.
    pub(super) async fn refused(&mut self, pipeline: &Pipeline) {
        if let Some(table) = self.tables.remove(&pipeline.table) {
            table.forget_state().await;
        }
    }

    /// A pipeline's source.
    pub(super) async fn source(&mut self, pipeline: &Pipeline) -> Result<SourcePlace, RunError> {
        match &pipeline.source {
            #[cfg(feature = "aws")]
            address if address.starts_with(S3) => Ok(SourcePlace::Bucket(self.remote.source(pipeline).await?)),
            _ => SourcePlace::local(pipeline, &self.excluded),
        }
    }

    /// Who this process is in the opened tables' claims.
    pub(super) fn holders(&self) -> impl Iterator<Item = Arc<dyn Holder>> + '_ {
        self.tables.values().map(|table| table.holder.clone())
    }
}

/// A table and its ledger, to be looked at and not written to.
pub(crate) struct Look {
    /// The record of drops and batches.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// What leads from its batches to their drops.
    pub(crate) trail: Trail,
    pub(crate) lake: Arc<dyn Lake>,
    pub(crate) audit: Arc<dyn Lake>,
    pub(crate) state: Arc<dyn Store>,
    pub(crate) table_store: Arc<dyn Store>,
    pub(crate) audit_store: Arc<dyn Store>,
}

impl Look {
    /// Everything that is wrong with the words that name a table and its ledger.
    pub(crate) fn faults(table: &str, ledger: Option<&str>) -> Vec<SettingError> {
        let on_s3 = table.starts_with(S3);
        let of_ledger = match ledger {
            None if on_s3 => Some("a table on S3 has its ledger elsewhere: name it, dynamodb://NAME".to_owned()),
            Some(_) if !on_s3 => Some("is for tables on S3; one in a folder keeps its own: leave it out".to_owned()),
            _ => None,
        };
        let malformed = ledger.and_then(|ledger| settings::ledger_table(ledger).err());
        let of_table = match table {
            "" => Some("is empty: name the table's folder or s3:// address".to_owned()),
            _ if Path::new(table).ends_with("_lithify") || Path::new(table).ends_with("_delta_log") => {
                Some(format!("{table} is a part of a table: name the table's folder, which it lies in"))
            }
            _ if !on_s3 && Path::new(table).is_file() => Some(format!("{table} is a file: name the table's folder")),
            _ if on_s3 => S3Address::table(table).err(),
            _ => None,
        };
        let fault = |flag: &str, problem| {
            let setting = flag.trim_start_matches('-').to_lowercase();
            SettingError::new(&Origin::Flag(flag.to_owned()), &setting, problem)
        };
        let of_table = of_table.map(|problem| fault("TABLE", problem));
        of_table.into_iter().chain(malformed.or(of_ledger).map(|problem| fault("--ledger", problem))).collect()
    }

    /// Opens a table for looking. `ledger` is that of a table on S3, `dynamodb://NAME`.
    pub(crate) async fn at(table: &str, ledger: Option<&str>) -> Result<Self, Failure> {
        if table.starts_with(S3) {
            return Self::remote(table, ledger).await;
        }
        let folder = Path::new(table);
        let lake = Arc::new(DeltaLake::local(folder).map_err(of_lake)?);
        let has_ledger = has_ledger(folder).map_err(|e| {
            let error = format!("cannot look at {}: {e}", state_folder(folder).display());
            Failure::new(error, "give this user the right to read it; nothing was changed")
        });
        if !has_ledger? {
            return Err(no_ledger(folder, lake.head(&[]).await.map_err(of_lake)?.is_some()));
        }
        let audit = audit_folder(folder);
        let ledger = Arc::new(EmbeddedLedger::look(&ledger_file(folder)).map_err(of_ledger)?);
        Ok(Self {
            trail: Trail::Folder(ledger.clone()),
            ledger,
            lake,
            audit: Arc::new(DeltaLake::local(&audit).map_err(of_lake)?),
            state: Arc::new(LocalStore::new(&state_folder(folder), "look")),
            table_store: Arc::new(LocalStore::new(folder, "look")),
            audit_store: Arc::new(LocalStore::new(&audit, "look")),
        })
    }

    #[cfg(feature = "aws")]
    async fn remote(table: &str, ledger: Option<&str>) -> Result<Self, Failure> {
        super::remote::look(table, ledger).await
    }

    #[cfg(not(feature = "aws"))]
    async fn remote(table: &str, _: Option<&str>) -> Result<Self, Failure> {
        Err(Failure::new(
            format!("this build of lithify cannot look at {table}"),
            "install it with S3: cargo install --path cli --features aws",
        ))
    }
}
