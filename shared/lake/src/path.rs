//! The paths of data files as the log spells them.
//!
//! An `add` names its file by a URI (RFC 2396) that a reader decodes, so a name that holds a percent sign, as the folders of Hive
//! partitions do, is encoded once more: `day=a%3Ab` on disk is `day=a%253Ab` in the log (Delta protocol, "Add File and Remove File").

/// A path relative to the table as the log spells it.
///
/// All but the letters, digits and signs that mean nothing in a URI is encoded: a colon in the first folder would read as a scheme.
pub(crate) fn encode(path: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(path.len() + 8);
    for &byte in path.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'=' => {
                out.push(char::from(byte))
            }
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out
}

/// The path that the log's spelling means. What is no escape stays as it is; bytes that are no UTF-8 are replaced.
pub(crate) fn decode(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape =
            (byte == b'%').then(|| Some((digit(*bytes.get(at + 1)?)? << 4) | digit(*bytes.get(at + 2)?)?)).flatten();
        match escape {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_percent_sign_on_disk_is_encoded_once_more() {
        assert_eq!(encode("day=a%3Ab/part 1.parquet"), "day=a%253Ab/part%201.parquet");
        assert_eq!(encode("a:b/ü.parquet"), "a%3Ab/%C3%BC.parquet");
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decode("100%/a%zz%4"), "100%/a%zz%4");
        assert_eq!(decode("a%20b+c"), "a b+c");
    }

    proptest! {
        #[test]
        fn decoding_is_the_inverse(path in any::<String>()) {
            let encoded = encode(&path);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode(&encoded), path);
        }
    }
}
