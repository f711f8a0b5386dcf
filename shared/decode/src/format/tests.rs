use super::*;

#[test]
fn names_tell_format_and_compression() {
    let known = [
        ("a/b/x.json", Format::Json, Compression::None),
        ("x.JSONL", Format::Json, Compression::None),
        ("x.jsonlines", Format::Json, Compression::None),
        ("x.ndjson.gz", Format::Json, Compression::Gzip),
        ("x.json.GZIP", Format::Json, Compression::Gzip),
        ("x.csv.zst", Format::Csv, Compression::Zstd),
        ("x.csv.zstd", Format::Csv, Compression::Zstd),
        ("com.acme.orders+0+0000000012.json", Format::Json, Compression::None),
    ];
    for (key, format, compression) in known {
        assert_eq!(by_name(key), Named::Known(format, compression), "{key}");
    }
    for key in
        ["x", "x.bin", "x.dat", "x.data", "orders.2024-01-01", "app.1", "com.acme.orders+0+0000000012", "", "a.b/"]
    {
        assert_eq!(by_name(key), Named::Silent(Compression::None), "{key}");
    }
    for key in ["x.log", "x.TXT", "x.out", "x.json.bak", "x.json.1", "x.old"] {
        assert_eq!(by_name(key), Named::Silent(Compression::None), "{key}");
    }
    assert_eq!(by_name("t+0+1.bin.gz"), Named::Silent(Compression::Gzip));
    assert_eq!(by_name("x.gz"), Named::Silent(Compression::Gzip));
    for key in ["parquet", "avro", "orc", "xml", "md", "png", "pdf", "zip", "tar", "html", "snappy.parquet", "7z"] {
        let extension = key.rsplit('.').next().unwrap_or(key);
        assert_eq!(by_name(&format!("a.b/x.{key}")), Named::Other(extension.into()));
    }
    assert_eq!(by_name("x.tar.gz"), Named::Other("tar.gz".into()));
}

#[test]
fn extensions_are_counted_with_their_compression() {
    for (key, extension) in [("a/x.Json.GZ", "json.gz"), ("x.gz", "gz"), ("x", ""), ("d.json/x", ""), ("x.XML", "xml")]
    {
        assert_eq!(extension_of(key), extension, "{key}");
    }
}

#[test]
fn settings_overrule_names() {
    assert_eq!(plan("x.json", None, None), Plan::Known(Format::Json, Packing::named(Compression::None)));
    assert_eq!(plan("x.csv", Some(Format::Json), None), Plan::Known(Format::Json, Packing::named(Compression::None)));
    assert_eq!(
        plan("x.log.gz", Some(Format::Json), None),
        Plan::Known(Format::Json, Packing::named(Compression::Gzip))
    );
    assert_eq!(
        plan("x.json.gz", None, Some(Compression::None)),
        Plan::Known(Format::Json, Packing::given(Compression::None))
    );
    assert_eq!(plan("x.bin.gz", None, None), Plan::NeedsFirstBytes(Packing::named(Compression::Gzip)));
    assert_eq!(plan("x", None, Some(Compression::Zstd)), Plan::NeedsFirstBytes(Packing::given(Compression::Zstd)));
    assert_eq!(plan("x.parquet", None, None), Plan::Unknown("parquet".into()));
}

#[test]
fn first_bytes_tell() {
    assert_eq!(by_first_bytes(&[0x1f, 0x8b, 8, 0]), Some(Compression::Gzip));
    assert_eq!(by_first_bytes(&[0x28, 0xb5, 0x2f, 0xfd]), Some(Compression::Zstd));
    assert_eq!(by_first_bytes(&[0x5a, 0x2a, 0x4d, 0x18]), Some(Compression::Zstd));
    assert_eq!(by_first_bytes(&[0x1f, 0x8b]), None);
    assert_eq!(by_first_bytes(b"{\"a\":1}"), None);
    for text in ["{", " \n\t[", "\u{feff} {\"a\":1}", "[\n {\"a\":1}", "[]", "[[{\"a\":1}]]", "{}", "{ id:1}"] {
        assert!(begins_like_json(text.as_bytes()), "{text}");
    }
    let no_json = [
        "",
        "  ",
        "a,b",
        "\"x\"",
        "12",
        "[2026-11-22 10:00:00] INFO",
        "[main] DEBUG",
        "{{ name }}",
        "{% if %}",
        "{\\rtf1",
    ];
    for text in no_json {
        assert!(!begins_like_json(text.as_bytes()), "{text}");
    }
}

#[test]
fn words_round_trip() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
        assert_eq!(serde_json::to_string(&format).expect("a word"), format!("\"{format}\""));
    }
    for compression in Compression::ALL {
        assert_eq!(compression.to_string().parse(), Ok(compression));
        assert_eq!(serde_json::to_string(&compression).expect("a word"), format!("\"{compression}\""));
    }
    let wrong = "parquet".parse::<Format>().expect_err("not yet");
    assert_eq!(wrong.to_string(), "`parquet` is no format that can be read; choose one of json, csv");
}

#[test]
fn some_names_say_a_record_a_line() {
    for key in ["x.jsonl", "a/b/X.NDJSON", "x.jsonlines", "x.jsonl.gz", "x.ndjson.zst", "x.y.JsonL.GZIP"] {
        assert!(says_lines(key), "{key}");
    }
    for key in ["x.json", "x.json.gz", "x.jsonl/y", "x.jsonl.bak", "jsonl", "x.csv", "x.log"] {
        assert!(!says_lines(key), "{key}");
    }
}
