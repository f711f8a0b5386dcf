//! The settings object, and what the ingest function makes of it, as its wiring to AWS does.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ingest::Schemas;
use ingest::receive::{Lane, Lanes, Loader};
use ledger::Ledger;
use runtime::settings::{self, Settings, json};

use super::{Place, SimLedger, SimSource, SimStore};
use crate::port::{Call, Port};

/// Checks a text of settings.
///
/// # Errors
/// All that is wrong.
pub fn checked(text: &str) -> Result<Settings, String> {
    let look = |_: &str| settings::Place::NoFolder;
    let around = settings::Surroundings { processors: 1, s3: true, look: &look };
    let checked = json::read(text, "settings").and_then(|raw| settings::check(&raw, &around));
    checked.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Reads the settings for one process.
pub struct SimLoader {
    /// The process's door.
    pub port: Arc<Port>,
    /// How many objects are opened ahead of their turn.
    pub ahead: usize,
    /// What was made of them.
    pub lanes: Mutex<Option<Arc<Lanes>>>,
}

impl SimLoader {
    fn make(&self) -> Result<Arc<Lanes>, String> {
        let (world, port) = (&self.port.world, &self.port);
        let settings = checked(&world.settings())?;
        let queues = settings.aws.and_then(|aws| aws.queues).ok_or("the settings name no queue")?;
        let ledger: Arc<dyn Ledger> = Arc::new(SimLedger { port: port.clone(), inner: world.ledger.clone() });
        let source = Arc::new(SimSource { port: port.clone(), bucket: world.bucket.clone(), ahead: self.ahead });
        let lanes = settings.pipelines.into_iter().map(|pipeline| {
            let state = SimStore { port: port.clone(), place: Place::State, inner: world.state.clone() };
            let schemas = Schemas::new(ledger.clone(), pipeline.table.clone(), pipeline.schema_hints.clone());
            Arc::new(Lane::new(pipeline, source.clone(), source.clone(), Arc::new(state), Arc::new(schemas)))
        });
        Ok(Arc::new(Lanes::new(ledger.clone(), queues, lanes.collect())))
    }
}

#[async_trait]
impl Loader for SimLoader {
    async fn load(&self) -> Result<Arc<Lanes>, String> {
        let show = |answer: &Result<(), String>| format!("{answer:?}");
        self.port.call(Call::read("settings.get", ""), || Ok(()), show, Err)?;
        let mut known = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lanes) = known.as_ref() {
            return Ok(lanes.clone());
        }
        let lanes = self.make()?;
        *known = Some(lanes.clone());
        Ok(lanes)
    }
}
