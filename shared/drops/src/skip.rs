/// Whether a key names something that is not meant as data: any part of its path begins with `.` or `_`, or its name ends
/// in `.tmp`, `.crc`, `.part`, `.partial` or `~`. Parts of the form `_name=value` are partition folders, so they stay.
pub fn is_hidden_or_temporary(key: &str) -> bool {
    let hidden = |part: &str| part.starts_with('.') || (part.starts_with('_') && !part.contains('='));
    let temporary = |name: &str| {
        let name = name.to_ascii_lowercase();
        [".tmp", ".crc", ".part", ".partial", "~"].iter().any(|end| name.ends_with(end))
    };
    key.split('/').any(hidden) || key.rsplit('/').next().is_some_and(temporary)
}

/// Whether an object is what stands for a folder: its key ends with `/`, and there is nothing in it. One with content is data.
pub fn is_folder_marker(key: &str, size: u64) -> bool {
    size == 0 && key.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_marker_is_empty() {
        assert!(is_folder_marker("a/", 0) && is_folder_marker("a/b/", 0));
        assert!(!is_folder_marker("a/", 1) && !is_folder_marker("a", 0) && !is_folder_marker("", 0));
    }

    #[test]
    fn tells_data_from_bystanders() {
        for hidden in [".x", "_SUCCESS", "a/_temporary/0/x.json", "a/.b/c.json", "x.json.tmp", "x.CRC", "x.json~"] {
            assert!(is_hidden_or_temporary(hidden), "{hidden}");
        }
        for data in ["x.json", "a_b/c.json", "_day=1/x.json", "orders+0+0000000000.json"] {
            assert!(!is_hidden_or_temporary(data), "{data}");
        }
    }
}
