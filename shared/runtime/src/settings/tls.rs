//! What leaves the machine is encrypted: an address without TLS is taken only where it cannot leave it.

/// Set by LocalStack alone, in the functions that it runs in containers: the name of the machine that they are on.
const EMULATOR: &str = "LOCALSTACK_HOSTNAME";

/// The variables that name endpoints of AWS's services.
const ENDPOINTS: [&str; 4] =
    ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"];

/// Checks the endpoints that an environment names.
///
/// # Errors
/// The variable and what is wrong with it, in words.
pub fn check_endpoints(variable: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let emulator = variable(EMULATOR);
    for name in ENDPOINTS {
        if let Some(address) = variable(name).filter(|address| !address.is_empty()) {
            encrypted(&address, emulator.as_deref()).map_err(|problem| format!("{name}: {problem}"))?;
        }
    }
    Ok(())
}

/// Checks that an address is spoken to by TLS, or cannot leave the machine. `emulator` is a name of the machine itself.
///
/// # Errors
/// What is wrong with it, in words.
pub fn encrypted(address: &str, emulator: Option<&str>) -> Result<(), String> {
    // Schemes and hosts mean the same in any case.
    let lower = address.to_ascii_lowercase();
    if lower.starts_with("https://") {
        return Ok(());
    }
    let Some(rest) = lower.strip_prefix("http://") else {
        return Err(format!("'{address}' is no address: write https://HOST"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let own = emulator.is_some_and(|name| !name.is_empty() && name.eq_ignore_ascii_case(host));
    // Readers of addresses differ over what a backslash ends.
    if !authority.contains(['@', '\\']) && (own || is_loopback(host)) {
        return Ok(());
    }
    Err(format!(
        "'{address}' is not encrypted: write https://; http:// is for this machine alone (127.0.0.1, localhost)"
    ))
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    // By its makers' promise this name is 127.0.0.1.
    address.is_ok_and(|address| address.is_loopback()) || ["localhost", "localhost.localstack.cloud"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for good in [
            "https://s3.eu-central-1.amazonaws.com",
            "HTTPS://minio.example.com:9000",
            "http://127.0.0.1:4566",
            "http://127.9.9.9/x",
            "http://localhost:8000/",
            "http://LOCALHOST",
            "http://[::1]:9000",
            "http://localhost.localstack.cloud:4566",
        ] {
            assert_eq!(encrypted(good, None), Ok(()), "{good}");
        }
        for bad in [
            "http://s3.amazonaws.com",
            "http://10.0.0.1:9000",
            "http://169.254.169.254",
            "http://[::]:9000",
            "http://0.0.0.0",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "http://127.0.0.1:80@example.com",
            "http://localhost\\@example.com",
            "http://",
            "ftp://localhost",
            "s3.amazonaws.com",
            "",
        ] {
            assert!(encrypted(bad, None).is_err(), "{bad}");
        }
        assert!(encrypted("http://172.17.0.2:4566", Some("172.17.0.2")).is_ok());
        assert!(encrypted("http://172.17.0.2:4566", Some("")).is_err());
    }

    #[test]
    fn every_variable_is_looked_at() {
        for name in ENDPOINTS {
            let set = |value: &'static str| move |asked: &str| (asked == name).then(|| value.to_owned());
            assert_eq!(check_endpoints(&set("")), Ok(()));
            let why = check_endpoints(&set("http://s3.example.com")).expect_err("not encrypted");
            assert!(
                why.starts_with(name) && why.contains("http://s3.example.com") && why.contains("https://"),
                "{why}"
            );
        }
    }
}
