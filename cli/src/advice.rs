//! What to do about a failure of the machine, whatever it was that failed: the texts of many errors end with the system's own.

/// What to do about an error with this text, where the system says what is the matter; nothing otherwise.
pub fn of(error: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    // By `errno`'s numbers on Linux, as [`std::io::Error`] shows them, and SQLite's words.
    if says(&["(os error 28)", "the disk is full", "database or disk is full"]) {
        return Some("the disk is full: free some space and run again; nothing is lost, it goes on where it stopped");
    }
    if says(&["(os error 122)"]) {
        return Some("this user's share of the disk is used up: free some space and run again; nothing is lost");
    }
    if says(&["(os error 36)"]) {
        return Some(
            "a name has at most 255 bytes and a path 4,095: move it to a folder with a shorter path, or rename it, and run again",
        );
    }
    if says(&["(os error 24)", "(os error 23)"]) {
        return Some("too many files are open: raise the limit (ulimit -n) or give fewer --workers, and run again");
    }
    if says(&["(os error 30)"]) {
        return Some("the file system is mounted to be read only: mount it for writing, or name another place");
    }
    if says(&["the file is damaged", "the file is no ledger", "a record in it cannot be read"]) && says(&["ledger.db"])
    {
        return Some(
            "restore the folder _lithify from a backup of the table's newest version; without one, ingest everything into a new \
             table: in this one rows could be doubled. Its rows are not concerned, readers open it as before",
        );
    }
    if says(&["NoSuchBucket"]) {
        return Some(
            "look at the bucket's name, and make it first if it is to be new; `aws sts get-caller-identity` tells whose credentials these are",
        );
    }
    if says(&["no credentials"]) {
        return Some(
            "name a profile with AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and run again; `aws sts get-caller-identity` tells whether there are any",
        );
    }
    of_dynamodb(error)
}

/// Advice that names settings as a file has them, as the flags of a command line: `schema_hints = "a string"` is `--schema-hints 'a string'`.
pub fn in_flags(text: &str) -> String {
    const SETTING: &str = "schema_hints = ";
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(SETTING) {
        let behind = &rest[at + SETTING.len()..];
        let mut values = serde_json::Deserializer::from_str(behind).into_iter::<String>();
        let Some(Ok(hints)) = values.next() else { break };
        told += &format!("{}--schema-hints {}", &rest[..at], in_shell(&hints));
        rest = &behind[values.byte_offset()..];
    }
    told + rest
}

/// A text as one word of a command line. What is no letter and steers a terminal is escaped as `bash`, `zsh` and `ksh` read it.
fn in_shell(text: &str) -> String {
    if !text.contains(char::is_control) {
        // Within quotes of this kind a shell takes all but the quote itself as it is.
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let escaped = |c: char| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("$'{}'", text.chars().map(escaped).collect::<String>())
}

/// What the ledger's errors say where it lies in DynamoDB.
pub const DYNAMODB: &str = "DynamoDB table '";

/// By the words of the ledger for DynamoDB's answers.
fn of_dynamodb(error: &str) -> Option<&'static str> {
    if !error.contains(DYNAMODB) {
        return None;
    }
    if error.contains("there is no such table in this account and region") {
        return Some(
            "name the ledger that terraform made (its output `ledger`): --ledger dynamodb://NAME; `aws dynamodb list-tables` tells \
             what this account and region have, `aws sts get-caller-identity` which account it is",
        );
    }
    if error.contains("AWS refused the request") {
        return Some("`aws sts get-caller-identity` tells whose credentials these are; nothing is lost, run again");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{in_flags, of};

    #[test]
    fn hints_are_told_as_they_are_given() {
        for (file, flag) in [
            (
                "take schema_hints = \"n double\", or with schema_hints = \"n string\".",
                "take --schema-hints 'n double', or with --schema-hints 'n string'.",
            ),
            ("schema_hints = \"a.`b c` string\" accepts that", "--schema-hints 'a.`b c` string' accepts that"),
            ("schema_hints = \"`it's` string\"", r"--schema-hints '`it'\''s` string'"),
            ("take `n` out of schema_hints", "take `n` out of schema_hints"),
            (r#"schema_hints = "`q\"q` a""#, "--schema-hints '`q\"q` a'"),
            (r#"schema_hints = "`b\\c` a""#, r"--schema-hints '`b\c` a'"),
            (r#"schema_hints = "`a\tb'\\` a", or"#, r"--schema-hints $'`a\u0009b\'\\` a', or"),
            ("schema_hints = \"cut off", "schema_hints = \"cut off"),
        ] {
            assert_eq!(in_flags(file), flag);
        }
    }

    #[test]
    fn what_the_system_says_is_told_with_its_remedy() {
        for (error, word) in [
            ("cannot write x: No space left on device (os error 28)", "free some space"),
            ("cannot claim: '/t/_lithify/ledger.db': the disk is full (database or disk is full)", "nothing is lost"),
            ("could not list a (File name too long (os error 36))", "255 bytes"),
            ("cannot open the ledger: '/t/_lithify/ledger.db': the file is damaged (x): restore it", "doubled"),
            ("cannot open x: Too many open files (os error 24)", "ulimit"),
            (
                "the ledger could not open: DynamoDB table 'nope': there is no such table in this account and region (x)",
                "--ledger dynamodb://NAME",
            ),
            ("the Delta log of s3://l/t could not be read: no credentials of AWS: none", "AWS_PROFILE"),
            ("ListObjectsV2 s3://drops/: S3 answered NoSuchBucket (404): The bucket does not exist", "bucket's name"),
            ("the ledger could not open: DynamoDB table 'l': AWS refused the request (X: y)", "credentials"),
        ] {
            assert!(of(error).is_some_and(|help| help.contains(word)), "{error}");
        }
        assert_eq!(of("cannot read x: Permission denied (os error 13)"), None);
    }
}
