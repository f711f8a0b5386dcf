//! JSON lines: each line that is not blank is a record, whatever it holds.

use super::cut::{Cut, Follows, Stop, without_return};
use super::shape::is_whole_object;

/// Cuts as many lines as there are.
pub(super) fn cut(cut: &mut Cut<'_>) -> Stop {
    let (bytes, start) = (cut.bytes, cut.used);
    for end in memchr::memchr_iter(b'\n', &bytes[start..]) {
        let line = &bytes[cut.used..start + end];
        push(cut, line);
        cut.advance_line(line.len());
        if cut.is_full() {
            return Stop::Full;
        }
    }
    let (rest, follows) = cut.window();
    match follows {
        Follows::TooMuch => Stop::LongLine,
        Follows::More => Stop::More,
        Follows::Nothing => {
            push(cut, rest);
            cut.used = cut.bytes.len();
            Stop::End
        }
        Follows::Missing => {
            // An object that is whole lost at most its line end. Of a number that would not be known.
            if is_whole_object(rest) {
                push(cut, rest);
                cut.used = cut.bytes.len();
            }
            cut.end_early()
        }
    }
}

fn push(cut: &mut Cut<'_>, line: &[u8]) {
    let record = without_return(line);
    // Nearly every line begins with a brace.
    if record.first().is_some_and(|first| *first > b' ') || !record.trim_ascii().is_empty() {
        cut.push(record.len());
    }
}
