//! The allocator: mimalloc, whose speed many short-lived allocations on several threads need.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Below this bound freed memory goes back to the system at once. It costs about a quarter of the time and halves the peak; above it,
/// keeping freed memory for ten milliseconds fits the bound.
const GENEROUS_BYTES: u64 = 512 << 20;

/// `mi_option_purge_delay` of mimalloc's `mi_option_e`, in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Makes the allocator fit the bound on memory.
#[allow(unsafe_code, reason = "mimalloc offers its options to C only")]
pub(crate) fn fit(memory_bytes: u64) {
    if memory_bytes < GENEROUS_BYTES {
        // SAFETY: the option exists in the linked version, takes any integer and is read atomically by the allocator.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
    }
}
