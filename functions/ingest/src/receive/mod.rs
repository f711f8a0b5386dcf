//! The Lambda function's flow: from S3's notifications to acknowledged messages.
//!
//! [`Receiver::receive`] is one invocation from top to bottom. A message is acknowledged only when each of its drops is final, accepted by
//! a queue of ours as a new message, or gone (I-4); everything that goes wrong on the way leaves it to come again, and nothing else is needed, as
//! doing a drop's work twice is harmless.
//!
//! - `event`: what Lambda hands over; `arrivals`: which drops of which pipelines the messages name; `resolve`: which pipeline a drop is of
//!   whose two names are of two;
//! - `ask`, `peek`: what must be asked before a drop can be claimed;
//! - `shift`: the work for one pipeline; `fate`: what became of a drop, and when its messages come again;
//! - `answers`: what is sent to other queues and to Lambda;
//! - `lanes`: what is worked with; `queues`: the traits behind which SQS and S3 are; `tally`: what is counted;
//!   `news`: what a log tells of new columns.

mod answers;
mod arrivals;
mod ask;
mod budget;
mod event;
mod fate;
mod lanes;
mod news;
mod peek;
mod queues;
mod resolve;
mod shift;
mod tally;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use drops::Timestamp;
use ledger::{ClaimAge, Invocation};
use runtime::telemetry::{Metrics, Unit};
use runtime::{Clock, Entropy};
use store::Source;
use tokio::runtime::Handle;

pub use budget::Budget;
pub use lanes::{Lane, Lanes, Loader};
pub use queues::{DELAY_MAX, EARLIER_RECEIVES, Heads, Outgoing, Queues};

use crate::{Ingest, IngestError, IngestSettings, Parts, UnderWay, write_settings};
use answers::answer;
use arrivals::{Arrival, Arrivals};
use ask::Asker;
use event::{Event, Message};
use fate::{Fate, Open, Wait};
use peek::Peeked;
use shift::{Shift, Worked};

/// A drop is quarantined unread after one batch of its own died, and another batch before that.
const ABORTED_ALONE_LIMIT: u32 = 1;

/// The least time that is kept for what follows reading: runs, manifest, seal, answers.
const MARGIN: Duration = Duration::from_secs(10);

/// How long before the deadline the work is given up that did not end by itself: something hangs.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// How long giving it up may take.
const GIVING_UP: Duration = Duration::from_secs(2);

/// How often a message was received that is sent anew when its drop waits for something that passes: less often than queues bear
/// (`receive_count_max` of the Terraform module is 8 at least).
const RENEWED_AT: u32 = 6;

/// Why an invocation fails as a whole: nothing of its event was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The settings are wrong or cannot be read.
    #[error("{0}")]
    Settings(String),
    /// The event is not as SQS writes it.
    #[error("the event cannot be read: {0}")]
    Event(String),
    /// What came without a queue was not final, and could not be handed to one.
    #[error("{0}; the event is to be sent again")]
    NotHandedOn(String),
}

/// What an invocation is told by Lambda.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its request id, which its claims name.
    pub request_id: String,
    /// When Lambda ends it.
    pub deadline: Timestamp,
}

/// The function between invocations.
pub struct Receiver {
    loader: Arc<dyn Loader>,
    queues: Arc<dyn Queues>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: ReceiverSettings,
    lanes: Mutex<Option<Arc<Lanes>>>,
}

/// What the function's environment says.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverSettings {
    /// After what time a claim is old: longer than any invocation that claims.
    pub claim_time: Duration,
    /// Whether this is the function for large drops.
    pub is_large: bool,
    /// The memory's shares.
    pub budget: Budget,
}

impl Receiver {
    /// Puts the parts together. Settings are read when the first event comes.
    pub fn new(
        loader: Arc<dyn Loader>,
        queues: Arc<dyn Queues>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: ReceiverSettings,
    ) -> Self {
        Self { loader, queues, clock, entropy, settings, lanes: Mutex::default() }
    }

    /// Reads the settings, so that the first event need not wait for them.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub async fn warm(&self) -> Result<(), ReceiveError> {
        self.load().await.map(|_| ())
    }

    /// One invocation: from an event to the messages that are not acknowledged.
    ///
    /// # Errors
    /// The invocation fails as a whole; what it came with comes again.
    pub async fn receive(
        &self,
        event: &str,
        told: &Call,
        metrics: &mut Metrics,
    ) -> Result<SqsBatchResponse, ReceiveError> {
        let whole = self.until(told.deadline);
        let Event { messages, queued } = Event::read(event)?;
        let (lanes, mut arrivals) = self.identify(&messages).await?;
        tell_arrivals(&arrivals, &lanes, metrics);

        let mut open = Open::none(messages.len());
        let dead = self.bury(&arrivals, &messages, &lanes, &mut open).await;
        self.resolve(&mut arrivals.drops, &lanes, told).await;
        let fates = self.work(&arrivals.drops, &lanes, (told, whole), metrics).await;
        let mut handed = self.hand_on_large(&arrivals.drops, &fates, &lanes).await;
        self.bury_drops(&arrivals.drops, &fates, &mut handed, &lanes, metrics).await;
        let sent = self.renew(&arrivals.drops, &fates, handed, &messages, &lanes, metrics).await;

        let mut stranded = Vec::new();
        for ((arrival, fate), sent) in arrivals.drops.iter().zip(&fates).zip(sent) {
            let wait = match fate {
                _ if sent => continue,
                fate => match fate.wait() {
                    Some(wait) => wait,
                    None => continue,
                },
            };
            stranded.push(arrival);
            for at in &arrival.messages {
                open.keep(*at, &messages[*at], wait);
            }
        }
        if !queued {
            self.queue_what_had_none(&stranded, &lanes, dead).await?;
            return Ok(SqsBatchResponse::default());
        }
        self.come_again(&open, &messages, &lanes).await;
        Ok(answer(&open, &messages))
    }

    /// Says which drops the messages name. Before an object is taken for nobody's the settings are read again: a pipeline may have been
    /// added while this process was kept warm.
    async fn identify(&self, messages: &[Message]) -> Result<(Arc<Lanes>, Arrivals), ReceiveError> {
        let known = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(lanes) = known {
            let arrivals = Arrivals::identify(messages, &lanes);
            if arrivals.strangers.is_empty() {
                return Ok((lanes, arrivals));
            }
        }
        let lanes = self.load().await?;
        let arrivals = Arrivals::identify(messages, &lanes);
        Ok((lanes, arrivals))
    }

    async fn load(&self) -> Result<Arc<Lanes>, ReceiveError> {
        let lanes = self.loader.load().await.map_err(ReceiveError::Settings)?;
        *self.lanes.lock().unwrap_or_else(PoisonError::into_inner) = Some(lanes.clone());
        Ok(lanes)
    }

    /// Works pipeline by pipeline, those with few drops first: each may take all the time that is left, and one with thousands would take it
    /// from all others, time after time. Gives each drop's fate, in their order.
    async fn work(
        &self,
        drops: &[Arrival],
        lanes: &Arc<Lanes>,
        (told, whole): (&Call, Duration),
        metrics: &mut Metrics,
    ) -> Vec<Fate> {
        let mut fates = vec![Fate::Again(Wait::BackOff); drops.len()];
        let resolved = drops.iter().enumerate().filter(|(_, drop)| !drop.unresolved);
        for (lane, places) in turns(resolved.map(|(place, drop)| (drop.lane, place))) {
            let Some(lane) = lanes.lanes.get(lane) else { continue };
            let own = places.iter().map(|place| drops[*place].clone()).collect();
            let Worked { fates: worked, tally } = self.work_in_time(lane, own, lanes, (told, whole)).await;
            tally.tell(lane.pipeline.name.as_str(), metrics);
            for (place, fate) in places.into_iter().zip(worked) {
                fates[place] = fate;
            }
        }
        fates
    }

    /// Works for one pipeline as long as there is time. What hangs beyond that is given up: an invocation that Lambda ends would look as if
    /// a drop had ended it. The thread that hangs finds its batch void when it seals.
    async fn work_in_time(
        &self,
        lane: &Arc<Lane>,
        arrivals: Vec<Arrival>,
        lanes: &Arc<Lanes>,
        (told, whole): (&Call, Duration),
    ) -> Worked {
        let (count, under_way) = (arrivals.len(), UnderWay::default());
        let left = told.deadline.microseconds_since(self.clock.now());
        let left = Duration::from_micros(left).saturating_sub(GIVEN_UP);
        if left.is_zero() {
            // Begun now, it would be given up at once, its claims with it: whether anything came of it would be chance.
            tracing::warn!(pipeline = %lane.pipeline.name, drops = count, "there is no time left to begin: they come again");
            return Worked::all_again(count, Wait::Turn);
        }
        let work = self.work_in(lane, arrivals, lanes, (told, whole), under_way.clone());
        if let Ok(worked) = tokio::time::timeout(left, work).await {
            return worked;
        }
        let pipeline = &lane.pipeline.name;
        tracing::error!(%pipeline, drops = count, "the work hangs beyond the invocation's time and is given up");
        if let Some(batch) = under_way.batch() {
            let given_up = tokio::time::timeout(GIVING_UP, lanes.ledger.give_up(pipeline, batch)).await;
            if !matches!(given_up, Ok(Ok(_))) {
                tracing::error!(%pipeline, %batch, "the batch could not be marked as given up");
            }
        }
        Worked::all_again(count, Wait::BackOff)
    }

    /// Works for one pipeline, unless it is closed, on a thread that may wait: decoding takes the processor and reading blocks.
    async fn work_in(
        &self,
        lane: &Arc<Lane>,
        arrivals: Vec<Arrival>,
        lanes: &Arc<Lanes>,
        (told, whole): (&Call, Duration),
        under_way: UnderWay,
    ) -> Worked {
        let count = arrivals.len();
        let pipeline = lane.pipeline.name.clone();
        match self.prepare(lane, lanes).await {
            Ok(None) => {}
            Ok(Some(why)) => {
                tracing::error!(%pipeline, drops = count, why, "nothing was claimed");
                // It may be the settings that are mended: the next event looks.
                *self.lanes.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return Worked::all_again(count, Wait::Closed);
            }
            Err(e) => {
                tracing::error!(%pipeline, drops = count, error = %e, "nothing was claimed");
                return Worked::all_again(count, Wait::BackOff);
            }
        }
        let until = self.until(told.deadline);
        let source = lane.source.within(until).unwrap_or_else(|| lane.source.clone());
        let source = Arc::new(Peeked::new(source, self.settings.budget.bytes_ahead));
        let heads = lane.heads.within(until).unwrap_or_else(|| lane.heads.clone());
        let mut ingest = self.ingest(lane, lanes, told, source.clone()).telling(under_way);
        let large = lanes.queues.large_queue.as_ref().filter(|_| !self.settings.is_large);
        let large = large.map(|_| lanes.queues.large_drop_size);
        if large.is_none() {
            // Nobody gives a drop more time. What is learned before it is read, and who was worked for before, takes a quarter at most.
            ingest = ingest.outlasted_after(whole * 3 / 4);
        }
        let (stop, asking) = (self.stop_in(until), until / 2);
        let asked_enough = self.stop_in(asking);
        let (lane, handle) = (lane.clone(), Handle::current());
        let work = tokio::task::spawn_blocking(move || {
            let asker = Asker { lane: &lane, source, heads, stop: &asked_enough, time: asking, large };
            handle.block_on(Shift::new(ingest, asker, &arrivals, &stop).work())
        });
        let worked = work.await.unwrap_or_else(|e| {
            // Whatever it had claimed is taken over when its claims are old.
            tracing::error!(%pipeline, error = %e, "this is a defect of Lithify, please report it: the work broke off");
            Worked::all_again(count, Wait::BackOff)
        });
        self.tell_schema(&pipeline, lanes);
        worked
    }

    /// Whether the pipeline is open, and with the newest schema. Gives why it is not.
    async fn prepare(&self, lane: &Lane, lanes: &Lanes) -> Result<Option<String>, IngestError> {
        if let Some(why) = lanes.closed(lane, self.clock.as_ref()).await? {
            return Ok(Some(why));
        }
        lane.schemas.refresh().await?;
        Ok(None)
    }

    fn ingest(&self, lane: &Lane, lanes: &Lanes, told: &Call, source: Arc<dyn Source>) -> Ingest {
        let parts = Parts {
            ledger: lanes.ledger.clone(),
            liveness: Arc::new(ClaimAge::new(self.settings.claim_time)),
            source,
            state: lane.state.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            holder: Arc::new(Invocation::new(told.request_id.clone())),
            schemas: lane.schemas.clone(),
        };
        let settings = IngestSettings {
            pipeline: lane.pipeline.name.clone(),
            write: write_settings(&lane.pipeline),
            run_memory: self.settings.budget.run,
            aborted_alone_limit: ABORTED_ALONE_LIMIT,
        };
        Ingest::new(parts, settings).stopping_within_drops()
    }

    /// For how long to read: what was read is to be staged and sealed in time.
    fn until(&self, deadline: Timestamp) -> Duration {
        let left = Duration::from_micros(deadline.microseconds_since(self.clock.now()));
        left.saturating_sub(MARGIN.max(left / 10))
    }

    /// Tells when so much time has passed.
    fn stop_in(&self, time: Duration) -> impl Fn() -> bool + Send + Sync + 'static {
        let (clock, began) = (self.clock.clone(), self.clock.now());
        move || u128::from(clock.now().microseconds_since(began)) >= time.as_micros()
    }

    fn tell_schema(&self, pipeline: &drops::PipelineName, lanes: &Lanes) {
        let Some(lane) = lanes.lanes.iter().find(|lane| lane.pipeline.name == *pipeline) else { return };
        news::tell(pipeline, lane.schemas.take_news());
    }
}

/// The places of each lane's drops, of lanes with few drops first.
fn turns(drops: impl Iterator<Item = (usize, usize)>) -> Vec<(usize, Vec<usize>)> {
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (lane, place) in drops {
        places.entry(lane).or_default().push(place);
    }
    let mut turns: Vec<_> = places.into_iter().collect();
    turns.sort_by_key(|(_, places)| places.len());
    turns
}

impl Worked {
    fn all_again(count: usize, wait: Wait) -> Self {
        let tally = tally::Tally { left_out: count as u64, ..tally::Tally::default() };
        Self { fates: vec![Fate::Again(wait); count], tally }
    }
}

/// Counts and names what is no drop.
fn tell_arrivals(arrivals: &Arrivals, lanes: &Lanes, metrics: &mut Metrics) {
    let strangers = arrivals.strangers.len() as u64;
    let counts = [
        ("TestEvents", arrivals.test_events),
        ("OtherEvents", arrivals.others),
        ("ForeignObjects", strangers),
        ("UnknownMessages", arrivals.not_understood.len() as u64),
    ];
    for (name, count) in counts {
        metrics.add(None, name, Unit::Count, count);
    }
    if strangers > 0 {
        tracing::warn!(
            objects = strangers,
            "notifications of objects that are of no pipeline's source: narrow the bucket's notification"
        );
    }
    for ((lane, extension), count) in &arrivals.skipped {
        let pipeline = lanes.lanes[*lane].pipeline.name.as_str();
        tracing::info!(pipeline, extension, count, "skipped: not meant as data, or of no format that is read");
        metrics.add(Some(pipeline), "Skipped", Unit::Count, *count);
    }
}
