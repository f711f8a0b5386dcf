//! The targets: what is read, and what must hold whatever the bytes are.

mod checkpoint;
mod compressed;
mod csv;
mod event;
mod foreign;
mod hints;
mod json;
mod key;
mod log;
mod manifest;
mod notification;
mod settings;
mod table;

/// Something that reads strangers' bytes.
#[derive(Debug)]
pub struct Target {
    /// Its name, and its folder's in the corpus.
    pub name: &'static str,
    /// Panics where a property does not hold for these bytes. Says whether they were understood, so that a corpus that only shows
    /// refusals is seen.
    pub check: fn(&[u8]) -> bool,
    /// Words that its inputs are made of: mutations put them in.
    pub words: &'static [&'static str],
    /// How many mutations `cargo test` tries: about a second's worth.
    pub tries: u32,
}

const JSON_WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\u{feff}",
    "null",
    "true",
    "1e400",
    "-0",
    "0.1",
    "9223372036854775808",
    "\\ud83d\\ude00",
    "\\ud800",
    "\"a\":",
    "\"_rescued_data\":",
    "\"A\":",
    "\"1970-01-01\"",
    "\"2026-02-30T00:00:00.123456+01:00\"",
    "NaN",
    "\0",
    "é",
    "{\"a\":1}\n",
    "[{\"a\":[{\"b\":[]}]},",
];

const EVENT_WORDS: &[&str] = &[
    "\"Records\":",
    "\"eventSource\":\"aws:s3\"",
    "\"eventSource\":\"aws:sqs\"",
    "\"EventSource\":\"aws:sns\"",
    "\"Message\":",
    "\"Type\":\"Notification\"",
    "\"detail-type\":\"Object Created\"",
    "\"source\":\"aws.s3\"",
    "\"eventVersion\":\"2.1\"",
    "\"eventName\":\"ObjectCreated:Put\"",
    "\"key\":",
    "\"size\":",
    "%2B",
    "+",
    "%",
    "\\u0000",
    "null",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
];

/// Every target.
pub const TARGETS: [Target; 13] = [
    Target { name: "json", check: json::check, words: JSON_WORDS, tries: 500 },
    Target {
        name: "csv",
        check: csv::check,
        words: &[
            ",",
            "\"",
            "\"\"",
            "\n",
            "\r\n",
            "\r",
            "a,b\n",
            "\u{feff}",
            "\"\n\"",
            "NaN",
            "1e400",
            "true",
            "-0",
            " ",
            "\t",
            "{\"a\":1}",
            "\0",
        ],
        tries: 500,
    },
    Target { name: "gzip", check: compressed::gzip, words: &["\x1f", "\0", "\x08"], tries: 2_000 },
    Target { name: "zstd", check: compressed::zstd, words: &["(", "/", "\0", "\x7f"], tries: 2_000 },
    Target { name: "notification", check: notification::check, words: EVENT_WORDS, tries: 5_000 },
    Target { name: "event", check: event::check, words: EVENT_WORDS, tries: 1_000 },
    Target {
        name: "key",
        check: key::check,
        words: &["%", "+", "%2B", "%00", "..", "/", "%C3%A9", "%ff", " "],
        tries: 20_000,
    },
    Target {
        name: "settings",
        check: settings::check,
        words: &[
            "\"pipelines\":",
            "\"source\":",
            "\"s3://",
            "\"ledger\":\"dynamodb://",
            "..",
            "/",
            "64MiB",
            "18446744073709551615",
            "\"5m\"",
            "null",
            "[[pipeline]]\n",
            "source = \"",
            "{",
            "}",
            "[",
            "]",
            "\n",
        ],
        tries: 3_000,
    },
    Target {
        name: "hints",
        check: hints::check,
        words: &[
            "string",
            "bigint",
            "array<",
            "struct<",
            ">",
            ":",
            ",",
            "`",
            ".",
            " ",
            "element",
            "map<",
            "timestamp",
            "\0",
        ],
        tries: 5_000,
    },
    Target {
        name: "manifest",
        check: manifest::check,
        words: &["18446744073709551615", "\"rows\":", "\"runs\":", "\"drops\":", "0", "\n", "null", "{", "}"],
        tries: 3_000,
    },
    Target {
        name: "log",
        check: log::check,
        words: &[
            "{\"add\":{\"path\":\"",
            "{\"txn\":{\"appId\":\"",
            "\"version\":",
            "{\"metaData\":",
            "{\"protocol\":",
            "\n",
            "%2F",
            "null",
            "9223372036854775808",
            "-1",
            "\\\"",
            "}",
            "{",
        ],
        tries: 300,
    },
    Target {
        name: "checkpoint",
        check: checkpoint::check,
        words: &[
            "PAR1",
            "{\"checkpointMetadata\":{\"version\":2}}\n",
            "{\"txn\":{\"appId\":\"",
            "\"version\":",
            "{\"sidecar\":{\"path\":\"",
            "{\"protocol\":",
            "minReaderVersion",
            "schemaString",
            "lithify/p",
            "\0\0\0\0",
            "\x7f",
            "-1",
            "\n",
        ],
        tries: 300,
    },
    Target {
        name: "foreign",
        check: foreign::check,
        words: &[
            "PAR1",
            "lithify.order",
            "element",
            "\0\0\0\0",
            "\x7f",
            "\u{7ff}",
            "\x15",
            "\x16",
            "\x19",
            "\x1c",
            "\x01",
        ],
        tries: 300,
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
