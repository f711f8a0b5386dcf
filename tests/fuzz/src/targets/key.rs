//! Keys as notifications write them.
//!
//! - A key that is read is what `percent-encoding` reads, with `+` for a space; it is refused only where that would have to guess.
//! - What is written is read back.

use drops::notification::{decode_key, encode_key};
use percent_encoding::percent_decode_str;

pub(super) fn check(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    assert_eq!(decode_key(&encode_key(text)).as_deref(), Ok(text));
    let spaced = text.replace('+', " ");
    let theirs = percent_decode_str(&spaced).decode_utf8();
    match (decode_key(text), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs);
            assert_eq!(decode_key(&encode_key(&ours)), Ok(ours));
        }
        (Ok(ours), Err(_)) => panic!("{ours:?} is no UTF-8"),
        // The other reader leaves a stray percent sign as it is.
        (Err(_), Ok(_)) => assert!(stray_percent(text), "{text:?} is a key"),
        (Err(_), Err(_)) => {}
    }
    decode_key(text).is_ok()
}

/// Whether a percent sign stands without two hexadecimal digits behind it.
fn stray_percent(text: &str) -> bool {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        if *first == b'%' {
            if !(hex(rest.first()) && hex(rest.get(1))) {
                return true;
            }
            bytes = &rest[2..];
        }
    }
    false
}
