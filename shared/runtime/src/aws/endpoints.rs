//! Where AWS's services are asked, as their clients will find it: in the environment and in AWS's files, for all services or for one.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use crate::settings::encrypted;

/// The services that are asked, and those that credentials come from, by AWS's names for them.
const SERVICES: [&str; 6] = ["S3", "DynamoDB", "SQS", "STS", "SSO", "SSO OIDC"];

/// Checks that each is spoken to by TLS, or cannot leave the machine. `emulator` is a name of the machine itself.
///
/// # Errors
/// The service and what is wrong with its endpoint, in words.
pub(super) fn check(config: &SdkConfig, emulator: Option<&str>) -> Result<(), String> {
    for service in SERVICES {
        if let Some(endpoint) = endpoint_of(config, service) {
            encrypted(&endpoint, emulator).map_err(|problem| format!("the endpoint_url of {service}: {problem}"))?;
        }
    }
    Ok(())
}

/// As the clients look it up ("Service-specific endpoints" in AWS's SDKs and Tools Reference Guide): one of the service's own goes first.
fn endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = config.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

    use super::*;
    use crate::aws::https;

    /// What is said of a file of profiles, of which the first is taken.
    async fn told(profiles: &str) -> Result<(), String> {
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, profiles).build();
        // Where no region is given a machine's metadata service is asked for it.
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(https()).region(Region::new("x"));
        check(&config.profile_files(files).profile_name("own").load().await, Some("emulator"))
    }

    #[tokio::test]
    async fn what_a_profile_names_is_encrypted_whichever_service_it_names_it_for() {
        for good in [
            "[profile own]\n",
            "[profile own]\nendpoint_url = https://s3.example.com\n",
            "[profile own]\nendpoint_url = http://127.0.0.1:9000\n",
            "[profile own]\nservices = ours\n[services ours]\ns3 =\n  endpoint_url = http://emulator:4566\n",
            "[profile own]\n[services others]\ns3 =\n  endpoint_url = http://s3.example.com\n",
        ] {
            assert_eq!(told(good).await, Ok(()), "{good}");
        }
        let all = told("[profile own]\nendpoint_url = http://s3.example.com\n").await.expect_err("not encrypted");
        assert!(all.contains("of S3: 'http://s3.example.com' is not encrypted"), "{all}");
        for (named, service) in [("s3", "S3"), ("dynamodb", "DynamoDB"), ("sqs", "SQS"), ("sts", "STS"), ("sso", "SSO")]
        {
            let one = format!(
                "[profile own]\nservices = ours\nendpoint_url = https://example.com\n[services ours]\n{named} =\n  endpoint_url = http://example.com\n"
            );
            let why = told(&one).await.expect_err("not encrypted");
            assert!(why.contains(&format!("of {service}: 'http://example.com' is not encrypted")), "{why}");
        }
    }
}
