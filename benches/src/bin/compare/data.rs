//! The drops to measure with: made once, kept in the cache folder, and the same rows in one file.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use benches::layout::{self, Shape};
use benches::truth::Truth;

use crate::options::Options;

/// Longer than the settle time that Lithify gives a fresh file by default.
const SETTLE: Duration = Duration::from_secs(3);

/// Drops on disk.
pub struct Data {
    /// The folder of micro-files.
    pub many: PathBuf,
    /// The same rows in one file; absent where no peer needs it.
    pub one: Option<PathBuf>,
    /// The micro-files.
    pub files: Vec<PathBuf>,
    /// The truth about the rows.
    pub truth: Truth,
}

/// Makes the drops, or finds those of an earlier run.
///
/// # Errors
/// What could not be written or read, and where.
pub fn prepare(options: &Options) -> Result<Data, String> {
    let shape = Shape::new(options.files, options.rows, 1);
    let folder = options.work.join(format!("orders-{}x{}", options.files, options.rows));
    let told = |path: &PathBuf, error| format!("cannot make the drops at {}: {error}", path.display());
    let (many, marker) = (folder.join("many"), folder.join("truth.json"));
    let one = options.peers.then(|| folder.join("one.json"));
    let truth = expected(&shape);
    // The truth is written last, so where it stands the micro-files are whole.
    if fs::read_to_string(&marker).is_ok_and(|text| text == truth.to_json()) {
        eprintln!("using the drops at {}", folder.display());
    } else {
        eprintln!("making {} drops at {} ...", options.files, folder.display());
        let began = Instant::now();
        let _ = fs::remove_dir_all(&folder);
        layout::write_files(&many, &shape).map_err(|error| told(&many, error))?;
        fs::write(&marker, truth.to_json()).map_err(|error| told(&marker, error))?;
        eprintln!("made in {:.1} s", began.elapsed().as_secs_f64());
        thread::sleep(SETTLE);
    }
    if let Some(one) = &one {
        let whole = fs::metadata(one).is_ok_and(|meta| meta.len() == truth.bytes as u64);
        if !whole {
            layout::write_one_file(one, &shape).map_err(|error| told(one, error))?;
        }
    }
    let files = layout::list(&many).map_err(|error| told(&many, error))?;
    if files.len() as u64 != shape.files {
        return Err(format!("{} holds {} files, not {}: remove it", many.display(), files.len(), shape.files));
    }
    Ok(Data { many, one, files, truth })
}

/// The truth, computed without writing anything.
fn expected(shape: &Shape) -> Truth {
    let (mut truth, mut content) = (Truth::default(), Vec::new());
    for file in 0..shape.files {
        content.clear();
        truth += shape.write(file, &mut content);
    }
    truth
}
