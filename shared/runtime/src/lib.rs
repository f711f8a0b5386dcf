//! Settings, the clock, randomness and telemetry: what every function is given, so that nothing reaches for it.

mod clock;
pub mod settings;

pub use clock::{Clock, Entropy, SystemClock, SystemEntropy};
