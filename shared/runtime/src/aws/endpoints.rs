//! Where AWS's services are asked, as their clients will find it: in the environment and in AWS's files, for all services or for one.

use aws_config::SdkConfig;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
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
pub(super) fn endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = config.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// As the client of S3 finds it, by the SDK's own rules: of regions, their hosts' names, and which buckets' names fit a certificate.
pub(super) async fn bucket_address(config: &SdkConfig, bucket: &str, path_style: bool) -> Result<String, String> {
    let told = |reason: String| format!("where the bucket {bucket} is asked for is not known: {reason}");
    let params = Params::builder()
        .bucket(bucket)
        .set_region(config.region().map(ToString::to_string))
        .set_endpoint(endpoint_of(config, "S3"))
        .use_fips(config.use_fips().unwrap_or_default())
        .use_dual_stack(config.use_dual_stack().unwrap_or_default())
        .force_path_style(path_style)
        .build()
        .map_err(|error| told(error.to_string()))?;
    let found = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).await;
    found.map(|endpoint| endpoint.url().to_owned()).map_err(|error| told(error.to_string()))
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
    async fn a_bucket_is_asked_for_where_its_region_and_its_name_say() {
        let profiles = |text: &str| EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, text).build();
        for (region, bucket, profile, address) in [
            ("eu-west-1", "data-lake", "", "https://data-lake.s3.eu-west-1.amazonaws.com"),
            // Certificates hold for one label before the host.
            ("eu-west-1", "data.lake.example", "", "https://s3.eu-west-1.amazonaws.com/data.lake.example"),
            ("cn-north-1", "data-lake", "", "https://data-lake.s3.cn-north-1.amazonaws.com.cn"),
            ("x", "data-lake", "endpoint_url = http://localhost:9000\n", "http://localhost:9000/data-lake"),
        ] {
            let config =
                aws_config::defaults(BehaviorVersion::latest()).http_client(https()).region(Region::new(region));
            let files = profiles(&format!("[profile own]\n{profile}"));
            let config = config.profile_files(files).profile_name("own").load().await;
            let path_style = endpoint_of(&config, "S3").is_some();
            assert_eq!(bucket_address(&config, bucket, path_style).await.as_deref(), Ok(address));
        }
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
