//! What S3 answered, for messages.
//!
//! The client of object stores shows the whole body of an answer that it did not expect, and S3's repeats what the request was signed
//! with: the key's id, and where the signature is wrong the session's token as well ("Error responses", `SignatureDoesNotMatch`). Messages
//! go into logs, so what S3 calls the error, and what it says of it, is all that is kept.

/// A message without the body of S3's answer.
pub(crate) fn without_body(message: &str) -> String {
    let Some(at) = ["<?xml", "<Error"].iter().filter_map(|start| message.find(start)).min() else {
        return message.to_owned();
    };
    let (before, body) = message.split_at(at);
    let of =
        |name: &str| body.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>")).map(|(text, _)| text);
    match (of("Code"), of("Message")) {
        (Some(code), Some(told)) => format!("{before}{code}: {told}"),
        (Some(code), None) => format!("{before}{code}"),
        (None, _) => format!("{before}the rest of the answer is not shown"),
    }
}

#[cfg(test)]
mod tests {
    use super::without_body;

    #[test]
    fn of_an_answer_the_code_and_the_message_are_kept() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message>\
                    <AWSAccessKeyId>AKIA</AWSAccessKeyId><CanonicalRequest>x-amz-security-token:t</CanonicalRequest></Error>";
        for start in ["", "<?xml version=\"1.0\"?>\n"] {
            let told = without_body(&format!("GET of a: 403 Forbidden: {start}{body}"));
            assert_eq!(told, "GET of a: 403 Forbidden: SignatureDoesNotMatch: It does not match.");
        }
        assert_eq!(without_body("a: <Error><AWSAccessKeyId>AKIA</AWSAc"), "a: the rest of the answer is not shown");
        assert_eq!(without_body("no such file: a < b"), "no such file: a < b");
    }
}
