//! Lines of labels and numbers, aligned.

/// Rows of a label, a value that is aligned to the right, and a note.
#[derive(Default)]
pub(super) struct Grid {
    rows: Vec<(String, String, String)>,
}

impl Grid {
    /// Adds a row.
    pub(super) fn row(&mut self, label: impl Into<String>, value: impl Into<String>, note: impl Into<String>) {
        self.rows.push((label.into(), value.into(), note.into()));
    }

    /// The rows, indented by two, each with a newline; nothing trails.
    pub(super) fn text(&self) -> String {
        let width = |text: &String| text.chars().count();
        let label = self.rows.iter().map(|row| width(&row.0)).max().unwrap_or(0);
        let value = self.rows.iter().map(|row| width(&row.1)).max().unwrap_or(0);
        let line = |row: &(String, String, String)| {
            let line = format!("  {:<label$}  {:>value$}   {}", row.0, row.1, row.2);
            format!("{}\n", line.trim_end())
        };
        self.rows.iter().map(line).collect()
    }
}
