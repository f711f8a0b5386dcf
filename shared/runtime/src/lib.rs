//! Settings, the clock, randomness, AWS's clients and telemetry: what every function is given, so that nothing reaches for it.

#[cfg(feature = "aws")]
pub mod aws;
mod clock;
pub mod settings;
pub mod telemetry;

pub use clock::{Clock, Entropy, SystemClock, SystemEntropy};
