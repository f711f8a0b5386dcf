//! AWS's clients, made once per process, and their requests, counted.

mod endpoints;
mod requests;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub use requests::Requests;

use crate::settings::check_endpoints;

/// How often a request is sent at most, the first time included. What fails oftener is a passing cause for the caller.
const ATTEMPTS: u32 = 5;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a service may take to begin an answer. DynamoDB and SQS answer in milliseconds: who waits longer waits in vain.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// S3 begins to answer within a second; over the last of a large upload's parts it may take longer.
const S3_READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The clients. They share one pool of connections, and look for credentials when the first request is sent.
#[derive(Clone, Debug)]
pub struct Clients {
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// What was sent.
    pub requests: Requests,
    /// What they were made with: for others who speak to the same services.
    pub config: SdkConfig,
    path_style: bool,
}

impl Clients {
    /// Makes the clients from the environment: AWS's own variables, and its files where they are set.
    ///
    /// An endpoint that is not AWS's (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, a profile's) is asked with the bucket in the path, as it seldom has a name
    /// for each bucket.
    ///
    /// # Errors
    /// An endpoint that is not spoken to by TLS and is not this machine's; no region, or what is none.
    pub async fn load() -> Result<Self, String> {
        check_endpoints(&|name| std::env::var(name).ok())?;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts(READ_TIMEOUT))
            .load()
            .await;
        check_region(config.region().map(AsRef::as_ref))?;
        // What a profile names is seen only now.
        endpoints::check(&config, std::env::var("LOCALSTACK_HOSTNAME").ok().as_deref())?;
        let path_style = endpoints::endpoint_of(&config, "S3").is_some();
        Ok(Self::new(&config, path_style))
    }

    /// Makes the clients from a configuration.
    pub fn new(config: &SdkConfig, path_style: bool) -> Self {
        let requests = Requests::default();
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(path_style)
            .timeout_config(timeouts(S3_READ_TIMEOUT))
            .interceptor(requests.clone());
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(config).interceptor(requests.clone());
        let sqs = aws_sdk_sqs::config::Builder::from(config).interceptor(requests.clone());
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            requests,
            config: config.clone(),
            path_style,
        }
    }

    /// The address of a bucket, as the client of S3 asks for it: with its name in the host or in the path.
    ///
    /// # Errors
    /// Where no region is known, or none can be asked so.
    pub async fn bucket_address(&self, bucket: &str) -> Result<String, String> {
        endpoints::bucket_address(&self.config, bucket, self.path_style).await
    }
}

fn https() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn timeouts(read: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(read).build()
}

/// A region is part of hosts' names: what cannot be one is told before the SDK tells it in words of its own.
fn check_region(region: Option<&str>) -> Result<(), String> {
    let known = region.filter(|region| !region.is_empty());
    let known = known.ok_or("no AWS region is known: set AWS_REGION, or region in the profile")?;
    if known.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(());
    }
    Err(format!("'{known}' is no AWS region: set AWS_REGION, or region in the profile, to one, as eu-central-1 is"))
}

#[cfg(test)]
mod tests {
    use super::check_region;

    #[test]
    fn what_is_no_region_is_told_with_what_to_set() {
        for (region, said) in [
            (None, "no AWS region is known"),
            (Some(""), "no AWS region is known"),
            (Some("us east 1"), "'us east 1' is no"),
        ] {
            let problem = check_region(region).unwrap_err();
            assert!(problem.contains(said) && problem.contains("set AWS_REGION"), "{region:?}: {problem}");
        }
        for region in ["eu-central-1", "us-gov-west-1", "cn-north-1", "x"] {
            assert_eq!(check_region(Some(region)), Ok(()));
        }
    }
}
