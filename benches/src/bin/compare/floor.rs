//! The floor: what any program pays that reads every file once, and does nothing else.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Threads that read.
const READERS: usize = 2;

/// Opens, reads and closes every file; gives the seconds. The bytes are checked, so that nothing is skipped.
///
/// # Errors
/// The file that could not be read, or another number of bytes than there should be.
pub fn run(files: &[PathBuf], bytes: u64) -> Result<f64, String> {
    let next = AtomicUsize::new(0);
    let read_some = || {
        let (mut sum, mut content) = (0_u64, Vec::with_capacity(64 << 10));
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            content.clear();
            let read = File::open(path).and_then(|mut file| file.read_to_end(&mut content));
            sum += read.map_err(|error| format!("cannot read {}: {error}", path.display()))? as u64;
        }
        Ok(sum)
    };
    let began = Instant::now();
    let sums: Vec<Result<u64, String>> = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read_some)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap_or_else(|_| Err("a reader panicked".into()))).collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let sum: u64 = sums.into_iter().sum::<Result<u64, String>>()?;
    if sum != bytes {
        return Err(format!("the floor read {sum} bytes where there are {bytes}"));
    }
    Ok(seconds)
}
