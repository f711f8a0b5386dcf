//! Exit codes: what a script may build on. `lithify --help` explains them.

use crate::report::RunSummary;

/// Everything is final.
pub const FINAL: u8 = 0;
/// It failed.
pub const FAILED: u8 = 1;
/// The settings or flags are wrong; nothing was touched. The command line's own usage errors exit with it, too.
pub const WRONG_SETTINGS: u8 = 2;
/// Something was quarantined in this run, a file or a record.
pub const QUARANTINED: u8 = 3;
/// Drops were left out after three tries.
pub const LEFT_OUT: u8 = 4;
/// Interrupted by the user: 128 + SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// The exit code of a run. Where several hold: failed, interrupted, left out, quarantined.
pub fn exit_code(summary: &RunSummary) -> u8 {
    let total = &summary.total;
    if summary.failures().next().is_some() {
        FAILED
    } else if summary.interrupted {
        INTERRUPTED
    } else if total.drops_left_out > 0 {
        LEFT_OUT
    } else if total.drops_quarantined > 0 || total.quarantined_records > 0 {
        QUARANTINED
    } else {
        FINAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Failure, PipelineSummary};

    #[test]
    fn the_stronger_one_holds() {
        // Bits: a failed pipeline, a failed run, interrupted, left out, quarantined drop, quarantined record.
        for bits in 0_u8..64 {
            let on = |bit: u8| bits & (1 << bit) != 0;
            let failure = Failure::new("it broke", "mend it");
            let mut pipeline = PipelineSummary::new("default", "/s", "/t");
            pipeline.failure = on(0).then(|| failure.clone());
            pipeline.tally.drops_left_out = u64::from(on(3));
            pipeline.tally.drops_quarantined = u64::from(on(4));
            pipeline.tally.quarantined_records = u64::from(on(5));
            let mut summary = RunSummary::new(vec![pipeline], std::time::Duration::ZERO);
            summary.failure = on(1).then_some(failure);
            summary.interrupted = on(2);
            let expected = match bits {
                _ if on(0) || on(1) => 1,
                _ if on(2) => 130,
                _ if on(3) => 4,
                _ if on(4) || on(5) => 3,
                _ => 0,
            };
            assert_eq!(exit_code(&summary), expected, "{bits:06b}");
        }
    }
}
