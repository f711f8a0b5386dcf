//! Orders in files: `topics/orders/partition=<p>/orders+<p>+<first offset>.json`, the names that Kafka Connect's S3 sink
//! gives, or the same rows as one file.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::row;
use crate::truth::Truth;

/// Writers at once: creating files waits for the file system more than for a core.
const WRITERS: usize = 4;

/// How many orders lie in how many files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Files in all.
    pub files: u64,
    /// Orders in each.
    pub rows: u64,
    /// Kafka partitions, so folders, that the files are dealt to in turn.
    pub partitions: u64,
    /// What the orders are made from.
    pub seed: u64,
}

impl Shape {
    /// `files` of `rows` orders in eight partitions.
    pub fn new(files: u64, rows: u64, seed: u64) -> Self {
        Self { files, rows, partitions: 8, seed }
    }

    /// The partition and the first offset of a file.
    fn place(&self, file: u64) -> (u64, u64) {
        (file % self.partitions, file / self.partitions * self.rows)
    }

    /// The path of a file relative to the source.
    pub fn path(&self, file: u64) -> String {
        let (partition, offset) = self.place(file);
        format!("topics/orders/partition={partition}/orders+{partition}+{offset:010}.json")
    }

    /// Appends the orders of a file to `out`.
    pub fn write(&self, file: u64, out: &mut Vec<u8>) -> Truth {
        let (partition, first) = self.place(file);
        let mut truth = Truth::default();
        for offset in first..first + self.rows {
            truth += row::write(out, self.seed, partition, offset);
        }
        truth
    }
}

/// Writes every file below `folder`. Files that are there already are overwritten.
pub fn write_files(folder: &Path, shape: &Shape) -> io::Result<Truth> {
    for partition in 0..shape.partitions {
        fs::create_dir_all(folder.join(format!("topics/orders/partition={partition}")))?;
    }
    let next = AtomicU64::new(0);
    let write_some = || {
        let (mut truth, mut content) = (Truth::default(), Vec::new());
        loop {
            let file = next.fetch_add(1, Ordering::Relaxed);
            if file >= shape.files {
                return Ok(truth);
            }
            content.clear();
            truth += shape.write(file, &mut content);
            fs::write(folder.join(shape.path(file)), &content)?;
        }
    };
    let parts: Vec<io::Result<Truth>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write_some)).collect();
        writers.into_iter().map(|writer| writer.join().unwrap_or_else(|_| Err(lost_writer()))).collect()
    });
    let mut truth = Truth::default();
    for part in parts {
        truth += part?;
    }
    Ok(truth)
}

fn lost_writer() -> io::Error {
    io::Error::other("a writer of generated files ended by a panic")
}

/// Writes the rows of every file into one, file after file.
pub fn write_one_file(path: &Path, shape: &Shape) -> io::Result<Truth> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    let (mut truth, mut content) = (Truth::default(), Vec::new());
    for file in 0..shape.files {
        content.clear();
        truth += shape.write(file, &mut content);
        out.write_all(&content)?;
    }
    out.flush()?;
    Ok(truth)
}

/// Every file below a folder, in no order.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafka_connects_and_offsets_go_on() {
        let shape = Shape::new(20, 10, 1);
        assert_eq!(shape.path(0), "topics/orders/partition=0/orders+0+0000000000.json");
        assert_eq!(shape.path(17), "topics/orders/partition=1/orders+1+0000000020.json");
    }

    #[test]
    fn one_file_holds_the_same_rows() {
        let folder = std::env::temp_dir().join(format!("lithify-layout-{}", std::process::id()));
        let shape = Shape::new(50, 3, 9);
        let many = write_files(&folder.join("many"), &shape).unwrap();
        let one = write_one_file(&folder.join("one.json"), &shape).unwrap();
        let files = list(&folder.join("many")).unwrap();
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let mut from_many: Vec<String> = files.iter().flat_map(|f| lines(fs::read_to_string(f).unwrap())).collect();
        let mut from_one = lines(fs::read_to_string(folder.join("one.json")).unwrap());
        fs::remove_dir_all(&folder).unwrap();
        from_many.sort();
        from_one.sort();
        assert_eq!((files.len(), many.rows, many), (50, 150, one));
        assert_eq!(from_many, from_one);
    }
}
