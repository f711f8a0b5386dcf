//! CSV (RFC 4180, with the usual leniency): a header, then records that may go over several lines within quotes.
//!
//! - Line ends are `\n` and `\r\n`; a lone `\r` is data. The last record needs none.
//! - Quotes mean something only where a field begins with one; elsewhere they are data.
//! - Lines that are empty are no records. Nor are lines of blanks, where the header has more than one name.
//! - A record with another number of fields than the header is bad, and costs only itself.
//! - A record whose quoting is broken (text after a closing quote, a quote that is never closed) has no sure end. If a later
//!   line of it has the header's number of fields by itself, the fault is taken to lie in its first line, and only that is
//!   bad. Else the record is bad up to the line where it breaks, or to the end where it never does.
//! - A record that has no end within what one may be long ends where a later line is a record by itself.
//!
//! Each of these but the last looks no further than one record may be long, and passes over each byte a bounded number of times: an odd
//! run of quotes ends any quoted field, so two such searches hardly overlap.

use crate::format::by_first_bytes;
use crate::limits::{MAX_CSV_FIELDS, MAX_RECORD_BYTES, OverLimit};
use crate::record::{DropFault, RecordFault};

use super::cut::{Cut, Follows, Stop, without_return};
use super::header::{is_markup, looks_like_utf16, other_separator, separator_in_words};
use super::{CsvFields, CsvOptions};

const AFTER_QUOTE: &str = "the quoting is broken: text follows a closing quote";
const NEVER_CLOSED: &str = "the quoting is broken: a quote is opened and never closed";
const TOO_LONG_OR_OPEN: &str =
    ", or a quote is opened and never closed; what follows up to the next line that is a record by itself is not read";

/// How the records of a CSV drop are cut.
#[derive(Default)]
pub(super) struct Csv {
    options: CsvOptions,
    /// The names; none before the header was read.
    header: Vec<String>,
    /// What seems to separate them, if it is not the separator.
    other_separator: Option<u8>,
}

/// Where a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    /// At the line end before the byte `next`.
    Whole { end: usize, next: usize, fields: usize },
    /// With the bytes, if nothing follows them.
    AtEnd { fields: usize },
    /// Not in these bytes: a quote is open.
    Open,
    /// Text follows the closing quote before this byte.
    Broken { at: usize },
}

impl Csv {
    /// Begins with another drop.
    pub fn begin(&mut self, options: CsvOptions) {
        self.options = options;
        self.header.clear();
        self.other_separator = None;
    }

    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Cuts as many records as there are.
    ///
    /// # Errors
    /// The header cannot be read.
    pub fn cut(&mut self, cut: &mut Cut<'_>) -> Result<Stop, DropFault> {
        loop {
            if cut.is_full() {
                return Ok(Stop::Full);
            }
            let (window, follows) = cut.window();
            let line = match (memchr::memchr(b'\n', window), follows) {
                (Some(end), _) => &window[..end],
                (None, Follows::Nothing) => window,
                (None, Follows::More) => return Ok(Stop::More),
                (None, Follows::Missing) => return Ok(cut.end_early()),
                (None, Follows::TooMuch) if self.header.is_empty() => {
                    return Err(self.bad_header(cut, &OverLimit::RecordBytesOpen.to_string()));
                }
                (None, Follows::TooMuch) => return Ok(Stop::LongLine),
            };
            if window.is_empty() {
                return Ok(Stop::End);
            }
            if self.is_blank(line) {
                cut.advance_line(line.len());
                continue;
            }
            let scanned = match self.count_unquoted(line) {
                Some(fields) => Scan::Whole { end: without_return(line).len(), next: line.len() + 1, fields },
                None => self.scan(window),
            };
            let stop = match (scanned, follows) {
                (Scan::Whole { end, next, fields }, _) => self.whole(cut, end, next, fields)?,
                (Scan::AtEnd { fields }, Follows::Nothing) => {
                    self.whole(cut, without_return(window).len(), window.len(), fields)?
                }
                (Scan::AtEnd { .. } | Scan::Open, Follows::More) => Some(Stop::More),
                (Scan::AtEnd { .. } | Scan::Open, Follows::Missing) => Some(cut.end_early()),
                (Scan::AtEnd { .. }, Follows::TooMuch) | (Scan::Open, _) => {
                    self.broken(cut, window, None, window.len(), NEVER_CLOSED)?
                }
                (Scan::Broken { at }, _) => match memchr::memchr(b'\n', &window[at..]) {
                    Some(end) => self.broken(cut, window, Some(at + end), at, AFTER_QUOTE)?,
                    None if follows == Follows::More => Some(Stop::More),
                    None => self.broken(cut, window, None, at, AFTER_QUOTE)?,
                },
            };
            if let Some(stop) = stop {
                return Ok(stop);
            }
        }
    }

    /// Takes a record of `end` bytes, after which the next begins at `next`.
    fn whole(&mut self, cut: &mut Cut<'_>, end: usize, next: usize, fields: usize) -> Result<Option<Stop>, DropFault> {
        if self.header.is_empty() {
            self.read_header(cut, end, fields)?;
        } else if fields == self.header.len() || end > MAX_RECORD_BYTES {
            cut.push(end);
        } else {
            let mut reason = format!(
                "the record has {fields} field{}, the header {}",
                if fields == 1 { "" } else { "s" },
                self.header.len()
            );
            if let Some(other) = self.other_separator {
                reason += &format!("; {}", separator_in_words(other));
            }
            cut.push_fault(end, RecordFault { reason, at: end });
        }
        let next = next.min(cut.rest().len());
        cut.advance(next);
        Ok(None)
    }

    /// Takes a record whose quoting breaks at byte `at`, on the line that ends at `line_end` (none if that is not known).
    fn broken(
        &self,
        cut: &mut Cut<'_>,
        window: &[u8],
        line_end: Option<usize>,
        at: usize,
        reason: &str,
    ) -> Result<Option<Stop>, DropFault> {
        if self.header.is_empty() {
            let line = memchr::memchr(b'\n', window).map_or(window, |end| &window[..end]);
            return Err(match other_separator(line, self.options) {
                Some(other) => self.bad_header(cut, &separator_in_words(other)),
                None => self.bad_header(cut, reason),
            });
        }
        let until = line_end.unwrap_or(window.len());
        let fault = |at| RecordFault { reason: reason.to_owned(), at };
        // Without a line end the last line counts only where it is known to be whole.
        let whole_lines = line_end.is_some() || cut.window().1 == Follows::Nothing;
        if let Some(first) = memchr::memchr(b'\n', &window[..until])
            && self.has_record_line(&window[first + 1..until], whole_lines)
        {
            cut.push_fault(without_return(&window[..first]).len(), fault(at.min(first)));
            cut.advance_line(first);
            return Ok(None);
        }
        let Some(end) = line_end else {
            return Ok(Some(match cut.window().1 {
                Follows::Missing => cut.end_early(),
                Follows::TooMuch => {
                    let reason = format!("{}{TOO_LONG_OR_OPEN}", OverLimit::RecordBytesOpen);
                    Stop::Seek(RecordFault { reason, at: MAX_RECORD_BYTES })
                }
                Follows::More | Follows::Nothing => Stop::Rest(fault(at)),
            }));
        };
        cut.push_fault(without_return(&window[..end]).len(), fault(at));
        cut.advance(end + 1);
        Ok(None)
    }

    /// Whether one of these lines has as many fields as the header, by itself.
    fn has_record_line(&self, lines: &[u8], last_is_whole: bool) -> bool {
        let lines = match memchr::memrchr(b'\n', lines) {
            _ if last_is_whole => lines,
            Some(end) => &lines[..end],
            None => return false,
        };
        lines.split(|byte| *byte == b'\n').any(|line| self.is_record(line))
    }

    /// Whether a line has as many fields as the header, by itself.
    pub(super) fn is_record(&self, line: &[u8]) -> bool {
        let fields = match self.count_unquoted(line) {
            Some(fields) => Some(fields),
            None => match self.scan(line) {
                Scan::AtEnd { fields } => Some(fields),
                _ => None,
            },
        };
        !self.is_blank(line) && fields == Some(self.header.len())
    }

    fn read_header(&mut self, cut: &Cut<'_>, end: usize, fields: usize) -> Result<(), DropFault> {
        if fields > MAX_CSV_FIELDS {
            return Err(self.bad_header(cut, &OverLimit::CsvFields.to_string()));
        }
        if let Some(compression) = by_first_bytes(cut.rest()) {
            let reason = format!("it is compressed with {compression}: leave the setting compression away");
            return Err(self.bad_header(cut, &reason));
        }
        let Ok(record) = std::str::from_utf8(&cut.rest()[..end]) else {
            return Err(self.bad_header(cut, "it is not UTF-8: convert the file to UTF-8"));
        };
        if record.contains('\r') {
            return Err(self.bad_header(cut, "its line ends with a lone carriage return: end lines with \\n or \\r\\n"));
        }
        if looks_like_utf16(record) {
            return Err(self.bad_header(cut, "it seems to be encoded in UTF-16, and only UTF-8 is read"));
        }
        if record.trim_start().starts_with(['{', '[']) {
            return Err(self
                .bad_header(cut, "it is JSON, not names: where the pipeline's format says csv, leave that away; else give the file the ending .json"));
        }
        let names = CsvFields::new(self.options)
            .split(record, |fields| fields.iter().map(|field| field.text.to_owned()).collect::<Vec<_>>())
            .map_err(|fault| self.bad_header(cut, &fault.reason))?;
        if names.iter().all(String::is_empty) {
            return Err(self.bad_header(cut, "it has no names"));
        }
        if is_markup(record, &names) {
            return Err(self.bad_header(cut, "it is markup (an HTML or XML page), not names: have the file sent again"));
        }
        self.other_separator = other_separator(record.as_bytes(), self.options);
        self.header = names;
        Ok(())
    }

    fn bad_header(&self, cut: &Cut<'_>, reason: &str) -> DropFault {
        DropFault::Unreadable(format!("the CSV header in line {} cannot be read: {reason}", cut.line))
    }

    fn is_blank(&self, line: &[u8]) -> bool {
        let line = without_return(line);
        let blanks = |byte: &u8| matches!(byte, b' ' | b'\t') && *byte != self.options.separator;
        line.is_empty() || self.header.len() != 1 && line.iter().all(blanks)
    }

    /// The number of fields of a line without quotes; none if it has some.
    fn count_unquoted(&self, line: &[u8]) -> Option<usize> {
        let quoted = memchr::memchr(self.options.quote, line).is_some();
        (!quoted).then(|| 1 + memchr::memchr_iter(self.options.separator, line).count())
    }

    /// Finds the end of the record that begins with these bytes.
    fn scan(&self, bytes: &[u8]) -> Scan {
        let CsvOptions { separator, quote } = self.options;
        let (mut fields, mut at) = (1, 0);
        loop {
            if bytes.get(at) == Some(&quote) {
                at = match end_of_quoted(bytes, at + 1, quote) {
                    Some(at) => at,
                    None => return Scan::Open,
                };
                match &bytes[at..] {
                    [] | [b'\r'] => return Scan::AtEnd { fields },
                    [b'\n', ..] => return Scan::Whole { end: at, next: at + 1, fields },
                    [b'\r', b'\n', ..] => return Scan::Whole { end: at, next: at + 2, fields },
                    [byte, ..] if *byte == separator => {}
                    _ => return Scan::Broken { at },
                }
            } else {
                match memchr::memchr2(separator, b'\n', &bytes[at..]) {
                    None => return Scan::AtEnd { fields },
                    Some(found) => at += found,
                }
                if bytes[at] == b'\n' {
                    return Scan::Whole { end: without_return(&bytes[..at]).len(), next: at + 1, fields };
                }
            }
            fields += 1;
            at += 1;
        }
    }
}

/// The byte after the closing quote of the field whose content begins at `from`.
pub(super) fn end_of_quoted(bytes: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(quote, bytes.get(at..)?)? + 1;
        if bytes.get(at) != Some(&quote) {
            return Some(at);
        }
        at += 1;
    }
}
