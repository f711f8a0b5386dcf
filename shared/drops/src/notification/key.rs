//! Keys as S3's own notifications write them: `application/x-www-form-urlencoded`, a space as `+`.
//!
//! Source: "Event message structure" in S3's user guide: `red flower.jpg` becomes `red+flower.jpg`. EventBridge's events carry
//! the key as it is.

/// Reads a key as it stands in a notification. An escape that is none, or bytes that are not UTF-8, are refused: a key that is guessed
/// names another object.
///
/// # Errors
/// What is wrong with it, in words.
pub fn decode_key(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |place: usize| bytes.get(place).and_then(|b| char::from(*b).to_digit(16));
                let (Some(high), Some(low)) = (digit(at), digit(at + 1)) else {
                    return Err(format!("at byte {} of a key stands '%' without two hexadecimal digits", at - 1));
                };
                at += 2;
                // Two hexadecimal digits: at most 255.
                (high * 16 + low) as u8
            }
            other => *other,
        });
    }
    String::from_utf8(decoded).map_err(|e| format!("a key is no UTF-8 from byte {} on", e.utf8_error().valid_up_to()))
}

/// Writes a key as a notification does.
pub fn encode_key(key: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            other => {
                encoded.push('%');
                encoded.push(char::from(DIGITS[usize::from(other >> 4)]));
                encoded.push(char::from(DIGITS[usize::from(other & 15)]));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_s3_writes() {
        for (written, key) in [
            ("red+flower.jpg", "red flower.jpg"),
            ("orders%2B0%2B0000000012.json.gz", "orders+0+0000000012.json.gz"),
            ("day%3D2026-11-22/100%25.json", "day=2026-11-22/100%.json"),
            ("%E3%81%82/x", "あ/x"),
            ("a%2fb", "a/b"),
            ("", ""),
        ] {
            assert_eq!(decode_key(written).as_deref(), Ok(key));
        }
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        for wrong in ["100%", "a%4", "%zz", "%+1", "%ff", "a%C3"] {
            assert!(decode_key(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_key_comes_back(key: String) {
            let written = encode_key(&key);
            prop_assert!(written.is_ascii() && !written.contains(' '));
            prop_assert_eq!(decode_key(&written), Ok(key));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[%+a-f0-9\u{0}-\u{ff}]{0,40}") {
            let _ = decode_key(&text);
        }
    }
}
